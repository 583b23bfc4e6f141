"""Discs as painted solids: nucleus, annulus, bulge and herniation, and where their surfaces reach."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy import Array, Disc
from spinedet.simulation.canvas import Canvas, Field
from spinedet.simulation.degeneration import DiscState
from spinedet.simulation.shapes import hump, outline
from spinedet.simulation.texture import Texture
from spinedet.simulation.tissue import ANNULUS, LIGAMENT, NUCLEUS, with_t2


@dataclass(frozen=True, slots=True)
class Pad:
    """One disc as it is painted; `hollow` is how far it swells into each body's face, mm."""

    disc: Disc
    state: DiscState
    hollow: float
    grain: Texture

    def paint(self, canvas: Canvas) -> None:
        """Outer ring, annulus, nucleus and its cleft; the bodies are painted over it afterwards."""
        disc, state = self.disc, self.state
        radius = math.hypot(disc.half_width, disc.half_depth) + state.bulge + state.herniation + 4
        window = canvas.window(disc.frame.center, radius)
        if window is None:
            return
        x, a, s = canvas.local(window, disc.frame)
        rim, flat = self._distances(x, a, s)
        solid = np.maximum(rim, flat)
        canvas.paint(window, canvas.cover(solid), LIGAMENT)
        grain = 1 + 0.12 * np.clip(self.grain.over(canvas, window), -2, 2)
        canvas.paint(
            window, canvas.cover(np.maximum(rim + 1.3, flat)), with_t2(ANNULUS, 0.7 + 0.3 * state.darkness), grain
        )
        core = self._nucleus(x, a, s) * canvas.cover(flat)
        canvas.paint(window, core, with_t2(NUCLEUS, state.darkness), grain)

    def _distances(self, x: Field, a: Field, s: Field) -> tuple[Field, Field]:
        """Distances to the rim (bulge and herniation included) and to the nearer face."""
        disc, state = self.disc, self.state
        reach = outline(x, a, disc.half_width, disc.half_depth)
        radius = np.sqrt(x * x + a * a)
        rim = radius - radius / np.maximum(reach, 0.2) - state.bulge
        if state.herniation:
            focus = hump(x - state.herniation_side, state.herniation_width) * (a < 0)
            rim = rim - state.herniation * focus
        beyond = np.maximum(reach - 1, 0) * disc.half_depth
        # Inside the bodies' outline the slab is drawn too thick, for the bodies cut it; beyond, it tapers off.
        taper = np.maximum(1 - beyond * (1 / (state.bulge + state.herniation + 2.5)), 0)
        half = disc.height / 2 + 0.5 * disc.wedge * a
        flat = np.abs(s) - np.where(reach < 0.97, half + self.hollow + 1.0, 0.35 + half * np.sqrt(taper))
        return rim, flat

    def _nucleus(self, x: Field, a: Field, s: Field) -> Field:
        """Share of nucleus, fading into the annulus; crossed by a dark cleft in adults."""
        disc = self.disc
        half = disc.height / 2 + self.hollow
        u = x * (1 / (0.72 * disc.half_width))
        v = (a + 0.06 * disc.half_depth) * (1 / (0.68 * disc.half_depth))
        w = s * (1 / half)
        inner = u * u + v * v + np.minimum(w * w, 1.2) * 0.75
        share = np.clip((1.15 - inner) * 1.8, 0, 1)
        if self.state.grade == 2:
            share = share * (1 - 0.5 * hump(s, 1.4) * np.clip(1.4 - 1.6 * v * v, 0, 1))
        return share

    def surface(self) -> Array:
        """Points (n, 3) RAS mm on the rim and faces of the whole disc with its bulge and herniation."""
        at = self.disc.frame.at
        return np.array(
            [
                at(x * share, a * share, sign * self._half_height(a * share, reach * share))
                for x, a, reach in self._rim_points()
                for share in (0.5, 0.8, 1.0)
                for sign in (-1.0, 1.0)
            ]
        )

    def _half_height(self, a: float, reach: float) -> float:
        disc = self.disc
        inner = max(1 - reach * reach, 0.0)
        slab = disc.height / 2 + 0.5 * disc.wedge * max(min(a, disc.half_depth), -disc.half_depth)
        return slab * (1.0 if reach <= 1 else 0.5) + self.hollow * inner

    def _rim_points(self) -> list[tuple[float, float, float]]:
        """(right, anterior, reach) of the farthest points in each direction."""
        points = []
        for step in range(96):
            angle = 2 * math.pi * step / 96
            x, a = math.cos(angle) * self.disc.half_width, math.sin(angle) * self.disc.half_depth
            if a < 0:  # the squarer outline behind
                u, v = abs(math.cos(angle)), abs(math.sin(angle))
                factor = (u**4 + v**4) ** -0.25
                x, a = x * factor, a * factor
            grown = 1.0
            for _ in range(3):  # the herniation's reach depends on where the grown point lies
                grown = 1 + self._out(x * grown, a) / math.hypot(x, a)
            points.append((x * grown, a * grown, grown))
        return points

    def _out(self, x: float, a: float) -> float:
        """Reach beyond the bodies' outline near a rim point, mm."""
        state = self.state
        if not state.herniation or a >= 0:
            return state.bulge
        offset = min(abs(x - state.herniation_side) / state.herniation_width, 1.0)
        return state.bulge + state.herniation * (1 - offset**2) ** 2

    def focus(self) -> Array:
        """Points (n, 3) RAS mm around what lies behind the bodies' rear edge: the herniation or the bulging part."""
        disc, state = self.disc, self.state
        width = state.herniation_width * 0.8 if state.herniation else 0.55 * disc.half_width
        middle = state.herniation_side if state.herniation else 0.0
        rear, reach = -disc.half_depth, state.bulge + state.herniation
        half = max(disc.height / 2, 2.5)
        return np.array(
            [
                disc.frame.at(middle + side * width, depth, up)
                for side in (-1, 1)
                for depth in (rear + 1, rear - max(reach, 2.0))
                for up in (-half, half)
            ]
        )
