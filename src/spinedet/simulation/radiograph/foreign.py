"""Drawn images that are no radiograph of a spine: hands, other limbs, photographs and screenshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinedet.simulation.radiograph.display import Collimation, Marker, exposed_field, frame_image

Picture = NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Capsule:
    """A rod with round ends whose radius changes from end to end; mm, x to the right, y down."""

    start: Point
    end: Point
    radii: tuple[float, float]

    def scaled(self, share: float) -> Capsule:
        """The same, thinner or thicker."""
        return Capsule(self.start, self.end, (self.radii[0] * share, self.radii[1] * share))


@dataclass(frozen=True, slots=True)
class Limb:
    """Bones and the soft tissue around them, and the height of the image that shows them, mm."""

    bones: tuple[Capsule, ...]
    tissue: tuple[Capsule, ...]
    height: float


def draw_hand(rows: int, rng: np.random.Generator) -> Picture:
    """A radiograph of a hand, bone white, (rows, columns) in [0, 1]."""
    return _radiograph(_hand(rng), rows, rng)


def draw_limb(rows: int, rng: np.random.Generator) -> Picture:
    """A radiograph of a knee, an elbow, an ankle or a shaft, bone white, (rows, columns) in [0, 1]."""
    return _radiograph(_joint(rng), rows, rng)


def draw_photograph(rows: int, rng: np.random.Generator) -> Picture:
    """A grey photograph, (rows, columns) in [0, 1].

    Objects of all sizes that hide each other have the edges and the spectrum of natural images (dead leaves: Lee,
    Mumford and Huang, Int J Comput Vis 2001;41:35-59).
    """
    shape = (rows, int(rows * rng.uniform(0.65, 1.5)))
    texture = _natural_texture(shape, rng)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    slope = float(rng.uniform(-0.5, 0.5))
    picture = np.float32(rng.uniform(0.2, 0.8)) + np.float32(slope) * (y / rows - np.float32(0.5))
    picture = picture + np.float32(rng.uniform(0.02, 0.12)) * texture
    smallest = float(rng.uniform(0.015, 0.08))
    for _ in range(int(rng.integers(12, 260))):
        # The cube law of radii makes pictures look alike at every scale.
        radius = rows * min(smallest / (1 - float(rng.random()) * (1 - (smallest / 0.6) ** 2)) ** 0.5, 0.6)
        _put_leaf(picture, texture, radius, (x, y), rng)
    light = 1 + float(rng.uniform(-0.4, 0.4)) * (x / shape[1] - 0.5) + float(rng.uniform(-0.4, 0.4)) * (y / rows - 0.5)
    picture = ndimage.gaussian_filter(picture * light, float(rng.uniform(0.3, 1.2)))
    return _finished(picture, float(rng.uniform(0, 0.02)), rng)


def draw_screenshot(rows: int, rng: np.random.Generator) -> Picture:
    """A screen or a printed page: flat areas, frames, lines of text, (rows, columns) in [0, 1]."""
    shape = (rows, int(rows * rng.uniform(0.7, 1.8)))
    dark = rng.random() < 0.4
    paper, ink = (
        (rng.uniform(0.03, 0.25), rng.uniform(0.6, 1.0)) if dark else (rng.uniform(0.8, 1), rng.uniform(0, 0.4))
    )
    page = np.full(shape, paper, np.float32)
    if rng.random() < 0.7:
        page[: max(2, int(rows * rng.uniform(0.03, 0.1)))] = rng.uniform(0, 1)
    if rng.random() < 0.5:
        page[:, : int(shape[1] * rng.uniform(0.08, 0.25))] = rng.uniform(0, 1)
    for _ in range(int(rng.integers(1, 7))):
        _put_window(page, (float(paper), float(ink)), rng)
    return np.clip(page, 0, 1)


# What can be drawn, by the kind that a classifier names.
KINDS: dict[str, tuple[Callable[[int, np.random.Generator], Picture], ...]] = {
    "limb": (draw_hand, draw_hand, draw_limb),
    "photograph": (draw_photograph,),
    "screenshot": (draw_screenshot,),
}


# Thumb to little finger: direction from the wrist, degrees; metacarpal and phalanges, mm.
_FINGERS = (
    (-42.0, (44.0, 32.0, 25.0)),
    (-15.0, (66.0, 40.0, 24.0, 18.0)),
    (-3.0, (64.0, 45.0, 29.0, 19.0)),
    (9.0, (58.0, 41.0, 27.0, 19.0)),
    (21.0, (53.0, 33.0, 20.0, 17.0)),
)


def _hand(rng: np.random.Generator) -> Limb:
    """A hand from the palm, fingers up, with the ends of radius and ulna."""
    spread, k = float(rng.uniform(0.35, 1.25)), float(rng.uniform(0.6, 1.05))
    bones: list[Capsule] = []
    tissue = [Capsule((-3, 130), (-2, 5), (30, 26))]
    for angle, lengths in _FINGERS:
        way, at = np.deg2rad(spread * angle + rng.normal(0, 3)), 17.0
        direction = np.array([np.sin(way), -np.cos(way)])
        bend = float(rng.normal(0, 4))
        joint = np.array([0.55 * angle, 0.0]) + direction * at
        for number, length in enumerate(lengths):
            end = joint + direction * (length - 3.5)
            radius = 4.6 - 0.6 * number
            bones += _shaft((joint[0], joint[1]), (end[0], end[1]), radius)
            soft = (19.0, 14.0) if number == 0 else (11.5 - number, 11.0 - number)
            tissue.append(Capsule((joint[0], joint[1]), (end[0], end[1]), soft))
            joint = end + direction * 3.5
            way += np.deg2rad(bend)
            direction = np.array([np.sin(way), -np.cos(way)])
    for _ in range(int(rng.integers(2, 9))):
        x, y = float(rng.uniform(-15, 15)), float(rng.uniform(-16, 2))
        bones.append(Capsule((x, y), (x + float(rng.normal(0, 3)), y), (5.5, 5.0)))
    bones += [*_shaft((-10, 8), (-12, 150), 7.0), *_shaft((11, 10), (9, 150), 5.0)]
    limb = Limb(tuple(bones), tuple(tissue), float(rng.uniform(170, 260)))
    return _placed(limb, k, (0.0, -float(rng.uniform(30, 70))), float(rng.normal(0, 14)), rng)


def _joint(rng: np.random.Generator) -> Limb:
    """Two bones that meet, sometimes with a thinner one beside, or a shaft alone."""
    thick, flare = float(rng.uniform(7, 15)), float(rng.uniform(1.6, 2.6))
    bend = np.deg2rad(rng.choice([0.0, 0.0, 0.0, 35.0, 80.0]) + rng.normal(0, 5))
    bones: list[Capsule] = []
    tissue: list[Capsule] = []
    for way in (np.array([0.0, -1.0]), np.array([np.sin(bend), np.cos(bend)])):
        near, far = way * (thick * flare + 2), way * 230
        bones += [
            Capsule((near[0], near[1]), (way[0] * 45, way[1] * 45), (thick * flare, thick)),
            Capsule((way[0] * 45, way[1] * 45), (far[0], far[1]), (thick, thick * 0.95)),
        ]
        around = float(rng.uniform(1.9, 4.0)) * thick
        tissue.append(Capsule((0.0, 0.0), (far[0], far[1]), (flare * thick + 8, around)))
        if rng.random() < 0.6:
            beside = np.array([way[1], -way[0]]) * thick * 2.1
            first, last = beside + way * 30, beside + way * 220
            bones += _shaft((first[0], first[1]), (last[0], last[1]), thick * 0.45)
    limb = Limb(tuple(bones), tuple(tissue), float(rng.uniform(180, 340)))
    return _placed(limb, 1.0, (0.0, float(rng.normal(0, 30))), float(rng.uniform(0, 180)), rng)


def _shaft(start: Point, end: Point, radius: float) -> list[Capsule]:
    """A long bone: thinner in its middle."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    return [
        Capsule(start, middle, (radius * 1.25, radius * 0.85)),
        Capsule(middle, end, (radius * 0.85, radius * 1.15)),
    ]


