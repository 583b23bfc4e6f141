"""`spinedet.export`: what is written, what is left out, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import Grid
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.core.types import Box, Lesion, Manifest, Series, Study
from spinedet.imaging.volume import Volume, write_volume

from .conftest import Run


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two sagittal studies, the second without its image."""
    array = np.random.default_rng(0).integers(0, 99, (6, 30, 40)).astype(np.float32)
    write_volume(tmp_path / "a.nii.gz", Volume(array, Grid((6, 30, 40), np.diag([4.0, 0.5, 0.5, 1.0]))))
    studies = []
    for name in ("a", "b"):
        series = Series(id="sag", plane=Plane.SAGITTAL, path=tmp_path / f"{name}.nii.gz")
        lesion = Lesion(id="1", series="sag", category="bulge", box=Box(center=(8, 6, 6), size=(8, 3, 2)))
        studies.append(Study(id=name, patient=name, center="A", series=(series,), lesions=(lesion,)))
    path = tmp_path / "manifest.json"
    whole = Manifest(name="set", region=Region.LUMBAR, categories=("bulge",), studies=tuple(studies))
    write_manifest(path, whole)
    return path


@pytest.mark.parametrize("to", ["coco", "slicer", "monai", "nndetection"])
def test_every_destination_is_written_and_a_lost_image_skipped(
    run: Run, manifest: Path, tmp_path: Path, to: str
) -> None:
    out = tmp_path / "out"
    assert run("export", f"manifest={manifest}", f"to={to}", f"out={out}") == 3
    assert [each["study"] for each in json.loads((out / "skipped.json").read_text("utf-8"))] == ["b/sag"]
    assert any(file.suffix == ".json" and file.name != "skipped.json" for file in out.rglob("*"))


def test_coco_goes_out_and_comes_in_again(run: Run, manifest: Path, tmp_path: Path) -> None:
    assert run("export", f"manifest={manifest}", "to=coco", f"out={tmp_path / 'out'}") == 3
    again = tmp_path / "again"
    assert run("convert", "source=coco", f"root={tmp_path / 'out' / 'coco.json'}", f"out={again}", "pictures=0") == 0
    (study,) = read_manifest(again / "manifest.json").studies
    assert study.lesions[0].box == Box(center=(8, 6, 6), size=(8, 3, 2))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("to=yolo", "to=yolo"),
        ("planes=[coronal]", "coronal"),
        ("oblique=keep", "oblique=keep"),
        ("planes=[axial]", "no series of these planes"),
    ],
)
def test_wrong_words_are_refused(
    run: Run, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, message: str
) -> None:
    assert run("export", f"manifest={manifest}", "to=coco", f"out={tmp_path / 'out'}", word) == 2
    assert message in capsys.readouterr().err


def test_nothing_readable_is_an_error(
    run: Run, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.nii.gz").unlink()
    assert run("export", f"manifest={manifest}", "to=coco", f"out={tmp_path / 'out'}") == 2
    assert "does not exist" in capsys.readouterr().err
