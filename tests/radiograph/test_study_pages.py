"""Pages of the study of radiographs, from readings that were made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spinedet.core.radiograph import AP, LATERAL, Radiograph, RadiographManifest, RadiographStudy, Task
from spinedet.core.radiograph.readings import ImageReading, Readings, StudyReading
from spinedet.core.types import Split
from spinedet.radiograph.experiment.view_pairs import compare_views
from spinedet.report.label_page import Published
from spinedet.report.radiograph_study_page import write_radiograph_study
from spinedet.report.radiograph_study_results import Confounded, TaskResults, labels_of, pooled_of, rows_of
from spinedet.report.radiograph_study_summary import summary
from spinedet.report.study_steps import StepLine
from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.report import Contestant, LabelSettings, score_readings
from tests.report.chromium import chromium

SYSTEMS = Task(name="systems", labels=("X", "Y", "Z"), views=(AP.name, LATERAL.name))
BY_VIEW = Task(
    name="curves",
    labels=("ap/plain", "ap/rods", "lateral/plain", "lateral/rods"),
    views=(AP.name, LATERAL.name),
)
FRACTURED = Task(name="broken", labels=("none", "fresh"), views=(LATERAL.name,), positive="fresh")
BOOTSTRAP = BootstrapSettings(samples=20)
Reads = Callable[[int, str, str], bool]


def manifest(task: Task, labels: tuple[str, ...], counts: dict[tuple[str, str], int]) -> RadiographManifest:
    """So many studies for every split and centre, with these labels in turn."""
    studies = []
    for (split, center), count in counts.items():
        for number in range(count):
            images = tuple(Radiograph(id=view, view=view, path=Path(f"{view}.png")) for view in task.views)
            name = f"{center}-{split}-{number}"
            label = labels[number % len(labels)]
            studies.append(
                RadiographStudy(
                    id=name,
                    patient=name,
                    center=center,
                    split=Split(split),
                    label=label,
                    images=images,
                    phantom=True,
                )
            )
    return RadiographManifest(name=task.name, task=task, studies=tuple(studies))


def read(cohort: RadiographManifest, name: str, right: Reads, kind: str = "network") -> Contestant:
    """Readings of the test, right where `right(number, view, center)`."""
    studies = []
    for study in (one for one in cohort.studies if one.split is Split.TEST):
        images = []
        for image in study.images:
            labels = cohort.task.labels_of(image.view)
            own = study.label_of(image, cohort.task) or ""
            number = int(study.id.rpartition("-")[2])
            other = labels[(labels.index(own) + 1) % len(labels)]
            label = own if right(number, image.view or "", study.center) else other
            scores = {one: 0.8 if one == label else 0.2 / (len(labels) - 1) for one in labels}
            images.append(
                ImageReading(
                    id=image.id,
                    view=image.view,
                    label=label,
                    scores={} if kind == "reader" else scores,
                )
            )
        studies.append(StudyReading(id=study.id, images=tuple(images)))
    return Contestant(Readings(model={"name": name, "kind": kind}, studies=tuple(studies)), name)


def results(task: Task, labels: tuple[str, ...], right: Reads, further: tuple[str, ...] = ()) -> TaskResults:
    """Of two networks, and of further centres beside A and B."""
    counts = {("train", "A"): 12, ("tune", "A"): 3, ("test", "A"): 12, ("test", "B"): 6}
    counts |= {("test", center): 6 for center in further}
    cohort = manifest(task, labels, counts)
    test = cohort.model_copy(update={"studies": tuple(s for s in cohort.studies if s.split is Split.TEST)})
    networks = [read(cohort, "deep", right), read(cohort, "shallow", lambda number, _view, _center: number % 2 == 0)]
    settings = LabelSettings("test", "A", BOOTSTRAP)
    floor = read(cohort, "rim-alone", lambda number, _view, _center: number % 3 == 0)
    return TaskResults(
        manifest=cohort,
        internal="A",
        by_seed={0: score_readings(test, networks[0], networks[1:], settings)},
        baselines=score_readings(test, floor, [], settings),
        leaks=False,
        trained=(),
        published=Published("Somebody, 2024", (("accuracy", "1.00"),), ("Rounded.",)),
        views=compare_views(test, networks, BOOTSTRAP),
    )


def better_in_lateral(number: int, view: str, center: str) -> bool:
    return center == "A" and (view == LATERAL.name or number < 8)


def test_one_view_against_the_other_is_paired_by_patient() -> None:
    found = results(SYSTEMS, ("X", "Y", "Z"), better_in_lateral).views
    assert [(one.by["network"], one.by.get("center")) for one in found] == [
        ("deep", None),
        ("shallow", None),
        ("deep", "A"),
        ("shallow", "A"),
        ("deep", "B"),
        ("shallow", "B"),
    ]
    (deep,) = found[2].discordance
    assert (found[2].first, found[2].second) == ("ap", "lateral")
    assert (deep.items, deep.first_right, deep.second_right, deep.first_only, deep.second_only) == (12, 8, 12, 0, 4)
    assert deep.p == pytest.approx(0.125)
    assert found[2].differences["accuracy"].value == pytest.approx(4 / 12)


def test_views_whose_labels_are_their_own_are_not_compared() -> None:
    assert results(BY_VIEW, ("plain", "rods"), better_in_lateral).views == ()


def test_rare_labels_stand_apart() -> None:
    labels = ("plain",) * 5 + ("rods",)
    task = results(BY_VIEW, labels, better_in_lateral)
    assert task.scores is not None
    lines = labels_of(task, task.scores)
    assert [(line.label, line.trained, line.rare) for line in lines] == [
        ("ap/plain", 10, False),
        ("lateral/plain", 10, False),
        ("ap/rods", 2, True),
        ("lateral/rods", 2, True),
    ]
    frequent, rare = pooled_of(lines, 0.95)
    assert (frequent.labels, rare.labels) == (2, 2)
    # Two of twelve studies at A and one of six at B have rods, in two views.
    assert rare.items == 6
    # At A both laterals (numbers 5 and 11) and one of the AP images are right, at B none.
    assert rare.recall.value == pytest.approx(3 / 6)
    balanced = results(BY_VIEW, ("plain", "rods"), better_in_lateral)
    assert balanced.scores is not None
    assert pooled_of(labels_of(balanced, balanced.scores), 0.95) == []
    assert [row.by["view"] for row in rows_of(balanced.scores, balanced.centers)] == ["ap", "lateral"] * 2


def test_a_task_with_a_finding_has_no_table_of_labels_and_no_line_twice() -> None:
    task = results(FRACTURED, ("none", "fresh"), better_in_lateral)
    assert task.scores is not None
    assert labels_of(task, task.scores) == []
    assert [(row.name, row.by["unit"]) for row in rows_of(task.scores, task.centers)] == [
        ("deep", "patient"),
        ("shallow", "patient"),
    ]


def test_the_summary_follows_from_the_numbers() -> None:
    sentences = list(summary(results(SYSTEMS, ("X", "Y", "Z"), better_in_lateral)))
    (views,) = (one for one in sentences if one.startswith("deep, lateral against AP"))
    assert "18 patients of all centres: 12 against 8 right" in views
    assert any(one.startswith("1 pair of algorithms on the same patients") for one in sentences)
    assert any("centre B minus A: accuracy −" in one for one in sentences)
    assert any(one.startswith("Baselines:") for one in sentences)


def test_pages_hold_views_rare_labels_readers_and_the_confounder(tmp_path: Path) -> None:
    task = results(FRACTURED, ("none", "fresh"), better_in_lateral)
    assert task.scores is not None
    control = manifest(FRACTURED, ("none", "fresh"), {("test", "A"): 10})
    networks = [read(control, "deep", better_in_lateral)]
    readers = [read(control, "simulated-senior", lambda number, _v, _c: number % 5 > 0, kind="reader")]
    group = task.scores.group(unit="patient", center="A")
    fractured = TaskResults(
        **{name: getattr(task, name) for name in ("manifest", "internal", "by_seed", "baselines", "leaks", "trained")},
        published=task.published,
        control=score_readings(control, networks[0], readers, LabelSettings("test", None, BOOTSTRAP)),
        confounded=(Confounded("rim-alone", group, group),),
    )
    curves = results(BY_VIEW, ("plain",) * 5 + ("rods",), better_in_lateral)
    systems = results(SYSTEMS, ("X", "Y", "Z"), better_in_lateral)
    steps = [StepLine("systems-deep-seed0", "done", 12.0, "")]
    page = write_radiograph_study(tmp_path, "smoke", [systems, curves, fractured], steps)
    index, text = page.read_text("utf-8"), (tmp_path / "study.md").read_text("utf-8")
    for words in (
        "published: other patients, definitions unknown",
        "Somebody, 2024",
        "ap/rods (rare)",
        "simulated-senior",
        "the same patients without",
        "systems-deep-seed0",
    ):
        assert words in index
        assert words in text
    control_page = (tmp_path / "broken-control.html").read_text("utf-8")
    assert "neither trained, tuned nor tested a network" in control_page
    assert "a network and a reader" not in index  # kinds of pairs are for files
    for name in ("systems", "curves", "broken"):
        assert f'href="{name}.html"' in index
        assert "Baselines that must be at chance" in (tmp_path / f"{name}.html").read_text("utf-8")
        assert "## What each training took" in (tmp_path / f"{name}.md").read_text("utf-8")
    assert "One view against the other" in (tmp_path / "systems.html").read_text("utf-8")
    # Every row of a table in the text has as many cells as its head.
    for path in tmp_path.glob("*.md"):
        columns = 0
        for line in path.read_text("utf-8").splitlines():
            cells = line.count("|") if line.startswith("|") else 0
            assert not cells or not columns or cells == columns, f"{path.name}: {line}"
            columns = cells


FIVE = ("plain", "brace", "fusion", "growing", "tether")
FIVE_BY_VIEW = Task(
    name="curves",
    labels=tuple(f"{view}/{label}" for view in (AP.name, LATERAL.name) for label in FIVE),
    views=(AP.name, LATERAL.name),
)


def test_no_table_is_cut_off_and_no_item_stands_twice(tmp_path: Path) -> None:
    broken = results(FRACTURED, ("none", "fresh"), better_in_lateral, further=("C",))
    control = manifest(FRACTURED, ("none", "fresh"), {("test", "A"): 30})
    names = ("fine-tuned", "frozen-features", "simulated-senior", "simulated-junior")
    every: list[Reads] = [lambda number, _v, _c, n=n: number % (n + 2) > 0 for n in range(len(names))]  # type: ignore[misc]
    kinds = ("network", "network", "reader", "reader")
    given = [read(control, *one) for one in zip(names, every, kinds, strict=True)]
    scores = score_readings(control, given[0], given[1:], LabelSettings("test", None, BOOTSTRAP))
    tasks = [
        results(FIVE_BY_VIEW, FIVE, better_in_lateral, further=("C",)),
        results(SYSTEMS, ("X", "Y", "Z"), better_in_lateral, further=("C",)),
        replace(broken, control=scores, views=()),
    ]
    write_radiograph_study(tmp_path, "smoke", tasks, [StepLine("a-step", "kept", 12.0, "")])
    pages = sorted(tmp_path.glob("*.html"))
    assert [page.name for page in pages] == [
        "broken-control.html",
        "broken.html",
        "curves.html",
        "index.html",
        "systems.html",
    ]
    with chromium(tmp_path / "browser", (1200, 900)) as browser:
        assert {page.name: found for page in pages if (found := browser.layout_faults(page))} == {}
    texts = {page.stem: page.read_text("utf-8") for page in pages}
    # Every patient has one lateral image: it is the patient.
    assert "lateral images" not in texts["broken"]
    assert "Every patient has one image" in texts["broken"]
    assert "lateral images" in texts["systems"]
    # Labels of one view are named without it above the confusion matrix; p values end with a bound.
    assert "<th>growing</th>" in texts["curves"]
    assert "0.0000" not in texts["broken-control"]
