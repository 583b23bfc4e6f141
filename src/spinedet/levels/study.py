"""The levels of a whole study: sagittal series that agree, and findings of every plane named through patient space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spinedet.core.types import Box, Finding, FiniteJson
from spinedet.levels.naming import NamedDisc, SeriesNaming

# A finding takes the name of the disc within this distance of its centre in the sagittal plane.
NEAREST_MM = 14.0
# Discs of two series this near are the same disc.
SAME_DISC_MM = 8.0
NO_SAGITTAL = "no sagittal series of this study names its discs"


@dataclass(frozen=True)
class StudyNaming:
    """How a study's discs are named, by sagittal series.

    Attributes:
        shared: the discs from which other series take levels: the named ones, or where there is no name those of the
            only sagittal series, which give ordinals.
    """

    series: Mapping[str, SeriesNaming]
    shared: tuple[NamedDisc, ...]

    def place(self, box: Box, series: str | None = None) -> NamedDisc | None:
        """The disc that a finding belongs to: of its own sagittal series, else of those that are named."""
        own = self.series.get(series or "")
        through = own.discs if own is not None and (own.named or not self.shared) else self.shared
        return nearest_disc(through, box)

    def reason(self, series: str) -> str:
        """Why a series' findings have no level."""
        own = self.series.get(series) or next(iter(self.series.values()), None)
        return own.reason if own is not None and own.reason else NO_SAGITTAL


def nearest_disc(discs: Sequence[NamedDisc], box: Box) -> NamedDisc | None:
    """The disc nearest to a box's centre in the sagittal plane, at most `NEAREST_MM` away."""
    if not discs:
        return None
    away = np.linalg.norm(np.array([disc.center[1:] for disc in discs]) - np.array(box.center[1:]), axis=1)
    row = int(away.argmin())
    return discs[row] if away[row] <= NEAREST_MM else None


def agree(namings: Iterable[SeriesNaming]) -> StudyNaming:
    """The namings of a study's sagittal series; series that name one disc differently are all unresolved."""
    found = {naming.series: naming for naming in namings}
    named = [naming for naming in found.values() if naming.named]
    if any(_contradict(one, other) for row, one in enumerate(named) for other in named[:row]):
        ids = ", ".join(sorted(naming.series for naming in named))
        found |= {one.series: one.unresolved(f"series disagree ({ids})") for one in named}
        named = []
    source = named or (list(found.values()) if len(found) == 1 else [])  # without names, the number alone
    return StudyNaming(found, tuple(disc for naming in source for disc in naming.discs))


def _contradict(one: SeriesNaming, other: SeriesNaming) -> bool:
    """Whether two chains give one disc of patient space two names."""
    return any(
        mine.level != theirs.level
        and mine.level is not None
        and theirs.level is not None
        and np.linalg.norm(np.subtract(mine.center[1:], theirs.center[1:])) <= SAME_DISC_MM
        for mine in one.discs
        for theirs in other.discs
    )


def with_levels(findings: Sequence[Finding], naming: StudyNaming) -> tuple[Finding, ...]:
    """The findings with `level`, `ordinal` (counted from the lowest disc of the sagittal view) and `naming`."""
    return tuple(_with_level(finding, naming) for finding in findings)


def _with_level(finding: Finding, naming: StudyNaming) -> Finding:
    disc = naming.place(finding.box, finding.series)
    source = next((one for one in naming.series.values() if disc is not None and disc in one.discs), None)
    note: dict[str, FiniteJson] = {}
    if disc is None or disc.level is None:
        note = {"state": "unresolved", "reason": naming.reason(finding.series)}
        if disc is None and any(one.named for one in naming.series.values()):
            note["reason"] = f"no named disc within {NEAREST_MM:.0f} mm"
    elif source is not None:
        note = {"state": source.state.value, "series": source.series, "anchor": source.anchor or ""}
        if source.if_six(disc):
            note["if_six_lumbar"] = source.if_six(disc)
    if disc is not None and source is not None and source.probability is not None:
        note |= {"likeliest": source.likeliest_level(disc), "probability": round(source.probability, 4)}
    update = {
        "level": None if disc is None else disc.level,
        "ordinal": None if disc is None else disc.ordinal,
        "naming": note,
    }
    return finding.model_copy(update=update)