def _placed(limb: Limb, scale: float, middle: Point, degrees: float, rng: np.random.Generator) -> Limb:
    """Scaled, turned about its middle, shifted, sometimes mirrored."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    side = -1.0 if rng.random() < 0.5 else 1.0
    shift = rng.normal(0, 12, 2)

    def moved(part: Capsule) -> Capsule:
        ends = [turn @ (scale * (np.array(end) - middle)) * (side, 1.0) + shift for end in (part.start, part.end)]
        (x0, y0), (x1, y1) = ends
        return Capsule((float(x0), float(y0)), (float(x1), float(y1)), part.scaled(scale).radii)

    return Limb(tuple(map(moved, limb.bones)), tuple(map(moved, limb.tissue)), limb.height)


def _radiograph(limb: Limb, rows: int, rng: np.random.Generator) -> Picture:
    """The limb exposed on a plate and processed."""
    columns = int(rows * rng.uniform(0.62, 1.1))
    mm = limb.height / rows
    y = ((np.arange(rows, dtype=np.float32) + 0.5 - rows / 2) * mm)[:, None]
    x = ((np.arange(columns, dtype=np.float32) + 0.5 - columns / 2) * mm)[None, :]
    bone = np.zeros((rows, columns), np.float32)
    marrow, soft = bone.copy(), bone.copy()
    for part in limb.bones:
        bone = np.maximum(bone, _chord(part, x, y))
        marrow = np.maximum(marrow, _chord(part.scaled(0.68), x, y))
    for part in limb.tissue:
        soft = np.maximum(soft, _chord(part, x, y))
    density = 0.02 * soft + float(rng.uniform(0.04, 0.08)) * (bone - float(rng.uniform(0.55, 0.9)) * marrow)
    density = density + float(rng.uniform(0, 0.4)) * np.float32(1) + float(rng.normal(0, 0.15)) * (x / (columns * mm))
    tone = 1 - np.exp(-density * float(rng.uniform(0.2, 0.9)))
    low, high = np.percentile(tone, (0.5, 99.7))
    tone = (tone - low * float(rng.uniform(0.2, 1.0))) / max(high - low, 1e-3)
    tone = ndimage.gaussian_filter(np.clip(tone, 0, 1), float(rng.uniform(0.4, 0.9)))
    tone = _finished(tone, float(rng.uniform(0.004, 0.02)), rng)
    margins = tuple(float(v) for v in rng.uniform(0, 0.08, 4)) if rng.random() < 0.5 else (0.0,) * 4
    outside = float(rng.choice([0.0, 0.0, rng.uniform(0, 1)]))
    collimation = Collimation((margins[0], margins[1], margins[2], margins[3]), float(rng.normal(0, 1)), outside)
    letters = [Marker(str(rng.choice(["L", "R"])), (float(rng.uniform(0.08, 0.2)), 0.12), max(rows // 16, 7))]
    field = exposed_field(tone.shape, collimation) if any(margins) else np.ones_like(tone)
    return np.clip(frame_image(tone, field, collimation, tuple(letters[: int(rng.random() < 0.6)])), 0, 1)


def _chord(part: Capsule, x: Picture, y: Picture) -> Picture:
    """Length of each ray inside a capsule, mm."""
    (x0, y0), (x1, y1) = part.start, part.end
    length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-6)
    along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
    radius = part.radii[0] + along * (part.radii[1] - part.radii[0])
    away = (x - x0 - along * (x1 - x0)) ** 2 + (y - y0 - along * (y1 - y0)) ** 2
    return np.asarray(2 * np.sqrt(np.maximum(radius**2 - away, 0)), np.float32)


def _natural_texture(shape: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Noise whose amplitude falls with the frequency, deviation 1."""
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]), indexing="ij"))
    waves[0, 0] = np.inf
    noise = np.fft.rfft2(rng.standard_normal(shape)) / waves ** float(rng.uniform(0.6, 1.3))
    texture = np.fft.irfft2(noise, shape)
    return np.asarray(texture / texture.std(), np.float32)


