"""Where in an image the evidence for its label lies, by Grad-CAM, and whether that is where it should lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinedet.core.radiograph import PixelBox


def heat_map(network: nn.Module, image: torch.Tensor, label: int) -> NDArray[np.float32] | None:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of one label, (H, W) between 0 and 1.

    Args:
        image: (1, 1, H, W), where the network lies.

    Returns:
        None where the network has no convolution, or nothing speaks for the label.
    """
    layer = getattr(network, "last_convolution", None)
    if layer is None:
        return None
    from monai.visualize.class_activation_maps import GradCAM  # two seconds, and only needed for pictures

    # Networks whose weights are frozen still need a gradient to pass.
    found = GradCAM(network, layer, postprocessing=lambda x: x)(image.clone().requires_grad_(True), class_idx=label)
    heat = torch.as_tensor(found)[0, 0].detach().cpu().numpy().astype(np.float32)
    return heat / heat.max() if heat.max() > 0 else None


@dataclass(frozen=True, slots=True)
class Hit:
    """Whether a heat map's maximum lies in the evidence, and the share of the image that this covers: chance."""

    inside: bool
    area: float


def hit(heat: NDArray[np.float32], truth: Sequence[PixelBox]) -> Hit:
    """Compare a heat map with boxes `(x0, y0, x1, y1)` in its own pixels, half-open."""
    mask = np.zeros(heat.shape, bool)
    rows, columns = np.arange(heat.shape[0]) + 0.5, np.arange(heat.shape[1]) + 0.5
    for x0, y0, x1, y1 in truth:
        mask |= ((rows >= y0) & (rows < y1))[:, None] & ((columns >= x0) & (columns < x1))[None]
    return Hit(bool(mask[np.unravel_index(int(heat.argmax()), heat.shape)]), float(mask.mean()))
