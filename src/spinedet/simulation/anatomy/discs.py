"""Discs as painted solids: nucleus, annulus, bulge and herniation, and where their surfaces reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spinedet.simulation.anatomy.degeneration import NARROW, DiscState
from spinedet.simulation.anatomy.spine import Array, Disc, Frame, Vector
from spinedet.simulation.painting.canvas import Block, Canvas, Field, Window
from spinedet.simulation.painting.shapes import ellipsoid, hump, outline
from spinedet.simulation.painting.texture import Texture
from spinedet.simulation.painting.tissue import (
    ANNULUS,
    FLUID,
    LIGAMENT,
    NUCLEUS,
    Tissue,
    with_t2,
)

Span = tuple[float, float]
_RAYS = 96
CANAL_DEPTH = 15.0  # mm behind the bodies that a box around a narrowed canal takes in


@dataclass(frozen=True)
class PaintedDisc:
    """One disc as it is painted; `hollow` is how far it swells into each body's face, mm."""

    disc: Disc
    state: DiscState
    hollow: float
    grain: Texture

    @cached_property
    def block(self) -> Block:
        """The block that bounds it, with a migrated fragment."""
        moved = abs(self.state.herniation.migration) if self.state.herniation else 0.0
        slab = self._slab()
        return Block(slab.frame, (slab.half[0], slab.half[1], max(slab.half[2], moved + 4)))

    def _slab(self) -> Block:
        disc, state = self.disc, self.state
        up = disc.height / 2 + 0.5 * abs(disc.wedge) * disc.half_depth + self.hollow + 1.5
        reach = state.reach + 3
        node = max(state.upper.node, state.lower.node)
        return Block(disc.frame, (disc.half_width + reach, disc.half_depth + reach, up + node))

    def paint(self, canvas: Canvas) -> None:
        """Outer ring, annulus, nucleus and its cleft; the bodies are painted over it afterwards."""
        disc, state = self.disc, self.state
        window = canvas.window(self._slab())
        if window is None:
            return
        place = canvas.local(window, disc.frame)
        rim, flat = self._distances(*place)
        canvas.paint(window, canvas.cover(np.maximum(rim, flat)), LIGAMENT)
        grain = 1 + 0.1 * np.clip(self.grain.over(canvas, window), -2, 2)
        canvas.paint(window, canvas.cover(np.maximum(rim + 1.1, flat)), self._annulus(), grain)
        core = self._nucleus(*place) * canvas.cover(np.maximum(flat, rim + 2))
        canvas.paint(window, core, with_t2(NUCLEUS, state.darkness), grain)
        if state.fissure:
            self._paint_fissure(canvas, window, place)
        if state.herniation and state.herniation.migration:
            self._paint_extrusion(canvas)

    def _annulus(self) -> Tissue:
        """Darker in a worn disc."""
        return with_t2(ANNULUS, 0.62 + 0.38 * min(self.state.darkness, 1.0))

    def _distances(self, x: Field, a: Field, s: Field) -> tuple[Field, Field]:
        """Distances to the rim (bulge and herniation included) and to the nearer face."""
        disc, state = self.disc, self.state
        reach = outline(x, a, disc.half_width, disc.half_depth)
        radius = np.sqrt(x * x + a * a)
        # Along the ray through a pixel the rim lies at radius / reach, which is nothing at the very middle.
        inward = np.where(reach < 0.2, np.float32(-0.8 * disc.half_depth), radius - radius / np.maximum(reach, 0.2))
        rim = inward - state.bulge
        if state.herniation:
            focus = hump(x - state.herniation.side, state.herniation.half_width * 1.4) * (a < 0)
            rim = rim - state.herniation.reach * focus
        beyond = np.maximum(reach - 1, 0) * disc.half_depth
        # Inside the bodies' outline the slab is drawn too thick, for the bodies cut it; beyond, it tapers off.
        taper = np.maximum(1 - beyond * (1 / (state.reach + 2.5)), 0)
        half = disc.height / 2 + 0.5 * disc.wedge * a
        room = half + self.hollow + 1.5 + max(state.upper.node, state.lower.node)
        flat = np.abs(s) - np.where(reach < 0.97, room, 0.35 + half * np.sqrt(taper))
        return rim, flat

    def _nucleus(self, x: Field, a: Field, s: Field) -> Field:
        """Share of nucleus: sharply bounded in a young disc, fading into the annulus later, crossed by a cleft."""
        disc, state = self.disc, self.state
        half = disc.height / 2 + self.hollow
        u = x * (1 / (0.74 * disc.half_width))
        v = (a + 0.07 * disc.half_depth) * (1 / (0.70 * disc.half_depth))
        w = s * (1 / half)
        inner = u * u + v * v + np.minimum(w * w, 1.2) * 0.6
        share = np.clip((1.1 - inner) * (0.8 + 1.6 * state.distinct), 0, 1) * (0.45 + 0.55 * state.distinct)
        if state.findings.grade in (2, 3):
            share = share * (1 - 0.45 * hump(s, 1.5) * np.clip(1.4 - 1.6 * v * v, 0, 1))
        return share

    def _paint_fissure(self, canvas: Canvas, window: Window, place: Field) -> None:
        """A high-intensity zone in the rear annulus (Aprill and Bogduk, Br J Radiol 65:361, 1992)."""
        x, a, s = place
        side = self.state.herniation.side if self.state.herniation else 2.0
        tear = ellipsoid(
            x - side,
            a + self.disc.half_depth + 0.5 * self.state.bulge - 1.5,
            s + 0.5,
            (4.0, 1.2, 1.6),
        )
        canvas.paint(window, 0.8 * canvas.cover(tear), FLUID, 0.6)

    def _paint_extrusion(self, canvas: Canvas) -> None:
        """What has left the disc space lies behind the body above or below."""
        frame, radii = self._fragment()
        window = canvas.window(Block(frame, radii))
        if window is None:
            return
        x, a, s = canvas.local(window, frame)
        distance = ellipsoid(x, a, s, radii)
        canvas.paint(window, canvas.cover(distance), LIGAMENT)
        canvas.paint(
            window,
            canvas.cover(distance + 0.9),
            with_t2(ANNULUS, 0.9 + 0.3 * self.state.darkness),
        )

    def _fragment(self) -> tuple[Frame, tuple[float, float, float]]:
        """Place and radii of a migrated fragment."""
        focus = self.state.herniation
        if focus is None:
            raise ValueError("only a herniated disc has a fragment")
        depth = self.disc.half_depth + self.state.bulge + 0.5 * focus.reach
        frame = self.disc.frame.moved(focus.side, -depth, 0.5 * focus.migration)
        return frame, (
            0.9 * focus.half_width,
            0.5 * focus.reach,
            0.5 * abs(focus.migration) + 2.0,
        )

    def surface(self) -> Array:
        """Points (n, 3) RAS mm on rim and faces of the whole disc with its bulge and herniation."""
        points = [
            (x * share, a * share, sign * self._half_height(a * share, reach * share))
            for x, a, reach in self._rim()
            for share in (0.5, 0.8, 1.0)
            for sign in (-1.0, 1.0)
        ]
        return np.vstack([self.disc.frame.many(np.array(points)), *self._tips()])

    def _half_height(self, a: float, reach: float) -> float:
        disc = self.disc
        slab = disc.height / 2 + 0.5 * disc.wedge * max(min(a, disc.half_depth), -disc.half_depth)
        return slab * (1.0 if reach <= 1 else 0.5) + self.hollow * max(1 - reach * reach, 0.0)

    def _rim(self) -> list[tuple[float, float, float]]:
        """(right, anterior, reach in the bodies' outline) of the farthest point in each direction."""
        points = []
        for step in range(_RAYS):
            angle = 2 * math.pi * step / _RAYS
            c, s = math.cos(angle), math.sin(angle)
            corner = (c**4 + s**4) ** -0.25 if s < 0 else 1.0  # the outline is squarer behind
            x, a = c * corner * self.disc.half_width, s * corner * self.disc.half_depth
            grown = 1.0
            for _ in range(3):  # the herniation's reach depends on where the grown point lies
                grown = 1 + self._out(x * grown, a) / math.hypot(x, a)
            points.append((x * grown, a * grown, grown))
        return points

    def _out(self, x: float, a: float) -> float:
        """Reach beyond the bodies' outline near a rim point, mm."""
        focus = self.state.herniation
        if focus is None or a >= 0:
            return self.state.bulge
        offset = min(abs(x - focus.side) / (1.4 * focus.half_width), 1.0)
        return self.state.bulge + focus.reach * (1 - offset**2) ** 2

    def _tips(self) -> list[Vector]:
        """The six ends of a migrated fragment."""
        if self.state.herniation is None or not self.state.herniation.migration:
            return []
        frame, radii = self._fragment()
        steps = np.vstack([np.diag(radii), -np.diag(radii)]).tolist()
        return [frame.at(x, a, s) for x, a, s in steps]

    def focus(self) -> Array:
        """Points (n, 3) RAS mm around what lies behind the bodies' rear edge: herniation, bulge or narrowed canal."""
        disc, state = self.disc, self.state
        focus = state.herniation
        middle, width = (focus.side, focus.half_width) if focus else (0.0, 0.5 * disc.half_width)
        rear = -disc.half_depth
        far = rear - max(state.reach, 2.0) if state.stenosis < NARROW else rear - CANAL_DEPTH
        half = max(disc.height / 2, 3.0)
        return np.vstack(
            [
                self.corners((middle - width, middle + width), (far, rear + 1), (-half, half)),
                *self._tips(),
            ]
        )

    def corners(self, right: Span, anterior: Span, up: Span) -> Array:
        """The eight corners (8, 3) RAS mm of a block in the disc's frame."""
        return np.array([self.disc.frame.at(x, a, s) for x in right for a in anterior for s in up])
