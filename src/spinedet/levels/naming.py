"""From a series' candidates to named discs: the whole chain named, or nothing, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from spinedet.core.anatomy import DISCS, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import Array, Grid
from spinedet.core.types import Finding, FiniteJson, Vector
from spinedet.levels.anchor import LEAST_DISCS, NOT_SHOWN, ChainView, likeliest, posterior, view_of
from spinedet.levels.chain import RULES, Candidates, candidates_of, chain_gain, find_chain
from spinedet.levels.parameters import LevelParameters
from spinedet.levels.patches import Image

LUMBAR_ANCHOR, CERVICAL_ANCHOR = "L5/S1", "C2/C3"
ASSUMES = "five lumbar vertebrae"
# From L5/S1 to C2/C3 in a spine of five lumbar vertebrae.
_UPWARD = tuple(disc for disc in reversed(DISCS) if "L6" not in disc and disc != "S1/S2")
_BELOW_SACRUM = ("S1/S2",)
# Counted from the same lumbosacral disc, the name of each in a spine of six lumbar vertebrae.
_IF_SIX = dict(zip(_UPWARD, ("L6/S1", "L5/L6", *_UPWARD[1:]), strict=False))
# A lumbosacral disc whose box is smaller against the one above is a sign of transitional anatomy; how weak a sign,
# docs/levels.md tells.
SMALL_DISC = 0.92
# An image this long, mm, whose best chain gains less shows another region, or hardly any disc. Of 156 real lumbar scans
# the least gain was 16.4, of five necks the highest 10.3.
_LEAST_GAIN, _LONG_ENOUGH = 13.0, 180.0


class State(str, Enum):
    """How a chain got its names."""

    NAMED = "named"
    UNRESOLVED = "unresolved"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class NamedDisc:
    """One disc of a chain: its centre (RAS mm), its number from the lowest of the view, and its level if resolved."""

    center: Vector
    ordinal: int
    level: str | None = None

    @property
    def if_six(self) -> str | None:
        """Its level, counted from the same lumbosacral disc, if there are six lumbar vertebrae and not five."""
        return _IF_SIX.get(self.level or "")


@dataclass(frozen=True, slots=True)
class SeriesNaming:
    """The discs of one sagittal series.

    Attributes:
        discs: head to tail. reason: why the levels are unresolved.
        likeliest: ordinal of the anchor by the likeliest outcome that the image does not contradict, 0 for "not shown".
        probability: of that outcome.
        second: likewise of the second hypothesis, with its probability.
        wrong_region: whether the image shows no row of discs as the region of the detector has it.
        disc_ratio: diagonal of the lumbosacral disc's box against that of the disc above.
        by: what named them.
    """

    series: str
    state: State
    discs: tuple[NamedDisc, ...] = ()
    reason: str | None = None
    anchor: str | None = None
    likeliest: int | None = None
    probability: float | None = None
    second: tuple[int, float] | None = None
    disc_ratio: float | None = None
    wrong_region: bool = False
    by: str | None = None

    @property
    def named(self) -> bool:
        """Whether its discs have levels."""
        return self.state is not State.UNRESOLVED

    @property
    def transitional(self) -> bool:
        """Whether a named chain shows a sign of transitional anatomy."""
        return self.state is State.NAMED and self.disc_ratio is not None and self.disc_ratio < SMALL_DISC

    def if_six(self, disc: NamedDisc) -> str | None:
        """The other name of one of its discs; none where a person named the vertebra."""
        return disc.if_six if self.state is State.NAMED else None

    def likeliest_level(self, disc: NamedDisc) -> str | None:
        """The level of one of its discs by the likeliest outcome, whether that names the chain or not."""
        return counted([disc], self.likeliest)[0].level if self.likeliest else None

    def unresolved(self, reason: str) -> SeriesNaming:
        """The same discs without levels."""
        bare = tuple(replace(disc, level=None) for disc in self.discs)
        return replace(self, state=State.UNRESOLVED, discs=bare, reason=reason, anchor=None)

    def record(self) -> dict[str, FiniteJson]:
        """For `findings.json`."""
        chain: list[FiniteJson] = [
            {
                "ordinal": disc.ordinal,
                "level": disc.level,
                "if_six_lumbar": self.if_six(disc),
                "center": [round(v, 3) for v in disc.center],
            }
            for disc in self.discs
        ]
        second: FiniteJson = None
        if self.second is not None:
            second = {"ordinal": self.second[0], "probability": round(self.second[1], 4)}
        return {
            "series": self.series,
            "state": self.state.value,
            "reason": self.reason,
            "anchor": self.anchor,
            "ordinal": self.likeliest,
            "probability": None if self.probability is None else round(self.probability, 4),
            "assumes": ASSUMES if self.anchor == LUMBAR_ANCHOR else None,
            "second": second,
            "transitional": self.transitional,
            "disc_ratio": None if self.disc_ratio is None else round(self.disc_ratio, 3),
            "by": self.by,
            "wrong_region": self.wrong_region,
            "chain": chain,
        }


@dataclass(frozen=True, slots=True)
class ManualAnchor:
    """A person's word: a point (RAS mm) in the vertebra L5 or C2."""

    vertebra: str
    point: Vector


