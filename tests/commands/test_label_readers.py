"""`spinedet.readers` on readings of radiographs drawn by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.scoring.reader_study.records import ReaderStudy, read_reader_study

from .conftest import Run
from .test_readers import box, listed, read_sheets, study_of

PATIENTS, ILL = 40, 18
FINDING, CLEAR = "fresh", "none"
TASK = {"name": "fractures", "labels": [CLEAR, FINDING], "views": ["lateral"], "positive": FINDING}
HEAD = {"version": 1}


def truth(number: int) -> str:
    return FINDING if number < ILL else CLEAR


def write_films(folder: Path, phantom: bool = False, images: int = 1, task: dict[str, Any] = TASK) -> Path:
    """One or more lateral radiographs of each patient."""
    studies = [
        {
            "id": f"s{number}",
            "patient": f"secret{number}",
            "center": "A",
            "split": "test",
            "label": truth(number),
            "images": [{"id": f"i{row}", "view": "lateral", "path": f"{number}-{row}.png"} for row in range(images)],
            "phantom": phantom,
        }
        for number in range(PATIENTS)
    ]
    path = folder / "films.json"
    path.write_text(
        json.dumps({"format": "spinedet-radiographs", **HEAD, "name": "films", "task": task, "studies": studies})
    )
    return path


def ratings_of(seed: int, skill: float) -> list[int]:
    """-5 to 5 without 0 for each patient, as a reader gives label and confidence."""
    stream = np.random.default_rng(seed)
    drawn = [stream.normal(skill if number < ILL else -skill, 2.5) for number in range(PATIENTS)]
    return [int(np.sign(value) or 1) * int(np.clip(round(abs(value)), 1, 5)) for value in drawn]


def answer(rating: int, **about: Any) -> dict[str, Any]:
    return {"label": FINDING if rating > 0 else CLEAR, "confidence": abs(rating), **about}


def write_readings(path: Path, answers: list[dict[str, Any]], model: dict[str, Any] | None = None) -> Path:
    """One image of each patient."""
    studies = [
        {"id": f"s{number}", "images": [{"id": "i0", "view": "lateral", **each}]} for number, each in enumerate(answers)
    ]
    about = {"model": model or {"name": path.stem, "kind": "reader"}, "studies": studies}
    path.write_text(json.dumps({"format": "spinedet-readings", **HEAD, **about}))
    return path


def write_reader(path: Path, seed: int, skill: float = 1.5, seconds: float | None = None) -> Path:
    timed = {} if seconds is None else {"seconds": seconds}
    return write_readings(path, [answer(rating, **timed) for rating in ratings_of(seed, skill)])


def write_network(path: Path, wrong: tuple[int, ...] = ()) -> Path:
    """A network that is sure, and wrong about some patients."""
    answers = []
    for number in range(PATIENTS):
        found = (number < ILL) != (number in wrong)
        score = 0.9 if found else 0.2
        answers.append({"label": FINDING if found else CLEAR, "scores": {FINDING: score, CLEAR: 1 - score}})
    return write_readings(path, answers, {"name": "net", "kind": "network"})


@pytest.fixture
def films(tmp_path: Path) -> Path:
    return write_films(tmp_path)


@pytest.fixture
def people(tmp_path: Path) -> list[Path]:
    return [write_reader(tmp_path / f"reader{number}.json", number) for number in range(4)]


def analysed(run: Run, tmp_path: Path, *words: str) -> ReaderStudy:
    assert run("readers", f"out={tmp_path / 'out'}", *words) == 0
    return read_reader_study(tmp_path / "out/readers.json")


def write_same_as_findings(tmp_path: Path, number: int) -> Path:
    """The ratings of a reader as one mark of each patient, whose highest mark is its rating."""
    studies = [
        {
            "id": f"s{row}",
            "findings": [{"series": "sag", "category": "degeneration", "score": 10 + rating, "box": box(0.0)}],
        }
        for row, rating in enumerate(ratings_of(number, 1.5))
    ]
    path = tmp_path / f"findings{number}.json"
    about = {"space": "RAS", "model": {"name": "x"}, "studies": studies}
    path.write_text(json.dumps({"format": "spinedet-findings", **HEAD, **about}))
    return path


def test_the_same_ratings_give_the_numbers_of_findings(
    run: Run, tmp_path: Path, films: Path, people: list[Path]
) -> None:
    lesion = {"id": "1", "series": "sag", "category": "degeneration", "box": box(0.0), "origin": "manual"}
    studies = [study_of(number, split="test", lesions=[lesion] if number < ILL else []) for number in range(PATIENTS)]
    about = {"name": "drawn", "region": "lumbar", "categories": ["degeneration"], "studies": studies}
    reference = tmp_path / "manifest.json"
    reference.write_text(json.dumps({"format": "spinedet-manifest", "space": "RAS", **HEAD, **about}))
    marks = [write_same_as_findings(tmp_path, number) for number in range(4)]
    first = analysed(run, tmp_path, f"reference={reference}", f"readers={listed(marks)}")
    assert run("readers", f"reference={films}", f"readers={listed(people)}", f"out={tmp_path / 'films'}") == 0
    second = read_reader_study(tmp_path / "films/readers.json")
    assert numbers_of(second) == pytest.approx(numbers_of(first), abs=1e-12)
    assert second.labels == {CLEAR: PATIENTS - ILL, FINDING: ILL}


def numbers_of(study: ReaderStudy) -> list[float]:
    """All of areas, curves and effects, which differ by rounding where patients come in another order."""
    effects = [effect for one in study.analyses for effect in (one.random, one.fixed)]
    estimates = [one.figure for one in study.readings] + [one.effect for one in effects]
    curves = [number for one in study.readings for point in one.curve for number in point]
    errors = [number for one in effects for number in (one.error, one.df) if number is not None]
    return [number for one in estimates for number in (one.value, one.low, one.high)] + curves + errors


def expected(fom: str, ratings: list[int]) -> float:
    """By counting."""
    called = np.array(ratings) > 0
    ill = np.arange(PATIENTS) < ILL
    recalls = float(called[ill].mean()), float((~called[~ill]).mean())
    scores = [2 * (side & own).sum() / (side.sum() + own.sum()) for side, own in ((called, ill), (~called, ~ill))]
    pairs = np.sign(np.array(ratings)[ill][:, None] - np.array(ratings)[~ill])
    return {
        "sensitivity": recalls[0],
        "specificity": recalls[1],
        "balanced_accuracy": float(np.mean(recalls)),
        "accuracy": float((called == ill).mean()),
        "macro_f1": float(np.mean(scores)),
        "auc": float((pairs + 1).mean() / 2),
    }[fom]


@pytest.mark.parametrize("unit", ["patient", "image"])
@pytest.mark.parametrize("fom", ["auc", "accuracy", "balanced_accuracy", "macro_f1", "sensitivity", "specificity"])
def test_figures_by_counting(run: Run, tmp_path: Path, films: Path, people: list[Path], fom: str, unit: str) -> None:
    program = write_network(tmp_path / "net.json", wrong=(0, 39))
    words = (f"reference={films}", f"readers={listed(people)}", f"model={program}", f"fom={fom}", f"unit={unit}")
    study = analysed(run, tmp_path, *words)
    values = [one.figure.value for one in study.readings if one.condition == "unaided"]
    assert values == pytest.approx([expected(fom, ratings_of(number, 1.5)) for number in range(4)])
    means, against = study.analyses
    assert means.random.effect.value == pytest.approx(np.mean(values))
    assert against.question == "program minus readers (unaided)"
    assert against.random.effect.value == pytest.approx(study.readings[-1].figure.value - np.mean(values))
    page = (tmp_path / "out/readers.html").read_text()
    assert "default-src 'none'" in page
    assert "fresh 18" in page
    assert "secret" not in page + (tmp_path / "out/readers.json").read_text()
    assert "lesion" not in page.partition("<body")[2]


def test_what_readers_took_over_from_the_program(run: Run, tmp_path: Path, films: Path, people: list[Path]) -> None:
    program = write_network(tmp_path / "net.json", wrong=(0, 1, 38, 39))
    # The first gives the program's label always, the others their own ones of before but for one case each.
    gullible = [answer(3 if (number < ILL) != (number in (0, 1, 38, 39)) else -3) for number in range(PATIENTS)]
    aided = [write_readings(tmp_path / "aided0.json", gullible)]
    for number in range(1, 4):
        ratings = ratings_of(number, 1.5)
        ratings[5] = 5
        aided.append(write_readings(tmp_path / f"aided{number}.json", [answer(one) for one in ratings]))
    words = (f"reference={films}", f"readers={listed(people)}", f"aided={listed(aided)}", f"model={program}")
    study = analysed(run, tmp_path, *words, "fom=accuracy", "washout=4 weeks", "order=random")
    assert [one.question for one in study.analyses][-1] == "aided minus unaided"
    first, second = study.aided_labels[:2]
    assert (first.program_right, first.program_wrong) == (36, 4)
    assert (first.right_followed, first.wrong_followed, first.false_accepted.value) == (36, 4, 1)
    before = [(rating > 0) == (number < ILL) for number, rating in enumerate(ratings_of(0, 1.5))]
    assert first.wrong_taken_over == sum(before[number] for number in (0, 1, 38, 39))
    assert first.lost == first.wrong_taken_over
    assert first.gained == sum(not right for number, right in enumerate(before) if number not in (0, 1, 38, 39))
    assert second.gained == int(ratings_of(1, 1.5)[5] < 0)
    assert second.lost == 0
    page = (tmp_path / "out/readers.html").read_text()
    assert "Work with the program" in page
    assert "4 weeks" in page
    assert "36 of 36" in page


def test_time_for_an_image(run: Run, tmp_path: Path, films: Path) -> None:
    slow = [write_reader(tmp_path / f"a{number}.json", number, seconds=30.0 + number) for number in range(3)]
    fast = [write_reader(tmp_path / f"b{number}.json", number, seconds=20.0 + number) for number in range(3)]
    words = (f"reference={films}", f"readers={listed(slow)}", f"aided={listed(fast)}", "fom=accuracy")
    study = analysed(run, tmp_path, *words)
    assert [(one.condition, one.mean, one.timed) for one in study.times][::3] == [
        ("unaided", 30, 40),
        ("aided", 20, 40),
    ]
    assert study.time_analyses[-1].question == "aided minus unaided"
    assert study.time_analyses[-1].random.effect.value == pytest.approx(-10)
    assert "Mean seconds per image" in (tmp_path / "out/readers.html").read_text()
    # With a single image untimed there is no effect, and the reader is named.
    raw = json.loads(fast[1].read_text())
    del raw["studies"][7]["images"][0]["seconds"]
    fast[1].write_text(json.dumps(raw))
    assert run("readers", *words, f"out={tmp_path / 'again'}") == 0
    again = read_reader_study(tmp_path / "again/readers.json")
    assert again.time_analyses == ()
    assert "reader 2 (aided): 1 of 40 images have no time" in again.notes


def test_patients_with_several_images(run: Run, tmp_path: Path) -> None:
    films = write_films(tmp_path, images=2)
    studies = []
    for number in range(PATIENTS):
        # The finding is seen on the second image alone; every fifth patient has one image that cannot be read.
        first = {"id": "i0", "rejected": "blurred"} if number % 5 == 0 else {"id": "i0", **answer(-2)}
        studies.append({"id": f"s{number}", "images": [first, {"id": "i1", **answer(4 if number < ILL else -4)}]})
    path = tmp_path / "one.json"
    about = {"model": {"name": "one", "kind": "reader"}, "studies": studies}
    path.write_text(json.dumps({"format": "spinedet-readings", **HEAD, **about}))
    study = analysed(run, tmp_path, f"reference={films}", f"readers=[{path}]", "fom=auc")
    assert study.readings[0].figure.value == 1
    assert study.readings[0].marks == 72
    assert run("readers", f"reference={films}", f"readers=[{path}]", "unit=image", f"out={tmp_path / 'each'}") == 0
    each = read_reader_study(tmp_path / "each/readers.json")
    assert each.labels == {CLEAR: 44, FINDING: 36}
    assert any("without an answer, which count as wrong: reader 1 (unaided) 8" in note for note in each.notes)


def test_no_answer_is_the_worst_wrong_one(run: Run, tmp_path: Path, films: Path) -> None:
    answers = [answer(3 if number < ILL else -3) for number in range(PATIENTS)]
    answers[0] = {"rejected": "collimated"}
    answers[39] = {"rejected": "collimated"}
    path = write_readings(tmp_path / "one.json", answers)
    study = analysed(run, tmp_path, f"reference={films}", f"readers=[{path}]", "fom=auc")
    ill, clear = ILL, PATIENTS - ILL
    assert study.readings[0].figure.value == pytest.approx((ill - 1) * (clear - 1) / (ill * clear))


def test_the_spreadsheet_for_rjafroc(run: Run, tmp_path: Path, films: Path, people: list[Path]) -> None:
    raw = json.loads(people[1].read_text())
    raw["studies"][0]["images"][0] = {"id": "i0", "rejected": "blurred"}
    people[1].write_text(json.dumps(raw))
    program = write_network(tmp_path / "net.json")
    words = (f"reference={films}", f"readers={listed(people)}", f"model={program}", "export=[rjafroc]")
    analysed(run, tmp_path, *words)
    sheets = read_sheets(tmp_path / "out/rjafroc.xlsx")
    # Four readers and the program, which is the same for all of them.
    assert len(sheets["TP"]) - 1 == 8 * ILL
    assert len(sheets["FP"]) - 1 == 8 * (PATIENTS - ILL)
    assert sheets["TRUTH"][1] == ["1", "1", "1", "0,1,2,3", "0,1", "ROC"]
    assert sheets["TRUTH"][-1] == [str(PATIENTS), "0", "0", "0,1,2,3", "0,1"]
    ratings = {tuple(row[:3]): float(row[-1]) for sheet in ("TP", "FP") for row in sheets[sheet][1:]}
    assert [ratings["2", "0", str(case)] for case in range(1, PATIENTS + 1)] == ratings_of(2, 1.5)
    assert ratings["1", "0", "1"] == min(ratings.values()) == -6
    assert "secret" not in str(sheets)


def test_a_task_of_several_labels(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = {**TASK, "labels": [CLEAR, FINDING, "old"], "positive": None}
    films = write_films(tmp_path, task=task, phantom=True)
    people = [write_reader(tmp_path / f"r{number}.json", number) for number in range(3)]
    words = (f"reference={films}", f"readers={listed(people)}")
    study = analysed(run, tmp_path, *words, "fom=macro_f1")
    assert any("phantoms" in note for note in study.notes)
    assert study.labels["old"] == 0
    assert run("readers", *words, f"out={tmp_path / 'b'}") == 2
    assert "use one of accuracy, balanced_accuracy, macro_f1; the task 'fractures' has no finding" in said(capsys)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_labels_of_views_are_read_image_by_image(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = {**TASK, "labels": ["lateral/a", "lateral/b"], "positive": None}
    films = write_films(tmp_path, task=task)
    raw = json.loads(films.read_text())
    for study in raw["studies"]:
        study["label"] = "a" if study["label"] == FINDING else "b"
    films.write_text(json.dumps(raw))
    answers = [{"label": "lateral/a" if number < ILL else "lateral/b"} for number in range(PATIENTS)]
    path = write_readings(tmp_path / "one.json", answers)
    words = (f"reference={films}", f"readers=[{path}]", "fom=accuracy")
    assert run("readers", *words, f"out={tmp_path / 'a'}") == 2
    assert "belong to views; use unit=image" in said(capsys)
    assert analysed(run, tmp_path, *words, "unit=image").readings[0].figure.value == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fom=f1"], "fom=f1: for these radiographs use one of accuracy"),
        (["unit=scan"], "unit=scan: for radiographs use patient or image"),
        (["threshold=2"], "threshold= is about marks"),
        (["planes=[sagittal]"], "planes= is about scans"),
        (["export=[rjafroc]", "unit=image"], "use it with fom=auc and unit=patient"),
        (["readers=[{net}]"], "take readings of people"),
        (["model={reader}"], "model= takes readings of a network"),
        (["readers=[{folder}]"], "is a folder"),
        (["reference=[{films},{scans}]"], "analyse one at a time"),
        (["reference={scans}"], "holds readings of radiographs; pass the manifest of the radiographs"),
    ],
)
def test_what_does_not_go_together_is_refused(
    run: Run,
    tmp_path: Path,
    films: Path,
    people: list[Path],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    scans = tmp_path / "scans.json"
    about = {"name": "drawn", "region": "lumbar", "categories": ["degeneration"], "studies": [study_of(0)]}
    scans.write_text(json.dumps({"format": "spinedet-manifest", "space": "RAS", **HEAD, **about}))
    (tmp_path / "folder").mkdir()
    places = {"net": write_network(tmp_path / "net.json"), "reader": people[0], "folder": tmp_path / "folder"}
    given = [word.format(films=films, scans=scans, **places) for word in words]
    base = (f"reference={films}", f"readers={listed(people)}", f"out={tmp_path / 'out'}")
    keys = {word.partition("=")[0] for word in given}
    kept = [word for word in base if word.partition("=")[0] not in keys]
    assert run("readers", *kept, *given) == 2
    assert message in said(capsys)
    assert not (tmp_path / "out/readers.json").exists()


def test_confidences_on_two_scales_are_refused(
    run: Run, tmp_path: Path, films: Path, people: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    raw = json.loads(people[2].read_text())
    del raw["studies"][3]["images"][0]["confidence"]
    people[2].write_text(json.dumps(raw))
    words = (f"reference={films}", f"readers={listed(people)}")
    assert run("readers", *words, f"out={tmp_path / 'out'}") == 2
    told = said(capsys)
    assert "reader2.json" in told
    assert "confidence and by label" in told
    assert analysed(run, tmp_path / "b", *words, "fom=accuracy").readings[2].marks == PATIENTS


def test_labels_alone_have_a_curve_of_one_point(run: Run, tmp_path: Path, films: Path) -> None:
    paths = []
    for number in range(3):
        answers = [{"label": answer(rating)["label"]} for rating in ratings_of(number, 1.5)]
        paths.append(write_readings(tmp_path / f"r{number}.json", answers))
    study = analysed(run, tmp_path, f"reference={films}", f"readers={listed(paths)}")
    assert len(study.readings[0].curve) == 3
    assert any("fom=accuracy is fairer" in note for note in study.notes)