def _put_leaf(
    picture: Picture, texture: Picture, radius: float, grid: tuple[Picture, Picture], rng: np.random.Generator
) -> None:
    """Paint one object over what lies behind it: an ellipse or a box, shaded across."""
    rows, columns = picture.shape
    cx, cy, angle = rng.uniform(0, columns), rng.uniform(0, rows), rng.uniform(0, np.pi)
    reach = int(radius * 1.5) + 2
    window = (
        slice(max(0, int(cy) - reach), min(rows, int(cy) + reach)),
        slice(max(0, int(cx) - reach), min(columns, int(cx) + reach)),
    )
    x, y = grid[0][window] - np.float32(cx), grid[1][window] - np.float32(cy)
    u = (np.cos(angle) * x + np.sin(angle) * y) / radius
    v = (np.cos(angle) * y - np.sin(angle) * x) / (radius * rng.uniform(0.35, 1.0))
    inside = (u * u + v * v < 1) if rng.random() < 0.6 else (np.maximum(np.abs(u), np.abs(v)) < 0.8)
    grey, shade, rough = rng.uniform(0, 1), rng.normal(0, 0.2), rng.uniform(0, 0.15)
    painted = grey + shade * u + rough * np.roll(texture, int(rng.integers(rows)), axis=0)[window]
    picture[window][inside] = painted[inside]


