"""`spinedet.predict`: findings and pictures of images of every kind, and of real ones where there are any."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.testing import assert_allclose

import spinedet
from spinedet.core.anatomy import Plane
from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.detection.inference import detect_native_volume
from spinedet.detection.model_files import load_model
from spinedet.imaging.planes import SAGITTAL, orient, plane_of
from spinedet.imaging.settings import EligibilityLimits, SelectionRules
from spinedet.imaging.volume import ImageSource, Volume, read_volume, write_volume
from spinedet.pipelines import predict_archive
from spinedet.pipelines.image_sources import StudySource, open_input
from spinedet.pipelines.predict_series import Predictor, predict_study
from spinedet.pipelines.prediction import StudyPrediction
from spinedet.runs.run_folder import open_run

from ..conftest import WriteSlice, stored_orders
from .conftest import Run

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")


@pytest.fixture
def image(cohort: Path) -> Path:
    return read_manifest(cohort).studies[0].series[0].path


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


def test_an_interrupted_archive_goes_on_and_its_parts_are_put_together(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    words = (f"run={smoke_run}", f"input={cohort}", "pictures=false")
    assert run("predict", *words, f"out={tmp_path / 'whole'}") == 0
    out = tmp_path / "parts"
    assert run("predict", *words, f"out={out}", "shard=2/2") == 0
    assert not (out / "findings.json").exists()
    journal = out / "parts/0002-of-0002.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1][:50])  # as a kill leaves it
    for part in ("1/2", "2/2"):
        assert run("predict", *words, f"out={out}", f"shard={part}") == 0
    assert (out / "findings.json").read_bytes() == (tmp_path / "whole/findings.json").read_bytes()


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


def test_one_broken_study_of_an_archive_is_listed(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    manifest = read_manifest(cohort)
    (broken, *_), whole = manifest.studies[0].series, manifest.studies[1]
    lost = manifest.studies[0].model_copy(
        update={"series": (broken.model_copy(update={"path": Path("/nowhere.nii")}),), "negatives": ()}
    )
    write_manifest(tmp_path / "m.json", manifest.model_copy(update={"studies": (lost, whole)}))
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={tmp_path / 'm.json'}", f"out={out}") == 3
    assert [study.id for study in read_findings(out / "findings.json").studies] == [whole.id]
    assert [entry["study"] for entry in json.loads((out / "skipped.json").read_text())] == [f"{lost.id}/{broken.id}"]


def test_one_broken_image_does_not_end_the_run(run: Run, smoke_run: Path, image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    shutil.copy(image, folder / "good.nii.gz")
    (folder / "bad.nii.gz").write_bytes(image.read_bytes()[:5000])
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}") == 3
    assert [study.id for study in read_findings(out / "findings.json").studies] == ["good"]
    (skipped,) = json.loads((out / "skipped.json").read_text())
    assert "bad.nii.gz" in skipped["reason"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("input=nowhere.nii.gz",), "nowhere.nii.gz does not exist"),
        (("input={empty}",), "holds no image"),
        (("input={cohort}", "shard=9/4"), "the third of sixteen"),
        (("input={image}", "plane=coronal"), "plane=coronal"),
        (("input={image}", "region=thoracic"), "region=thoracic"),
        (("input={truncated}",), "truncated.nii.gz"),
        (("input={flat}",), "flat.nii.gz"),
    ],
)
def test_wrong_input_is_refused(
    run: Run,
    smoke_run: Path,
    image: Path,
    cohort: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    names = {name: tmp_path / name for name in ("empty", "truncated.nii.gz", "flat.nii.gz")}
    names["empty"].mkdir()
    names["truncated.nii.gz"].write_bytes(image.read_bytes()[:5000])
    write_flat(names["flat.nii.gz"])
    filled = {"image": image, "cohort": cohort, **{name.partition(".")[0]: path for name, path in names.items()}}
    status = run("predict", f"run={smoke_run}", f"out={tmp_path / 'out'}", *(word.format(**filled) for word in words))
    assert status == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def write_flat(path: Path) -> None:
    import nibabel as nib

    nib.save(nib.Nifti1Image(np.zeros((20, 20), np.int16), np.eye(4)), path)


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


def test_what_is_doubtful_is_told_and_what_is_refused_is_skipped(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    volume = read_volume(image)
    write_volume(folder / "T2_scan.nii.gz", volume)
    write_volume(folder / "T1_scan.nii.gz", volume)
    write_volume(folder / "ct.nii.gz", Volume(volume.array - 1000, volume.grid))
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}", "pictures=false") == 3
    studies = {
        study["id"]: study["eligibility"] for study in json.loads((out / "findings.json").read_text())["studies"]
    }
    assert studies["T2_scan"]["T2_scan"]["questions"]["weighting"]["standing"] == "ok"
    assert studies["T1_scan"]["T1_scan"]["standing"] == "doubtful"
    assert studies["T1_scan"]["T1_scan"]["questions"]["weighting"] == {
        "standing": "doubtful",
        "reason": "T1 by its file name; it looks like T2 by its pixels",
    }
    (skipped,) = json.loads((out / "skipped.json").read_text())
    assert "ct is not eligible: weighting rejected" in skipped["reason"]
    assert "weighting doubtful: T1 by its file name" in (out / "index.html").read_text()
    told = tmp_path / "told"
    words = ("pictures=false", "eligibility.gate=false")
    assert run("predict", f"run={smoke_run}", f"input={folder / 'ct.nii.gz'}", f"out={told}", *words) == 0


@pytest.fixture
def folder(cohort: Path, tmp_path: Path) -> Path:
    """A folder of four images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, study in enumerate(read_manifest(cohort).studies[:4]):
        shutil.copy(study.series[0].path, folder / f"scan {number}.nii.gz")
    return folder


