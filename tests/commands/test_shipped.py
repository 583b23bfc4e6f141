"""The weights that come with spinedet: sagittal from phantoms and patients, axial from phantoms alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import spinedet
from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings
from spinedet.core.geometry import iou
from spinedet.core.grades import SCALES
from spinedet.formats.mask_boxes import label_boxes
from spinedet.imaging.volume import read_volume
from spinedet.pipelines.sample import sample_scan
from spinedet.runs.run_folder import SHIPPED, open_run

from .conftest import Run

WEIGHTS = Path(spinedet.__file__).parent / "weights"
REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")


def test_they_open_and_know_both_planes() -> None:
    run = open_run(SHIPPED)
    assert run.model.region is Region.LUMBAR
    assert set(run.model.detectors) == set(Plane)
    assert {plane for plane, _ in run.operating_point.values} == {plane.value for plane in Plane}


def test_they_know_what_they_were_developed_on(cohort: Path) -> None:
    assert not open_run(SHIPPED).developed_on("A-0001")
    # A phantom that tuned the axial detector, and two series of one patient.
    assert all(open_run(SHIPPED).developed_on(study) for study in ("R-0401", "SPIDER-127", "SPIDER-127-middle"))


def test_they_are_small_and_grade_sagittal_scans() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) < 12e6
    card = open_run(SHIPPED).model.detectors[Plane.SAGITTAL].card
    assert set(card.grades) == set(SCALES)
    told = open_run(SHIPPED).trained_on
    assert told is not None
    assert (told.kind, told.patients) == ("both", 148)


def test_a_folder_of_that_name_is_reached_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SHIPPED).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is no run folder"):
        open_run(f"./{SHIPPED}")


def test_the_sample_shows_a_real_spine_on_the_reading_page(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("predict", "input=sample", f"out={out}") == 0
    assert "trained on this patient" in " ".join(capsys.readouterr().err.split())
    (study,) = read_findings(out / "findings.json").studies
    assert {one.level for one in study.findings if one.above_operating_point} >= {"L4/L5", "L5/S1"}
    assert (out / "reading" / f"{study.id}.html").is_file()


def test_the_sample_is_small_and_says_whose_it_is() -> None:
    assert sample_scan().stat().st_size < 4_000_000
    told = " ".join((sample_scan().parent / "ATTRIBUTION.md").read_text("utf-8").split())
    for words in ("CC BY 4.0", "10159290", "patient 52", "were trained on this patient"):
        assert words in told


def test_another_input_needs_a_run(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", f"input={tmp_path}", f"out={tmp_path / 'out'}") == 2
    assert "run= is needed" in capsys.readouterr().err


@needs_real_data
def test_the_sample_is_the_scan_of_the_data_set_without_loss() -> None:
    source = read_volume(Path(str(REAL)) / "spider/images/52_t2_SPACE.mha")
    sample = read_volume(sample_scan())
    assert (sample.array == source.array.transpose(1, 2, 0)).all()
    for corner in ((0, 0, 0), (15, 639, 511)):
        there = source.grid.affine @ [corner[0], *corner[1:], 1]
        here = sample.grid.affine @ [*corner[1:], corner[0], 1]
        assert there == pytest.approx(here, abs=1e-3)


@needs_real_data
def test_they_find_discs_in_a_real_scan(run: Run, tmp_path: Path) -> None:
    """What they show on a patient of SPIDER (one that they have seen) lies on discs, and is graded."""
    spider, out = Path(str(REAL)) / "spider", tmp_path / "out"
    image = spider / "images" / "127_t2_SPACE.mha"
    assert run("predict", f"run={SHIPPED}", f"input={image}", f"out={out}", "pictures=false") == 0
    (study,) = read_findings(out / "findings.json").studies
    discs = [box for label, box in label_boxes(read_volume(spider / "masks" / image.name)).items() if label > 200]
    overlaps = iou([finding.box for finding in study.findings], discs)
    assert (overlaps.max(axis=0) >= 0.1).mean() >= 0.8
    assert all(set(finding.grades or {}) == set(SCALES) for finding in study.findings)
    assert all(1 <= finding.grades["pfirrmann"] <= 5 for finding in study.findings if finding.grades)
    shown = [bool(finding.above_operating_point) for finding in study.findings]
    assert sum(shown) >= 2
    assert (overlaps[shown].max(axis=1) >= 0.1).mean() >= 0.8
