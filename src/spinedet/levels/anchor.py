"""Which element of a disc chain is L5/S1, or whether none is: a conditional logit over the chain's lower end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spinedet.core.geometry import Array, Grid
from spinedet.levels.chain import Candidates, ChainRules, box_gains
from spinedet.levels.patches import SIZE, Image, patches

# Elements from the tail that may be the anchor. One more outcome, the last: it is not shown.
POSITIONS = 4
NOT_SHOWN = POSITIONS
# Shorter chains give too little evidence.
LEAST_DISCS = 3
# "Not shown" contradicts itself when the image goes on below the tail for more of the chain's disc spacings: a disc
# there would have been found.
MOST_ROOM = 1.4
_FARTHEST = 3.0

# Angles are tens of degrees, sizes quarters of a log unit, so that one penalty fits all; all of the same chain.
ELEMENT = (
    *("angle", "angle squared", "next angle", "next turn", "last turn", "score", "depth", "height", "height step"),
    *("next length ratio", "next score", "next depth", "next height", "next missing", "room below", "left out below"),
    *("second from the tail", "third from the tail", "fourth from the tail"),
)
ABSENT = (
    *("constant", "room", "room squared", "tail angle", "tail angle squared", "tail turn", "tail height"),
    *("tail height step", "left out below"),
)
WIDTH = len(ELEMENT) + len(ABSENT) + SIZE
# L2 penalties of the features and of the patch's pixels; chosen by cross-validation over real patients.
PENALTY, PIXEL_PENALTY = 0.4, 0.1


@dataclass(frozen=True, eq=False)
class ChainView:
    """A chain, head to tail, and what the image shows of its lower end.

    Attributes:
        discs: the chain's boxes. room: how far the image goes on below the tail, mm.
        left_out: the best gain of a box below the tail that is not in the chain, against the chain's median.
        pixels: (k, SIZE) patches of the lowest discs, the tail first.
    """

    discs: Candidates
    room: float
    left_out: float
    pixels: Array

    @property
    def spacing(self) -> float:
        """Median distance of neighbours, mm."""
        return float(np.median(np.linalg.norm(np.diff(self.discs.center[:, 1:], axis=0), axis=1)))

    @property
    def ends_too_early(self) -> bool:
        """Whether the image goes on so far below the tail that a disc there would have been found."""
        return self.room > MOST_ROOM * self.spacing


def view_of(candidates: Candidates, chain: Sequence[int], rules: ChainRules, image: Image, grid: Grid) -> ChainView:
    """The chain through these rows of the candidates in its image: voxels (i, j, k) on `grid`."""
    discs = candidates.some(chain)
    tail = discs.center[-1]
    gains = box_gains(candidates, rules)
    away = candidates.center - tail
    below = (-away[:, 2] > rules.shortest) & (-away[:, 2] < 2.2 * rules.step[0])
    below &= np.abs(away[:, 1]) < 1.8 * rules.step[0]
    least = float(np.median(gains[list(chain)])) - 6.0
    best = float(gains[below].max()) if below.any() else least
    return ChainView(
        discs,
        room_below(grid, tail) - float(discs.size[-1, 2]) / 2,
        max(best, least) - least - 6.0,
        patches(image, grid, discs.center[-POSITIONS - 1 :]),
    )


def room_below(grid: Grid, point: Array) -> float:
    """How far the image goes on from a point along its own axis towards the feet, mm."""
    axis = int(np.argmax(np.abs(grid.axes[:, 2])))
    edge = float(np.linalg.solve(grid.affine[:3, :3], point - grid.corner)[axis])
    left = grid.shape[axis] - edge if grid.axes[axis, 2] < 0 else edge
    return left * float(grid.spacing[axis])


def posterior(view: ChainView, weights: Array) -> Array:
    """Probability that the anchor is the k-th disc from the tail (k = 0..3), or is not shown, (5,)."""
    chances = _softmax(design(view) @ weights)
    full = np.zeros(POSITIONS + 1)
    full[: len(chances) - 1], full[NOT_SHOWN] = chances[:-1], chances[-1]
    return full


def likeliest(view: ChainView, chances: Array) -> int:
    """The likeliest outcome (rows of `posterior`) but for "not shown" where the view contradicts it."""
    return int(chances[:NOT_SHOWN].argmax() if view.ends_too_early else chances.argmax())


def design(view: ChainView) -> Array:
    """All outcomes of one view as rows of one linear model (k + 1, WIDTH): elements from the tail, then "not shown"."""
    elements = _elements(view)
    rows = np.zeros((len(elements) + 1, WIDTH))
    rows[:-1, : len(ELEMENT)] = elements
    rows[-1, len(ELEMENT) : len(ELEMENT) + len(ABSENT)] = _absent(view)
    rows[:-1, -SIZE:] = view.pixels[: len(elements)]
    return rows


def _elements(view: ChainView) -> Array:
    """(k, len(ELEMENT)) for each of the lowest discs that has one above it."""
    discs, last = view.discs, len(view.discs) - 1
    angles, turns, lengths = _links(discs)
    score, depth, height = _shape(discs)
    rows = []
    for i in range(last, max(last - POSITIONS, 0), -1):  # angles[i - 1] is of the link above disc i
        own = [angles[i - 1], angles[i - 1] ** 2 / 4]
        size = [score[i], depth[i], height[i], height[i] - height[i - 1]]
        before = turns[i - 2] if i >= 2 else 0.0
        if i < last:
            following = [lengths[i] - lengths[i - 1], score[i + 1], depth[i + 1], height[i + 1], 0.0, 0.0, 0.0]
            row = [*own, angles[i], turns[i - 1], before, *size, *following]
        else:
            ending = [0.0, 0.0, 0.0, 0.0, 1.0, min(view.room / view.spacing, _FARTHEST), view.left_out / 3]
            row = [*own, 0.0, 0.0, before, *size, *ending]
        rows.append([*row, *(float(last - i == each) for each in range(1, POSITIONS))])
    return np.array(rows).reshape(-1, len(ELEMENT))


def _absent(view: ChainView) -> Array:
    angles, turns, _ = _links(view.discs)
    _, _, height = _shape(view.discs)
    room = min(view.room / view.spacing, _FARTHEST)
    turn = turns[-1] if len(turns) else 0.0
    tail = [angles[-1], angles[-1] ** 2 / 4, turn, height[-1], height[-1] - height[-2]]
    return np.array([1.0, room, room**2, *tail, view.left_out / 3])


def _links(discs: Candidates) -> tuple[Array, Array, Array]:
    """Angles from straight down (tens of degrees, positive backwards), turns, and 4 x log lengths of the links."""
    links = np.diff(discs.center[:, 1:], axis=0)
    angles = np.degrees(np.arctan2(-links[:, 0], -links[:, 1])) / 10
    return angles, np.diff(angles), 4 * np.log(np.linalg.norm(links, axis=1))


def _shape(discs: Candidates) -> tuple[Array, Array, Array]:
    """Logit of the score, 4 x log depth and 4 x log height, each against the chain's median."""
    score = np.clip(discs.score, 1e-6, 1 - 1e-6)
    values = np.log(score / (1 - score)), 4 * np.log(discs.size[:, 1]), 4 * np.log(discs.size[:, 2])
    first, second, third = (value - np.median(value) for value in values)
    return first, second, third


