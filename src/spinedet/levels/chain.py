"""The chain of discs in one sagittal series, by dynamic programming over all candidate boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from spinedet.core.anatomy import Region
from spinedet.core.geometry import Array
from spinedet.core.types import Finding

# More candidates than these, by score, change no chain and cost time by their square.
MOST_CANDIDATES = 40
_LEAST_SCORE = 1e-3
# A chain this far in front of another, in disc depths, and of this share of its gain, is the discs' chain.
_IN_FRONT, _IN_FRONT_GAIN = 0.6, 0.5
_MOST_ASIDE = 3.0
# Tilts at which a box is compared with a disc, from level to the most.
_TILTS = 11


@dataclass(frozen=True, slots=True)
class ChainRules:
    """What a chain of discs looks like; lengths in mm, turns in degrees. The default is the lumbar spine.

    Attributes:
        gain: of a disc before its penalties; score_weight: of ln(score). A score measures degeneration, so it
            helps little.
        height, depth: of a disc that lies level, each a mean and its standard deviation. tilt: the most that a disc is
            tilted; the box of a tilted one is higher.
        step: distance of two centres; shortest, longest: outside of which two discs are no neighbours.
        turn: of the chain between two links, positive where the lower end goes backwards. ratio: log length ratio of
            two links.
        aside: how far neighbours lie apart along R, its standard deviation; three of them are the most.
    """

    gain: float = 5.0
    score_weight: float = 0.5
    height: tuple[float, float] = (13.0, 6.0)
    depth: tuple[float, float] = (40.0, 6.0)
    tilt: float = 50.0
    step: tuple[float, float] = (34.0, 8.0)
    shortest: float = 18.0
    longest: float = 50.0
    turn: tuple[float, float] = (6.0, 15.0)
    ratio: tuple[float, float] = (0.0, 0.25)
    aside: float = 8.0


RULES = {
    Region.LUMBAR: ChainRules(),
    Region.CERVICAL: ChainRules(
        tilt=0.0, height=(7.8, 3.1), depth=(21.3, 3.1), step=(17.5, 4.0), shortest=10.0, longest=28.0, aside=4.2
    ),
}


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes that may be discs.

    Attributes:
        center: (n, 3) RAS mm. size: (n, 3) mm along the series' own axes nearest to R, A, S. score: (n,), above 0.
    """

    center: Array
    size: Array
    score: Array

    def __len__(self) -> int:
        return len(self.score)

    def some(self, rows: Sequence[int]) -> Candidates:
        """Those of these rows, in this order."""
        return Candidates(self.center[list(rows)], self.size[list(rows)], self.score[list(rows)])


