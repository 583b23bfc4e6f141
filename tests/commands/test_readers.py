"""`spinedet.readers` on readers drawn by hand."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from spinedet.scoring.reader_study.effects import mcnemar
from spinedet.scoring.reader_study.records import ReaderStudy, read_reader_study

from .conftest import Run

HEAD = {"version": 1, "space": "RAS"}
PATIENTS, ILL = 40, 18


def box(place: float) -> dict[str, Any]:
    return {"center": [place, 0.0, 0.0], "size": [10.0, 10.0, 10.0]}


def study_of(number: int, **about: Any) -> dict[str, Any]:
    series = [{"id": "sag", "plane": "sagittal", "path": f"s{number}.nii.gz"}]
    return {"id": f"s{number}", "patient": f"secret{number}", "center": "A", "series": series, **about}


def write_reference(folder: Path, origin: str = "manual") -> Path:
    studies = []
    for number in range(PATIENTS):
        lesions = [
            {"id": str(row), "series": "sag", "category": "degeneration", "box": box(50.0 * row), "origin": origin}
            for row in range(1 + number % 2)
        ]
        studies.append(study_of(number, split="test", lesions=lesions if number < ILL else []))
    about = {"name": "drawn", "region": "lumbar", "categories": ["degeneration"], "studies": studies}
    path = folder / "manifest.json"
    path.write_text(json.dumps({"format": "spinedet-manifest", **HEAD, **about}))
    return path


def write_findings(path: Path, seed: int, skill: float, **about: Any) -> Path:
    """A reader who gives every lesion and one sound place of each patient a confidence of 1 to 5, or no mark."""
    stream = np.random.default_rng(seed)
    studies = []
    for number in range(PATIENTS):
        places = [(50.0 * row, skill) for row in range(1 + number % 2 if number < ILL else 0)] + [(300.0, 0.0)]
        graded = [(place, int(np.clip(round(stream.normal(2 + shift, 1.2)), 0, 5))) for place, shift in places]
        found = [
            {"series": "sag", "category": "degeneration", "score": grade, "box": box(place)}
            for place, grade in graded
            if grade
        ]
        studies.append({"id": f"s{number}", "findings": found})
    content = {"format": "spinedet-findings", **HEAD, "model": {"name": path.stem}, "studies": studies, **about}
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_reference(tmp_path)


@pytest.fixture
def people(tmp_path: Path) -> list[Path]:
    return [write_findings(tmp_path / f"reader{number}.json", number, 1.5) for number in range(4)]


def listed(paths: list[Path]) -> str:
    return f"[{','.join(map(str, paths))}]"


def analysed(run: Run, tmp_path: Path, *words: str) -> ReaderStudy:
    assert run("readers", f"out={tmp_path / 'out'}", *words) == 0
    return read_reader_study(tmp_path / "out/readers.json")


@pytest.mark.parametrize("fom", ["auc", "wafroc", "f1", "sensitivity", "specificity"])
def test_readers_and_a_program(run: Run, tmp_path: Path, reference: Path, people: list[Path], fom: str) -> None:
    program = write_findings(tmp_path / "program.json", 9, 3.0)
    words = (f"reference={reference}", f"readers={listed(people)}", f"model={program}", f"fom={fom}")
    study = analysed(run, tmp_path, *words, "threshold=4", "model_threshold=4")
    means, against = study.analyses
    values = [one.figure.value for one in study.readings if one.condition == "unaided"]
    assert means.random.effect.value == pytest.approx(np.mean(values))
    assert against.random.effect.value == pytest.approx(study.readings[-1].figure.value - np.mean(values))
    assert against.random.df is not None
    assert against.random.df >= 3
    assert against.fixed.df is None
    page = (tmp_path / "out/readers.html").read_text()
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "secret" not in page + (tmp_path / "out/readers.json").read_text()


def test_a_better_program_is_found(run: Run, tmp_path: Path, reference: Path, people: list[Path]) -> None:
    program = write_findings(tmp_path / "program.json", 9, 5.0)
    study = analysed(run, tmp_path, f"reference={reference}", f"readers={listed(people)}", f"model={program}")
    effect = study.analyses[1].random
    assert effect.effect.low > 0
    assert effect.p < 0.05
    assert study.figure["name"] == "auc"
    # The same readings give the same file.
    again = tmp_path / "again"
    words = (f"reference={reference}", f"readers={listed(people)}", f"model={program}", f"out={again}")
    assert run("readers", *words) == 0
    assert (again / "readers.json").read_text() == (tmp_path / "out/readers.json").read_text()


def test_two_readers_speak_for_themselves_only(run: Run, tmp_path: Path, reference: Path, people: list[Path]) -> None:
    study = analysed(run, tmp_path, f"reference={reference}", f"readers={listed(people[:2])}", "names=[X,Y]")
    assert study.analyses[0].random.effect.low is None
    assert "fewer than 3 readers" in str(study.analyses[0].random.effect.reason)
    assert study.analyses[0].fixed.effect.low is not None
    assert [one.reader for one in study.readings] == ["X", "Y"]
    assert any("2 readers" in note for note in study.notes)


def test_the_program_counts_at_the_threshold_of_its_file(
    run: Run, tmp_path: Path, reference: Path, people: list[Path]
) -> None:
    point = {"sha256": "x", "rule": "most f1", "thresholds": [_threshold(3)]}
    program = write_findings(tmp_path / "program.json", 9, 3.0, operating_point=point)
    words = (f"reference={reference}", f"readers={listed(people)}", f"model={program}", "fom=specificity")
    frozen = analysed(run, tmp_path, *words)
    assert run("readers", *words, "model_threshold=0.5", f"out={tmp_path / 'low'}") == 0
    low = read_reader_study(tmp_path / "low/readers.json")
    assert frozen.readings[-1].figure.value > low.readings[-1].figure.value
    assert "frozen operating point (most f1)" in frozen.thresholds


def _threshold(value: float) -> dict[str, Any]:
    return {"plane": "sagittal", "category": "degeneration", "value": value}


def test_phantoms_are_called_simulated(run: Run, tmp_path: Path, people: list[Path]) -> None:
    reference = write_reference(tmp_path, origin="phantom")
    study = analysed(run, tmp_path, f"reference={reference}", f"readers={listed(people)}")
    assert any("phantoms" in note for note in study.notes)


def test_the_spreadsheet_for_rjafroc(run: Run, tmp_path: Path, reference: Path, people: list[Path]) -> None:
    program = write_findings(tmp_path / "program.json", 9, 3.0)
    words = (f"reference={reference}", f"readers={listed(people)}", f"model={program}", "export=[rjafroc]")
    study = analysed(run, tmp_path, *words)
    sheets = read_sheets(tmp_path / "out/rjafroc.xlsx")
    truth = [dict(zip(sheets["TRUTH"][0], row, strict=False)) for row in sheets["TRUTH"][1:]]
    assert sum(row["LesionID"] == "0" for row in truth) == study.lesion_free_cases == PATIENTS - ILL
    assert sum(row["LesionID"] != "0" for row in truth) == study.lesions
    assert [row.get("Paradigm") for row in truth[:2]] == ["FROC", "FCTRL"]
    weights: dict[str, float] = {}
    for row in truth:
        weights[row["CaseID"]] = weights.get(row["CaseID"], 0) + float(row["Weight"])
    assert sorted(set(weights.values())) == [0, 1]
    # Marks of the four readers once, and those of the program for each of them.
    marks = sum(one.marks for one in study.readings[:4]) + 4 * study.readings[4].marks
    assert len(sheets["TP"]) - 1 + len(sheets["FP"]) - 1 == marks
    assert "secret" not in str(sheets)


def read_sheets(path: Path) -> dict[str, list[list[str]]]:
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    found = {}
    with zipfile.ZipFile(path) as archive:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314  # our own file
        for number, sheet in enumerate(book.findall(".//m:sheet", space), 1):
            tree = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314  # as above
            rows = [["".join(cell.itertext()) for cell in row] for row in tree.findall(".//m:row", space)]
            found[sheet.attrib["name"]] = rows
    return found


# --- exports of the reading page ---


def export_of(number: int, decisions: dict[float, str], seconds: int) -> dict[str, Any]:
    """What the page exports: proposals by place with the reader's decision."""
    lesions, negatives = [], []
    for row, (place, decision) in enumerate(decisions.items(), 1):
        attributes: dict[str, Any] = {"decision": decision, "seconds": 3}
        if decision != "added":
            attributes["proposed_score"] = 0.7
        if decision == "corrected":
            attributes["proposed"] = {"box": box(place + 200), "level": None, "category": "degeneration"}
        one = {"series": "sag", "level": None, "box": box(place), "attributes": attributes}
        if decision == "rejected":
            negatives.append({**one, "attributes": {**attributes, "category": "degeneration"}})
        else:
            about = {"category": "degeneration", "origin": "manual", "ignore": decision == "undecided"}
            lesions.append({"id": f"f{row}", **one, **about})
    study = study_of(number, lesions=lesions, negatives=negatives, split=None)
    about = {"name": "reading", "region": "lumbar", "categories": ["degeneration"], "studies": [study]}
    return {"format": "spinedet-manifest", **HEAD, **about, "reading": {"seconds": seconds, "decisions": []}}


