"""What readers did with the proposals of a program: time, acceptance, automation bias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from spinedet.core.findings import tabulate
from spinedet.core.types import Finding, Findings, Manifest, StudyFindings
from spinedet.scoring.evaluate import ScoreSettings, examine
from spinedet.scoring.matching.cohort import Selection
from spinedet.scoring.matching.greedy import ABSORBED
from spinedet.scoring.reader_study.effects import jackknifed_share
from spinedet.scoring.reader_study.figures_of_merit import PatientShares
from spinedet.scoring.reader_study.records import AidedReading, ProposalCounts
from spinedet.scoring.reader_study.study import ReaderSettings
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.bootstrap import BootstrapSettings

DECISIONS = ("accepted", "corrected", "rejected", "ignored")


@dataclass(frozen=True)
class Proposal:
    """One finding of the program, and what the reader decided: one of `DECISIONS`."""

    finding: Finding
    decision: str


@dataclass(frozen=True)
class ReadingSession:
    """One study read on the reading page.

    Attributes:
        seconds: while the page was visible; None where it was not recorded.
        kept: the reader's own findings, accepted, corrected or added. added: how many of these are added.
    """

    study: str
    seconds: float | None
    kept: tuple[Finding, ...]
    proposals: tuple[Proposal, ...]
    added: int


def session_findings(reader: str, sessions: Sequence[ReadingSession]) -> Findings:
    """The reader's findings of all sessions; every mark has the score 1, because the page asks for no confidence."""
    studies = tuple(StudyFindings(id=one.study, findings=one.kept) for one in sessions)
    return Findings(model={"name": reader}, studies=studies)


def aided_reading(
    reader: str, sessions: Sequence[ReadingSession], manifest: Manifest, settings: ReaderSettings
) -> AidedReading:
    """Decisions on true and false proposals, times and additions of one reader."""
    decisions = [one.decision for session in sessions for one in session.proposals]
    truth, patient, patients = _truth(sessions, manifest, settings)
    kinds: Mapping[int, Counter[str]] = {1: Counter(), 0: Counter()}
    for decision, true in zip(decisions, truth.tolist(), strict=True):
        if true in kinds:
            kinds[true][decision] += 1
    made = np.array(decisions, dtype=object)

    def share(true: int, decision: str) -> Estimate:
        below = np.bincount(patient[truth == true], minlength=patients).astype(float)
        above = np.bincount(patient[(truth == true) & (made == decision)], minlength=patients).astype(float)
        return jackknifed_share(PatientShares(above, below), settings.confidence, "no such proposal")

    seconds = tuple(one.seconds for one in sessions if one.seconds is not None)
    return AidedReading(
        reader=reader,
        studies=len(sessions),
        seconds=seconds,
        median_seconds=median(seconds) if seconds else None,
        added=sum(one.added for one in sessions),
        true=_counts(kinds[1]),
        false=_counts(kinds[0]),
        false_accepted=share(0, "accepted"),
        true_rejected=share(1, "rejected"),
    )


def _counts(found: Mapping[str, int]) -> ProposalCounts:
    return ProposalCounts(**{name: found.get(name, 0) for name in DECISIONS})


def _truth(
    sessions: Sequence[ReadingSession], manifest: Manifest, settings: ReaderSettings
) -> tuple[np.ndarray, np.ndarray, int]:
    """1 for a hit, 0 for a false positive, -1 for what counts for nothing; each proposal's patient row; patients."""
    studies = tuple(
        StudyFindings(id=one.study, findings=tuple(each.finding for each in one.proposals)) for one in sessions
    )
    table = tabulate(Findings(model={"name": "proposals"}, studies=studies), "proposals")
    scored = ScoreSettings(
        criterion=settings.criterion,
        selection=Selection(settings.split, settings.planes),
        bootstrap=BootstrapSettings(samples=0),
        strata=(),
        secondary=(),
    )
    cohort = (examined := examine(manifest, table, scored)).cohort
    truth = np.full(len(table), -1)
    patient = np.zeros(len(table), dtype=np.int64)
    lesion = examined.matched.matches.lesion
    truth[cohort.marks.row] = np.where(lesion == ABSORBED, -1, lesion >= 0)
    patient[cohort.marks.row] = cohort.scans.patient[cohort.marks.scan]
    return truth, patient, len(cohort.patients)
