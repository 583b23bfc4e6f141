"""Windows of simulated radiographs, each moved, turned, scaled and of other contrast, with what is known of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.generate.backbone_pictures import LENGTHS, NUMBERS, QUANTITIES, TILT, Kind, Part, Picture, Values

# Detector mm of a pixel, about as the shipped experiments have it, and by how much its logarithm varies.
USUAL = {Kind.HARDWARE: 0.625, Kind.FRACTURES: 0.65, Kind.WHOLE_SPINE: 3.0}
ZOOM = 0.22
# Of a window's side, and degrees; single vertebrae are turned upright first.
SHIFT = {Kind.HARDWARE: 0.2, Kind.FRACTURES: 0.08, Kind.WHOLE_SPINE: 0.1}
TURN = 9.0
MOST = 24  # parts of a window
# Windows of a batch that show each kind.
SHARES = {Kind.HARDWARE: 13, Kind.FRACTURES: 5, Kind.WHOLE_SPINE: 2}
_ANCHORS = {Kind.HARDWARE: (Part.TULIP, Part.SHANK, Part.ROD_END), Kind.FRACTURES: (Part.BODY,)}

_MEAN, _SCALE = np.array([NUMBERS.get(name, (0.0, 1.0)) for name in QUANTITIES], np.float32).T
_IS_LENGTH = np.array([name in LENGTHS for name in QUANTITIES])


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A batch.

    Attributes:
        images: (n, 1, side, side) in [0, 1]. whole: (n, quantities), numbers standardised, signs 0 or 1, NaN where not
            known. places: (n, MOST, 2) of parts, x and y from -1 to 1. values: (n, MOST, quantities) of each.
        parts: (n, MOST), -1 where there are no more.
    """

    images: Tensor
    whole: Tensor
    places: Tensor
    values: Tensor
    parts: Tensor


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a window lies.

    Attributes:
        middle: in the picture, pixel edges. zoom: pixels of the picture in one of the window. degrees: by which its
            rows are turned. mirrored: left to right.
    """

    middle: tuple[float, float]
    zoom: float
    degrees: float = 0.0
    mirrored: bool = False

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 2): from the window to the picture, about both middles."""
        c, s = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        side = -1.0 if self.mirrored else 1.0
        return self.zoom * np.array([[side * c, -s], [side * s, c]])


Sample = tuple[NDArray[np.uint8], Values, Values, Values, NDArray[np.int64]]


def sample(picture: Picture, cut: Cut, side: int, anchor: int | None) -> Sample:
    """Pixels of a window and what is known of it; of all of it what is known of the part `anchor`, if any."""
    matrix = cut.matrix
    x, y = np.array(cut.middle) - matrix @ np.array([side / 2, side / 2])
    (a, b), (d, e) = matrix.tolist()
    image = Image.fromarray(picture.pixels)
    pixels = image.transform((side, side), Image.Transform.AFFINE, (a, b, x, d, e, y), Image.Resampling.BILINEAR)
    back = np.linalg.inv(matrix)
    places = (picture.places - np.array(cut.middle)) @ back.T * (2 / side)
    inside = (np.abs(places) < 1).all(1).nonzero()[0][:MOST]
    values = picture.values.copy()
    ups = picture.ups @ back.T
    values[:, TILT] = np.degrees(np.arctan2(ups[:, 0], -ups[:, 1]))
    whole = picture.whole if anchor is None else np.where(np.isnan(picture.whole), values[anchor], picture.whole)
    # What a network sees of a length is how many pixels it has.
    apparent = USUAL[picture.kind] / (cut.zoom * picture.mm)
    rows = [_standardised(one, apparent) for one in (whole, values[inside])]
    return np.asarray(pixels), rows[0], places[inside].astype(np.float32), rows[1], picture.parts[inside]


def _standardised(values: Values, apparent: float) -> Values:
    scaled = np.where(_IS_LENGTH, values * apparent, values)
    return np.asarray((scaled - _MEAN) / _SCALE, np.float32)


