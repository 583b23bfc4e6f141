"""A run folder that the previous version wrote (`+experiment=smoke`, a narrow network, sagittal only) can be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings
from spinedet.core.geometry import Grid
from spinedet.detection.inference import detect_native_volume
from spinedet.imaging.volume import Volume
from spinedet.runs.claimed_folder import RunFolder, began_with
from spinedet.runs.provenance import read_run_record
from spinedet.runs.run_folder import open_run
from spinedet.scoring import read_scores

FOLDER = Path(__file__).parent / "previous_version"


def test_the_run_is_opened_with_its_splits_and_centres() -> None:
    run = open_run(str(FOLDER))
    assert list(run.model.detectors) == [Plane.SAGITTAL]
    assert run.internal_centers == ("A",)
    assert run.developed_on("A-0001")
    assert not run.developed_on("A-0099")
    assert run.trained_on is None
    assert run.identity.record["operating_point_sha256"] == run.operating_point.sha256


def test_every_file_is_read() -> None:
    folder = RunFolder(FOLDER)
    record = read_run_record(folder.record)
    assert (record.command, record.seed) == ("train", 0)
    assert record.splits is not None
    assert [len(record.splits.train), len(record.splits.tune), len(record.splits.test)] == [3, 1, 1]
    assert record.versions["spinedet"] == "0.1.0"
    assert record.wall_seconds is not None
    assert began_with(folder, "planes") == ["sagittal"]
    assert [study.id for study in read_findings(folder.findings).studies] == list(record.splits.test)
    assert read_scores(folder.scores).groups


def test_the_stored_weights_give_what_the_previous_version_gave() -> None:
    """The numbers were computed by the previous version on this volume."""
    array = np.random.default_rng(0).integers(0, 1000, (12, 90, 70)).astype(np.float32)
    affine = np.array([[4.0, 0, 0, -22], [0, 0, -1.6, 60], [0, -1.6, 0, 80], [0, 0, 0, 1]])
    volume = Volume(array, Grid((12, 90, 70), affine))
    found = detect_native_volume(open_run(str(FOLDER)).model, volume, Plane.SAGITTAL, "s", 0.0)
    assert len(found) == 8
    assert [found[0].score, found[-1].score] == pytest.approx([0.049759477, 0.040676676], abs=1e-6)
    assert found[0].box.center == pytest.approx((-3.174335, 43.543918, 76.517962), abs=1e-3)
    assert found[0].box.size == pytest.approx((41.651331, 34.512164, 8.564077), abs=1e-3)


def test_a_record_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    shutil.copy(FOLDER / "splits.json", path)
    with pytest.raises(InputError, match="is no spinedet-run file"):
        read_run_record(path)