def _put_window(page: Picture, colours: tuple[float, float], rng: np.random.Generator) -> None:
    """A framed area with text, a table, bars, or a picture."""
    rows, columns = page.shape
    height, width = int(rows * rng.uniform(0.2, 0.9)), int(columns * rng.uniform(0.2, 0.9))
    top, left = int(rng.integers(0, rows - height + 1)), int(rng.integers(0, columns - width + 1))
    area = page[top : top + height, left : left + width]
    paper, ink = colours
    area[...] = np.clip(paper + rng.normal(0, 0.08), 0, 1)
    if rng.random() < 0.6:
        area[0], area[-1], area[:, 0], area[:, -1] = ink, ink, ink, ink
    kind = int(rng.integers(4))
    if kind == 0:
        for at in range(3, height - 2, max(4, rows // int(rng.integers(10, 30)))):
            area[at] = (paper + ink) / 2
    elif kind == 1:
        for at in range(2, width - 6, max(6, width // int(rng.integers(4, 12)))):
            tall = int(height * rng.uniform(0.1, 0.9))
            area[height - tall :, at : at + max(2, width // 20)] = rng.uniform(0, 1)
    elif kind == 2 and min(height, width) > 24:
        inner = area[8:-8, 8:-8]
        inner[...] = np.clip(0.5 + 0.2 * _natural_texture((inner.shape[0], inner.shape[1]), rng), 0, 1)
        return
    _put_text(area, ink, rng)


def _put_text(area: Picture, ink: float, rng: np.random.Generator) -> None:
    """Lines of words: runs of short strokes with gaps."""
    height, width = area.shape
    size = int(rng.integers(3, 8))
    for top in range(size, height - size, int(size * rng.uniform(1.5, 2.6))):
        end = int(width * rng.uniform(0.2, 0.97))
        strokes = np.repeat(rng.random(end // 2 + 1) < 0.55, 2)[:end]
        words = np.repeat(rng.random(end // 9 + 1) < 0.85, 9)[:end]
        line = area[top : top + max(2, size * 2 // 3), 3 : 3 + len(strokes)]
        line[:, (strokes & words)[: line.shape[1]]] = ink


def _finished(picture: Picture, noise: float, rng: np.random.Generator) -> Picture:
    grain = rng.standard_normal(picture.shape, np.float32) * np.float32(noise)
    return np.clip(picture + grain, 0, 1).astype(np.float32)