def write_exports(folder: Path, gullible: bool) -> Path:
    folder.mkdir()
    for number in range(PATIENTS):
        decisions: dict[float, str] = {300.0: "accepted" if gullible and number % 2 else "rejected"}
        if number < ILL:
            decisions |= {0.0: "accepted"} | ({50.0: "added"} if number % 2 else {})
        if number == 0:
            decisions |= {100.0: "undecided"}
        (folder / f"s{number}.reading.json").write_text(json.dumps(export_of(number, decisions, 30 + number)))
    return folder


def test_aided_against_unaided(run: Run, tmp_path: Path, reference: Path, people: list[Path]) -> None:
    aided = [write_exports(tmp_path / f"with{number}", gullible=number == 0) for number in range(4)]
    words = (f"reference={reference}", f"readers={listed(people)}", f"aided={listed(aided)}", "fom=f1")
    study = analysed(run, tmp_path, *words, "washout=4 weeks", "order=random")
    assert [one.question for one in study.analyses] == ["readers (unaided)", "readers (aided)", "aided minus unaided"]
    first, second = study.aided[:2]
    assert (first.false_accepted.value, second.false_accepted.value) == (pytest.approx(20 / 41), 0)
    assert (first.true.accepted, first.false.accepted, first.false.rejected) == (ILL, 20, 20)
    assert (first.false.ignored, first.added, first.median_seconds) == (1, 9, 49.5)
    perfect = next(one for one in study.readings if one.condition == "aided" and one.reader == "reader 2")
    assert perfect.figure.value == 1
    page = (tmp_path / "out/readers.html").read_text()
    assert "4 weeks" in page
    assert re.search(r"Order of the readings: random", page)


