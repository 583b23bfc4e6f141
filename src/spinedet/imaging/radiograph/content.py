"""What an image shows, by its pixels alone: a view of a spine, or something that is no radiograph of one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from spinedet.core.radiograph import VIEWS
from spinedet.imaging.radiograph.checks import ViewEstimate
from spinedet.imaging.radiograph.convolution import Floats, convolved
from spinedet.imaging.radiograph.records import RadiographImage
from spinedet.imaging.radiograph.square import square

# Weights that ship, from `benchmarks/generate/radiograph_content.py`.
SHIPPED = Path(__file__).parent / "weights" / "content.safetensors"
# The exposed field is shrunk to a square of this side.
SIDE = 64
# What is none of the views, by the name of its class, in words.
FOREIGN = {
    "limb": "a hand or another limb",
    "mri": "an MRI slice",
    "photograph": "a photograph",
    "screenshot": "a screen or a printed page",
}
CLASSES = (*VIEWS, *FOREIGN)


@dataclass(frozen=True, slots=True, eq=False)
class ContentClassifier:
    """A small convolutional network: 3 x 3 convolutions of stride 2, mean and maximum over the image, a linear layer.

    Attributes:
        kernels: (outputs, inputs, 3, 3) and biases (outputs,) of each convolution.
        weight: (classes, 2 * outputs of the last convolution). bias: (classes,), both in the order of `CLASSES`.
    """

    kernels: tuple[tuple[Floats, Floats], ...]
    weight: Floats
    bias: Floats

    def __call__(self, image: RadiographImage) -> ViewEstimate:
        """The likeliest class, views told apart; what is no view together is named by the likeliest of its kinds."""
        share = dict(zip(CLASSES, self.probabilities(thumbnail(image)).tolist(), strict=True))
        foreign = sum(share[name] for name in FOREIGN)
        if foreign >= 0.5:
            shown = max(FOREIGN, key=lambda name: share[name])
            return ViewEstimate(None, foreign, f"it looks like {FOREIGN[shown]}")
        view = max(VIEWS, key=lambda name: share[name])
        return ViewEstimate(view, share[view])

    def probabilities(self, pixels: Floats) -> Floats:
        """Of each of `CLASSES`, for an image (`SIDE`, `SIDE`) in [0, 1]."""
        x = 2 * pixels[None] - 1
        for kernel, bias in self.kernels:
            x = np.maximum(convolved(x, kernel, bias, stride=2), 0)
        features = np.concatenate([x.mean((1, 2)), x.max((1, 2))])
        logits = self.weight @ features + self.bias
        found = np.exp(logits - logits.max())
        return np.asarray(found / found.sum(), np.float32)


def thumbnail(image: RadiographImage, side: int = SIDE) -> Floats:
    """The exposed field as a square, its aspect kept, (side, side) in [0, 1]."""
    return square(image.pixels, image.field.box, side).pixels.astype(np.float32)


def content_classifier(tensors: dict[str, Any]) -> ContentClassifier:
    """The network of these tensors: `0.weight`, `0.bias` and so on of the convolutions, `head.weight`, `head.bias`."""
    depth = sum(name.endswith(".weight") for name in tensors) - 1
    kernels = tuple((tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]) for layer in range(depth))
    return ContentClassifier(kernels, tensors["head.weight"], tensors["head.bias"])


@cache
def shipped_content_classifier() -> ContentClassifier:
    """The network that ships, taught on phantoms and on drawn images of other things."""
    tensors = {name: np.asarray(tensor, np.float32) for name, tensor in load_file(SHIPPED).items()}
    return content_classifier(tensors)


def foreign_content(image: RadiographImage) -> ViewEstimate | None:
    """What the network that ships takes for none of the views; None for a radiograph of a spine.

    Which view that is, it tells on phantoms, and on real radiographs not well enough to be believed.
    """
    estimate = shipped_content_classifier()(image)
    return estimate if estimate.name is None else None
