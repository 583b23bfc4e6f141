"""Convolutions on numpy alone, for the small networks that ship: reading radiographs needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def convolved(x: Floats, kernel: Floats, bias: Floats, stride: int = 1, dilation: int = 1) -> Floats:
    """A 3 x 3 convolution of (inputs, rows, columns) with zeros around, as `torch.nn.Conv2d` with padding=dilation.

    Args:
        kernel: (outputs, inputs, 3, 3). bias: (outputs,).
    """
    padded = np.pad(x, ((0, 0), (dilation, dilation), (dilation, dilation)))
    reach = 2 * dilation + 1
    windows = sliding_window_view(padded, (reach, reach), axis=(1, 2))[:, ::stride, ::stride, ::dilation, ::dilation]
    found = np.tensordot(kernel, windows, ([1, 2, 3], [0, 3, 4])) + bias[:, None, None]
    return np.asarray(found, np.float32)
