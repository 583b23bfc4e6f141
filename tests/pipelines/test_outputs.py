"""Outputs of `predict`: the table, and each writer on predictions that are made by hand."""

from __future__ import annotations

import csv
import json
import re
import runpy
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydicom import dcmread

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.geometry import EdgeBox, Grid, canonical
from spinedet.core.types import Box, Finding, TrainedOn
from spinedet.formats.dicom_report_reader import read_report
from spinedet.formats.slicer import SlicerConfig, open_slicer
from spinedet.imaging.suitability import InputCheck, Suitability
from spinedet.imaging.volume import Volume, read_volume
from spinedet.pipelines.outputs import OUTPUTS, check_outputs
from spinedet.pipelines.outputs.csv_table import COLUMNS, LEVEL_COLUMNS
from spinedet.pipelines.outputs.dicom_folder import open_stacks
from spinedet.pipelines.outputs.settings import ReportSettings
from spinedet.pipelines.outputs.writer import Output, OutputContext, load_outputs
from spinedet.pipelines.predict_series import record_of
from spinedet.pipelines.prediction import SeriesPrediction, StudyPrediction, StudyRecord
from spinedet.pipelines.sample import sample_scan
from spinedet.runs.provenance import ModelIdentity
from spinedet.scoring.operating_point import ChosenOn, OperatingPoint, Threshold

from ..conftest import WriteSlice
from ..formats.studies import stacks_of, write_study

C, S = np.cos(np.radians(20)), np.sin(np.radians(20))
TILTED = np.array([[4.0, 0, 0, -10], [0, 0.5 * C, -0.5 * S, -20], [0, 0.5 * S, 0.5 * C, 30], [0, 0, 0, 1]])
AXES = ((1.0, 0.0, 0.0), (0.0, float(C), float(S)), (0.0, float(-S), float(C)))
STRANGE = "[/x] ../../" + "ü" * 300


def finding(score: float, level: str | None = None, **more: Any) -> Finding:
    box = Box(center=(0.25, -16.5 + score, 42.0), size=(10.0, 5.5, 7.25), axes=AXES)
    above = score >= 0.5
    return Finding(
        series="sag", category="bulge", score=score, level=level, box=box, above_operating_point=above, **more
    )


@pytest.fixture
def context(tmp_path: Path) -> OutputContext:
    threshold = Threshold(plane="sagittal", category="bulge", value=0.5)
    chosen = ChosenOn(studies=7, patients=7, study_hashes=(), data_sha256="0")
    point = OperatingPoint(rule="max_f1", criterion={}, thresholds=(threshold,), chosen_on=chosen)
    trained = TrainedOn(kind="phantoms", phantoms=440)
    return OutputContext(tmp_path / "out", ModelIdentity("toy", Region.LUMBAR, "1.2", ("abc",), point, trained))


def study(context: OutputContext, name: str = "A-1") -> StudyPrediction:
    found = (finding(0.91, "L4/L5", severity=1.5, grades={"pfirrmann": 4.25}), finding(0.62), finding(0.3, "L5/S1"))
    array = np.random.default_rng(0).integers(0, 900, (6, 30, 40)).astype(np.float32)
    series = SeriesPrediction(
        study=name,
        series="sag",
        plane=Plane.SAGITTAL,
        files=(Path("sag.nii.gz"),),
        sha256="f00",
        volume=Volume(array, Grid((6, 30, 40), TILTED)),
        checks=(InputCheck("spacing", Suitability.DOUBTFUL, "pixels of 2 mm"),),
        candidates=(*found, finding(0.004)),
        min_score=0.01,
    )
    return StudyPrediction(name, context.model, (series,), {"ax": "is damaged"})


def write(output: Output, context: OutputContext, *studies: StudyPrediction) -> None:
    for one in studies:
        output.write_study(one, context)
    lines = [record_of(one).model_dump_json() for one in studies]

    def records() -> Iterator[StudyRecord]:
        yield from map(StudyRecord.model_validate_json, lines)

    output.write_summary(records, context)


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output_writes_below_out_alone_whatever_the_ids_hold(name: str, context: OutputContext) -> None:
    (output,) = load_outputs([name])
    strange = study(context, STRANGE)
    write(output, context, study(context), strange)
    assert (context.folder / output.shown).exists()
    assert list(context.folder.parent.iterdir()) == [context.folder]
    text = b"".join(file.read_bytes() for file in context.folder.rglob("*") if file.suffix in (".json", ".html"))
    assert str(context.folder).encode() not in text