def usual(picture: Picture, side: int) -> list[Sample]:
    """As networks are given pictures: all hardware in the middle, every vertebra by itself, or nothing."""
    zoom = USUAL[picture.kind] / picture.mm
    own = np.isin(picture.parts, _ANCHORS.get(picture.kind, ())).nonzero()[0]
    if picture.kind is Kind.HARDWARE and len(own):
        return [sample(picture, Cut(_between(picture, own), zoom), side, None)]
    return [sample(picture, Cut(_at(picture, one), zoom, _turn(picture, one)), side, one) for one in own.tolist()]


def varied(picture: Picture, side: int, rng: np.random.Generator) -> Sample:
    """A random window."""
    kind = picture.kind
    own = np.isin(picture.parts, _ANCHORS.get(kind, (Part.BODY,))).nonzero()[0]
    zoom = USUAL[kind] / picture.mm * math.exp(rng.uniform(-ZOOM, ZOOM))
    shift = SHIFT[kind] * side * zoom * rng.uniform(-1, 1, 2)
    degrees = TURN * float(rng.uniform(-1, 1))
    mirrored = bool(rng.random() < 0.5)
    if not len(own):
        rows, columns = picture.pixels.shape
        middle, anchor = (columns / 2, rows / 2), None
    elif kind is Kind.HARDWARE and rng.random() < 0.4:
        middle, anchor = _between(picture, own), None
    else:
        chosen = int(rng.choice(own))
        middle, anchor = _at(picture, chosen), chosen if kind is Kind.FRACTURES else None
        if kind is Kind.FRACTURES:
            degrees += _turn(picture, chosen)
    middle = (middle[0] + float(shift[0]), middle[1] + float(shift[1]))
    return sample(picture, Cut(middle, zoom, degrees, mirrored), side, anchor)


def _at(picture: Picture, part: int) -> tuple[float, float]:
    x, y = picture.places[part].tolist()
    return x, y


def _between(picture: Picture, parts: NDArray[np.int64]) -> tuple[float, float]:
    """The middle of the box around parts."""
    x, y = ((picture.places[parts].min(0) + picture.places[parts].max(0)) / 2).tolist()
    return x, y


def _turn(picture: Picture, part: int) -> float:
    """Degrees by which a window is turned so that a part stands upright; 0 where its direction is not known."""
    x, y = picture.ups[part].tolist()
    return math.degrees(math.atan2(x, -y)) if math.isfinite(x) else 0.0


def batch(samples: Sequence[Sample]) -> Windows:
    """Samples as one."""
    count, quantities = len(samples), len(QUANTITIES)
    places = np.zeros((count, MOST, 2), np.float32)
    values = np.full((count, MOST, quantities), np.nan, np.float32)
    parts = np.full((count, MOST), -1, np.int64)
    for row, (_, _, at, of, what) in enumerate(samples):
        places[row, : len(at)], values[row, : len(at)], parts[row, : len(at)] = at, of, what
    images = np.stack([one[0] for one in samples])[:, None].astype(np.float32) / 255
    whole = np.stack([one[1] for one in samples])
    images, whole, places, values, parts = map(torch.from_numpy, (images, whole, places, values, parts))
    return Windows(images, whole, places, values, parts)


def random_batch(pictures: Sequence[Picture], side: int, seed: tuple[int, ...]) -> Windows:
    """Windows of random pictures of every kind."""
    rng = np.random.default_rng(seed)
    samples = []
    for kind, count in SHARES.items():
        own = [one for one in pictures if one.kind is kind]
        samples += [varied(own[i], side, rng) for i in rng.integers(0, len(own), count).tolist()]
    found = batch(samples)
    random = torch.Generator().manual_seed(int(rng.integers(2**31)))
    return Windows(_toned(found.images, random), found.whole, found.places, found.values, found.parts)


def _toned(images: Tensor, random: torch.Generator) -> Tensor:
    """Of other contrast, blurred and noisy."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=random)

    soft = uniform(-1.5, 0.8).clamp_min(0)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    bent = ((1 - soft) * images + soft * blurred) ** torch.exp(uniform(-0.5, 0.5))
    noise = torch.randn(images.shape, generator=random) * uniform(0, 0.03)
    return (bent * uniform(0.8, 1.1) + uniform(-0.08, 0.1) + noise).clamp(0, 1.1)
