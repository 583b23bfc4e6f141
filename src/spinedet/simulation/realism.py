"""Contrast, noise and sharpness of a scan at known places, measured alike on phantoms and real patients."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from spinedet.core.geometry import Grid
from spinedet.simulation.anatomy.patient import Scene
from spinedet.simulation.anatomy.spine import Vector

Probes = Mapping[str, Sequence[Vector]]

# Pairs of tissues whose ratio of brightness is compared.
RATIOS = (
    ("marrow", "csf"),
    ("fat", "csf"),
    ("muscle", "csf"),
    ("nucleus", "csf"),
    ("worn", "csf"),
    ("annulus", "nucleus"),
    ("worn", "marrow"),
    ("cord", "csf"),
)
_RADIUS = 1.6  # mm around a probe
_MIDDLE = ("L2", "L3", "L4", "C4", "C5", "C6")


@dataclass(frozen=True, slots=True)
class ScanMeasures:
    """Measures of one scan.

    Attributes:
        ratios: brightness of one tissue relative to another, by `tissue/tissue`.
        noise: fluctuation from pixel to pixel within marrow, relative to CSF.
        sharpness: the steepest edges around the spine (99th percentile of the gradient), CSF per mm.
        histogram: share of pixels per tenth of CSF's brightness, 0 to 1.5, around the spine.
    """

    ratios: dict[str, float]
    noise: float
    sharpness: float
    histogram: tuple[float, ...]


@cache
def real_probes() -> dict[str, dict[str, list[Vector]]]:
    """Places in real scans by file and tissue, RAS mm: set by hand on the scans, from the masks on SPIDER."""
    return json.loads(resources.files("spinedet.simulation").joinpath("real_probes.json").read_text("utf-8"))


def probes_of(scene: Scene) -> dict[str, list[Vector]]:
    """Places in a phantom by tissue, RAS mm."""
    spine, canal = scene.spine, scene.canal
    middle = [bone for bone in spine.vertebrae if bone.name in _MIDDLE]
    entries = [int(np.searchsorted(spine.curve.z, bone.rear[2])) for bone in middle]
    found: dict[str, list[Vector]] = {
        "csf": [spine.curve.behind(e, 0.0, float(canal.front[e] + 0.13 * canal.sac_depth[e])) for e in entries],
        "marrow": [bone.frame.at(0, 0.35 * bone.half_depth, 0.15 * bone.height) for bone in middle],
        "cord": [spine.curve.behind(e, 0.0, float(canal.front[e] + 0.55 * canal.sac_depth[e])) for e in _cord(scene)],
        **scene.around.probes(spine.curve),
    }
    discs = [disc for disc in spine.discs if disc.level in scene.states]
    grades = {disc.level: scene.states[disc.level].findings.grade for disc in discs}
    found["nucleus"] = [disc.frame.center for disc in discs if grades[disc.level] <= 2]
    found["annulus"] = [disc.frame.at(0, 0.9 * disc.half_depth, 0) for disc in discs if grades[disc.level] <= 2]
    found["worn"] = [disc.frame.center for disc in discs if grades[disc.level] == 4]
    return found


def _cord(scene: Scene) -> list[int]:
    """A few entries of the curve where the cord is at its full size."""
    full = np.flatnonzero(scene.canal.cord[0] > 0.95 * scene.canal.cord[0].max())
    return full[:: max(len(full) // 4, 1)].tolist()


def measure_scan(image: NDArray[np.floating], grid: Grid, probes: Probes) -> ScanMeasures:
    """Measure a scan (i, j, k) at known places; what lies outside the image is left out.

    Raises:
        ValueError: no place in CSF lies inside the image.
    """
    values = {name: _values(image, grid, places) for name, places in probes.items()}
    levels = {
        name: float(np.median([np.median(patch) for patch in patches])) for name, patches in values.items() if patches
    }
    if "csf" not in levels:
        raise ValueError("no place in CSF lies inside the image")
    ratios = {
        f"{one}/{other}": round(levels[one] / levels[other], 3)
        for one, other in RATIOS
        if one in levels and levels.get(other)
    }
    grain = [_grain(patch) for patch in values.get("marrow", [])]
    around = _around(image, grid, probes["csf"]) / levels["csf"]
    steep = np.concatenate([np.abs(np.diff(around, axis=axis)).ravel() / float(grid.spacing[axis]) for axis in (0, 1)])
    counts = np.histogram(around, bins=np.arange(0, 1.55, 0.1))[0]
    return ScanMeasures(
        ratios,
        round(float(np.median(grain)) / levels["csf"], 4) if grain else float("nan"),
        round(float(np.percentile(steep, 99)), 3),
        tuple((counts / around.size).round(4).tolist()),
    )


def _values(image: NDArray[np.floating], grid: Grid, places: Sequence[Vector]) -> list[NDArray[np.floating]]:
    """In-plane patches (rows, columns) around the places that lie inside the image."""
    patches: list[NDArray[np.floating]] = []
    thick = _thick(grid)
    for place in places:
        at = np.linalg.solve(grid.affine[:3, :3], np.asarray(place) - grid.affine[:3, 3])
        reach = np.maximum(np.rint(_RADIUS / grid.spacing), 1)
        reach[thick] = 0
        low, high = np.rint(at - reach).astype(int), np.rint(at + reach).astype(int) + 1
        if (low >= 0).all() and (high <= np.asarray(grid.shape)).all():
            patch = image[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            patches.append(np.squeeze(patch, axis=thick).astype(np.float64))
    return patches


def _thick(grid: Grid) -> int:
    """The axis across the slices."""
    return int(np.argmax(grid.spacing)) if np.ptp(grid.spacing) > 0.01 else int(np.argmin(grid.shape))


def _grain(patch: NDArray[np.floating]) -> float:
    """Deviation of the difference of neighbours, which ignores slow changes."""
    return float(np.std(np.diff(patch, axis=0))) / 2**0.5


def _around(image: NDArray[np.floating], grid: Grid, places: Sequence[Vector]) -> NDArray[np.floating]:
    """The middle slice within 45 mm of the places in CSF, (rows, columns)."""
    inverse = np.linalg.inv(grid.affine[:3, :3])
    at = np.array([inverse @ (np.asarray(place) - grid.affine[:3, 3]) for place in places])
    thick = _thick(grid)
    reach = 45 / grid.spacing
    low = np.clip(np.floor(at.min(axis=0) - reach), 0, None).astype(int)
    high = np.minimum(np.ceil(at.max(axis=0) + reach).astype(int), grid.shape)
    index = [slice(a, b) for a, b in zip(low, high, strict=True)]
    middle = int(np.clip(np.rint(np.median(at[:, thick])), 0, grid.shape[thick] - 1))
    index[thick] = slice(middle, middle + 1)
    return np.squeeze(image[tuple(index)], axis=thick).astype(np.float64)
