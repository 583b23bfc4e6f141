"""Which findings touch which lesions, and how closely."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinedet.core.geometry import SAME_AXES_TOLERANCE
from spinedet.scoring.matching.criteria import SLACK, CenterCriterion, Criterion, DistanceCriterion, IouCriterion

Floats = NDArray[np.float64]
Ints = NDArray[np.signedinteger[Any]]
_CHUNK = 1 << 15  # findings compared at once, so that their pairs stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Many boxes in mm: `center` and `size` (n, 3), measured along the rows of `frames[frame]` (k, 3, 3)."""

    center: Floats
    size: Floats
    frame: Ints
    frames: Floats

    def rows(self, some: slice) -> Boxes:
        """Some of them."""
        return Boxes(self.center[some], self.size[some], self.frame[some], self.frames)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Finding and lesion numbers (n,) that may match; the larger `value`, the closer."""

    finding: Ints
    lesion: Ints
    value: Floats

    def at_least(self, value: float) -> Pairs:
        """Those as close as `value` or closer."""
        return self.where(self.value >= value - SLACK)

    def where(self, keep: NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(self.finding[keep], self.lesion[keep], self.value[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Boxes with the cell (one category of one scan) in which each lies, (n,); pairs never cross cells."""

    boxes: Boxes
    cell: Ints


def touching(findings: Sites, lesions: Sites, criterion: Criterion) -> Pairs:
    """All pairs that fulfil the criterion; `value` is the IoU, or the negative distance of the centres in mm."""
    found = [
        _satisfying(finding, lesion, findings.boxes, lesions.boxes, criterion)
        for finding, lesion in _near(findings, lesions, criterion)
    ]
    return Pairs(
        np.concatenate([part.finding for part in found] or [np.empty(0, np.int64)]),
        np.concatenate([part.lesion for part in found] or [np.empty(0, np.int64)]),
        np.concatenate([part.value for part in found] or [np.empty(0)]),
    )


def overlapping(findings: Sites, lesions: Sites) -> Pairs:
    """All pairs that overlap at all; `value` is the IoU."""
    pairs = touching(findings, lesions, IouCriterion(iou=np.finfo(float).tiny))
    return pairs.where(pairs.value > 0)


def _near(findings: Sites, lesions: Sites, criterion: Criterion) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of one cell whose limits along R meet, some findings at a time.

    Boxes that are apart there do not overlap in any frame, and most are.
    """
    reach = criterion.mm + SLACK if isinstance(criterion, DistanceCriterion) else 0.0
    by_cell = np.argsort(lesions.cell, kind="stable")
    lowest, highest = _along_r(lesions.boxes, 0.0)[:, by_cell]
    size = np.bincount(lesions.cell, minlength=int(findings.cell.max(initial=-1)) + 1)
    start = np.cumsum(size) - size
    for begin in range(0, len(findings.cell), _CHUNK):
        cell = findings.cell[begin : begin + _CHUNK]
        low, high = _along_r(findings.boxes.rows(slice(begin, begin + _CHUNK)), reach)
        met = [np.empty((2, 0), np.int64)]
        left = np.arange(len(cell))
        # Each finding with the first lesion of its cell, then with the second, as long as there are any.
        for nth in range(int(size[cell].max())):
            left = left[size[cell[left]] > nth]
            place = start[cell[left]] + nth
            meet = (low[left] <= highest[place]) & (lowest[place] <= high[left])
            met.append(np.stack([left[meet] + begin, by_cell[place[meet]]]))
        finding, lesion = np.concatenate(met, axis=1)
        yield finding, lesion


def _along_r(boxes: Boxes, reach: float) -> Floats:
    """Lower and upper limit along R, widened by `reach`, (2, n)."""
    half = (np.abs(boxes.frames[:, :, 0])[boxes.frame] * boxes.size).sum(axis=1) / 2 + reach
    return np.stack([boxes.center[:, 0] - half, boxes.center[:, 0] + half])


def _satisfying(finding: Ints, lesion: Ints, ours: Boxes, theirs: Boxes, criterion: Criterion) -> Pairs:
    match criterion:
        case IouCriterion():
            value = _overlap(finding, lesion, ours, theirs)
            return Pairs(finding, lesion, value).at_least(criterion.iou)
        case DistanceCriterion():
            return Pairs(finding, lesion, -_distance(finding, lesion, ours, theirs)).at_least(-criterion.mm)
        case CenterCriterion():
            keep = _inside(finding, lesion, ours, theirs)
            finding, lesion = finding[keep], lesion[keep]
            return Pairs(finding, lesion, -_distance(finding, lesion, ours, theirs))


def _distance(finding: Ints, lesion: Ints, ours: Boxes, theirs: Boxes) -> Floats:
    return np.sqrt(((ours.center[finding] - theirs.center[lesion]) ** 2).sum(axis=1))


def _inside(finding: Ints, lesion: Ints, ours: Boxes, theirs: Boxes) -> NDArray[np.bool_]:
    """Whether the finding's centre lies in the lesion's half-open box, in the lesion's own frame."""
    frames = theirs.frames[theirs.frame[lesion]]
    point = _rotated(frames, ours.center[finding])
    middle, half = _rotated(frames, theirs.center[lesion]), theirs.size[lesion] / 2
    return np.all((point >= middle - half) & (point < middle + half), axis=1)


