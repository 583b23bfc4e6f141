"""The seed study's page: external tests at a frozen threshold, transfer to the neck, what was forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet import __version__
from spinedet.core.files import write_text
from spinedet.core.types import Findings, Manifest
from spinedet.report.curves import HEIGHT, WIDTH, Curves, Figure, Key, draw_curves, draw_growth, draw_runs, style_of
from spinedet.report.html import render, render_text
from spinedet.report.number_format import MARKS
from spinedet.report.scored_cases import ScoredCases, match_again
from spinedet.report.study_steps import StepLine, broken_steps
from spinedet.report.table_one import flow, shift, table_one, table_rows
from spinedet.report.transfer_summary import CONVERGED, FULL, SCRATCH, Pooled, Trainings, summary
from spinedet.scoring import Comparison, Estimate, Group, OperatingPoint, Scores
from spinedet.scoring.records import AdaptedThreshold

# F1 of Yi et al., Eur Spine J 2023;32:3807, by plane: internal, two external centres, cervical. Their data are private
# and what counted as a hit is not stated, so nothing of ours can be compared with it.
PUBLISHED: dict[str, tuple[float, ...]] = {
    "sagittal": (0.971, 0.768, 0.787, 0.931),
    "axial": (0.903, 0.837, 0.770, 0.919),
}
CAUTION = "not comparable: private data, unknown hit criterion"


@dataclass(frozen=True, eq=False)
class Tested:
    """A run's test.

    Attributes:
        folder: where it lies. reference: the studies that were read. frozen: sha256 of the run's operating point file.
        internal: centres that the run was developed at.
    """

    name: str
    folder: Path
    scores: Scores
    reference: Manifest
    findings: Findings
    frozen: str
    point: OperatingPoint
    internal: tuple[str, ...]

    @property
    def same_threshold(self) -> bool:
        """Whether the scores say that they used the very operating point that the run froze."""
        return self.scores.operating_point_sha256 == self.frozen

    @property
    def scored(self) -> ScoredCases:
        """What curves are made of."""
        return match_again(self.reference, self.findings, self.scores)

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes that were tested."""
        return tuple(str(group.by["plane"]) for group in self.scores.groups if set(group.by) == {"plane"})


@dataclass(frozen=True, eq=False)
class Transferred:
    """A training on the neck with its test.

    Attributes:
        against: its differences from the training from scratch on as many patients; None for that itself.
        reused: share of each plane's numbers that began with the lumbar run's.
    """

    name: str
    tested: Tested
    against: Comparison | None
    reused: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Kept:
    """A run for the neck on the lumbar tests, and how it differs there from the lumbar run."""

    name: str
    tested: Tested
    against: Comparison | None


