"""What the study of radiographs found in one task, and the rows of its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from spinedet.core.radiograph import RadiographManifest
from spinedet.core.types import Split
from spinedet.report.label_page import Published
from spinedet.report.label_parts import one_image_each, without_repeated_items
from spinedet.scoring.classification.evaluate import AS_ANSWERED, exact_share
from spinedet.scoring.classification.records import LabelGroup, LabelPair, LabelScore, LabelScores
from spinedet.scoring.records import Estimate

_CHANCE_OF_AUC = 0.5
# A label is rare with fewer training images than this share of what equally frequent labels would have.
_RARE = 0.5


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


@dataclass(frozen=True, slots=True)
class Confounded:
    """A baseline trained with a confounder: its test with it, and on the same patients without it."""

    name: str
    with_it: LabelGroup
    without_it: LabelGroup


@dataclass(frozen=True, eq=False)
class TaskResults:
    """What all steps of a task gave.

    Attributes:
        manifest: of all patients. internal: centre of the development. by_seed: scores of the algorithms.
        leaks: whether baselines may be above chance by nature.
        control: networks of the first seed and readers on the control set, where there is one.
        views: pairs of views, each by one network. confounded: baselines trained with a confounder.
    """

    manifest: RadiographManifest
    internal: str
    by_seed: Mapping[int, LabelScores]
    baselines: LabelScores
    leaks: bool
    trained: tuple[Trained, ...]
    published: Published | None
    control: LabelScores | None = None
    views: tuple[LabelPair, ...] = ()
    confounded: tuple[Confounded, ...] = ()

    @property
    def name(self) -> str:
        """Of the task and its page."""
        return self.manifest.task.name

    @property
    def scores(self) -> LabelScores | None:
        """Those of the first seed that came to its end."""
        return next(iter(self.by_seed.values()), None)

    @property
    def centers(self) -> list[str]:
        """Of the test, the internal one first."""
        found = {study.center for study in self.manifest.studies if study.split is Split.TEST}
        return sorted(found, key=lambda center: (center != self.internal, center))


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


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of results."""

    name: str
    of: Callable[[LabelGroup], Estimate]


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One label as the first algorithm gave it, by centre; or several labels together.

    Attributes:
        trained: training images that have it. at: the label's score at each centre, None where there is none.
    """

    label: str
    by: dict[str, str]
    trained: int
    rare: bool
    at: tuple[LabelScore | None, ...]


@dataclass(frozen=True, slots=True)
class Pooled:
    """Frequent or rare labels together at all centres; shares with exact intervals."""

    rare: bool
    labels: int
    items: int
    recall: Estimate
    precision: Estimate


def accuracy_of(group: LabelGroup) -> Estimate:
    """With its exact interval where every patient has one item, else with that of resampled patients."""
    answers = group.answer(AS_ANSWERED)
    return answers.accuracy_exact if group.items == group.patients else answers.accuracy


def metrics_of(task: TaskResults) -> list[Metric]:
    """The columns that can be set beside published numbers of such tasks."""
    accuracy = Metric("accuracy", accuracy_of)
    if task.manifest.task.positive is not None:
        return [accuracy, Metric("AUC", lambda group: group.auc.bootstrap)]
    return [
        accuracy,
        Metric("precision, macro", lambda group: group.answer(AS_ANSWERED).macro_precision),
        Metric("recall, macro", lambda group: group.answer(AS_ANSWERED).macro_recall),
    ]


def rows_of(scores: LabelScores, centers: Sequence[str]) -> list[Row]:
    """Every algorithm and reader on every part: patients with all images, and the images of each view.

    Images are left out where every patient has one, because they are the same items.
    """
    found = []
    for one in (scores, *scores.others):
        whole = [group for group in one.groups if "center" not in group.by]
        for group in whole[:1] if one_image_each(one) else whole:
            found.append(Row(one.model_name, group.by, _at_centers(one, group.by, centers)))
    return found


def _at_centers(scores: LabelScores, by: Mapping[str, str], centers: Sequence[str]) -> tuple[LabelGroup | None, ...]:
    """The part at each centre, or as it is where there is only one."""
    wanted = [{**by, "center": center} for center in centers] if len(centers) > 1 else [by]
    return tuple(next((own for own in scores.groups if own.by == one), None) for one in wanted)


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
    scores = without_repeated_items(scores)
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
    first = next(map(without_repeated_items, by_seed.values()), None)
    for one in (first, *first.others) if first else ():
        for group in one.groups:
            same = [found for scores in by_seed.values() if (found := _same(scores, one.model_name, group)) is not None]
            accuracy = tuple(v for g in same if (v := g.answer(AS_ANSWERED).accuracy.value) is not None)
            yield Repeat(one.model_name, group.by, accuracy, tuple(v for g in same if (v := g.auc.bootstrap.value)))


def _same(scores: LabelScores, name: str, group: LabelGroup) -> LabelGroup | None:
    own = [one for one in (scores, *scores.others) if one.model_name == name]
    return next((found for one in own for found in one.groups if found.by == group.by), None)


def labels_of(task: TaskResults, scores: LabelScores) -> list[LabelLine]:
    """Every label of a task without a finding, the frequent ones first, as the first algorithm gave it.

    Of patients with their images together; image by image where labels belong to views.
    """
    if task.manifest.task.positive is not None:
        return []
    trained = _training_images(task.manifest)
    whole = [group.by for group in scores.groups if "center" not in group.by]
    parts = [by for by in whole if by["unit"] == "patient"] or whole
    found = []
    for by in parts:
        groups = _at_centers(scores, by, task.centers)
        labels = [one.label for one in next(g for g in scores.groups if g.by == by).answer(AS_ANSWERED).labels]
        equal = sum(trained[label] for label in labels) / len(labels)
        for label in sorted(labels, key=lambda one: -trained[one]):
            at = tuple(_label(group, label) for group in groups)
            found.append(LabelLine(label, by, trained[label], trained[label] < _RARE * equal, at))
    return sorted(found, key=lambda line: line.rare)


def _training_images(manifest: RadiographManifest) -> Counter[str | None]:
    used = ((study, image) for study, image in manifest.images() if study.split is Split.TRAIN)
    return Counter(study.label_of(image, manifest.task) for study, image in used)


def _label(group: LabelGroup | None, label: str) -> LabelScore | None:
    labels = group.answer(AS_ANSWERED).labels if group is not None else ()
    return next((one for one in labels if one.label == label), None)


def pooled_of(lines: Sequence[LabelLine], confidence: float) -> list[Pooled]:
    """Frequent and rare labels; nothing where none is rare."""
    if not any(line.rare for line in lines):
        return []
    found = []
    for rare in (False, True):
        own = [one for line in lines if line.rare == rare for one in line.at if one is not None]
        right, items, answers = (sum(getattr(one, name) for one in own) for name in ("right", "items", "answers"))
        found.append(
            Pooled(
                rare,
                sum(line.rare == rare for line in lines),
                items,
                exact_share(right, items, confidence, "no item has the label"),
                exact_share(right, answers, confidence, "never answered"),
            )
        )
    return found
