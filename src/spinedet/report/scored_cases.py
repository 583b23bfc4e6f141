"""The scored findings of a test, from which pages draw curves and example cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from spinedet.core.findings import tabulate
from spinedet.core.types import Finding, Findings, Manifest
from spinedet.scoring import BootstrapSettings, Scores, ScoreSettings, Selection
from spinedet.scoring.evaluate import Examination, examine
from spinedet.scoring.matching.cohort import PLANES, Cohort
from spinedet.scoring.matching.criteria import criterion_from
from spinedet.scoring.metrics.froc_pr import Staircase, staircase
from spinedet.scoring.metrics.matched_cohort import Part, above
from spinedet.scoring.metrics.subgroups import part_of


@dataclass(frozen=True, eq=False)
class ScoredCases:
    """Findings matched to the reference standard, with the findings as they are in their file.

    Attributes:
        examination: matched under the criterion, threshold and replicates of the scores.
        findings: one for each row of the cohort's marks.
        limits: thresholds by (plane, category).
    """

    examination: Examination
    findings: tuple[Finding, ...]
    limits: dict[tuple[str, str], float]

    @property
    def cohort(self) -> Cohort:
        """Scans, lesions and findings in columns."""
        return self.examination.cohort

    @cached_property
    def planes(self) -> tuple[str, ...]:
        """Names of the planes that were scored."""
        return tuple(PLANES[row] for row in np.unique(self.cohort.scans.plane).tolist())

    def part(self, plane: str, centers: Iterable[str]) -> Part:
        """The scans of one plane at these centres, all categories together."""
        return part_of(self.cohort, plane, centers)

    def staircase(self, part: Part) -> Staircase:
        """Hits and false positives at every score of a part."""
        return staircase(self.examination.judgement.verdicts(part))


def cases_of(examination: Examination, findings: Findings) -> ScoredCases:
    """What an examination that was just scored says of each finding.

    Args:
        examination: matched findings. findings: those that were matched, in the order of their file.
    """
    cohort, settings = examination.cohort, examination.settings
    planes = tuple(PLANES[row] for row in np.unique(cohort.scans.plane).tolist())
    if settings.operating_point is not None:
        limits = dict(settings.operating_point.values)
    else:
        value = -np.inf if settings.threshold is None else settings.threshold
        limits = dict.fromkeys(product(planes, cohort.categories), value)
    return _joined(examination, findings, limits)


def match_again(reference: Manifest, findings: Findings, scores: Scores) -> ScoredCases:
    """Match the findings of a finished test again, as its scores did.

    For pages that are made from the files of several tests; a test that is being scored hands on `cases_of`.

    Args:
        reference: the studies that were scored, and no others.
        findings: what was scored.
        scores: tell the criterion, the thresholds, the planes and how replicates are drawn.

    Raises:
        ValueError: reference and findings are not those of the scores.
    """
    planes = tuple(str(group.by["plane"]) for group in scores.groups if set(group.by) == {"plane"})
    settings = ScoreSettings(
        criterion=criterion_from(scores.criterion),
        selection=Selection(planes=planes, allow_missing=True),
        bootstrap=_bootstrap(scores),
        strata=(),
        secondary=(),
    )
    examination = examine(reference, tabulate(findings), settings)
    limits = _limits(scores, planes, reference.categories)
    examination = replace(examination, reached=above(examination.cohort, limits))
    _refuse_others(scores, examination)
    return _joined(examination, findings, limits)


def _joined(examination: Examination, findings: Findings, limits: dict[tuple[str, str], float]) -> ScoredCases:
    """The examination with the finding of each of its marks."""
    flat = [finding for study in findings.studies for finding in study.findings]
    return ScoredCases(examination, tuple(flat[row] for row in examination.cohort.marks.row.tolist()), limits)


def _bootstrap(scores: Scores) -> BootstrapSettings:
    said = scores.bootstrap
    names = ("samples", "seed", "method", "confidence")
    return BootstrapSettings(**{name: said[name] for name in names if name in said})  # type: ignore[arg-type]


def _limits(scores: Scores, planes: tuple[str, ...], categories: tuple[str, ...]) -> dict[tuple[str, str], float]:
    """Every scored plane and category with the lowest score that counts."""
    chosen = scores.threshold.get("thresholds")
    if isinstance(chosen, list):
        kept = [one for one in chosen if isinstance(one, dict)]
        return {(str(one["plane"]), str(one["category"])): float(str(one["value"])) for one in kept}
    given = scores.threshold.get("value")
    value = float(given) if isinstance(given, int | float) else -np.inf
    return dict.fromkeys(product(planes, categories), value)


def _refuse_others(scores: Scores, examination: Examination) -> None:
    said, cohort = scores.group().n, examination.cohort
    found = (len(cohort.scans.series), int((~cohort.lesions.ignore).sum()), len(cohort.marks.score))
    if (said.series, said.lesions, said.findings) != found:
        raise ValueError("the reference and findings of a page must be those that its scores are of")
