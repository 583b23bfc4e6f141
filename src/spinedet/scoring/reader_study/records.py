"""The records of `readers.json`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, FiniteFloat

from spinedet.core.files import file_header, read_record, write_json
from spinedet.core.types import FiniteJson, Record, is_empty, is_none
from spinedet.scoring.records import Estimate

FORMAT = "spinedet-readers"


class ReaderRow(Record):
    """One reading: a reader under one condition, or the program.

    Attributes:
        condition: `unaided`, `aided`, or `program`. sha256: of the findings, so that the row can be traced.
        figure: with the jackknife interval of this reader alone.
        curve: corners (x, y) of the curve whose area the figure is; empty for figures without one.
    """

    reader: str
    condition: str
    sha256: str
    marks: int
    figure: Estimate
    curve: tuple[tuple[FiniteFloat, FiniteFloat], ...] = Field(default=(), exclude_if=is_empty)


class Effect(Record):
    """A mean, or a difference of means, over readers.

    Attributes:
        effect: with its interval. error: standard error. df: degrees of freedom of t; null for the normal distribution.
        p: two-sided, against no difference; null for a mean.
    """

    effect: Estimate
    error: FiniteFloat | None = None
    df: FiniteFloat | None = None
    p: FiniteFloat | None = None


class Analysis(Record):
    """One question of the study.

    Attributes:
        question: `readers (unaided)`, `program minus readers (unaided)`, `aided minus unaided` or alike.
        random: for readers like these and patients like these. fixed: for these readers only.
    """

    question: str
    random: Effect
    fixed: Effect


class Disagreement(Record):
    """Two readings of the same patients, each called or not: exact McNemar test.

    Attributes:
        only_first, only_second: patients that only the program, or only the reader, called right. p: two-sided.
    """

    reader: str
    condition: str
    only_first: int
    only_second: int
    p: FiniteFloat


class ProposalCounts(Record):
    """What readers did with the program's proposals of one kind."""

    accepted: int
    corrected: int
    rejected: int
    ignored: int


class AidedReading(Record):
    """How one reader worked with the program's findings in front of them.

    Attributes:
        studies: read. seconds: on each study, where the page recorded them. added: findings that the program lacked.
        true, false: the program's proposals, as the reference standard has them.
        false_accepted: share of false proposals accepted as they were (automation bias).
        true_rejected: share of true proposals rejected.
    """

    reader: str
    studies: int
    seconds: tuple[FiniteFloat, ...] = ()
    median_seconds: FiniteFloat | None = None
    added: int
    true: ProposalCounts
    false: ProposalCounts
    false_accepted: Estimate
    true_rejected: Estimate


class AidedLabels(Record):
    """How one reader of radiographs used the program's labels: cases (images or patients) that it answered.

    Attributes:
        program_right, program_wrong: its labels, as the reference has them. right_followed, wrong_followed: of these,
            those where the reader gave the same label. wrong_taken_over: of wrong_followed, those that the reader had
            right without the program.
        gained, lost: cases that were right only with, or only without, the program at hand.
        false_accepted: share of the program's wrong labels that the reader gave too (automation bias).
        true_rejected: share of its right labels that the reader did not give.
    """

    reader: str
    program_right: int
    right_followed: int
    program_wrong: int
    wrong_followed: int
    wrong_taken_over: int
    gained: int
    lost: int
    false_accepted: Estimate
    true_rejected: Estimate


class ReadingTime(Record):
    """Seconds per image of one reader under one condition; `timed` of the `images` have their time."""

    reader: str
    condition: str
    images: int
    timed: int
    mean: FiniteFloat
    median: FiniteFloat


class Design(Record):
    """What the statistics cannot know; null is printed as `not stated`."""

    order: str | None = None
    washout: str | None = None
    program_first: str | None = None


class ReaderStudy(Record):
    """What `readers.json` holds.

    Attributes:
        figure: name and description of the figure of merit. unit: what a case is.
        diseased_cases, lesion_free_cases, lesions: of readings of findings; 0 for radiographs.
        labels: cases of radiographs by their label. aided: work with proposals. aided_labels: work with labels.
        times: seconds per image of radiographs. time_analyses: effects on their means.
        notes: what a reader must know first.
    """

    name: str
    figure: dict[str, str]
    unit: str
    criterion: dict[str, FiniteJson]
    confidence: FiniteFloat
    method: str
    patients: int
    diseased_cases: int
    lesion_free_cases: int
    lesions: int
    readings: tuple[ReaderRow, ...]
    analyses: tuple[Analysis, ...]
    disagreements: tuple[Disagreement, ...] = Field(default=(), exclude_if=is_empty)
    labels: dict[str, int] = Field(default_factory=dict, exclude_if=lambda value: value == {})
    aided: tuple[AidedReading, ...] = Field(default=(), exclude_if=is_empty)
    aided_labels: tuple[AidedLabels, ...] = Field(default=(), exclude_if=is_empty)
    times: tuple[ReadingTime, ...] = Field(default=(), exclude_if=is_empty)
    time_analyses: tuple[Analysis, ...] = Field(default=(), exclude_if=is_empty)
    design: Design
    thresholds: str
    notes: tuple[str, ...] = ()
    model: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)


def read_reader_study(path: Path) -> ReaderStudy:
    """Read `readers.json`.

    Raises:
        InputError: the file breaks the format.
    """
    return read_record(path, ReaderStudy, FORMAT)


def write_reader_study(path: Path, study: ReaderStudy) -> None:
    """Write `readers.json` atomically."""
    write_json(path, {**file_header(FORMAT), **study.model_dump(mode="json")})
