"""The scored findings of a test, from which pages draw curves and example cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spinedet.core.findings import tabulate
from spinedet.core.types import Finding, Findings, Lesion, Manifest, Study
from spinedet.scoring import Scores, ScoreSettings, Selection
from spinedet.scoring.evaluate import Examination, examine
from spinedet.scoring.matching.cohort import Cohort
from spinedet.scoring.matching.criteria import criterion_from
from spinedet.scoring.metrics.froc_pr import OperatingPoints, operating_points
from spinedet.scoring.metrics.matched_cohort import Part
from spinedet.scoring.metrics.subgroups import part_of
from spinedet.scoring.thresholds import limits


@dataclass(frozen=True, eq=False)
class ScoredCases:
    """Findings matched to the reference standard, with both as they are in their files.

    Attributes:
        examination: matched under the criterion, threshold and replicates of the scores.
        findings: one for each row of the cohort's marks.
        lesions: one for each row of the cohort's lesions.
        studies: one for each of the cohort's studies.
    """

    examination: Examination
    findings: tuple[Finding, ...]
    lesions: tuple[Lesion, ...]
    studies: tuple[Study, ...]

    @property
    def cohort(self) -> Cohort:
        """Scans, lesions and findings in columns."""
        return self.examination.cohort

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the planes that were scored."""
        return self.cohort.planes

    @property
    def limits(self) -> dict[tuple[str, str], float]:
        """The lowest score that counts by (plane, category)."""
        return limits(self.examination.threshold, self.planes, self.cohort.categories)

    def part(self, plane: str, centers: Iterable[str]) -> Part:
        """The scans of one plane at these centres, all categories together."""
        return part_of(self.cohort, plane, centers)

    def operating_points(self, part: Part) -> OperatingPoints:
        """Hits and false positives at every score of a part."""
        return operating_points(self.examination.matched.ranked(part))


def cases_of(examination: Examination, reference: Manifest, findings: Findings) -> ScoredCases:
    """The match of each finding in an examination that was just scored.

    Args:
        examination: matched findings. reference, findings: what was matched, in the order of their files.
    """
    cohort = examination.cohort
    flat = [finding for study in findings.studies for finding in study.findings]
    known = {study.id: study for study in reference.studies}
    studies = tuple(known[study.id] for study in cohort.studies)
    scans = set(zip(cohort.scans.study.tolist(), cohort.scans.series, strict=True))
    return ScoredCases(
        examination,
        findings=tuple(flat[row] for row in cohort.marks.row.tolist()),
        lesions=tuple(one for row, study in enumerate(studies) for one in study.lesions if (row, one.series) in scans),
        studies=studies,
    )


def match_again(reference: Manifest, findings: Findings, scores: Scores) -> ScoredCases:
    """Match the findings of a finished test again, as its scores did.

    For pages that are made from the files of several tests; a test that is being scored hands on `cases_of`.

    Args:
        reference: the studies that were scored, and no others.
        findings: what was scored.
        scores: give the criterion, the thresholds, the planes and how replicates are drawn.

    Raises:
        ValueError: reference and findings are not those of the scores.
    """
    planes = tuple(str(group.by["plane"]) for group in scores.groups if set(group.by) == {"plane"})
    settings = ScoreSettings(
        criterion=criterion_from(scores.criterion),
        selection=Selection(planes=planes, allow_missing=True),
        bootstrap=scores.bootstrap.settings,
        strata=(),
        secondary=(),
    )
    examination = examine(reference, tabulate(findings), settings, scores.threshold)
    held, cohort = scores.group().n, examination.cohort
    found = (len(cohort.scans.series), int((~cohort.lesions.ignore).sum()), len(cohort.marks.score))
    if (held.series, held.lesions, held.findings) != found:
        raise ValueError("the reference and findings of a page must be those that its scores are of")
    return cases_of(examination, reference, findings)
