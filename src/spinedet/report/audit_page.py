"""The page of an audit: the cohort, its faults, and a contact sheet of every study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from spinedet import __version__
from spinedet.audit.faults import Fault, Severity
from spinedet.audit.images import SeriesFacts, StudyFacts
from spinedet.core.anatomy import Plane
from spinedet.core.files import write_text
from spinedet.core.types import Study
from spinedet.imaging.suitability import Suitability
from spinedet.report.html import render
from spinedet.report.number_format import DASH, counted


@dataclass(frozen=True)
class CenterRow:
    """What one centre contributes, as text."""

    HEADINGS: ClassVar[tuple[str, ...]] = (
        "studies",
        "patients",
        "excluded",
        "train / tune / test / null",
        "sagittal (pixel, pitch mm)",
        "axial (pixel, pitch mm)",
        "boxes (ignored)",
        "series ok / doubtful / rejected",
    )
    center: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """One study with its pictures, linked relative to the page, and its faults."""

    study: Study
    pictures: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class AuditPage:
    """All that the page shows."""

    faults: tuple[Fault, ...]
    rows: tuple[CenterRow, ...]
    sheets: tuple[Sheet, ...]


def center_rows(studies: Sequence[Study], facts: Sequence[StudyFacts]) -> tuple[CenterRow, ...]:
    """The cohort by centre."""
    images = {(one.study, one.series): one for each in facts for one in each.series}
    centers = sorted({study.center for study in studies})
    return tuple(CenterRow(name, _cells([s for s in studies if s.center == name], images)) for name in centers)


def _cells(studies: list[Study], images: dict[tuple[str, str], SeriesFacts]) -> tuple[str, ...]:
    used = [study for study in studies if study.excluded is None]
    splits = Counter(study.split.value if study.split else "null" for study in used)
    lesions = [lesion for study in used for lesion in study.lesions]
    suitability = Counter(one.suitability for s in used for i in s.series if (one := images.get((s.id, i.id))))
    mine = [images[s.id, one.id] for s in used for one in s.series if (s.id, one.id) in images]
    return (
        str(len(used)),
        str(len({study.patient for study in used})),
        str(len(studies) - len(used)),
        " / ".join(str(splits[name]) for name in ("train", "tune", "test", "null")),
        *(_sampling([one for one in mine if one.plane is plane]) for plane in (Plane.SAGITTAL, Plane.AXIAL)),
        f"{len(lesions)} ({sum(lesion.ignore for lesion in lesions)})",
        " / ".join(str(suitability[each]) for each in Suitability),
    )


def _sampling(images: Sequence[SeriesFacts]) -> str:
    """How many series, and their median pixel and pitch."""
    if not images:
        return DASH
    return f"{len(images)} ({_median(one.pixel for one in images)}, {_median(one.pitch for one in images)})"


def _median(values: Iterable[float]) -> str:
    return f"{np.median(list(values)):.2f}"


def severities_in_words(faults: Iterable[Fault]) -> tuple[str, ...]:
    """`2 errors`, `1 warning`: a line for each severity that occurs."""
    counts = Counter(fault.severity for fault in faults)
    words = {Severity.ERROR: "error", Severity.UNREADABLE: "unreadable item", Severity.WARNING: "warning"}
    return tuple(counted(counts[one], words[one]) for one in Severity if counts[one]) or ("No fault found.",)


def write_audit(path: Path, page: AuditPage) -> None:
    """Write the page; pictures stay files of their own."""
    write_text(
        path,
        render(
            "audit.html",
            title="Audit of the data",
            notes=severities_in_words(page.faults),
            page=page,
            version=__version__,
            headings=CenterRow.HEADINGS,
        ),
    )
