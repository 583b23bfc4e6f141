"""Volumes and DICOM slices of known place, written by hand."""

import numpy as np
import pytest

from spinedet.core.geometry import Grid
from spinedet.imaging.volume import Volume

AXIAL_DIRECTIONS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def tilted(degrees: float) -> np.ndarray:
    """Rotation about the patient's left-right axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


@pytest.fixture
def lumbar() -> Volume:
    """A sagittal stack stored R, A, S, slightly oblique on all axes, every voxel different."""
    shape = (5, 24, 30)
    c, s = np.cos(0.1), np.sin(0.1)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ tilted(7)
    affine = np.eye(4)
    affine[:3, :3] = turn * [4.0, 0.8, 0.7]
    affine[:3, 3] = [-8.3, -40.1, 12.7]
    return Volume(np.random.default_rng(0).random(shape, dtype=np.float32), Grid(shape, affine))
