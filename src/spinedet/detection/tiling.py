"""How networks look at one volume: whole or in tiles, once or from both sides, alone or several together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from spinedet.detection.batch import Detections, joined
from spinedet.detection.boxes import distinct, iou
from spinedet.detection.models import Detector
from spinedet.imaging.planes import PlaneSpec

# Boxes of several looks that overlap more than this are one finding.
SAME = 0.5
# Boxes of several tiles that overlap more than this are one: each tile sees another part of a disc that leaves it.
SAME_IN_TILES = 0.2
# A volume is cut into tiles when it is so many times longer than a training crop: no single lumbar or cervical stack.
TILE_BEYOND = 1.6


@dataclass(frozen=True, slots=True)
class Looks:
    """How often a volume is looked at; `flip` adds a look at its mirror image and averages both."""

    flip: bool = False


def look(networks: Sequence[Detector], image: Tensor, spec: PlaneSpec, looks: Looks) -> Detections:
    """What one or several networks say together about (1, 1, slices, rows, columns).

    One look is returned as it is; of several, boxes that overlap are averaged by score, and a score is the mean over
    all looks, so that what only one of them sees counts less.
    """
    answers = [_in_tiles(network, image, spec) for network in networks]
    if looks.flip:
        axis = spec.left_right_axis
        extent = image.shape[2 + axis] * spec.spacing[axis]
        mirrored = (_in_tiles(network, image.flip(2 + axis), spec) for network in networks)
        answers += [_mirror(answer, axis, extent) for answer in mirrored]
    return answers[0] if len(answers) == 1 else average(answers)


def average(answers: Sequence[Detections]) -> Detections:
    """Weighted box fusion (Solovyev et al., Image and Vision Computing 2021) of several looks at one volume."""
    every = joined(answers)
    boxes, scores = every.boxes, every.scores
    source = torch.cat([torch.full((len(one.boxes),), row) for row, one in enumerate(answers)])
    best, free = scores.amax(-1), torch.ones(len(boxes), dtype=torch.bool)
    merged: list[Detections] = []
    for first in best.argsort(descending=True).tolist():
        if free[first]:
            same = free & (iou(boxes[first], boxes) > SAME)
            members = _group(first, best.masked_fill(~same, -1), source)
            free[members] = False
            weight = best[members, None].clamp_min(1e-6)
            box = (boxes[members] * weight).sum(0) / weight.sum()
            severity, grades = (
                None if part is None else _weighted(part[members], weight) for part in (every.severity, every.grades)
            )
            merged.append(Detections(box[None], (scores[members].sum(0) / len(answers))[None], severity, grades))
    return joined(merged) if merged else answers[0]


def _weighted(values: Tensor, weight: Tensor) -> Tensor:
    """The mean (1, ...) of those of (n, ...) that are known, by weight (n, 1); NaN where none is."""
    weight = weight.view(-1, *[1] * (values.ndim - 1)) * ~values.isnan()
    return ((values.nan_to_num() * weight).sum(0) / weight.sum(0))[None]


def _group(first: int, candidates: Tensor, source: Tensor) -> list[int]:
    """The box itself, with the best of each other look; `candidates` are scores, below 0 of boxes of other places.

    Not the box that fits best: a look may have a second, dismissed box on the same disc, and that may fit better.
    """
    members = [first]
    for other in source.unique().tolist():  # type: ignore[no-untyped-call]  # torch leaves `unique` without types
        theirs = candidates.masked_fill(source != other, -1)
        if other != source[first] and theirs.max() >= 0:
            members.append(int(theirs.argmax()))
    return members


def _mirror(answer: Detections, axis: int, extent: float) -> Detections:
    boxes = answer.boxes.clone()
    boxes[:, axis] = extent - boxes[:, axis]
    return replace(answer, boxes=boxes)


def _in_tiles(network: Detector, image: Tensor, spec: PlaneSpec) -> Detections:
    """The volume as a whole where it is about as long as a training crop, else tile by tile.

    Tiles overlap by half. A box counts only in the tiles in whose middle its centre lies, where context is on both
    sides of it; of boxes that two tiles share, the better one stays.
    """
    shape = (image.shape[2], image.shape[3], image.shape[4])
    spans = [_spans(length, crop) for length, crop in zip(shape, spec.crop_shape, strict=True)]
    tiles = list(product(*spans))
    if len(tiles) == 1:
        return network.detect(image)[0]
    found = joined([_of_tile(network, image, tile, spec) for tile in tiles])
    chosen = distinct(found.boxes, found.scores.amax(-1), SAME_IN_TILES, len(found.boxes))
    return found.some(chosen.row[~chosen.filler])


@dataclass(frozen=True, slots=True)
class Span:
    """Voxels `start` to `stop` along one axis; `first` to `last` are the tile's middle, which at the volume's ends
    reaches beyond.
    """

    start: int
    stop: int
    first: float
    last: float


def _spans(length: int, crop: int) -> list[Span]:
    """Tiles of one axis: as long as the crop, half a crop apart; their middles cover the axis."""
    if length <= TILE_BEYOND * crop:
        return [Span(0, length, -length, 2 * length)]
    count = -(-2 * (length - crop) // crop) + 1
    starts = [round(row * (length - crop) / (count - 1)) for row in range(count)]
    edge = crop / 8  # middles overlap a little, so that a centre on their border is not lost
    return [
        Span(s, s + crop, -crop if s == 0 else s + edge, 2 * length if s + crop == length else s + crop - edge)
        for s in starts
    ]


def _of_tile(network: Detector, image: Tensor, tile: tuple[Span, ...], spec: PlaneSpec) -> Detections:
    depth, height, width = (slice(span.start, span.stop) for span in tile)
    found = network.detect(image[:, :, depth, height, width])[0]
    spacing = found.boxes.new_tensor(spec.spacing)
    boxes = found.boxes.clone()
    boxes[:, :3] += spacing * boxes.new_tensor([span.start for span in tile])
    place = boxes[:, :3] / spacing
    first, last = (place.new_tensor([getattr(span, end) for span in tile]) for end in ("first", "last"))
    kept = ((place >= first) & (place <= last)).all(1)
    return replace(found, boxes=boxes).some(kept)