def name_series(
    series: str,
    findings: Sequence[Finding],
    image: Image,
    grid: Grid,
    region: Region,
    parameters: LevelParameters | None,
) -> SeriesNaming:
    """Name the discs of one sagittal series.

    Args:
        findings: all candidates of the series, whatever their score: names must not depend on `min_score`.
        image: voxels (i, j, k) on `grid`.
        parameters: of the detector's weights; without them every chain is unresolved.
    """
    rules = RULES[region]
    candidates = candidates_of(findings)
    chain = find_chain(candidates, rules)
    discs = numbered(candidates.center[list(chain)])
    bare = SeriesNaming(series, State.UNRESOLVED, discs)
    if _shows_another_region(candidates, grid, region):
        reason = f"no row of discs of a {region.value} spine was found; check the region"
        return replace(bare, reason=reason, wrong_region=True)
    if len(chain) < LEAST_DISCS:
        return replace(bare, reason=f"only {len(chain)} discs in a row were found")
    if region is not Region.LUMBAR:
        return replace(bare, reason=f"no anchor is known for the {region.value} spine; set c2=")
    if parameters is None:
        return replace(bare, reason="these weights have no levels.json; fit one, or set l5=")
    return _judge(bare, view_of(candidates, chain, rules, image, grid), parameters)


def _shows_another_region(candidates: Candidates, grid: Grid, region: Region) -> bool:
    """Whether a long lumbar series shows hardly any row of lumbar discs; other regions were not measured."""
    length = float(grid.extent[int(np.argmax(np.abs(grid.axes[:, 2])))])
    return region is Region.LUMBAR and length >= _LONG_ENOUGH and chain_gain(candidates, RULES[region]) < _LEAST_GAIN


def _judge(bare: SeriesNaming, view: ChainView, parameters: LevelParameters) -> SeriesNaming:
    """Name the chain where one outcome is likely enough."""
    chances = posterior(view, parameters.logit)
    best = likeliest(view, chances)
    second = max((row for row in range(len(chances)) if row != best), key=lambda row: float(chances[row]))
    probability = float(chances[best])
    unresolved = replace(
        bare,
        likeliest=_ordinal(best),
        probability=probability,
        second=(_ordinal(second), float(chances[second])),
        disc_ratio=None if best == NOT_SHOWN else disc_ratio(view, best),
        by=parameters.name,
    )
    if int(chances.argmax()) == NOT_SHOWN != best:
        return replace(unresolved, reason=f"the tail is no sacrum and the image goes on for {view.room:.0f} mm")
    if best == NOT_SHOWN:  # either way nothing is named, so this needs no threshold
        return replace(unresolved, reason=f"{LUMBAR_ANCHOR} is not shown (probability {probability:.2f})")
    if probability < parameters.threshold:
        return replace(unresolved, reason=f"posterior {probability:.2f} below {parameters.threshold:.2f}")
    return replace(unresolved, state=State.NAMED, discs=counted(unresolved.discs, _ordinal(best)), anchor=LUMBAR_ANCHOR)


def disc_ratio(view: ChainView, position: int) -> float:
    """Diagonal in the sagittal plane of a disc's box, counted from the tail, against that of the one above."""
    diagonal = np.linalg.norm(view.discs.size[:, 1:], axis=1)
    row = len(diagonal) - 1 - position
    return float(diagonal[row] / diagonal[row - 1])


def _ordinal(outcome: int) -> int:
    return 0 if outcome == NOT_SHOWN else outcome + 1


def numbered(centers: Array) -> tuple[NamedDisc, ...]:
    """Discs without levels from their centres (n, 3), head to tail."""
    count = len(centers)
    return tuple(NamedDisc((float(r), float(a), float(s)), count - row) for row, (r, a, s) in enumerate(centers))


def counted(discs: Sequence[NamedDisc], anchor: int, level: str = LUMBAR_ANCHOR) -> tuple[NamedDisc, ...]:
    """The discs named by counting from the one with ordinal `anchor`, which is `level`; five lumbar vertebrae.

    What lies below S1/S2 or above C2/C3 gets no name.
    """
    names = (*reversed(_BELOW_SACRUM), *_UPWARD)
    start = names.index(level) - anchor
    found = (start + disc.ordinal for disc in discs)
    return tuple(
        replace(disc, level=names[row] if 0 <= row < len(names) else None)
        for disc, row in zip(discs, found, strict=True)
    )


def name_by_hand(naming: SeriesNaming, manual: ManualAnchor, grid: Grid) -> SeriesNaming:
    """The chain named from a point in L5 or C2: the disc below that point is L5/S1 or C2/C3.

    Raises:
        InputError: the point lies outside of the image, or above or below all discs; the chain's centres are listed.
    """
    where = "; ".join(", ".join(f"{value:.0f}" for value in disc.center) for disc in naming.discs)
    option = f"{manual.vertebra.lower()}={','.join(f'{value:g}' for value in manual.point)}"
    point = np.asarray(manual.point)
    edge = np.linalg.solve(grid.affine[:3, :3], point - grid.corner)
    if (edge < 0).any() or (edge > np.asarray(grid.shape)).any():
        raise InputError(f"{option} lies outside of {naming.series}; its discs lie at (R, A, S): {where}")
    below = [disc for disc in naming.discs if disc.center[2] < point[2]]
    if not below:
        raise InputError(f"{option} has no disc below it in {naming.series}; its discs lie at (R, A, S): {where}")
    anchor = LUMBAR_ANCHOR if manual.vertebra == "L5" else CERVICAL_ANCHOR
    nearest = max(below, key=lambda disc: disc.center[2])
    discs = counted(naming.discs, nearest.ordinal, anchor)
    return SeriesNaming(naming.series, State.MANUAL, discs, anchor=anchor, by=option)
