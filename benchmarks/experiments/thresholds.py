"""What a threshold is worth where it was not chosen: each rule, on the findings that `detector.py` left behind.

    python -m benchmarks.experiments.detector --models "set;dense" --out runs/benchmark
    python -m benchmarks.experiments.thresholds --models "set;dense" --out runs/benchmark

The test patients of each centre are cut in two at random, a few times. A rule chooses its threshold on one half; the F1
there counts for nothing, that on the other half and at each other centre does. So small are tuning splits in practice.
Phantoms only: this compares rules, it says nothing about disease.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from benchmarks.experiments.budgeted_training import IOU
from benchmarks.experiments.detector import Bench, Job, jobs_of, parser_of, prepare_bench
from spinedet.core.findings import read_findings
from spinedet.core.types import Findings, Manifest, Study
from spinedet.pipelines.splits import only
from spinedet.scoring import (
    BootstrapSettings,
    IouCriterion,
    ScoreSettings,
    Selection,
    choose_operating_point,
    examine,
)

RULES = ("max_f1", "plateau_f1")
CRITERION = IouCriterion(iou=IOU)
REPEATS = 4


@dataclass(frozen=True)
class Tried:
    """The F1 of one training at a threshold chosen on some patients, on others of the same or another centre."""

    job: Job
    rule: str
    same: bool
    f1: float


def halves(studies: Sequence[Study], rng: np.random.Generator) -> tuple[list[Study], list[Study]]:
    """Studies by patient, as many in one part as in the other."""
    patients = rng.permutation(sorted({study.patient for study in studies})).tolist()
    first = set(patients[::2])
    return [s for s in studies if s.patient in first], [s for s in studies if s.patient not in first]


@dataclass(frozen=True, eq=False)
class Said:
    """The findings of one training in one plane of the test studies."""

    job: Job
    manifest: Manifest
    findings: Findings

    def of(self, studies: Sequence[Study]) -> tuple[Manifest, Findings]:
        """A part of it."""
        names = {study.id for study in studies}
        kept = tuple(study for study in self.findings.studies if study.id in names)
        return only(self.manifest, studies), self.findings.model_copy(update={"studies": kept})

    def threshold(self, studies: Sequence[Study], rule: str) -> float:
        """What a rule chooses there."""
        values = choose_operating_point(*self.of(studies), CRITERION, rule).values
        return next(value for (plane, _), value in values.items() if plane == self.job.plane.value)

    def f1(self, studies: Sequence[Study], threshold: float) -> float:
        """At a threshold."""
        plane = Selection(planes=(self.job.plane.value,))
        bootstrap = BootstrapSettings(samples=0)
        settings = ScoreSettings(CRITERION, threshold=threshold, selection=plane, bootstrap=bootstrap, secondary=())
        examination = examine(*self.of(studies), settings)
        whole = next(named for named in examination.groups if not named.by)
        return float(examination.statistics(examination.count_part(whole)).values["f1"])


def tried(bench: Bench, job: Job) -> Iterator[Tried]:
    """Every rule on every half of every centre."""
    said = Said(job, bench.manifest, read_findings(bench.folder(job) / "findings.json"))
    rng = np.random.default_rng(0)
    names = dict.fromkeys(study.center for study in bench.splits.test)
    centers = {name: [s for s in bench.splits.test if s.center == name] for name in names}
    for center, studies in centers.items():
        for _ in range(REPEATS):
            chosen_on, rest = halves(studies, rng)
            foreign = [part for other, part in centers.items() if other != center]
            for rule in RULES:
                threshold = said.threshold(chosen_on, rule)
                yield Tried(job, rule, True, said.f1(rest, threshold))
                yield from (Tried(job, rule, False, said.f1(part, threshold)) for part in foreign)


def row(trials: Sequence[Tried], model: str, plane: str, same: bool) -> str:
    """A line of the table: the mean F1 of each rule, and in how many trainings the last is ahead of the first."""
    mine = [one for one in trials if (one.job.model, one.job.plane.value, one.same) == (model, plane, same)]
    means = {
        rule: [fmean(one.f1 for one in mine if (one.rule, one.job.seed) == (rule, seed)) for seed in _seeds(mine)]
        for rule in RULES
    }
    ahead = sum(last > first for first, last in zip(means[RULES[0]], means[RULES[-1]], strict=True))
    cells = [plane, model, "the other half" if same else "other centres", *(f"{fmean(means[r]):.3f}" for r in RULES)]
    return f"| {' | '.join(cells)} | {ahead} of {len(_seeds(mine))} |"


def _seeds(trials: Sequence[Tried]) -> list[int]:
    return sorted({one.job.seed for one in trials})


def main() -> None:
    """Print the table of what is finished."""
    parser = parser_of(__doc__, 800)
    parser.add_argument("--models", default="set,dense,retinanet")
    parser.add_argument("--planes", default="sagittal,axial")
    arguments = parser.parse_args(namespace=argparse.Namespace(ablate=False))
    bench = prepare_bench(arguments)
    trials = [one for job in jobs_of(arguments) if bench.finished(job) for one in tried(bench, job)]
    print(f"| plane | model | judged on | {' | '.join(RULES)} | trainings in which the last is ahead |")
    print("|" + "---|" * (4 + len(RULES)))
    for plane, model, same in dict.fromkeys((one.job.plane.value, one.job.model, one.same) for one in trials):
        print(row(trials, model, plane, same))


if __name__ == "__main__":
    main()
