"""Detection in volumes that are longer than a training crop, by overlapping tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from torch import Tensor

from spinedet.detection.batch import Detections, concatenate
from spinedet.detection.boxes import distinct
from spinedet.detection.models import Detector
from spinedet.imaging.planes import PlaneSpec

# Boxes of several tiles that overlap more than this are one: each tile sees another part of a disc that leaves it.
SAME_IN_TILES = 0.2
# A volume is cut into tiles if it is this many times longer than a training crop: no single lumbar or cervical stack.
TILE_BEYOND = 1.6


def detect_in_tiles(network: Detector, images: Tensor, spec: PlaneSpec) -> list[Detections]:
    """Boxes in each scan of (b, 1, slices, rows, columns), in main memory: predicted at once if about as long as a
    training crop, else by tiles.

    Tiles overlap by half. A box is kept if its centre lies in the middle of its tile, with context on both sides;
    of boxes that two tiles share, the better one is kept.
    """
    shape = (images.shape[2], images.shape[3], images.shape[4])
    spans = [_spans(length, crop) for length, crop in zip(shape, spec.crop_shape, strict=True)]
    tiles = list(product(*spans))
    if len(tiles) == 1:
        return [found.cpu() for found in network.detect(images)]
    parts = [_detect_in_tile(network, images, tile, spec) for tile in tiles]
    return [_joined(several) for several in zip(*parts, strict=True)]


def _joined(parts: Sequence[Detections]) -> Detections:
    """What all tiles of one scan show, each box once."""
    found = concatenate(parts)
    chosen = distinct(found.boxes, found.scores.amax(-1), SAME_IN_TILES, len(found.boxes))
    return found.select(chosen.row[~chosen.filler])


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


def _detect_in_tile(network: Detector, images: Tensor, tile: tuple[Span, ...], spec: PlaneSpec) -> list[Detections]:
    depth, height, width = (slice(span.start, span.stop) for span in tile)
    return [_placed(found.cpu(), tile, spec) for found in network.detect(images[:, :, depth, height, width])]


def _placed(found: Detections, tile: tuple[Span, ...], spec: PlaneSpec) -> Detections:
    """The boxes of a tile that lie in its middle, where they are in the whole scan."""
    spacing = found.boxes.new_tensor(spec.spacing)
    boxes = found.boxes.clone()
    boxes[:, :3] += spacing * boxes.new_tensor([span.start for span in tile])
    place = boxes[:, :3] / spacing
    first, last = (place.new_tensor([getattr(span, end) for span in tile]) for end in ("first", "last"))
    kept = ((place >= first) & (place <= last)).all(1)
    return replace(found, boxes=boxes).select(kept)
