"""Iliac wings as curved sheets, and hips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Vector
from spinedet.simulation.radiograph.beam import Beam, Field, Points, bounds
from spinedet.simulation.radiograph.vertebrae import Mineral

# Outline of the wing seen from outside, mm: forwards from the posterior superior iliac spine, upwards; after the bone
# in anatomical atlases, for an adult of average height.
_OUTLINE = (
    (-6.0, 4.0), (-8.0, -10.0), (4.0, -24.0), (16.0, -38.0), (34.0, -46.0), (50.0, -60.0), (58.0, -84.0),
    (86.0, -102.0), (114.0, -84.0), (124.0, -54.0), (132.0, -30.0), (144.0, -8.0), (146.0, 8.0), (138.0, 26.0),
    (122.0, 44.0), (98.0, 58.0), (70.0, 63.0), (44.0, 56.0), (20.0, 38.0), (2.0, 18.0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IliacWing:
    """One wing; its frame starts at the posterior superior spine, `anterior` along the wing, `right` across it."""

    frame: Frame
    scale: float
    bend: float
    mineral: Mineral

    def lengths(self, beam: Beam) -> Field:
        """(rows, columns) mm of solid bone along the rays."""
        rows, columns = beam.shape
        result: Field = np.zeros(beam.shape, np.float32)
        outline = _rounded(np.array(_OUTLINE)) * self.scale
        edge = np.array([self.frame.at(0, a, b) for a, b in outline.tolist()])
        edge = np.vstack([edge, [self.frame.at(self.bend * 2, a, b) for a, b in outline.tolist()]])
        x0, y0, x1, y1 = bounds(beam, edge)
        r = slice(max(int(y0) - 8, 0), min(int(y1) + 9, rows))
        c = slice(max(int(x0) - 8, 0), min(int(x1) + 9, columns))
        if r.start >= r.stop or c.start >= c.stop:
            return result
        down, across = (beam.slopes[0][r], beam.slopes[1][:, c])
        along, upwards, cosine = self._hit(beam, down, across)
        distance = polygon_distance(along, upwards, outline)
        m = self.mineral
        inner = np.maximum(-distance, 0)
        crest = np.maximum(1 - inner / np.float32(13 * self.scale), 0)
        low = np.clip((-20 * self.scale - upwards) / np.float32(50 * self.scale), 0, 1)
        thick = np.float32(self.scale) * (6 + 11 * crest * crest + 16 * low)
        solid = np.minimum(thick, 3.0) * np.float32(m.cortex) + np.maximum(thick - 3.0, 0) * np.float32(m.cancellous)
        rim = np.clip(1 - inner / np.float32(2.2), 0, 1) * thick * np.float32(0.45 * m.cortex)
        cover = np.clip(np.float32(0.5) - distance / np.float32(beam.pixel), 0, 1)
        result[r, c] = cover * (solid + rim) / np.maximum(cosine, np.float32(0.18))
        return result

    def _hit(self, beam: Beam, down: Field, across: Field) -> tuple[Field, Field, Field]:
        """Where rays meet the sheet, and the cosine between ray and normal."""
        frame = self.frame
        normal, forward, up = frame.right, frame.anterior, frame.up
        offset = tuple(s - c for s, c in zip(beam.source, frame.center, strict=True))
        view = beam.frame

        def way(axis: Vector) -> Field:
            parts = [sum(p * q for p, q in zip(v, axis, strict=True)) for v in (view.anterior, view.right, view.up)]
            return np.asarray(-(np.float32(parts[0]) + np.float32(parts[1]) * across + np.float32(parts[2]) * down))

        start = [sum(p * q for p, q in zip(offset, axis, strict=True)) for axis in (normal, forward, up)]
        n, f, u = way(normal), way(forward), way(up)
        n = np.where(np.abs(n) < 0.05, np.float32(0.05), n)
        depth = np.float32(-start[0]) / n
        for _ in range(2):
            place = (np.float32(start[1]) + depth * f) * np.float32(1 / (70 * self.scale)) - 1
            depth = (np.float32(self.bend) * (1 - np.minimum(place * place, 2)) - np.float32(start[0])) / n
        cosine = np.abs(n) / np.sqrt(1 + down * down + across * across)
        return np.float32(start[1]) + depth * f, np.float32(start[2]) + depth * u, cosine.astype(np.float32)


def iliac_wing(sacrum: Frame, side: float, scale: float, flare: float, mineral: Mineral) -> IliacWing:
    """The wing on one side (1 is right) of a sacrum whose upper face has that frame, placed upright.

    `flare` turns the wings outwards, degrees.
    """
    upright = Frame(sacrum.center, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    spine = upright.at(side * 38 * scale, -60 * scale, -36 * scale)
    # Forwards and outwards along the wing, and its leaning outwards.
    out = flare / 57.3
    forward = _unit((side * (0.58 + 0.5 * out), 0.81, -0.05))
    upward = _unit((side * 0.34, -0.22, 0.95))
    normal = _unit(_cross(forward, upward))
    upward = _unit(_cross(normal, forward))
    return IliacWing(Frame(spine, normal, forward, upward), scale, -side * 9.0 * scale, mineral)


def _rounded(corners: Points) -> Points:
    """The polygon with its corners cut."""
    following = np.roll(corners, -1, axis=0)
    cut = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], axis=1)
    return cut.reshape(-1, 2)


def polygon_distance(x: Field, y: Field, corners: Points) -> Field:
    """Signed distance to a polygon, negative inside."""
    nearest: Field = np.full(x.shape, np.inf, np.float32)
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners.tolist(), np.roll(corners, -1, axis=0).tolist(), strict=True):
        ex, ey = bx - ax, by - ay
        px, py = x - np.float32(ax), y - np.float32(ay)
        share = np.clip((px * np.float32(ex) + py * np.float32(ey)) * np.float32(1 / (ex * ex + ey * ey)), 0, 1)
        dx, dy = px - share * np.float32(ex), py - share * np.float32(ey)
        nearest = np.minimum(nearest, dx * dx + dy * dy)
        if ay != by:
            crossing = (y < np.float32(ay)) != (y < np.float32(by))
            inside ^= crossing & (px < py * np.float32(ex / ey))
    distance = np.sqrt(nearest)
    return np.where(inside, -distance, distance)


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _unit(v: Vector) -> Vector:
    length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) ** 0.5
    return round(v[0] / length, 12), round(v[1] / length, 12), round(v[2] / length, 12)