def candidates_of(findings: Sequence[Finding]) -> Candidates:
    """The best-scored boxes of one series, whatever their category; one for each place."""
    best: dict[tuple[float, ...], Finding] = {}
    for finding in sorted((f for f in findings if f.score >= _LEAST_SCORE), key=lambda one: -one.score):
        best.setdefault(finding.box.center, finding)
    kept = list(best.values())[:MOST_CANDIDATES]
    return Candidates(
        np.array([f.box.center for f in kept], dtype=np.float64).reshape(-1, 3),
        np.array([f.box.size for f in kept], dtype=np.float64).reshape(-1, 3),
        np.array([f.score for f in kept], dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class _Link:
    """Two neighbours, `upper` and `lower`, rows of the candidates: length and step to the right in mm, angle in degrees
    from straight down, positive backwards.
    """

    upper: int
    lower: int
    length: float
    angle: float
    right: float


def find_chain(candidates: Candidates, rules: ChainRules) -> tuple[int, ...]:
    """Rows of the candidates that are discs, head to tail; empty without any link.

    The chain of highest gain, unless another lies in front of it at the same height: then the first runs along the
    spinous processes.
    """
    first, gain = _best_chain(candidates, rules, range(len(candidates)))
    rest = [row for row in range(len(candidates)) if row not in first]
    second, other = _best_chain(candidates, rules, rest)
    if second and other > _IN_FRONT_GAIN * gain and _in_front(candidates, second, first, rules):
        return second
    return first


def chain_gain(candidates: Candidates, rules: ChainRules) -> float:
    """Gain of the best chain: how much a row of discs at the distances of this region is seen at all."""
    return _best_chain(candidates, rules, range(len(candidates)))[1]


def _in_front(candidates: Candidates, one: tuple[int, ...], other: tuple[int, ...], rules: ChainRules) -> bool:
    """Whether each disc of a chain lies in front of the nearest one of another, by as far as spinous processes do."""
    near = np.abs(candidates.center[list(one), None, 2] - candidates.center[None, list(other), 2])
    level = near.min(axis=1) < rules.step[0]
    ahead = candidates.center[list(one), 1] - candidates.center[np.array(other)[near.argmin(axis=1)], 1]
    return bool(level.mean() > 0.5 and np.median(ahead[level]) > _IN_FRONT * rules.depth[0])


def _best_chain(candidates: Candidates, rules: ChainRules, rows: Sequence[int]) -> tuple[tuple[int, ...], float]:
    """The chain of highest gain through some of the candidates, and its gain.

    Second-order dynamic programming: a state is a link, so that turns between links have a cost.
    """
    gains = box_gains(candidates, rules)
    links = sorted(_links(candidates, rules, rows), key=lambda link: -candidates.center[link.upper, 2])
    ends_in: dict[int, list[int]] = {}
    total = np.full(len(links), -math.inf)
    before = np.full(len(links), -1)
    for row, link in enumerate(links):
        aside = _half_square(link.right, (0.0, rules.aside))
        total[row] = gains[link.upper] + gains[link.lower] - _half_square(link.length, rules.step) - aside
        for previous in ends_in.get(link.upper, ()):
            value = total[previous] + gains[link.lower] - _bend(links[previous], link, rules) - aside
            if value > total[row]:
                total[row], before[row] = value, previous
        ends_in.setdefault(link.lower, []).append(row)
    if not links:
        return (), 0.0
    row = int(total.argmax())
    chain = [links[row].lower]
    while row >= 0:
        chain.append(links[row].upper)
        row = int(before[row])
    return tuple(reversed(chain)), float(total.max())


def box_gains(candidates: Candidates, rules: ChainRules) -> Array:
    """How much each box speaks for being a disc, at the tilt that fits it best, (n,)."""
    tilt = np.radians(np.linspace(0.0, rules.tilt, _TILTS))
    high, deep = rules.height[0], rules.depth[0]
    height = high * np.cos(tilt) + deep * np.sin(tilt)  # of the box around a disc so tilted, (t,)
    depth = deep * np.cos(tilt) + high * np.sin(tilt)
    off = np.square((candidates.size[:, 2, None] - height) / rules.height[1])
    off += np.square((candidates.size[:, 1, None] - depth) / rules.depth[1])
    return rules.gain + rules.score_weight * np.log(candidates.score) - off.min(axis=1) / 2


def _links(candidates: Candidates, rules: ChainRules, rows: Sequence[int]) -> list[_Link]:
    centers = candidates.center
    found: list[_Link] = []
    for upper, lower in product(rows, repeat=2):
        right, front, up = centers[lower] - centers[upper]
        length = math.hypot(front, up)
        if (
            up < 0
            and rules.shortest <= length <= rules.longest
            and abs(right) < _MOST_ASIDE * rules.aside
            and abs(front) < 0.75 * length + 4
        ):
            found.append(_Link(upper, lower, length, math.degrees(math.atan2(-front, -up)), right))
    return found


def _bend(first: _Link, second: _Link, rules: ChainRules) -> float:
    """Cost of one link after another."""
    turn = second.angle - first.angle
    return _half_square(turn, rules.turn) + _half_square(math.log(second.length / first.length), rules.ratio)


def _half_square(value: float, normal: tuple[float, float]) -> float:
    mean, deviation = normal
    return 0.5 * ((value - mean) / deviation) ** 2
