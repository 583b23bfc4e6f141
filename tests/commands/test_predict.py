"""`spinedet.predict`: findings and pictures of images of every kind, and of real ones where there are any."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import spinedet
from spinedet.core.anatomy import Plane
from spinedet.core.findings import read_findings
from spinedet.detection.inference import detect_native_volume
from spinedet.detection.model_files import load_model
from spinedet.imaging.planes import SAGITTAL, orient, plane_of
from spinedet.imaging.settings import EligibilityLimits, SelectionRules
from spinedet.imaging.volume import Volume, read_volume
from spinedet.pipelines.image_sources import open_input
from spinedet.pipelines.predict_series import Predictor, predict_study
from spinedet.pipelines.prediction import StudyPrediction
from spinedet.runs.run_folder import open_run

from ..conftest import WriteSlice, stored_orders
from .conftest import Run

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")


def test_an_image_file_gives_findings_and_a_picture(run: Run, smoke_run: Path, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={image}", f"out={out}") == 0
    (study,) = read_findings(out / "findings.json").studies
    assert study.findings
    assert all(finding.score >= 0.01 for finding in study.findings)
    assert [file.read_bytes()[:8] for file in (out / "pictures").iterdir()] == [b"\x89PNG\r\n\x1a\n"]


def test_a_manifest_gives_the_same_findings_as_a_test(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={cohort}", f"out={out}", "pictures=false") == 0
    predicted = {study.id: study.findings for study in read_findings(out / "findings.json").studies}
    (tested,) = read_findings(smoke_run / "findings.json").studies
    assert len(predicted) == 5
    for one, two in zip(predicted[tested.id], tested.findings, strict=True):
        assert one.score == pytest.approx(two.score, abs=1e-6)
        assert_allclose(one.box.center, two.box.center, atol=1e-4)


def test_the_series_of_a_study_also_speak_together(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={cohort}", f"out={out}", "pictures=false") == 0
    for study in json.loads((out / "findings.json").read_text())["studies"]:
        together = [series for one in study["fused"] for series in one["series"]]
        assert sorted(together) == sorted(finding["series"] for finding in study["findings"])
        assert all(len(one["series"]) <= one["covered"] <= 2 for one in study["fused"])


def test_a_mirror_image_and_another_run_change_what_is_found(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    words = {"alone": (), "flipped": ("flip=true",), "together": (f"ensemble=[{smoke_run}]",)}
    scores = {}
    for name, more in words.items():
        asked = (f"run={smoke_run}", f"input={image}", f"out={tmp_path / name}", "pictures=false", *more)
        assert run("predict", *asked) == 0
        (study,) = read_findings(tmp_path / name / "findings.json").studies
        scores[name] = [finding.score for finding in study.findings]
    assert scores["flipped"] != scores["alone"]
    # A run agrees with itself; boxes of one run that overlap each other may still be averaged.
    assert max(scores["together"]) == pytest.approx(max(scores["alone"]))


def test_a_neck_is_looked_at_as_a_neck(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    """Told by `region=` for an image, by its manifest for an archive; and as a test looks at it."""
    content = json.loads(cohort.read_text())
    neck = cohort.with_name("neck.json")
    neck.write_text(json.dumps({**content, "region": "cervical", "studies": content["studies"][:1]}))
    series = content["studies"][0]["series"][0]
    options = (f"run={smoke_run}", "pictures=false", "eligibility.gate=false")
    for name, words in {
        "archive": (f"input={neck}",),
        "image": (f"input={cohort.parent / series['path']}", f"plane={series['plane']}", "region=cervical"),
        "lumbar": (f"input={cohort.parent / series['path']}", f"plane={series['plane']}"),
    }.items():
        assert run("predict", *options, *words, f"out={tmp_path / name}") == 0
    words = (f"run={smoke_run}", f"data.manifests=[{neck}]", "test.cases=0")
    assert run("evaluate", *words, f"out={tmp_path / 'test'}") == 0
    neck.unlink()

    def scores(name: str) -> list[float]:
        study = read_findings(tmp_path / name / "findings.json").studies[0]
        return [finding.score for finding in study.findings if finding.series == series["id"]]

    assert scores("image") == pytest.approx(scores("archive"))
    assert scores("image") == pytest.approx(scores("test"))
    assert scores("image") != pytest.approx(scores("lumbar"))


def test_all_48_ways_to_store_a_volume_give_the_same_findings(smoke_run: Path, image: Path) -> None:
    model, volume = load_model(smoke_run / "model"), read_volume(image)
    reference = detect_native_volume(model, volume, Plane.SAGITTAL, "s", 0.01)
    assert reference
    for stored in stored_orders(volume):
        assert plane_of(stored.grid) is Plane.SAGITTAL
        found = detect_native_volume(model, stored, Plane.SAGITTAL, "s", 0.01)
        assert [f.score for f in found] == pytest.approx([f.score for f in reference], abs=1e-3)
        for one, two in zip(found, reference, strict=True):
            assert_allclose(one.box.center, two.box.center, atol=0.1)
            assert_allclose(one.box.size, two.box.size, atol=0.1)
            assert_allclose(one.box.axes, two.box.axes, atol=1e-6)


def test_a_dicom_folder_gives_what_the_nifti_gives(
    run: Run, smoke_run: Path, image: Path, write_slice: WriteSlice, tmp_path: Path
) -> None:
    volume = orient(read_volume(image), SAGITTAL)
    folder = write_series(volume, write_slice)
    for name, source in (("nifti", image), ("dicom", folder)):
        out = tmp_path / f"from_{name}"
        assert run("predict", f"run={smoke_run}", f"input={source}", f"out={out}", "pictures=false") == 0
    nifti, dicom = (
        read_findings(tmp_path / f"from_{name}/findings.json").studies[0].findings for name in ("nifti", "dicom")
    )
    assert len(nifti) == len(dicom) > 0
    for one, two in zip(nifti, dicom, strict=True):
        assert one.score == pytest.approx(two.score, abs=1e-3)
        assert_allclose(one.box.center, two.box.center, atol=0.1)
    written = (tmp_path / "from_dicom/findings.json").read_text() + (tmp_path / "from_dicom/index.html").read_text()
    assert "Secret" not in written
    assert "secret-id" not in written


def write_series(volume: Volume, write_slice: WriteSlice) -> Path:
    """The volume (slice, row, column) as DICOM files whose names and numbers say nothing of their order."""
    to_lps = np.array([-1.0, -1.0, 1.0])
    _, rows, columns = volume.grid.axes * to_lps
    spacing = volume.grid.spacing
    for index, pixels in enumerate(volume.array):
        position = (volume.grid.affine @ [index, 0, 0, 1])[:3] * to_lps
        path = write_slice(
            f"{(index * 7) % 31:03d}.dcm",
            pixels,
            tuple(position.tolist()),
            PixelSpacing=[float(spacing[1]), float(spacing[2])],
            ImageOrientationPatient=[*columns.tolist(), *rows.tolist()],
            InstanceNumber=(index * 5) % 31,
        )
    return path.parent


@needs_real_data
@pytest.mark.parametrize("part", ["scans/lumbar", "scans/cervical"])
def test_real_scans_are_read_and_drawn(run: Run, smoke_run: Path, tmp_path: Path, part: str) -> None:
    folder = Path(str(REAL)) / part
    out = tmp_path / "out"
    scans = {file.name.removesuffix(".nii.gz") for file in folder.glob("*.nii.gz") if "labels" not in file.name}
    status = run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}")
    studies = {study.id for study in read_findings(out / "findings.json").studies}
    assert scans <= studies
    assert status in (0, 3)
    assert scans <= {file.stem for file in (out / "pictures").iterdir()}


@needs_real_data
def test_a_real_mha_is_read(run: Run, smoke_run: Path, tmp_path: Path) -> None:
    image = next(iter(sorted((Path(str(REAL)) / "spider/images").glob("*.mha"))))
    assert run("predict", f"run={smoke_run}", f"input={image}", f"out={tmp_path / 'out'}") == 0


def test_findings_tell_the_model_the_thresholds_and_the_images(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={image}", f"out={out}", "outputs=[slicer]") == 0
    content = json.loads((out / "findings.json").read_text())
    weights = hashlib.sha256((smoke_run / "model/weights.safetensors").read_bytes()).hexdigest()
    point = hashlib.sha256((smoke_run / "operating_point.json").read_bytes()).hexdigest()
    assert content["model"]["weights_sha256"] == weights
    assert content["model"]["version"] == spinedet.__version__
    assert content["operating_point"]["sha256"] == content["model"]["operating_point_sha256"] == point
    assert [one["plane"] for one in content["operating_point"]["thresholds"]] == ["sagittal", "axial"]
    assert content["created"] == f"{date.today():%Y-%m-%d}"
    (study,) = content["studies"]
    assert study["images"] == {study["id"]: hashlib.sha256(image.read_bytes()).hexdigest()}
    assert (out / "slicer" / study["id"] / "open_in_slicer.py").is_file()
    assert not (out / "index.html").exists()


def test_levels_are_assigned_from_all_candidates_before_outputs_are_written(
    smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    seen: list[int] = []

    def assign(study: StudyPrediction) -> StudyPrediction:
        (series,) = study.series
        seen.append(len(series.candidates))
        named = tuple(one.model_copy(update={"level": "L4/L5"}) for one in series.candidates)
        return replace(study, series=(replace(series, candidates=named),))

    finished = open_run(str(smoke_run))
    (source,) = open_input(image, SelectionRules()).studies()
    plain = predict_study(Predictor(finished, EligibilityLimits(), 0.01), source)
    least = plain.series[0].candidates[2].score
    study = predict_study(Predictor(finished, EligibilityLimits(), least, assign), source)
    found = study.findings.findings
    assert {one.level for one in found} == {"L4/L5"}
    assert [one.score for one in found] == [one.score for one in plain.series[0].candidates[: len(found)]]
    assert seen[0] > len(found)
    assert min(one.score for one in study.series[0].candidates) < least
    assert study.series[0].files == (image,)


def test_predict_needs_no_lightning() -> None:
    code = "import sys, spinedet.commands.predict; print({n.split('.')[0] for n in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pytorch_lightning" not in done.stdout
    assert "lightning_fabric" not in done.stdout
    assert "torch" in done.stdout
