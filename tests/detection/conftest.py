"""Small volumes on disk for the detection tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Lesion, Series, Split, Study
from spinedet.imaging.volume import Volume, write_volume

# Stored as scanners do: columns to posterior, rows to inferior, slices to the patient's right.
SAGITTAL_AFFINE = np.array([[0.0, 0, 4, -20], [-1.6, 0, 0, 40], [0, -1.6, 0, 60], [0, 0, 0, 1]])
SHAPE = (40, 60, 8)

MakeStudy = Callable[..., Study]


def sagittal_volume(seed: int, lesion: EdgeBox | None) -> Volume:
    """Noise with a bright block where the lesion is, stored (column, row, slice)."""
    array = np.random.default_rng(seed).normal(100, 10, SHAPE).astype(np.float32)
    if lesion is not None:
        (a, b, c), (d, e, f) = lesion.low.astype(int), lesion.high.astype(int)
        array[a:d, b:e, c:f] += 100
    return Volume(array, Grid(SHAPE, SAGITTAL_AFFINE))


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """A study with one sagittal series and at most one lesion, on disk."""

    def make(name: str, split: Split | None = None, lesion: bool = True, seed: int = 0) -> Study:
        edges = EdgeBox(np.array([10.0, 20, 2]), np.array([25.0, 28, 6])) if lesion else None
        volume = sagittal_volume(seed, edges)
        path = tmp_path / name / "sag.nii.gz"
        write_volume(path, volume)
        found = () if edges is None else (volume.grid.world(edges),)
        return Study(
            id=name,
            patient=f"p-{name}",
            center="A",
            split=split,
            series=(Series(id="sag", plane=Plane.SAGITTAL, path=path),),
            lesions=tuple(Lesion(id=str(n), series="sag", category="degeneration", box=b) for n, b in enumerate(found)),
        )

    return make