def _overlap(finding: Ints, lesion: Ints, ours: Boxes, theirs: Boxes) -> Floats:
    """IoU of each pair (n,), by the same rule as `core.geometry.iou`."""
    if not ours.frame.any() and not theirs.frame.any():
        return _iou((ours.center[finding], ours.size[finding] / 2), (theirs.center[lesion], theirs.size[lesion] / 2))
    first, second = ours.frames[ours.frame[finding]], theirs.frames[theirs.frame[lesion]]
    alike, _ = _turn(first, second)
    common = np.where(alike[:, None, None], first, np.eye(3))
    return _iou(
        (_rotated(common, ours.center[finding]), _half(common, first, ours.size[finding])),
        (_rotated(common, theirs.center[lesion]), _half(common, second, theirs.size[lesion])),
    )


def _rotated(frames: Floats, vectors: Floats) -> Floats:
    return np.matmul(frames, vectors[:, :, None])[:, :, 0]


def _half(common: Floats, own: Floats, size: Floats) -> Floats:
    """Half the extent along the common frame, the hull's where the frames differ, (n, 3)."""
    _, turn = _turn(common, own)
    return _rotated(turn, size) / 2


def _turn(first: Floats, second: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Whether frames have the same three directions (n,), and the absolute cosines between them (n, 3, 3)."""
    unit = [frame / np.linalg.norm(frame, axis=2, keepdims=True) for frame in (first, second)]
    turn = np.matmul(unit[0], unit[1].transpose(0, 2, 1))
    alike: NDArray[np.bool_] = np.abs(turn - np.rint(turn)).max(axis=(1, 2)) <= SAME_AXES_TOLERANCE
    cosines: Floats = np.abs(np.matmul(first, second.transpose(0, 2, 1)))
    return alike, np.where(alike[:, None, None], np.rint(cosines), cosines)


def _iou(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> Floats:
    """IoU of boxes given as (centre, half size), (n, 3) each, along common axes."""
    shared: Floats = np.ones(len(first[0]))
    volumes: Floats = np.ones((2, len(first[0])))
    for axis in range(3):
        low_a, high_a = first[0][:, axis] - first[1][:, axis], first[0][:, axis] + first[1][:, axis]
        low_b, high_b = second[0][:, axis] - second[1][:, axis], second[0][:, axis] + second[1][:, axis]
        shared *= np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None)
        volumes[0] *= high_a - low_a
        volumes[1] *= high_b - low_b
    union = volumes[0] + volumes[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
