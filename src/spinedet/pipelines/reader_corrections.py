"""What a reader decided on the reading page, as findings for a new version of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinedet.core.errors import InputError
from spinedet.core.files import read_json
from spinedet.core.findings import findings_digest
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Finding, Lesion, StudyFindings

_DECISIONS = ("accepted", "corrected", "added")


@dataclass(frozen=True)
class CorrectedFinding:
    """A finding as the reader left it.

    Attributes:
        number: of the finding in its study, from 1; those that were added follow the others.
        decision: `accepted`, `corrected` or `added`; None where the reader decided nothing.
    """

    number: int
    finding: Finding
    decision: str | None
    comment: str | None


@dataclass(frozen=True)
class Correction:
    """The decisions on one study; what was rejected is not in it.

    Attributes:
        reader: initials; None when the page was given none.
    """

    study: str
    reader: str | None
    findings: tuple[CorrectedFinding, ...]


def read_correction(path: Path, studies: Mapping[str, StudyFindings]) -> Correction:
    """The decisions that the reading page has exported.

    Args:
        studies: of the findings file, by id.

    Raises:
        InputError: it is no export of the page, is about other findings, or names a series that was not read.
    """
    manifest = read_manifest(path)
    reading = read_json(path).get("reading")
    if len(manifest.studies) != 1 or not isinstance(reading, dict):
        raise InputError(f"{path} is no export of the reading page; press Export there")
    (study,) = manifest.studies
    proposed = studies.get(study.id)
    if proposed is None:
        raise InputError(f"{path} is about study {study.id!r}, which is not in findings=; give the file that it read")
    if reading.get("findings_sha256") != findings_digest(proposed):
        raise InputError(f"{path} is about other findings of study {study.id!r}; give the findings.json of that page")
    known = set(proposed.images or {}) or {one.series for one in proposed.findings}
    unknown = sorted({lesion.series for lesion in study.lesions} - known)
    if unknown:
        raise InputError(
            f"{path} has findings in series {unknown[0]!r}, which is none of study {study.id!r}; export the page again"
        )
    reader = reading.get("reader")
    found = [_finding(number, lesion, proposed) for number, lesion in enumerate(study.lesions)]
    return Correction(study.id, str(reader) if reader else None, tuple(sorted(found, key=lambda one: one.number)))


def _finding(place: int, lesion: Lesion, proposed: StudyFindings) -> CorrectedFinding:
    """Lesions `f1`, `f2`, ... are the findings of these numbers, others are added."""
    attributes: Mapping[str, Any] = lesion.attributes
    given = attributes.get("decision")
    decision = given if given in _DECISIONS else None
    comment = attributes.get("comment")
    number = int(lesion.id[1:]) if lesion.id[:1] == "f" and lesion.id[1:].isdigit() else 0
    box, level, category = lesion.box, lesion.level, lesion.category
    if 1 <= number <= len(proposed.findings):
        kept = proposed.findings[number - 1]
        finding = kept.model_copy(update={"box": box, "level": level, "category": category})
    else:
        number = len(proposed.findings) + 1 + place
        finding = Finding(series=lesion.series, category=category, score=0.0, level=level, box=box)
    return CorrectedFinding(number, finding, decision, str(comment) if comment else None)
