"""A baseline that learns nothing: find the bright sac, walk along the bodies before it, call the dark places lesions.

    python -m benchmarks.experiments.darkest_disc runs/demo/cohort/manifest.json [more manifests]

The boxes' size and the threshold on darkness come from the training and tuning studies of the same manifests. Two
rules are scored on the test studies at IoU 0.1: `darkest` reports the darkest place of each scan alone, `dark` all
places darker than the threshold with the best F1 on train and tune.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, percentile_filter
from scipy.signal import find_peaks

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Array, canonical, iou
from spinedet.core.manifest import read_manifests
from spinedet.core.types import Box, Study
from spinedet.imaging.planes import SAGITTAL, orient
from spinedet.imaging.volume import Volume, read_volume

IOU = 0.1
SAC_TO_BODY = 24.0  # mm from the middle of the sac forwards to the middle of the body
MIDLINE = 10.0  # mm to either side of the middle that are averaged
APART = 14.0  # mm between two discs at least
STIFFNESS = 0.15  # cost of moving the sac by one pixel from row to row, in units of the brightest pixel


@dataclass(frozen=True)
class Place:
    """A dark place: RAS mm, and how much darker it is than the bodies around it (0 to 1)."""

    center: Array
    darkness: float


@dataclass(frozen=True)
class Scan:
    """One series: what was found, the boxes that count and those to ignore, and the series' axes (rows R, I, P)."""

    places: tuple[Place, ...]
    lesions: tuple[Box, ...]
    ignored: tuple[Box, ...]
    axes: Array


def dark_places(volume: Volume) -> Iterator[Place]:
    """Dark places along the bodies of a volume ordered (R, I, P)."""
    spacing, count = volume.grid.spacing, volume.array.shape[0]
    half = max(round(MIDLINE / float(spacing[0])), 1)
    image = volume.array[max(count // 2 - half, 0) : count // 2 + half + 1].mean(axis=0)
    sac = sac_of(gaussian_filter(image, 2.5 / spacing[1:]))
    ahead = np.clip(np.rint(sac - SAC_TO_BODY / spacing[2]).astype(int), 0, image.shape[1] - 1)
    smooth = gaussian_filter(image, (0.8 / spacing[1], 4.0 / spacing[2]))
    profile = gaussian_filter1d(smooth[np.arange(len(ahead)), ahead], 1.2 / spacing[1])
    bodies = percentile_filter(profile, 70, size=max(round(70 / float(spacing[1])), 3))
    darkness = 1 - profile / np.maximum(bodies, 1e-6)
    for row in find_peaks(darkness, distance=max(APART / spacing[1], 1), height=0.05)[0]:
        index = np.array([(count - 1) / 2, row, ahead[row]])
        yield Place(volume.grid.affine[:3, :3] @ index + volume.grid.affine[:3, 3], float(darkness[row]))


def sac_of(image: Array) -> Array:
    """The bright ridge from top to bottom: column per row, by dynamic programming."""
    gain = image / image.max()
    best, back = gain[0].copy(), np.zeros(image.shape, int)
    columns = np.arange(image.shape[1])
    for row in range(1, len(image)):
        options = np.stack([_shifted(best, step) - STIFFNESS * abs(step) for step in (-2, -1, 0, 1, 2)])
        chosen = options.argmax(axis=0)
        back[row] = np.clip(columns + chosen - 2, 0, len(columns) - 1)
        best = options[chosen, columns] + gain[row]
    path = [int(best.argmax())]
    for row in range(len(image) - 1, 0, -1):
        path.append(int(back[row, path[-1]]))
    return np.array(path[::-1], float)


def _shifted(values: Array, step: int) -> Array:
    """values[column + step], minus infinity beyond the edge."""
    moved = np.full_like(values, -np.inf)
    if step >= 0:
        moved[: len(values) - step] = values[step:]
    else:
        moved[-step:] = values[:step]
    return moved


def scans_of(studies: Iterable[Study], plane: Plane) -> list[Scan]:
    """The series of one plane, searched."""
    scans = []
    for study in studies:
        for series in study.series:
            if series.plane is not plane:
                continue
            volume = orient(read_volume(series.path), SAGITTAL)
            mine = [lesion for lesion in study.lesions if lesion.series == series.id]
            counted = tuple(lesion.box for lesion in mine if not lesion.ignore)
            ignored = tuple(lesion.box for lesion in mine if lesion.ignore)
            scans.append(Scan(tuple(dark_places(volume)), counted, ignored, volume.grid.axes))
    return scans


def mean_size(scans: Iterable[Scan]) -> Array:
    """Mean size of the boxes along R, I, P."""
    x, y, z = np.mean([box.size for scan in scans for box in scan.lesions], axis=0)
    return np.array([x, z, y])


def f1(scans: Iterable[Scan], size: Array, threshold: float, only_darkest: bool) -> float:
    """F1 of the boxes put on the dark places, matched greedily from the darkest down."""
    hits = false = lesions = 0
    for scan in scans:
        places = sorted((p for p in scan.places if p.darkness >= threshold), key=lambda p: -p.darkness)
        boxes = [canonical(p.center, size, scan.axes) for p in (places[:1] if only_darkest else places)]
        lesions += len(scan.lesions)
        overlap, spared = iou(boxes, scan.lesions), iou(boxes, scan.ignored)
        free = np.ones(len(scan.lesions), bool)
        for row in range(len(boxes)):
            left = np.where(free, overlap[row], 0.0) if len(free) else np.zeros(0)
            if len(left) and left.max() >= IOU:
                free[left.argmax()] = False
                hits += 1
            elif not (len(scan.ignored) and spared[row].max() >= IOU):
                false += 1
    return 2 * hits / max(lesions + hits + false, 1)


def main() -> None:
    """Both rules, both planes, every centre of the test split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", nargs="+", type=Path)
    studies = read_manifests(parser.parse_args().manifests).studies
    for plane in Plane:
        learnt = scans_of((s for s in studies if s.split is not None and s.split.value != "test"), plane)
        size = mean_size(learnt)
        grid = np.linspace(0.05, 0.95, 46)
        threshold = float(grid[np.argmax([f1(learnt, size, t, only_darkest=False) for t in grid])])
        tests = [s for s in studies if s.split is not None and s.split.value == "test"]
        for center in sorted({s.center for s in tests}):
            scans = scans_of((s for s in tests if s.center == center), plane)
            darkest, dark = f1(scans, size, 0.0, only_darkest=True), f1(scans, size, threshold, only_darkest=False)
            every = f1(scans, size, 0.0, only_darkest=False)
            words = f"darkest {darkest:.3f}  dark {dark:.3f} (threshold {threshold:.2f})  every dark place {every:.3f}"
            print(f"{plane.value:8s} centre {center}: F1 {words}  ({len(scans)} scans)")


if __name__ == "__main__":
    main()
