"""The reference standard: one box per lesion and series, measured on the anatomy in the series' own axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.true_discs import TrueDisc
from spinedet.core.types import Box, FiniteJson, Lesion, Negative, Origin
from spinedet.simulation.anatomy.degeneration import NARROW, DiscState
from spinedet.simulation.anatomy.discs import CANAL_DEPTH, PaintedDisc
from spinedet.simulation.anatomy.patient import Scene
from spinedet.simulation.anatomy.spine import Array
from spinedet.simulation.annotators import AnnotationHabits, annotate
from spinedet.simulation.scanner.protocol import Stack

STYLES = ("disc", "focal")
CLASSES = ("one", "types")

# Lesions that a stack covers by less of what it could are marked `ignore`.
COVERED = 0.7


Extent: TypeAlias = Callable[[PaintedDisc], Array]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of finding: whether a disc shows it, and points (n, 3) around what an annotator would box."""

    category: str
    shows: Callable[[DiscState], bool]
    extent: Extent


def _plates(pad: PaintedDisc) -> Array:
    """Around the marrow changes above and below a disc."""
    up, down = (pad.disc.height / 2 + plate.band + 1 for plate in (pad.state.upper, pad.state.lower))
    return pad.corners(
        (-pad.disc.half_width, pad.disc.half_width),
        (-pad.disc.half_depth, pad.disc.half_depth),
        (-down, up),
    )


def _node(pad: PaintedDisc) -> Array:
    """Around the deeper Schmorl's node."""
    upper = pad.state.upper.node >= pad.state.lower.node
    plate, sign = (pad.state.upper, 1.0) if upper else (pad.state.lower, -1.0)
    x, a = plate.place[0] * pad.disc.half_width, plate.place[1] * pad.disc.half_depth
    reach, edge = 1.2 * plate.node + 2.5, sign * pad.disc.half_height
    low, high = sorted((edge, edge + sign * (plate.node + 1)))
    return pad.corners((x - reach, x + reach), (a - reach, a + reach), (low, high))


def _foramina(pad: PaintedDisc) -> Array:
    """Around the narrowed foramina."""
    sides = [side for side, extra in zip((-1.0, 1.0), pad.state.facets, strict=True) if extra >= NARROW]
    rear, k = -pad.disc.half_depth, pad.state.size
    reach = [side * edge * k for side in sides for edge in (10.0, 25.0)]
    return pad.corners((min(reach), max(reach)), (rear - 11 * k, rear + 2), (-7 * k, 11 * k))


def _canal(pad: PaintedDisc) -> Array:
    """Around the narrowed part of the canal."""
    rear, half = -pad.disc.half_depth, max(7 * pad.state.size, 4.5)
    return pad.corners((-11, 11), (rear - CANAL_DEPTH, rear + 1), (-half, half))


# From the most to the least specific: in style `disc` a disc carries the first that it shows.
KINDS = (
    Kind(
        "extrusion",
        lambda s: s.herniation is not None and s.herniation.is_extrusion,
        PaintedDisc.focus,
    ),
    Kind(
        "protrusion",
        lambda s: s.herniation is not None and not s.herniation.is_extrusion,
        PaintedDisc.focus,
    ),
    Kind("central_stenosis", lambda s: s.stenosis >= NARROW, _canal),
    Kind("spondylolisthesis", lambda s: s.slipped, PaintedDisc.surface),
    Kind("foraminal_stenosis", lambda s: max(s.facets) >= NARROW, _foramina),
    Kind("bulge", lambda s: bool(s.findings.bulging) and s.herniation is None, PaintedDisc.focus),
    Kind("modic", lambda s: max(s.upper.band, s.lower.band) > 0, _plates),
    Kind("schmorl", lambda s: max(s.upper.node, s.lower.node) > 0, _node),
)
_FOCAL = {"extrusion", "protrusion", "central_stenosis", "bulge"}


@dataclass(frozen=True, slots=True)
class Convention:
    """What a cohort's boxes mean.

    Attributes:
        style: `disc`, the whole degenerated disc with the part of the canal that it invades, or `focal`, the
            protrusion or stenosis alone.
        classes: `one`, degeneration, or the `types` apart.
    """

    style: str = "disc"
    classes: str = "one"

    @property
    def categories(self) -> tuple[str, ...]:
        """The manifest's categories."""
        return ("degeneration",) if self.classes == "one" else ("degeneration", *(kind.category for kind in KINDS))

    def boxed(self, pad: PaintedDisc) -> list[tuple[str, Array]]:
        """What an annotator boxes at one disc: category and points (n, 3) RAS mm."""
        shown = [kind for kind in KINDS if kind.shows(pad.state)]
        if self.style == "disc":
            if not (pad.state.is_lesion or pad.state.equivocal):
                return []
            name = shown[0].category if shown and self.classes == "types" else "degeneration"
            return [(name, pad.surface())]
        if self.classes == "types":
            return [(kind.category, kind.extent(pad)) for kind in shown]
        focal = any(kind.category in _FOCAL for kind in shown) or pad.state.equivocal
        return [("degeneration", pad.focus())] if focal else []


