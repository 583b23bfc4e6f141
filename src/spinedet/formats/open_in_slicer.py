"""Opens the images and boxes beside this file: Slicer --python-script open_in_slicer.py"""

from pathlib import Path

import slicer

ENDINGS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")

folder = Path(__file__).resolve().parent
images = [slicer.util.loadVolume(str(file)) for file in sorted(folder.iterdir()) if file.name.endswith(ENDINGS)]
for markups in sorted(folder.glob("*.mrk.json")):
    slicer.util.loadMarkups(str(markups))
if images:
    slicer.util.setSliceViewerLayers(background=images[0], fit=True)
slicer.util.resetSliceViews()
slicer.util.selectModule("Markups")  # its table lists the boxes by name
