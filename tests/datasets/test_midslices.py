"""Middle slices: pictures become volumes of one slice, their pixels' boxes RAS mm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinedet.core.errors import InputError
from spinedet.datasets.midslices import MidslicesConfig, open_midslices
from spinedet.imaging.volume import read_volume

HEAD = (
    "patient,disc,level,positive,pfirrmann,bulging,herniation,narrowing,modic,spondylolisthesis,upper_endplate,"
    "lower_endplate,px_left,px_right,px_top,px_bottom,mm_per_px_x,mm_per_px_y,vendor,tesla,level_doubt"
)
ROWS = (
    "7,1,L5/S1,1,3,1,0,0,0,0,0,0,20,40,60,70,0.5,0.8,Philips,3.0,",
    "7,2,L4/L5,0,2,0,0,0,0,0,0,0,20,40,30,40,0.5,0.8,Philips,3.0,may be L3/L4",
    "7,3,L3/L4,1,,1,0,0,0,0,0,0,20,40,10,20,0.5,0.8,Philips,3.0,",
    "7,4,L2/L3,1,4,1,0,0,0,0,0,0,20,40,-8,2,0.5,0.8,Philips,3.0,",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "midslices"
    (folder / "t2").mkdir(parents=True)
    (folder / "discs.csv").write_text("\n".join([HEAD, *ROWS, ""]), "utf-8")
    pixels = np.random.default_rng(0).integers(0, 255, (80, 60), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "t2" / "7.png")
    return folder


def test_a_picture_becomes_a_slice_with_lesions_and_negatives(root: Path, tmp_path: Path) -> None:
    dataset = open_midslices(root, tmp_path / "series", MidslicesConfig())
    (case,) = dataset.cases
    reading = case.read()
    study = reading.study
    assert (study.id, study.patient, study.attributes["vendor"]) == ("SPIDER-7-middle", "SPIDER-7", "Philips")
    volume = read_volume(study.series[0].path)
    assert volume.grid.shape == (1, 80, 60)
    assert volume.grid.spacing == pytest.approx([4.0, 0.8, 0.5])
    (lesion, ungraded), (negative,) = study.lesions, study.negatives
    assert (ungraded.id, ungraded.ignore) == ("3", True)
    # Columns 20 to 40 of .5 mm run to the back, rows 60 to 70 of .8 mm to the feet; voxel 0 is centred on 0.
    assert lesion.box.size == pytest.approx((4.0, 10.0, 8.0))
    assert lesion.box.center == pytest.approx((0.0, -(30 - 0.5) * 0.5, -(65 - 0.5) * 0.8))
    assert (lesion.level, negative.level) == ("L5/S1", None)
    assert lesion.attributes["pfirrmann"] == 3
    assert [each.where for each in reading.unused] == [f"discs.csv, patient 7, disc {n}" for n in (3, 4)]


def test_what_cannot_be_read_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "t2" / "7.png").write_bytes(b"no picture")
    (case,) = open_midslices(root, tmp_path / "series", MidslicesConfig()).cases
    with pytest.raises(InputError, match="copy it again"):
        case.read()
    (root / "t2" / "7.png").unlink()
    with pytest.raises(InputError, match="holds none of the pictures"):
        open_midslices(root, tmp_path / "series", MidslicesConfig())
    with pytest.raises(InputError, match="slice thickness"):
        MidslicesConfig(slice_mm=0)