@dataclass(frozen=True, eq=False)
class StudyResults:
    """What all steps gave; what a broken step should have given is missing.

    Attributes:
        headline: name of the training that stands for the neck in the first table.
        compared: names of the trainings that are compared at one number of patients, `compared_patients`, with
            `equal_steps`. pooled: every training over all `seeds`; the rest is of the first seed.
        curve: names of trainings by number of target patients, for each line of the transfer curve.
    """

    size: str
    notes: tuple[str, ...]
    cohorts: tuple[Manifest, ...]
    lumbar: Tested | None
    zero_shot: Tested | None
    transferred: tuple[Transferred, ...]
    headline: str
    compared: tuple[str, ...]
    compared_patients: int
    equal_steps: int
    seeds: tuple[int, ...]
    pooled: tuple[Pooled, ...]
    curve: Mapping[str, Mapping[int, str]]
    kept: tuple[Kept, ...]
    steps: tuple[StepLine, ...]

    def pooled_in(self, plane: str) -> Trainings:
        """Every training of one plane over all seeds."""
        rows = tuple(one for one in self.pooled if one.plane == plane)
        return Trainings(plane, rows, self.compared_patients, self.equal_steps)

    def training(self, name: str) -> Transferred | None:
        """The training of this name, if it came to its end."""
        return next((one for one in self.transferred if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the first table: a plane at a place, the operating point's hash, and the paper's F1."""

    plane: str
    place: str
    group: Group
    sha256: str
    same: bool
    published: float | None


@dataclass(frozen=True, slots=True)
class Way:
    """One row of the transfer or the forgetting table; differences are against what the table's text says."""

    name: str
    group: Group
    sha256: str
    same: bool
    reused: float | None
    f1: Estimate | None
    ap: Estimate | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Growth:
    """The transfer curve of one plane with its legend."""

    keys: tuple[Key, ...]
    figure: Figure


def write_study(folder: Path, results: StudyResults) -> Path:
    """Write `study.html` and `study.md` into `folder`; returns the former."""
    values = view_of(results)
    write_text(folder / "study.md", render_text("study.md", **values))
    write_text(folder / "study.html", render("study.html", **values))
    return folder / "study.html"


def view_of(results: StudyResults) -> dict[str, object]:
    """What the templates show."""
    planes = results.lumbar.planes if results.lumbar else tuple(PUBLISHED)
    scores = [one.scores for one in (results.lumbar, results.zero_shot) if one] or [
        one.tested.scores for one in results.transferred
    ]
    return {
        "title": f"The seed study on phantoms, size {results.size}",
        "notes": (*results.notes, *_trainings(results), *broken_steps(results.steps)),
        "caution": CAUTION,
        "criterion": scores[0].criterion["description"] if scores else "no step gave scores",
        "intervals": scores[0].bootstrap.description if scores else "none",
        "level": scores[0].bootstrap.confidence if scores else 0.95,
        "lines": [line for plane in planes for line in _lines(results, plane)],
        "summary": {plane: list(summary(results.pooled_in(plane), _adapted(results))) for plane in planes},
        "over_seeds": _seeds_in_words(results.seeds),
        "pooled": {plane: results.pooled_in(plane).rows for plane in planes},
        "step_curves": [_step_curve(results, plane) for plane in planes],
        "adapted": _adapted(results),
        "converged": CONVERGED,
        "ways": {plane: list(_ways(results, plane)) for plane in planes},
        "growths": [_growth(results, plane) for plane in planes],
        "forgetting": {plane: list(_forgetting(results, plane)) for plane in planes},
        "curves": _curves(results.lumbar),
        "neck_curves": [_neck_curves(results, plane) for plane in planes],
        "cohorts": [_cohort(manifest) for manifest in results.cohorts],
        "steps": results.steps,
        "marks": MARKS,
        "width": WIDTH,
        "height": HEIGHT,
        "version": __version__,
    }


def _cohort(manifest: Manifest) -> dict[str, object]:
    columns = table_one(manifest)
    rows = list(table_rows(columns))
    return {"name": manifest.name, "columns": columns, "rows": rows, "flow": flow(manifest), "shift": shift(manifest)}


def _trainings(results: StudyResults) -> Iterator[str]:
    """What the lumbar detector and the one that stands for the neck were trained on."""
    neck = results.training(results.headline)
    for name, tested in (("Lumbar detector", results.lumbar), ("Cervical detector", neck.tested if neck else None)):
        known = tested.scores.trained_on if tested else None
        for sentence in known.sentences if known else ():
            yield f"{name}: {sentence}"


def _lines(results: StudyResults, plane: str) -> Iterator[Line]:
    published = iter(PUBLISHED.get(plane, ()))
    if results.lumbar:
        centers = [str(g.by["center"]) for g in results.lumbar.scores.groups if set(g.by) == {"plane", "center"}]
        home = results.lumbar.internal
        for center in sorted(dict.fromkeys(centers), key=lambda center: center not in home):
            kind = "internal" if center in home else "external"
            group = results.lumbar.scores.group(plane=plane, center=center)
            yield _line(results.lumbar, group, f"lumbar, centre {center} ({kind})", next(published, None))
    neck = results.training(results.headline)
    if neck:
        group = neck.tested.scores.group(plane=plane)
        yield _line(neck.tested, group, f"cervical, {neck.name}", PUBLISHED.get(plane, (None,))[-1])


def _line(tested: Tested, group: Group, place: str, published: float | None) -> Line:
    return Line(str(group.by["plane"]), place, group, tested.frozen, tested.same_threshold, published)


def _ways(results: StudyResults, plane: str) -> Iterator[Way]:
    if results.zero_shot:
        yield _way("zero-shot", results.zero_shot, {"plane": plane})
    rest = [one.name for one in results.transferred if one.name not in results.compared]
    for name in (*results.compared, *rest):
        if one := results.training(name):
            yield _way(name, one.tested, {"plane": plane}, one.against, one.reused.get(plane))


def _forgetting(results: StudyResults, plane: str) -> Iterator[Way]:
    """All on the internal centre's lumbar tests."""
    if not results.lumbar:
        return
    by = {"plane": plane, **({"center": results.lumbar.internal[0]} if results.lumbar.internal else {})}
    yield _way(f"{results.lumbar.name} itself", results.lumbar, by)
    for one in results.kept:
        yield _way(one.name, one.tested, by, one.against)


def _way(
    name: str, tested: Tested, by: dict[str, str], against: Comparison | None = None, reused: float | None = None
) -> Way:
    apart = {one.metric: one for one in (against.differences if against else ()) if one.by == by}
    f1, ap = apart.get("f1"), apart.get("ap")
    return Way(
        name=name,
        group=tested.scores.group(**by),
        sha256=tested.frozen,
        same=tested.same_threshold,
        reused=reused,
        f1=f1.difference if f1 else None,
        ap=ap.difference if ap else None,
        p=f1.p if f1 else None,
    )


def _seeds_in_words(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return (
            f"One training seed ({seeds[0]}): intervals vary the test patients alone and say nothing of how much one "
            "training differs from the next"
        )
    return (
        f"{len(seeds)} training seeds ({', '.join(map(str, seeds))}), each with target patients of its own: values are "
        "means over them, intervals vary test patients and trainings (pigeonhole bootstrap, Owen 2007)"
    )


def _adapted(results: StudyResults) -> tuple[AdaptedThreshold, ...]:
    """Of the zero-shot test: frozen thresholds beside ones that follow from the neck's scores alone."""
    return results.zero_shot.scores.adapted if results.zero_shot else ()


def _step_curve(results: StudyResults, plane: str) -> Growth:
    """Average precision over optimisation steps, each point a training of its own, over all seeds."""
    trainings = results.pooled_in(plane)
    lines = {"from scratch": trainings.over_steps(SCRATCH), "fine-tuned": trainings.over_steps(FULL)}
    budgets = sorted({row.budget for rows in lines.values() for row in rows})
    series = [[next((r.ap for r in rows if r.budget == n), None) for n in budgets] for rows in lines.values()]
    keys = tuple(Key(style_of(row), name, None, 0, 0) for row, name in enumerate(lines))
    figure = draw_growth([str(n) for n in budgets], series, plane, "optimisation steps", "AP, no threshold enters")
    return Growth(keys, figure)


def _growth(results: StudyResults, plane: str) -> Growth:
    numbers = sorted({number for line in results.curve.values() for number in line})
    series = [[_f1(results.training(line[n]), plane) for n in numbers] for line in results.curve.values()]
    names, places = [*results.curve], [str(number) for number in numbers]
    if results.zero_shot:
        places, names = ["0", *places], [*names, "zero-shot"]
        zero = results.zero_shot.scores.group(plane=plane).f1
        series = [*([None, *line] for line in series), [zero, *([None] * len(numbers))]]
    keys = tuple(Key(style_of(row), name, None, 0, 0) for row, name in enumerate(names))
    return Growth(keys, draw_growth(places, series, plane))


def _f1(training: Transferred | None, plane: str) -> Estimate | None:
    return training.tested.scores.group(plane=plane).f1 if training else None


def _curves(tested: Tested | None) -> tuple[Curves, ...]:
    return draw_curves(tested.scored, tested.scores, tested.internal) if tested else ()


def _neck_curves(results: StudyResults, plane: str) -> Curves | None:
    named = [(name, one.tested) for name in results.compared if (one := results.training(name))]
    if results.zero_shot:
        named.insert(0, ("zero-shot", results.zero_shot))
    return draw_runs([(name, one.scored, one.scores) for name, one in named], plane) if named else None