@pytest.mark.parametrize(("names", "words"), [(["pdf"], "outputs=pdf: use page"), (["csv", "csv"], "csv twice")])
def test_unknown_and_repeated_outputs_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_outputs(names)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name
        for name in sys.modules
        if name.startswith(("spinedet.formats.dicom_report", "spinedet.pipelines.outputs.sr"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(InputError, match=r"outputs=sr needs highdicom.*pip install 'spinedet\[dicom\]'"):
        load_outputs(["sr"])


def test_a_report_needs_dicom_images_and_says_so(context: OutputContext, capsys: pytest.CaptureFixture[str]) -> None:
    write(load_outputs(["sr"])[0], context, study(context))
    assert sorted(file.name for file in (context.folder / "dicom").rglob("*.*")) == ["README.txt", "not_written.txt"]
    reason = (context.folder / "dicom/A-1/not_written.txt").read_text()
    assert reason.startswith("sag is no DICOM series")
    assert "no document in dicom/: 1 studies" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("geometry", ["slices", "volume"])
def test_a_report_is_written_beside_the_other_outputs(
    geometry: str, context: OutputContext, tmp_path: Path, write_slice: WriteSlice
) -> None:
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 900, (40, 30))
        write_slice(f"{number}.dcm", pixels, (10.0 - 4 * number, 0.0, 0.0), FrameOfReferenceUID="1.2.3")
    volume = read_volume(tmp_path / "dicom")
    one = study(context)
    files = tuple(sorted((tmp_path / "dicom").iterdir()))
    own = volume.grid.world(EdgeBox(np.array([3.0, 4, 1]), np.array([9.0, 11, 3])))
    found = tuple(finding(score).model_copy(update={"box": own}) for score in (0.9, 0.3))
    series = replace(one.series[0], files=files, volume=volume, candidates=found)
    one = replace(one, series=(series,))
    settings = ReportSettings(geometry=geometry, min_score=0.2, images=True)
    write(load_outputs(["sr"])[0], replace(context, report=settings), one)
    document = dcmread(context.folder / "dicom/A-1/report.dcm")
    read = read_report(document, open_stacks(one))
    assert [each.score for each in read] == pytest.approx([0.9, 0.3])
    assert [each.above for each in read] == [True, False]
    assert_allclose(read[0].box.center, own.center, atol=1e-3)
    assert document.PatientID == "secret-id"
    written = sorted(file.name for file in (context.folder / "dicom/A-1").iterdir())
    assert written == ["key_objects.dcm", "picture-1.dcm", "report.dcm"]


@pytest.fixture
def two_series(context: OutputContext, tmp_path: Path) -> StudyPrediction:
    """A sagittal and an axial DICOM series of one examination with a finding each, of the same disc."""
    write_study(tmp_path / "study", "several blocks")
    series = []
    for stack in stacks_of(tmp_path / "study")[:2]:
        source = stack.source
        box = canonical(np.array([0.0, 0.0, 40.0]), np.array([10.0, 12.0, 8.0]), source.grid.axes)
        one = finding(0.8, "L4/L5").model_copy(update={"series": source.series, "box": box})
        files = tuple(Path(str(image.filename)) for image in source.images)
        volume = Volume(np.ones(source.grid.shape, np.float32), source.grid)
        series.append(
            replace(
                study(context).series[0],
                series=source.series,
                plane=stack.plane,
                files=files,
                volume=volume,
                candidates=(one,),
            )
        )
    return replace(study(context), series=tuple(series))


def test_fused_findings_have_a_report_of_their_own_where_asked_for(
    context: OutputContext, two_series: StudyPrediction
) -> None:
    (output,) = load_outputs(["sr"])
    write(output, context, two_series)
    assert not (context.folder / "dicom/A-1/fused.dcm").exists()
    write(output, replace(context, report=ReportSettings(fused=True)), two_series)
    read = read_report(dcmread(context.folder / "dicom/A-1/fused.dcm"), open_stacks(two_series))
    fused = two_series.findings.fused
    assert fused
    assert [(one.level, one.category) for one in read] == [(one.level, one.category) for one in fused]
    for one, expected in zip(read, fused, strict=True):
        assert_allclose(one.box.center, expected.box.center, atol=1e-3)
        assert_allclose(one.box.size, expected.box.size, atol=1e-3)


def test_series_without_a_common_frame_of_reference_have_no_fused_report(
    context: OutputContext, two_series: StudyPrediction
) -> None:
    for path in two_series.series[1].files:
        image = dcmread(path)
        image.FrameOfReferenceUID = "1.2.3.4"
        image.save_as(path)
    write(load_outputs(["sr"])[0], replace(context, report=ReportSettings(fused=True)), two_series)
    folder = context.folder / "dicom/A-1"
    assert (folder / "report.dcm").is_file()
    assert not (folder / "fused.dcm").exists()
    assert "do not share a FrameOfReferenceUID" in (folder / "not_written.txt").read_text()


def test_csv_holds_every_listed_finding_to_the_last_digit(context: OutputContext) -> None:
    one = study(context, 'A, "1"')
    write(load_outputs(["csv"])[0], context, one)
    with (context.folder / "findings.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["score"]) for row in rows] == [0.91, 0.62, 0.3]
    assert [row["above_operating_point"] for row in rows] == ["yes", "yes", "no"]
    assert [row["level"] for row in rows] == ["L4/L5", "", "L5/S1"]
    assert rows[0]["study"] == 'A, "1"'
    assert (rows[0]["plane"], rows[0]["severity"], rows[0]["pfirrmann"]) == ("sagittal", "1.5", "4.25")
    assert rows[1]["pfirrmann"] == ""
    for row, found in zip(rows, one.series[0].findings, strict=True):
        assert tuple(float(row[f"center_{axis}_mm"]) for axis in "ras") == found.box.center
        assert tuple(float(row[f"size_{number}_mm"]) for number in (1, 2, 3)) == found.box.size
        read = tuple(tuple(float(row[f"axis_{n}_{axis}"]) for axis in "ras") for n in (1, 2, 3))
        assert read == found.box.axes


def test_csv_by_level_joins_what_lies_at_one_level(context: OutputContext) -> None:
    one = study(context)
    (series,) = one.series
    axial = replace(
        series,
        series="ax",
        plane=Plane.AXIAL,
        candidates=(finding(0.7, "L4/L5").model_copy(update={"series": "ax"}),),
    )
    below = finding(0.3, ordinal=1).model_copy(update={"box": Box(center=(0, 0, 1), size=(1, 1, 1))})
    one = replace(one, series=(replace(series, candidates=(*series.candidates[:2], below)), axial))
    write(load_outputs(["csv"])[0], context, one)
    with (context.folder / "levels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == LEVEL_COLUMNS
    shown = [(row["level"], row["ordinal"], row["score_sagittal"], row["score_axial"], row["findings"]) for row in rows]
    assert shown == [("L4/L5", "", "0.91", "0.7", "2"), ("", "", "0.62", "", "1"), ("", "1", "0.3", "", "1")]
    assert [row["above_operating_point"] for row in rows] == ["yes", "yes", "no"]
    assert (rows[0]["pfirrmann"], rows[1]["pfirrmann"]) == ("4.25", "")
    assert one.findings.fused is not None
    assert float(rows[0]["score_fused"]) == max(each.score for each in one.findings.fused if each.level == "L4/L5")


def test_csv_gives_the_level_of_a_spine_of_six_lumbar_vertebrae(context: OutputContext) -> None:
    one = study(context)
    (series,) = one.series
    counted = series.candidates[0].model_copy(update={"naming": {"state": "named", "if_six_lumbar": "L5/L6"}})
    write(load_outputs(["csv"])[0], context, replace(one, series=(replace(series, candidates=(counted,)),)))
    for name in ("findings.csv", "levels.csv"):
        with (context.folder / name).open(encoding="utf-8", newline="") as stream:
            assert [row["level_if_six_lumbar"] for row in csv.DictReader(stream)] == ["L5/L6"]


def test_pages_say_first_that_the_region_is_wrong(context: OutputContext) -> None:
    naming: dict[str, Any] = {"state": "unresolved", "series": "sag", "reason": "no row of discs", "chain": []}
    naming["wrong_region"] = True
    write(load_outputs(["page"])[0], context, replace(study(context), naming={"sag": naming}))
    for page in ("index.html", "reading/A-1.html"):
        text = (context.folder / page).read_text("utf-8")
        assert "sag: no row of discs. Findings mean nothing in a region" in text


def test_pages_of_the_sample_say_that_the_weights_know_the_patient(context: OutputContext) -> None:
    output, one = load_outputs(["page"])[0], study(context)
    digest = sha256(sample_scan())
    write(output, context, replace(one, series=(replace(one.series[0], sha256=digest),)))
    for page in ("index.html", "reading/A-1.html"):
        assert "trained on this patient of SPIDER" in (context.folder / page).read_text("utf-8")
    write(output, context, one)
    assert "SPIDER" not in (context.folder / "reading/A-1.html").read_text("utf-8")


def test_the_page_lists_what_counts_and_what_the_model_was_trained_on(context: OutputContext) -> None:
    write(load_outputs(["page"])[0], context, study(context))
    page = (context.folder / "index.html").read_text(encoding="utf-8")
    assert "440 phantoms drawn by software and on no patient" in page
    assert "spacing doubtful: pixels of 2 mm" in page
    assert "1 finding below it" in page
    assert (context.folder / "pictures/A-1/sag.png").is_file()
    assert 'src="pictures/A-1/sag.png"' in page


def test_slicer_boxes_come_back_through_our_own_reader(context: OutputContext) -> None:
    one = study(context)
    write(load_outputs(["slicer"])[0], context, one)
    (case,) = open_slicer(context.folder / "slicer", SlicerConfig()).cases
    reading = case.read()
    assert reading.unused == ()
    assert [(x.category, x.level, x.ignore) for x in sorted(reading.study.lesions, key=lambda x: x.ignore)] == [
        ("bulge", "L4/L5", False),
        ("bulge", None, False),
        ("bulge", "L5/S1", True),
    ]
    read = sorted(reading.study.lesions, key=lambda lesion: -lesion.box.center[1])
    for lesion, found in zip(read, one.series[0].findings, strict=True):
        assert_allclose(lesion.box.center, found.box.center, atol=1e-6)
        assert_allclose(lesion.box.size, found.box.size, atol=1e-6)
        assert_allclose(lesion.box.axes, found.box.axes, atol=1e-6)
    image = read_volume(context.folder / "slicer/A-1/sag.nii.gz")
    assert_allclose(image.grid.affine, TILTED, atol=1e-5)
    assert (image.array == one.series[0].volume.array).all()


# Of markups-schema-v1.0.3: types of the fields that are written; colours are three numbers from 0 to 1.
MARKUP = {
    **dict.fromkeys(("type", "name", "coordinateSystem", "coordinateUnits", "roiType"), str),
    **dict.fromkeys(("center", "size", "orientation", "controlPoints"), list),
    **dict.fromkeys(("locked", "insideOut"), bool),
    "display": dict,
}
DISPLAY = {
    **dict.fromkeys(("visibility", "propertiesLabelVisibility", "pointLabelsVisibility"), bool),
    **dict.fromkeys(("color", "selectedColor"), list),
    "opacity": float,
    "textScale": float,
    "handlesInteractive": bool,
}


def test_slicer_markups_follow_its_schema(context: OutputContext) -> None:
    write(load_outputs(["slicer"])[0], context, study(context))
    folder = context.folder / "slicer/A-1"
    shown, hidden = (json.loads((folder / f"sag.{name}.mrk.json").read_text()) for name in ("findings", "below"))
    assert shown["@schema"].endswith("/Schema/markups-schema-v1.0.3.json#")
    assert [one["name"] for one in shown["markups"]] == ["bulge L4-L5 0.91", "bulge 0.62"]
    assert [one["name"] for one in hidden["markups"]] == ["bulge L5-S1 ignore 0.30"]
    for markup in (*shown["markups"], *hidden["markups"]):
        assert {name: type(value) for name, value in markup.items()} == MARKUP
        assert {name: type(value) for name, value in markup["display"].items()} == DISPLAY
        assert (markup["type"], markup["roiType"], markup["coordinateSystem"]) == ("ROI", "Box", "LPS")
        assert [len(markup[name]) for name in ("center", "size", "orientation")] == [3, 3, 9]
        assert len(markup["display"]["color"]) == 3
        assert all(0 <= value <= 1 for value in (*markup["display"]["color"], markup["display"]["opacity"]))
    assert shown["markups"][0]["center"] == [-0.25, 16.5 - 0.91, 42.0]
    assert [one["display"]["visibility"] for one in shown["markups"]] == [True, True]
    assert [one["display"]["visibility"] for one in hidden["markups"]] == [False]
    assert shown["markups"][0]["display"]["opacity"] > shown["markups"][1]["display"]["opacity"]


def test_the_script_opens_images_and_boxes_in_slicer(
    context: OutputContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(load_outputs(["slicer"])[0], context, study(context))
    opened: list[str] = []
    slicer = ModuleType("slicer")
    slicer.util = SimpleNamespace(  # type: ignore[attr-defined]  # a stand-in for the application's module
        loadVolume=lambda path: opened.append(Path(path).name) or Path(path).name,
        loadMarkups=lambda path: opened.append(Path(path).name),
        setSliceViewerLayers=lambda background, fit: opened.append(f"behind: {background}"),
        resetSliceViews=lambda: opened.append("views"),
        selectModule=opened.append,
    )
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    moved = tmp_path / "elsewhere"
    (context.folder / "slicer/A-1").rename(moved)
    runpy.run_path(str(moved / "open_in_slicer.py"))
    assert opened == [
        "sag.nii.gz",
        "sag.below.mrk.json",
        "sag.findings.mrk.json",
        "behind: sag.nii.gz",
        "views",
        "Markups",
    ]


def test_the_documented_output_works(context: OutputContext) -> None:
    text = (Path(__file__).parents[2] / "docs/predict.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(\"\"\"`worklist.+?)```", text, re.DOTALL)
    module: dict[str, Any] = {}
    exec(code, module)  # noqa: S102  # our own documentation
    write(module["OUTPUT"], context, study(context), study(context, "B"))
    assert (context.folder / "worklist.txt").read_text() == "0.910 A-1\n0.910 B\n"
