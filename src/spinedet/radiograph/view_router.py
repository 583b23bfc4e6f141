"""A view router: which view a radiograph shows, by logistic regression on a few pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.imaging.radiograph.checks import ViewEstimate
from spinedet.imaging.radiograph.records import RadiographImage
from spinedet.imaging.radiograph.square import square

SIDE = 32

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ViewRouter:
    """Weights of a logistic regression on the whole exposed field, shrunk to `SIDE` x `SIDE`.

    Attributes:
        views: names. mean, scale: (SIDE x SIDE,) of the pixels. weight: (views, SIDE x SIDE). bias: (views,).
    """

    views: tuple[str, ...]
    mean: Floats
    scale: Floats
    weight: Floats
    bias: Floats

    def __call__(self, image: RadiographImage) -> ViewEstimate:
        """The view of an image; it knows no others, so what is none of them is not recognised."""
        pixels = overview(image).astype(np.float32).ravel()
        logits = self.weight @ ((pixels - self.mean) / self.scale) + self.bias
        probability = np.exp(logits - logits.max())
        probability /= probability.sum()
        best = int(probability.argmax())
        return ViewEstimate(self.views[best], float(probability[best]))


def overview(image: RadiographImage) -> NDArray[np.float16]:
    """The exposed field as a small square."""
    return square(image.pixels, image.field.box, SIDE).pixels