def in_a_child(run: Run, words: tuple[str, ...], before: Callable[[], None]) -> int:
    """Run `predict` in a copy of this process; its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        before()
        os._exit(run("predict", *words))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def interrupt_at(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Makes the prediction for the study of this number act before it begins."""
    original, begun = predict_archive.predict_study, count(1)

    def predict_or_act(predictor: Predictor, source: StudySource) -> StudyPrediction:
        if next(begun) == number:
            act()
        return original(predictor, source)

    return lambda: setattr(predict_archive, "predict_study", predict_or_act)


def ctrl_c() -> None:
    raise KeyboardInterrupt


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("act", "status"), [(kill, -signal.SIGKILL), (ctrl_c, 130)], ids=["kill -9", "Ctrl-C"])
def test_an_interrupted_folder_of_images_goes_on_to_the_same_bytes(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path, act: Callable[[], None], status: int
) -> None:
    words = (f"run={smoke_run}", f"input={folder}", "pictures=false", "outputs=[page,csv]")
    assert run("predict", *words, f"out={tmp_path / 'whole'}") == 0
    out = tmp_path / "out"
    assert in_a_child(run, (*words, f"out={out}"), interrupt_at(3, act)) == status
    assert not (out / "findings.json").exists()
    assert len((out / "parts/0001-of-0001.jsonl").read_bytes().splitlines()) == 2
    begun: list[str] = []
    original = predict_archive.predict_study
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict_archive, "predict_study", lambda p, s: begun.append(s.id) or original(p, s))
        assert run("predict", *words, f"out={out}", "resume=true") == 0
    assert begun == ["scan 2", "scan 3"]
    for name in ("findings.json", "findings.csv", "index.html"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_folder_cannot_go_on(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"run={smoke_run}", f"input={folder}", "pictures=false", f"out={tmp_path / 'out'}")
    assert run("predict", *words) == 0
    (folder / "scan 3.nii.gz").unlink()
    assert run("predict", *words, "resume=true") == 2
    assert "input_sha256" in capsys.readouterr().err


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


def test_strange_names_stay_inside_out(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["[bold]", "<b>é", "x" * 240, "-rf", "a;b$(c)"]
    folder = tmp_path / "images"
    folder.mkdir()
    for name in names:
        shutil.copy(image, folder / f"{name}.nii.gz")
    shutil.copy(image, folder / os.fsdecode(b"latin-\xe9.nii.gz"))
    out = tmp_path / "out"
    before = set(tmp_path.iterdir())
    words = (f"run={smoke_run}", f"input={folder}", f"out={out}", "outputs=[page,csv,slicer]")
    assert run("predict", *words) == 0
    assert set(tmp_path.iterdir()) - before == {out}
    assert {study.id for study in read_findings(out / "findings.json").studies} == {*names, "latin-�"}
    assert len(list((out / "pictures").iterdir())) == len(names) + 1
    assert "[bold]" in capsys.readouterr().out


def test_a_manifest_with_strange_ids_stays_inside_out(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    manifest = read_manifest(cohort)
    ids = ["../../escaped", "[/x]", "x" * 300]
    studies = tuple(s.model_copy(update={"id": i}) for s, i in zip(manifest.studies, ids, strict=False))
    write_manifest(tmp_path / "m.json", manifest.model_copy(update={"studies": studies}))
    out = tmp_path / "deep/er/out"
    words = (f"run={smoke_run}", f"input={tmp_path / 'm.json'}", f"out={out}", "outputs=[page,csv,slicer]")
    assert run("predict", *words) == 0
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {
        tmp_path / "m.json",
        *(path for path in out.rglob("*") if path.is_file()),
    }
    assert [study.id for study in read_findings(out / "findings.json").studies] == ids


def test_links_are_followed_once_and_what_is_left_out_is_listed(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(folder / "scan 0.nii.gz", elsewhere / "linked.nii.gz")
    (folder / "more").symlink_to(elsewhere)
    (elsewhere / "cycle").symlink_to(folder)
    (folder / "again.nii.gz").symlink_to(folder / "scan 1.nii.gz")
    out = tmp_path / "out"
    with pytest.warns(UserWarning, match="left out"):
        assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}", "pictures=false") == 0
    found = [study.id for study in read_findings(out / "findings.json").studies]
    assert found == ["more-linked", "scan 1", "scan 2", "scan 3"]
    left_out = {one["path"]: one["reason"] for one in json.loads((out / "left_out.json").read_text())}
    assert left_out["again.nii.gz"] == "a link to a file that is read already"
    assert "more/cycle" in left_out


def test_files_that_differ_in_their_ending_alone_are_two_studies(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    shutil.copy(image, folder / "scan.nii.gz")
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(image)), str(folder / "scan.mha"))
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}") == 0
    assert {study.id for study in read_findings(out / "findings.json").studies} == {"scan.nii.gz", "scan.mha"}
    assert len(list((out / "pictures").iterdir())) == 2


def test_a_rejected_input_leaves_its_folder_free(run: Run, smoke_run: Path, image: Path, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.nii.gz", tmp_path / "out"
    bad.write_bytes(image.read_bytes()[:5000])
    assert run("predict", f"run={smoke_run}", f"input={bad}", f"out={out}") == 2
    assert run("predict", f"run={smoke_run}", f"input={image}", f"out={out}") == 0


@pytest.mark.parametrize("error", [MemoryError(), ValueError("odd bytes"), RecursionError()])
def test_whatever_one_file_raises_the_others_are_read(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    original = ImageSource.read

    def read(source: ImageSource) -> Volume:
        if source.id == "scan 1":
            raise error
        return original(source)

    monkeypatch.setattr(ImageSource, "read", read)
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}", "pictures=false") == 3
    found = [study.id for study in read_findings(out / "findings.json").studies]
    assert found == ["scan 0", "scan 2", "scan 3"]
    (skipped,) = json.loads((out / "skipped.json").read_text())
    assert skipped["study"] == "scan 1/scan 1"
    assert "scan 1" in skipped["reason"]


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
