"""The weights that come with spinedet, trained on phantoms alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings
from spinedet.core.geometry import iou
from spinedet.formats.mask_boxes import label_boxes
from spinedet.imaging.volume import read_volume
from spinedet.runs.run_folder import SHIPPED, open_run

from .conftest import Run

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")


def test_they_open_and_know_both_planes() -> None:
    run = open_run(SHIPPED)
    assert run.model.region is Region.LUMBAR
    assert set(run.model.detectors) == set(Plane)
    assert {plane for plane, _ in run.operating_point.values} == {plane.value for plane in Plane}


def test_they_were_not_developed_on_a_study_of_ours(cohort: Path) -> None:
    assert not open_run(SHIPPED).developed_on("A-0001")
    assert open_run(SHIPPED).developed_on("R-0401")


def test_a_folder_of_that_name_is_reached_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SHIPPED).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is no run folder"):
        open_run(f"./{SHIPPED}")


@needs_real_data
def test_they_find_discs_in_a_real_scan(run: Run, tmp_path: Path) -> None:
    """Nearly all of what they show on a patient of SPIDER lies on a disc, though they never saw a patient."""
    spider, out = Path(str(REAL)) / "spider", tmp_path / "out"
    image = spider / "images" / "127_t2_SPACE.mha"
    assert run("predict", f"run={SHIPPED}", f"input={image}", f"out={out}", "pictures=false") == 0
    (study,) = read_findings(out / "findings.json").studies
    discs = [box for label, box in label_boxes(read_volume(spider / "masks" / image.name)).items() if label > 200]
    overlaps = iou([finding.box for finding in study.findings], discs)
    assert (overlaps.max(axis=0) >= 0.1).mean() >= 0.8
    shown = [bool(finding.above_operating_point) for finding in study.findings]
    assert sum(shown) >= 2
    assert (overlaps[shown].max(axis=1) >= 0.1).mean() >= 0.8
