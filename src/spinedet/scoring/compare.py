"""Two detectors on the same studies, and one detector in two places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import FiniteFloat

from spinedet.core.errors import InputError
from spinedet.core.files import file_header, read_record, write_json
from spinedet.core.findings import FindingsTable
from spinedet.core.reference import Reference
from spinedet.core.types import FiniteJson, Manifest, Record
from spinedet.scoring.evaluate import Examination, ScoreSettings, examine
from spinedet.scoring.matching.criteria import criterion_record
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.metrics.subgroups import Named, groups
from spinedet.scoring.operating_point import OperatingPoint
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.bootstrap import BootstrapRecord
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.hypothesis_tests import difference, holm, p_of

FORMAT = "spinedet-comparison"
METRICS = ("precision", "recall", "f1", "fp_per_scan", froc_name(1.0), "cpm", "ap", "patient auc")


@dataclass(frozen=True)
class Contender:
    """A detector's findings with its own frozen threshold."""

    name: str
    findings: FindingsTable
    threshold: float | None = None
    operating_point: OperatingPoint | None = None


class Difference(Record):
    """One statistic of two detectors in one part of the cohort.

    Attributes:
        difference: second minus first, from common resamples of the patients.
        p: two-sided, (1 + b) / (1 + B), where b replicates lie as far from the difference as zero does.
        p_holm: corrected over the centres x categories of one plane and statistic; null for pooled parts.
    """

    by: dict[str, FiniteJson]
    metric: str
    first: FiniteFloat | None
    second: FiniteFloat | None
    difference: Estimate
    p: FiniteFloat | None
    p_holm: FiniteFloat | None = None


class Comparison(Record):
    """What `comparison.json` holds."""

    first: str
    second: str
    criterion: dict[str, FiniteJson]
    bootstrap: BootstrapRecord
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def compare(manifest: Manifest | Reference, first: Contender, second: Contender, settings: ScoreSettings) -> Comparison:
    """Paired patient bootstrap of the differences between two detectors.

    Raises:
        InputError: as `score`; or the two were not given the same scans.
    """
    examined = [_examined(manifest, one, settings) for one in (first, second)]
    cohort = examined[0].cohort
    if (cohort.patients, cohort.scans.series) != (examined[1].cohort.patients, examined[1].cohort.scans.series):
        raise InputError(
            f"{first.name} and {second.name} were not scored on the same scans; compare the studies and planes that "
            "both have read (planes=, split=)"
        )
    cells = "plane*center*category" if len(cohort.categories) > 1 else "plane*center"
    parts = [groups(examination.cohort, (cells, *settings.by)) for examination in examined]
    differences = [
        one
        for ours, theirs in zip(*parts, strict=True)
        for one in _differences(ours.by, _numbers(examined[0], ours), _numbers(examined[1], theirs))
    ]
    return Comparison(
        first=first.name,
        second=second.name,
        criterion=dict(criterion_record(examined[0].matched.criterion)),
        bootstrap=settings.bootstrap.record,
        differences=_corrected(differences, set(cells.split("*"))),
        notes=tuple(
            f"{one.name}: {note}" for one, e in zip((first, second), examined, strict=True) for note in e.banner
        ),
    )


def read_comparison(path: Path) -> Comparison:
    """Read `comparison.json`.

    Raises:
        InputError: the file breaks the format.
    """
    return read_record(path, Comparison, FORMAT)


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write `comparison.json` atomically."""
    write_json(path, {**file_header(FORMAT), **comparison.model_dump(mode="json")})


def _examined(manifest: Manifest | Reference, one: Contender, settings: ScoreSettings) -> Examination:
    own = replace(settings, threshold=one.threshold, operating_point=one.operating_point, secondary=(), strata=())
    return examine(manifest, one.findings, own)


def _numbers(examination: Examination, named: Named) -> Statistics:
    return examination.statistics(examination.count_part(named))


def _differences(by: Mapping[str, FiniteJson], first: Statistics, second: Statistics) -> Iterator[Difference]:
    apart = difference(first, second, METRICS)
    for name in METRICS:
        yield Difference(
            by=dict(by),
            metric=name,
            first=first.estimate(name).value,
            second=second.estimate(name).value,
            difference=apart.estimate(name),
            p=p_of(apart, name),
        )


def _corrected(differences: list[Difference], cell: set[str]) -> tuple[Difference, ...]:
    """Holm over the cells of each plane and statistic."""
    families: dict[tuple[FiniteJson, str], list[int]] = {}
    for row, one in enumerate(differences):
        if set(one.by) == cell and one.p is not None:
            families.setdefault((str(one.by["plane"]), one.metric), []).append(row)
    corrected = list(differences)
    for rows in families.values():
        for row, p in zip(rows, holm([differences[row].p or 0.0 for row in rows]), strict=True):
            corrected[row] = differences[row].model_copy(update={"p_holm": p})
    return tuple(corrected)
