"""The pages of the study of radiographs: one for each task, and an index with the published numbers apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from spinedet import __version__
from spinedet.core.files import write_text
from spinedet.core.radiograph import RadiographManifest
from spinedet.report.html import render
from spinedet.report.label_page import Extras, Published, view_of
from spinedet.report.number_format import MARKS
from spinedet.report.study_steps import StepLine, broken_steps
from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.records import LabelGroup, LabelScores
from spinedet.scoring.records import Estimate

_CHANCE_OF_AUC = 0.5


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training took, and the operating point that it froze.

    Attributes:
        steps: optimisation steps of all its networks. seconds: wall time by stage. frozen: whether its readings name
            this very operating point.
    """

    name: str
    seed: int
    steps: int
    seconds: Mapping[str, float]
    operating_point: str
    frozen: bool


@dataclass(frozen=True, eq=False)
class TaskResults:
    """What all steps of a task gave.

    Attributes:
        manifest: of all patients. internal: centre of the development. by_seed: scores of the algorithms, those of the
            first seed with the readers. leaks: whether baselines may be above chance by nature.
    """

    manifest: RadiographManifest
    internal: str
    by_seed: Mapping[int, LabelScores]
    baselines: LabelScores
    leaks: bool
    trained: tuple[Trained, ...]
    published: Published | None

    @property
    def name(self) -> str:
        """Of the task and its page."""
        return self.manifest.task.name

    @property
    def scores(self) -> LabelScores | None:
        """Those of the first seed that came to its end."""
        return next(iter(self.by_seed.values()), None)


@dataclass(frozen=True, slots=True)
class Part:
    """Patients, studies and images of one centre in one split."""

    split: str
    center: str
    patients: int
    studies: int
    images: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """One baseline on one part of the test.

    Attributes:
        commonest: share of the commonest label: the accuracy of answering it always. at_chance: whether the interval of
            the AUC holds .5; None where there is none.
    """

    name: str
    group: LabelGroup
    accuracy: Estimate
    commonest: float
    at_chance: bool | None


@dataclass(frozen=True, slots=True)
class Repeat:
    """One algorithm on one part of the test over all seeds."""

    name: str
    by: dict[str, str]
    accuracy: tuple[float, ...]
    auc: tuple[float, ...]

    @property
    def mean(self) -> tuple[float | None, float | None]:
        """Of accuracy and AUC."""
        first, second = (fmean(values) if values else None for values in (self.accuracy, self.auc))
        return first, second


@dataclass(frozen=True, slots=True)
class Row:
    """One algorithm or reader on one part, by centre; None where the centre has no such part."""

    name: str
    by: dict[str, str]
    groups: tuple[LabelGroup | None, ...]


def write_radiograph_study(folder: Path, size: str, tasks: Sequence[TaskResults], steps: Sequence[StepLine]) -> Path:
    """Write a page for each task and `index.html`; returns the latter."""
    for task in tasks:
        if task.scores is not None:
            write_text(folder / f"{task.name}.html", render("radiograph_task.html", **_task_view(task, task.scores)))
    notes = dict.fromkeys(note for task in tasks for note in task.baselines.notes)
    page = render(
        "radiograph_study.html",
        title=f"Radiographs on phantoms, size {size}",
        notes=(*notes, *broken_steps(steps)),
        tasks=[_index_view(task) for task in tasks],
        steps=steps,
        marks=MARKS,
        as_answered=AS_ANSWERED,
        version=__version__,
    )
    write_text(folder / "index.html", page)
    return folder / "index.html"


def _task_view(task: TaskResults, scores: LabelScores) -> dict[str, Any]:
    seeds = list(task.by_seed)
    view = view_of(scores, Extras(published=task.published))
    return view | {
        "title": f"{task.name}: {', '.join(one.model_name for one in (scores, *scores.others))}",
        "task": task,
        "seeds": seeds,
        "simulated": any(one.model.get("simulated") for one in scores.others),
        "rows": rows_of(task, scores),
        "centers": centers_of(task),
        "parts": parts_of(task.manifest),
        "baselines": list(baselines_of(task.baselines)),
        "repeats": list(repeats_of(task.by_seed)) if len(seeds) > 1 else [],
    }


def _index_view(task: TaskResults) -> dict[str, Any]:
    scores = task.scores
    whole = list(baselines_of(task.baselines))
    return {
        "task": task,
        "rows": rows_of(task, scores) if scores else [],
        "centers": centers_of(task),
        "parts": parts_of(task.manifest),
        "above": [one for one in whole if one.at_chance is False],
        "tested": sum(one.at_chance is not None for one in whole),
    }


def centers_of(task: TaskResults) -> list[str]:
    """The centres of the test, the internal one first."""
    found = {study.center for study in task.manifest.studies if study.split == "test"}
    return sorted(found, key=lambda center: (center != task.internal, center))


def rows_of(task: TaskResults, scores: LabelScores) -> list[Row]:
    """Every algorithm and reader on every part: patients with all images, and the images of each view."""
    centers = centers_of(task)
    found = []
    for one in (scores, *scores.others):
        for by in (group.by for group in one.groups if "center" not in group.by):
            at = [{**by, "center": center} for center in centers] if len(centers) > 1 else [by]
            groups = (next((group for group in one.groups if group.by == wanted), None) for wanted in at)
            found.append(Row(one.model_name, by, tuple(groups)))
    return found


def parts_of(manifest: RadiographManifest) -> list[Part]:
    """How many of everything there are, by split and centre; excluded studies and images are not counted."""
    keys = dict.fromkeys((study.split, study.center) for study in manifest.studies if study.used)
    found = []
    for split, center in keys:
        studies = [one for one in manifest.studies if one.used and (one.split, one.center) == (split, center)]
        images = sum(len(one.used) for one in studies)
        patients = len({one.patient for one in studies})
        found.append(Part(split.value if split else "none", center, patients, len(studies), images))
    return found


def baselines_of(scores: LabelScores) -> Iterator[Baseline]:
    """Every baseline on every part, all centres together."""
    for one in (scores, *scores.others):
        for group in one.groups:
            if "center" in group.by:
                continue
            answers, area = group.answer(AS_ANSWERED), group.auc.bootstrap
            known = area.low is not None and area.high is not None
            at_chance = (area.low or 0.0) <= _CHANCE_OF_AUC <= (area.high or 0.0) if known else None
            items = [label.items for label in answers.labels]
            yield Baseline(one.model_name, group, answers.accuracy, max(items) / max(sum(items), 1), at_chance)


def repeats_of(by_seed: Mapping[int, LabelScores]) -> Iterator[Repeat]:
    """Every algorithm on every part and centre, seed by seed."""
    first = next(iter(by_seed.values()), None)
    for one in (first, *first.others) if first else ():
        if one.model.get("kind") == "reader":
            continue
        for group in one.groups:
            same = [found for scores in by_seed.values() if (found := _same(scores, one.model_name, group)) is not None]
            accuracy = tuple(v for g in same if (v := g.answer(AS_ANSWERED).accuracy.value) is not None)
            yield Repeat(one.model_name, group.by, accuracy, tuple(v for g in same if (v := g.auc.bootstrap.value)))


def _same(scores: LabelScores, name: str, group: LabelGroup) -> LabelGroup | None:
    own = [one for one in (scores, *scores.others) if one.model_name == name]
    return next((found for one in own for found in one.groups if found.by == group.by), None)
