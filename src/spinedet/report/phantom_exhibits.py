"""What the realism report shows: phantoms drawn for it, and the real scans that are at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from spinedet.core.anatomy import Region
from spinedet.imaging.planes import plane_of
from spinedet.imaging.volume import Volume, read_volume
from spinedet.report.realism_page import Exhibit
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.realism import Probes, ScanMeasures, measure_scan, probes_of, real_probes
from spinedet.simulation.study import draw_study


def phantom_exhibits(centers: Sequence[str], studies: int, seed: int) -> Iterator[Exhibit]:
    """Both planes of the first studies of some centres."""
    for center in centers:
        for index in range(1, studies + 1):
            study = draw_study(CENTERS[center], index, seed)
            places = probes_of(study.scene)
            for stack, image in zip(study.stacks, study.images, strict=True):
                volume = Volume(image.astype(np.float32), stack.grid)
                name = f"centre {center}, {index}"
                place = study.scene.spine.aim.blocks[-1].frame.center
                yield Exhibit(
                    f"centre {center}", name, stack.plane, volume, place, _measured(volume, places), real=False
                )


def real_exhibits(root: Path, region: Region) -> Iterator[Exhibit]:
    """The real scans of a region under the folder of real data, with the places measured on them."""
    for file, places in real_probes().items():
        path = root / file
        cervical = "cervical" in file
        if cervical is not (region is Region.CERVICAL) or not path.exists():
            continue
        volume = read_volume(path)
        group = "SPIDER (SPACE)" if file.startswith("spider") else path.name.split(".")[0]
        middle = np.mean(places["csf"], axis=0)
        place = (float(middle[0]), float(middle[1]) + 15, float(middle[2]))
        yield Exhibit(
            group, path.name.split(".")[0], plane_of(volume.grid), volume, place, _measured(volume, places), real=True
        )


def _measured(volume: Volume, places: Probes) -> ScanMeasures | None:
    try:
        return measure_scan(volume.array, volume.grid, places)
    except ValueError:
        return None