def test_a_corrected_proposal_counts_where_it_was_proposed(
    run: Run, tmp_path: Path, reference: Path, people: list[Path]
) -> None:
    folder = write_exports(tmp_path / "with", gullible=False)
    (folder / "s0.reading.json").write_text(json.dumps(export_of(0, {0.0: "corrected"}, 30)))
    words = (f"reference={reference}", f"readers={listed(people[:1])}", f"aided=[{folder}]", "fom=f1")
    study = analysed(run, tmp_path, *words)
    assert study.aided[0].false.corrected == 1
    assert study.readings[1].figure.value == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fom=froc"], "fom=froc"),
        (["unit=disc"], "unit=disc"),
        (["names=[a]"], "names= has 1 entries"),
        (["names=[a,a,b,c]"], "a name twice"),
        (["export=[r]"], "use rjafroc"),
        (["confidence=2"], "confidence=2"),
    ],
)
def test_wrong_settings_are_refused(
    run: Run,
    tmp_path: Path,
    reference: Path,
    people: list[Path],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    given = (f"reference={reference}", f"readers={listed(people)}", f"out={tmp_path / 'out'}")
    assert run("readers", *given, *words) == 2
    assert message in capsys.readouterr().err


def test_a_reader_who_missed_a_study_is_refused(
    run: Run, tmp_path: Path, reference: Path, people: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(people[1].read_text())
    content["studies"].pop()
    people[1].write_text(json.dumps(content))
    assert run("readers", f"reference={reference}", f"readers={listed(people)}", f"out={tmp_path / 'out'}") == 2
    assert "reader1.json: study 's39'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.pop("reading"), "no export of the reading page"),
        (lambda raw: raw["studies"][0]["lesions"][0]["attributes"].pop("proposed_score"), "no proposed_score"),
        (lambda raw: raw["studies"][0]["lesions"][0]["attributes"].update(decision="perhaps"), "'perhaps' is none"),
    ],
)
def test_wrong_exports_are_refused(
    run: Run, tmp_path: Path, reference: Path, capsys: pytest.CaptureFixture[str], change: Any, message: str
) -> None:
    folder = tmp_path / "with"
    folder.mkdir()
    raw = export_of(0, {0.0: "accepted"}, 3)
    change(raw)
    (folder / "a.json").write_text(json.dumps(raw))
    assert run("readers", f"reference={reference}", f"readers=[{folder}]", f"out={tmp_path / 'out'}") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("first", "second", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 7, 18 / 256)])
def test_mcnemar(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p)
