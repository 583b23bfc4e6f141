"""Small images written as data sets publish them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

# A sagittal stack as scanners store it, in ITK's LPS: slices to the patient's left, rows to the feet, columns back.
SAGITTAL_LPS = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def write_itk(
    path: Path,
    array: NDArray[np.generic],
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    directions: NDArray[np.float64] | None = None,
) -> Path:
    """Write `array` (i, j, k) with LPS origin and directions (columns) as any file that ITK knows."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection((np.eye(3) if directions is None else directions).ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))
    return path


def grey(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """An image that is not constant."""
    return np.random.default_rng(0).integers(0, 1000, shape).astype(np.float32)
