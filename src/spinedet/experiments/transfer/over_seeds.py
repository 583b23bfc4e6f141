"""The trainings of the seed study over all seeds: means, paired differences from the control, steps and tuning AP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from spinedet.core.types import Manifest
from spinedet.experiments.transfer.plan import SCRATCH, Plan
from spinedet.report.transfer_page import Tested
from spinedet.report.transfer_summary import Pooled
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.provenance import RunRecord, read_run_record
from spinedet.scoring import BootstrapSettings, ScoreSettings, Selection, examine
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.hypothesis_tests import difference
from spinedet.scoring.statistics.seeds import over_seeds
from spinedet.training.length import TrainingLength

MEASURED = ("precision", "recall", "f1", "ap")


@dataclass(frozen=True, eq=False)
class Repeated:
    """One training of the plan in every seed that came to its end."""

    numbers: dict[int, dict[str, Statistics]]
    records: dict[int, RunRecord]


def pool(plan: Plan, neck: Manifest, tested: dict[str, Tested]) -> Iterator[Pooled]:
    """Every training in each plane, over its seeds.

    Args:
        neck: of the target. tested: the tests on it, by name of the step.
    """
    repeated = {name: _repeated(plan, neck, tested, name) for name in plan.trainings}
    for name, training in plan.trainings.items():
        ours = repeated[name]
        for plane in next(iter(ours.numbers.values()), {}):
            mean = over_seeds([each[plane] for each in ours.numbers.values()], MEASURED)
            controls = (
                plan.name_of(SCRATCH, training.patients, training.steps),
                plan.longest_control(training.patients),
            )
            minus, minus_longest = (
                _minus(ours, repeated[control], plane) if training.recipe != SCRATCH else None for control in controls
            )
            yield Pooled(
                plane=plane,
                recipe=training.recipe,
                patients=training.patients,
                steps=tuple(_steps(one, plane) for one in ours.records.values()),
                stopped_by_time=any(p.stopped_by_time for one in ours.records.values() for p in _parts(one, plane)),
                tuning_ap=_mean([one.tuning_ap.get(plane) for one in ours.records.values()]),
                recall=mean.estimate("recall"),
                f1=mean.estimate("f1"),
                ap=mean.estimate("ap"),
                f1_change=minus.estimate("f1") if minus else None,
                ap_change=minus.estimate("ap") if minus else None,
                budget=training.steps,
                ap_over_longest=minus_longest.estimate("ap") if minus_longest else None,
                control_budget=plan.trainings[controls[1]].steps,
                seeds=len(ours.numbers),
            )


def _minus(ours: Repeated, control: Repeated, plane: str) -> Statistics | None:
    """The paired differences from the control in the seeds that both have; None where there are none."""
    both = [seed for seed in ours.numbers if seed in control.numbers]
    apart = [difference(control.numbers[seed][plane], ours.numbers[seed][plane], MEASURED) for seed in both]
    return over_seeds(apart, MEASURED) if apart else None


def _repeated(plan: Plan, neck: Manifest, tested: dict[str, Tested], name: str) -> Repeated:
    found = {seed: tested[step] for seed in plan.seeds if (step := plan.of_seed(name, seed)) in tested}
    return Repeated(
        numbers={seed: _numbers(one) for seed, one in found.items()},
        records={seed: read_run_record(RunFolder(one.folder).record) for seed, one in found.items()},
    )


def _numbers(tested: Tested) -> dict[str, Statistics]:
    """Each plane's statistics at the frozen threshold, with the replicates of the test's own bootstrap."""
    drawn = tested.scores.bootstrap
    settings = ScoreSettings(
        selection=Selection(planes=tested.planes),
        operating_point=tested.point,
        bootstrap=BootstrapSettings(samples=drawn.samples, seed=drawn.seed, method="percentile"),
        secondary=(),
        strata=(),
    )
    examination = examine(tested.reference, tested.findings, settings)
    parts = [named for named in examination.groups if set(named.by) == {"plane"}]
    return {str(named.by["plane"]): examination.statistics(examination.count_part(named)) for named in parts}


def _parts(record: RunRecord, plane: str) -> list[TrainingLength]:
    return [each for name, each in record.trainings.items() if name in (plane, "shared")]


def _steps(record: RunRecord, plane: str) -> int:
    """Optimisation steps that this plane's network took."""
    return sum(each.steps for each in _parts(record, plane))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
