"""The reference standard: one box per lesion and series, measured on the anatomy in the series' own axes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import FiniteJson, Lesion, Origin
from spinedet.simulation.anatomy import Array
from spinedet.simulation.centers import Stack
from spinedet.simulation.degeneration import DiscState
from spinedet.simulation.scene import Scene

STYLES = ("disc", "focal")


def lesions_of(scene: Scene, stack: Stack, style: str, margin: float) -> Iterator[Lesion]:
    """What a reader marks on one series.

    Lesions whose centre lies outside the stack are not marked; those that it covers by less than
    70 % and those that are equivocal are marked `ignore`.
    """
    number = 0
    for pad in scene.pads:
        state = pad.state
        if pad.disc.stub or not (state.is_lesion or state.equivocal):
            continue
        box = _edges(pad.surface() if style == "disc" else pad.focus(), stack.grid, margin)
        inside = _clipped(box, stack.grid)
        middle = (box.low + box.high) / 2
        if (middle < 0).any() or (middle >= np.asarray(stack.grid.shape)).any():
            continue
        covered = float(np.prod((inside.high - inside.low) / (box.high - box.low)))
        number += 1
        world = stack.grid.world(inside)
        yield Lesion(
            id=f"{stack.id}-{number}",
            series=stack.id,
            category="degeneration",
            level=pad.disc.level,
            box=world.model_copy(
                update={
                    "center": tuple(round(v, 3) for v in world.center),
                    "size": tuple(round(v, 3) for v in world.size),
                    "axes": tuple(tuple(round(v, 9) for v in row) for row in world.axes),
                }
            ),
            origin=Origin.PHANTOM,
            ignore=not state.is_lesion or covered < 0.7,
            attributes=_attributes(state),
        )


def _attributes(state: DiscState) -> dict[str, FiniteJson]:
    found, focus = state.findings, state.herniation
    return {
        "severity": state.severity,
        "grade": found.grade,
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


def _edges(points: Array, grid: Grid, margin: float) -> EdgeBox:
    """Bounds of points on a grid: continuous in the picture, whole slices across it.

    A reader cannot draw finer than slices: a slice belongs to the box when the lesion fills at least half of it.
    """
    local = np.linalg.solve(grid.affine[:3, :3], (points - grid.corner).T).T
    low, high = local.min(axis=0), local.max(axis=0)
    low[:2] -= margin / grid.spacing[:2]
    high[:2] += margin / grid.spacing[:2]
    middle = np.floor((low[2] + high[2]) / 2)
    low[2], high[2] = np.floor(low[2] + 0.5), np.floor(high[2] + 0.5)
    if high[2] <= low[2]:
        low[2], high[2] = middle, middle + 1
    return EdgeBox(low, high)


def _clipped(box: EdgeBox, grid: Grid) -> EdgeBox:
    shape = np.asarray(grid.shape, float)
    return EdgeBox(np.clip(box.low, 0, shape), np.clip(box.high, 0, shape))