def _softmax(logits: Array) -> Array:
    chances = np.exp(logits - logits.max())
    return chances / chances.sum()


def fit(designs: Sequence[Array], chosen: Sequence[int], importance: Sequence[float]) -> Array:
    """Weights (WIDTH,) of highest posterior probability under a normal prior, by Newton's method.

    Args:
        designs: of each view. chosen: the row of each that is right. importance: of each view.
    """
    rows, ends = np.concatenate(designs), np.cumsum([len(each) for each in designs])
    starts = np.r_[0, ends[:-1]]
    right, share = rows[starts + np.asarray(chosen)], np.asarray(importance, dtype=np.float64)
    penalty = np.r_[np.full(WIDTH - SIZE, PENALTY), np.full(SIZE, PIXEL_PENALTY)]
    weights = np.zeros(WIDTH)
    for _ in range(40):
        logits = rows @ weights
        chances = np.exp(logits - np.repeat(np.maximum.reduceat(logits, starts), ends - starts))
        chances /= np.repeat(np.add.reduceat(chances, starts), ends - starts)
        mean = np.add.reduceat(rows * chances[:, None], starts, axis=0)
        gradient = share @ (right - mean) - penalty * weights
        spread = (rows * (chances * np.repeat(share, ends - starts))[:, None]).T @ rows
        step = np.linalg.solve(spread - (mean * share[:, None]).T @ mean + np.diag(penalty), gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step[:-SIZE]).max()), 1e-12))  # a full step from zero overshoots
        weights += step
        if np.abs(step[:-SIZE]).max() < 1e-6:
            break
    return weights
