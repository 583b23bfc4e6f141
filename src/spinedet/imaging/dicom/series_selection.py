"""Which series of a study are the T2 sagittal and axial ones: geometry first, tags second, the description last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.geometry import LPS_TO_RAS, Grid
from spinedet.imaging.dicom.index import DicomSeries, DicomStudy
from spinedet.imaging.dicom.records import Acquisition, Pseudonyms
from spinedet.imaging.dicom.stacks import Block
from spinedet.imaging.dicom.weighting import Weighting, suppresses_fat, weighting_of
from spinedet.imaging.planes import SPECS
from spinedet.imaging.settings import SelectionRules

# Slices further from their plane than 45 degrees may be coronal ones, by their description.
_LIKELY_COSINE = 0.707
_DERIVED = frozenset(
    {"ADC", "FA", "TRACEW", "EADC", "SUBTRACT", "PROJECTION IMAGE", "MIP", "MAXIP", "T2_MAP", "T2 MAP"}
)
_NO_MAGNITUDE = frozenset({"P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY"})
_NO_IN_PHASE = frozenset({"F", "FAT", "OP", "OPP_PHASE", "OUT_PHASE"})
_REFORMATTED = frozenset({"MPR", "CSA MPR", "REFORMATTED", "SECONDARY", "DERIVED"})
_LOCALISER = "LOCALIZER"
# A further series is taken when at least this part of what it covers from head to foot is covered by no better one.
_NEW_COVERAGE = 0.5


@dataclass(frozen=True)
class SeriesDecision:
    """What was decided about one stack.

    Attributes:
        series: id of the stack. plane: None when it has none that is read.
        weighting: None when unknown. reasons: in the order geometry, tags, description.
    """

    series: str
    plane: Plane | None
    weighting: str | None
    chosen: bool
    summary: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class StudySelection:
    """A study with the stacks to read, and the decision on every stack that it holds."""

    study: DicomStudy
    blocks: tuple[tuple[Plane, Block], ...]
    decisions: tuple[SeriesDecision, ...]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """The stacks of a series that share plane and contrast; they are selected together."""

    series: DicomSeries
    plane: Plane
    weighting: Weighting
    blocks: tuple[Block, ...]

    @property
    def acquisition(self) -> Acquisition:
        return self.blocks[0].acquisition

    @property
    def covered(self) -> set[int]:
        """Whole millimetres of height, RAS S, along the middle of each stack."""
        return {mm for block in self.blocks for mm in _heights(block.grid, self.plane)}

    @property
    def rank(self) -> tuple[bool, bool, bool, int, float, int]:
        """Better is greater: contrast, then originality, then certainty, coverage, pixel size, number of slices."""
        grid = self.blocks[0].grid
        return (
            not suppresses_fat(self.acquisition),
            not self.acquisition.kinds & _REFORMATTED,
            self.weighting.name is not None,
            len(self.covered) // 20,
            -round(float(max(grid.spacing[:2])), 2),
            sum(len(block.slices) for block in self.blocks),
        )


def select_series(study: DicomStudy, rules: SelectionRules, pseudonyms: Pseudonyms) -> StudySelection:
    """The stacks to read and the reason for every choice and rejection.

    A sagittal T2 series with the best rank is taken, then every other one that covers another part of the spine, and
    likewise axial ones; of a chosen axial series every block is read as a series of its own.

    Raises:
        InputError: a stack that `rules.series` names is no readable sagittal or axial volume.
    """
    blocks = {series: series.stacks() for series in study.series}
    if rules.series:
        return _select_named(study, blocks, rules, pseudonyms)
    decisions: dict[str, SeriesDecision] = {}
    candidates: list[_Candidate] = []
    for series, parts in blocks.items():
        groups: dict[tuple[Plane, frozenset[str], str | None], list[Block]] = {}
        several = _several_planes(parts)
        for block in parts:
            decision = _decide(block, several, rules)
            decisions[block.id] = decision
            if decision.chosen and decision.plane:
                groups.setdefault((decision.plane, block.acquisition.kinds, decision.weighting), []).append(block)
        for (plane, _, _), alike in groups.items():
            candidates.append(_Candidate(series, plane, weighting_of(alike[0].acquisition), tuple(alike)))
    chosen = [pair for plane in Plane for pair in _best(candidates, plane, decisions)]
    return StudySelection(study, tuple(chosen), tuple(decisions.values()))


def _best(
    candidates: Sequence[_Candidate], plane: Plane, decisions: dict[str, SeriesDecision]
) -> list[tuple[Plane, Block]]:
    """The stacks of one plane to read; the decisions give the reasons."""
    covered: set[int] = set()
    chosen: list[tuple[Plane, Block]] = []
    best: _Candidate | None = None
    for one in sorted((c for c in candidates if c.plane is plane), key=lambda c: c.rank, reverse=True):
        new = one.covered - covered
        taken = best is None or (len(new) >= _NEW_COVERAGE * len(one.covered) and one.weighting.name is not None)
        reason = _reason(one, best, len(new))
        for block in one.blocks:
            decisions[block.id] = _with(decisions[block.id], taken, reason)
        if taken:
            best = best or one
            covered |= one.covered
            chosen += [(plane, block) for block in one.blocks]
    return chosen


def _reason(one: _Candidate, best: _Candidate | None, new_mm: int) -> str:
    fat = ", fat-suppressed" if suppresses_fat(one.acquisition) else ""
    if best is None:
        return f"the best {one.plane.value} T2 series{fat}: {len(one.covered)} mm from head to foot"
    if new_mm >= _NEW_COVERAGE * len(one.covered):
        return f"{new_mm} mm from head to foot that {best.series.id} does not cover{fat}"
    return f"{best.series.id} shows the same part and is preferred: {_preference(one, best)}"


def _preference(one: _Candidate, best: _Candidate) -> str:
    names = (
        "its fat is not suppressed",
        "it is original, not reformatted",
        "it is declared T2",
        "it covers more",
        "its pixels are finer",
        "it has more slices",
    )
    differ = [name for name, mine, theirs in zip(names, one.rank, best.rank, strict=True) if mine != theirs]
    return differ[0] if differ else "it comes first"


def _with(decision: SeriesDecision, chosen: bool, reason: str) -> SeriesDecision:
    return SeriesDecision(
        decision.series, decision.plane, decision.weighting, chosen, decision.summary, (*decision.reasons, reason)
    )


def _decide(block: Block, several_planes: bool, rules: SelectionRules) -> SeriesDecision:
    """Whether a stack may be chosen: geometry first, then tags and description."""
    plane = plane_of_block(block) if block.has_position else None
    weighting = weighting_of(block.acquisition)
    wrong = _wrong_image(block) or block.fault or _wrong_geometry(block, plane, several_planes, rules)
    reasons = [f"geometry: {wrong}"] if wrong else [_geometry(block, plane)]
    contrast = _wrong_contrast(block.acquisition, weighting)
    if not wrong:
        source = "description" if weighting.source == "description" else "tags"
        reasons.append(f"{source}: {contrast or weighting.reason}")
    return SeriesDecision(
        block.id, plane, weighting.name, not wrong and not contrast, block.summary, (*reasons, *block.notes)
    )


def _geometry(block: Block, plane: Plane | None) -> str:
    grid = block.grid
    size = " x ".join(f"{value:.0f}" for value in grid.extent)
    return f"geometry: {plane.value if plane else 'no'} stack of {len(block.slices)} slices, {size} mm"


def _wrong_image(block: Block) -> str | None:
    if block.acquisition.secondary_capture:
        return "a secondary capture (screenshot)"
    return None


def _wrong_geometry(block: Block, plane: Plane | None, several_planes: bool, rules: SelectionRules) -> str | None:
    if several_planes or plane is None:
        return "the series shows several planes, as localisers do" if several_planes else "coronal slices"
    grid, slices = block.grid, len(block.slices)
    pixel, pitch = max(grid.spacing[:2]), grid.spacing[2]
    above_each_other = SPECS[plane].stacked_head_to_foot
    covered = min(grid.extent[:2]) if above_each_other else len(_heights(grid, plane))
    needed = rules.min_width_mm if above_each_other else rules.min_length_mm
    least = rules.min_axial_slices if above_each_other else rules.min_sagittal_slices
    limits = (
        (slices < least, f"only {slices} slices, a {plane.value} stack has at least {least}"),
        (pixel > rules.max_pixel_mm, f"pixels of {pixel:.1f} mm, as localisers have"),
        (pitch > rules.max_pitch_mm, f"slices {pitch:.1f} mm apart, as localisers have"),
        (covered < needed, f"only {covered:.0f} mm {SPECS[plane].coverage.name}"),
    )
    return next((fault for passed, fault in limits if passed), None)


def _wrong_contrast(acquisition: Acquisition, weighting: Weighting) -> str | None:
    kinds = acquisition.kinds
    if _LOCALISER in kinds:
        return "ImageType says localiser"
    for unwanted, meaning in (
        (_DERIVED, "computed image"),
        (_NO_MAGNITUDE, "phase image"),
        (_NO_IN_PHASE, "fat or opposed-phase image"),
    ):
        if kinds & unwanted:
            return f"a {meaning} (ImageType)"
    if weighting.name not in ("T2", None):
        return weighting.reason
    if "localiser" in acquisition.words:
        return "the description says localiser"
    return None


def plane_of_block(block: Block) -> Plane | None:
    """The plane of a stack; axial ones may follow a disc's tilt. None when it is coronal."""
    normal = LPS_TO_RAS[:3, :3] @ block.slices[0].matrix.directions[2]
    words = block.acquisition.words
    for spec in SPECS.values():
        cosine = abs(float(normal @ spec.directions[0]))
        coronal = cosine < _LIKELY_COSINE and "coronal" in words and spec.plane.value not in words
        if cosine >= spec.least_cosine and not coronal:
            return spec.plane
    return None