def lesions_of(
    scene: Scene,
    stack: Stack,
    convention: Convention,
    habits: AnnotationHabits,
    rng: np.random.Generator,
) -> Iterator[Lesion]:
    """The lesions that the annotators of a centre mark on one series.

    Lesions whose centre lies outside the stack are not marked; those that it covers by less than `COVERED`, the
    equivocal and the disputed are marked `ignore`.
    """
    number = 0
    for pad in scene.pads:
        for category, points in () if pad.disc.stub else convention.boxed(pad):
            mark = annotate(
                bounds_on(points, stack.grid),
                stack.grid,
                pad.state.severity,
                habits,
                rng,
            )
            if mark is None or not _is_centred(mark.box, stack.grid):
                continue
            number += 1
            seen = _clipped(mark.box, stack.grid)
            yield Lesion(
                id=f"{stack.id}-{number}",
                series=stack.id,
                category=category,
                level=pad.disc.level,
                box=_rounded(stack.grid.world(seen)),
                origin=Origin.PHANTOM,
                ignore=mark.disputed or pad.state.equivocal or covered(mark.box, stack.grid) < COVERED,
                attributes=_attributes(pad.state),
            )


def negatives_of(scene: Scene, stack: Stack, convention: Convention) -> Iterator[Negative]:
    """The discs of a series that hold no lesion, where boxes are of whole discs; those cut off are left out."""
    for pad in scene.pads if convention.style == "disc" else ():
        if pad.disc.stub or convention.boxed(pad):
            continue
        box = bounds_on(pad.surface(), stack.grid)
        if _is_visible(box, stack.grid):
            yield Negative(
                series=stack.id,
                level=pad.disc.level,
                box=_rounded(stack.grid.world(_clipped(box, stack.grid))),
                attributes=_attributes(pad.state),
            )


def discs_of(scene: Scene, stacks: Sequence[Stack]) -> tuple[TrueDisc, ...]:
    """All discs of a patient from tail to head, stubs included, and the series that show each."""
    found = []
    for pad in scene.pads:
        disc, frame = pad.disc, pad.disc.frame
        size = (2 * disc.half_width, 2 * disc.half_depth, disc.height)
        box = _rounded(Box(center=frame.center, size=size, axes=(frame.right, frame.anterior, frame.up)))
        visible = tuple(stack.id for stack in stacks if _is_visible(bounds_on(pad.surface(), stack.grid), stack.grid))
        found.append(TrueDisc(level=disc.level, box=box, stub=disc.stub, visible=visible))
    return tuple(found)


def _is_visible(box: EdgeBox, grid: Grid) -> bool:
    return _is_centred(box, grid) and covered(box, grid) >= COVERED


def bounds_on(points: Array, grid: Grid) -> EdgeBox:
    """Bounds of points on a grid: of the continuous anatomy, along the series' axes."""
    local = np.linalg.solve(grid.affine[:3, :3], (points - grid.corner).T).T
    return EdgeBox(local.min(axis=0), local.max(axis=0))


def covered(box: EdgeBox, grid: Grid) -> float:
    """Share of a box that a stack covers, of what a stack of its widths can cover at all.

    A slab narrower than a disc shows the disc as well as it can and counts in full; a disc that the edge of the picture
    cuts in half counts by half.
    """
    seen, size = _clipped(box, grid), box.high - box.low
    return float(np.prod((seen.high - seen.low) / np.minimum(size, np.asarray(grid.shape, float))))


def _is_centred(box: EdgeBox, grid: Grid) -> bool:
    middle = (box.low + box.high) / 2
    return bool((middle >= 0).all() and (middle < np.asarray(grid.shape)).all())


def _clipped(box: EdgeBox, grid: Grid) -> EdgeBox:
    shape = np.asarray(grid.shape, float)
    return EdgeBox(np.clip(box.low, 0, shape), np.clip(box.high, 0, shape))


def _rounded(box: Box) -> Box:
    # Micrometres: a last-bit difference between mathematics libraries must not reach the files.
    center, size = ([round(v, 3) for v in side] for side in (box.center, box.size))
    rows = [[round(v, 9) for v in row] for row in box.axes]
    return Box.model_validate(
        {
            "center": tuple(center),
            "size": tuple(size),
            "axes": tuple(tuple(row) for row in rows),
        }
    )


def _attributes(state: DiscState) -> dict[str, FiniteJson]:
    found, focus = state.findings, state.herniation
    return {
        "severity": state.severity,
        "grade": found.grade,
        "pfirrmann": found.grade,
        "bulging": found.bulging,
        "narrowing": found.narrowing,
        "modic": found.modic,
        "bulge": round(state.bulge, 2),
        "herniation": round(focus.reach, 2) if focus else 0.0,
        "side": _side(focus.side) if focus else None,
        "central_stenosis": round(state.stenosis, 3),
        "foraminal_stenosis": [round(v, 3) for v in state.facets],
        "slip": round(state.slip, 2),
    }


def _side(right: float) -> str:
    if abs(right) < 3:
        return "central"
    return "right" if right > 0 else "left"
