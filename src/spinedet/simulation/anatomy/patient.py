"""A patient ready to be scanned: all parts in the order in which they are painted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from spinedet.simulation.anatomy.canal import ASIDE, BEHIND, Canal
from spinedet.simulation.anatomy.degeneration import DiscState
from spinedet.simulation.anatomy.discs import PaintedDisc
from spinedet.simulation.anatomy.spine import Curve, Spine, Vector
from spinedet.simulation.anatomy.spine_coordinates import SpineCoordinates, lane_of
from spinedet.simulation.painting.canvas import Block, Canvas, Raster, Window, dot
from spinedet.simulation.painting.texture import Texture


class Part(Protocol):
    """A solid that can be painted."""

    @property
    def block(self) -> Block:
        """The block that bounds it."""

    def paint(self, canvas: Canvas) -> None:
        """Paint what the canvas's plane cuts."""


P = TypeVar("P", bound=Part)


class Surroundings(Protocol):
    """What lies around a spine."""

    def paint(self, canvas: Canvas, coords: SpineCoordinates) -> None:
        """Paint it where the canvas's plane cuts it."""

    def probes(self, curve: Curve) -> dict[str, list[Vector]]:
        """Places (RAS mm) well inside its tissues, by tissue."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One patient: what is painted, and the true state of the discs.

    Attributes:
        states: of every disc that a reader grades.
        shapes: three textures by which drawn shapes are made irregular.
        around: soft tissues.
        under: parts that the canal covers (arches, foramina); over: parts that cover it (bodies).
        pads: the discs.
        canal_window: the pixels that the canal may cover, once it is known what is drawn; see `near`.
    """

    spine: Spine
    states: dict[str, DiscState]
    shapes: tuple[Texture, Texture, Texture]
    around: Surroundings
    under: tuple[Part, ...]
    canal: Canal
    pads: tuple[PaintedDisc, ...]
    over: tuple[Part, ...]
    canal_window: Window | None = None

    def paint_around(self, canvas: Canvas) -> None:
        """Paint what lies around the spine."""
        self.around.paint(canvas, lane_of(canvas, canvas.whole, self.spine.curve))

    def near(self, canvas: Canvas, thickness: float) -> Scene:
        """The same patient without the parts that a slice of that thickness around the canvas does not reach."""
        # A margin of one slice: within a thick slice the canal moves by a few pixels.
        coords = lane_of(canvas, canvas.whole, self.spine.curve)
        canal = coords.within(ASIDE + thickness, (BEHIND[0] - thickness, BEHIND[1] + thickness))
        return replace(
            self,
            canal_window=canal.window if canal else None,
            under=_touched(self.under, canvas.raster, thickness),
            pads=_touched(self.pads, canvas.raster, thickness),
            over=_touched(self.over, canvas.raster, thickness),
        )

    def paint_spine(self, canvas: Canvas) -> None:
        """Paint bones, canal and discs over what lies around them."""
        for part in self.under:
            part.paint(canvas)
        if self.canal_window:
            self.canal.paint(canvas, lane_of(canvas, self.canal_window, self.spine.curve))
        for part in (*self.pads, *self.over):
            part.paint(canvas)


def _touched(parts: tuple[P, ...], raster: Raster, thickness: float) -> tuple[P, ...]:
    normal = raster.normal
    level = dot(raster.origin, normal)
    return tuple(
        part
        for part in parts
        if abs(dot(part.block.frame.center, normal) - level) <= part.block.reach(normal) + thickness / 2
    )