def _several_planes(blocks: Sequence[Block]) -> bool:
    return len({plane_of_block(block) for block in blocks if block.has_position}) > 1


def _heights(grid: Grid, plane: Plane) -> range:
    """Whole millimetres of RAS S that a stack covers along its middle line."""
    spans = np.abs(grid.extent[:, None] * grid.axes)[:, 2]  # height that each axis spans
    span = spans[2] if SPECS[plane].stacked_head_to_foot else spans[:2].max()
    middle = float((grid.corner + grid.axes.T @ (grid.extent / 2))[2])
    return range(round(middle - span / 2), round(middle + span / 2))


def _select_named(
    study: DicomStudy, blocks: dict[DicomSeries, tuple[Block, ...]], rules: SelectionRules, pseudonyms: Pseudonyms
) -> StudySelection:
    """The stacks that the caller names, and no others."""
    wanted = {*rules.series, *map(pseudonyms.of, rules.series)}
    chosen: list[tuple[Plane, Block]] = []
    decisions: list[SeriesDecision] = []
    for series, parts in blocks.items():
        for block in parts:
            taken = bool(wanted & {series.id, series.key, block.id})
            plane = plane_of_block(block) if block.has_position else None
            if taken and (block.fault or plane is None):
                raise InputError(f"series= names {block.id}, which cannot be read: {block.fault or 'coronal slices'}")
            if taken and plane is not None:
                chosen.append((plane, block))
            reason = "named by series=" if taken else "not named by series="
            weighting = weighting_of(block.acquisition).name
            decisions.append(SeriesDecision(block.id, plane, weighting, taken, block.summary, (reason, *block.notes)))
    return StudySelection(study, tuple(chosen), tuple(decisions))
