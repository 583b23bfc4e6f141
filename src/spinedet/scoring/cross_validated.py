"""The records of `crossvalidation.json`: every patient tested by detectors that never saw it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from pydantic import Field, FiniteFloat

from spinedet.core.files import file_header, read_record, write_json
from spinedet.core.types import FiniteJson, Record, Study, is_empty, is_none
from spinedet.scoring.participants import Participants, participants
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.bootstrap import BootstrapRecord

FORMAT = "spinedet-crossvalidation"
FILE = "crossvalidation.json"
# The manifest of a fold's own patients, beside the model that never saw them.
HELD_OUT = "held_out.json"
# The split of participants who are trained on in some folds and tested on in another.
CROSSED = "cross-validation"


class CrossValidated(Record):
    """The numbers of one detector, or of a rule that sees no image; means over its training seeds.

    Attributes:
        numbers: by statistic. behind: those of the first detector minus its own, where both have them.
    """

    name: str
    seeds: int
    numbers: dict[str, Estimate]
    behind: dict[str, Estimate] = Field(default_factory=dict, exclude_if=lambda value: value == {})


class CrossValidationResults(Record):
    """What `crossvalidation.json` holds; files of earlier versions lack what is absent or None below.

    Attributes:
        folds: patients by the fold that tests them. thresholds: by seed and fold. results: on all studies, the
            detector's own first. parts: the same for each manifest, or each group that `by` tests.
        name: of the data. patients: who were tested, each once by each seed. plane: whose detector it is.
        by: the attribute whose values are the folds. rule: that chose the thresholds.
        participants: who was crossed over, by centre.
    """

    folds: dict[str, tuple[str, ...]]
    thresholds: dict[str, dict[str, FiniteFloat]]
    results: tuple[CrossValidated, ...]
    parts: dict[str, tuple[CrossValidated, ...]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    name: str | None = Field(default=None, exclude_if=is_none)
    patients: int | None = Field(default=None, exclude_if=is_none)
    plane: str | None = Field(default=None, exclude_if=is_none)
    by: str | None = Field(default=None, exclude_if=is_none)
    rule: str | None = Field(default=None, exclude_if=is_none)
    criterion: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)
    bootstrap: BootstrapRecord | None = Field(default=None, exclude_if=is_none)
    participants: tuple[Participants, ...] = Field(default=(), exclude_if=is_empty)


def crossed_over(studies: Iterable[Study], planes: Collection[str] = ()) -> tuple[Participants, ...]:
    """A record for each centre, of the series of these planes, or of all, and their lesions.

    The splits of the manifests play no part in a cross-validation.
    """
    found = participants(_in_planes(study, planes) for study in studies)
    return tuple(part.model_copy(update={"split": CROSSED}) for part in found)


def _in_planes(study: Study, planes: Collection[str]) -> Study:
    series = tuple(one for one in study.series if not planes or one.plane.value in planes)
    kept = {one.id for one in series}
    lesions = tuple(lesion for lesion in study.lesions if lesion.series in kept)
    return study.model_copy(update={"split": None, "series": series, "lesions": lesions})


def read_cross_validation(path: Path) -> CrossValidationResults:
    """Read `crossvalidation.json`.

    Raises:
        InputError: the file breaks the format.
    """
    return read_record(path, CrossValidationResults, FORMAT, space=None)


def write_cross_validation(path: Path, record: CrossValidationResults) -> None:
    """Write `crossvalidation.json` atomically."""
    write_json(path, {**file_header(FORMAT, space=None), **record.model_dump(mode="json")})
