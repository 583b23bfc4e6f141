"""What travels from the data to the model: one frozen batch in physical units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from spinedet.core.anatomy import Plane


@dataclass(frozen=True, slots=True)
class Targets:
    """The reference lesions of one scan.

    Attributes:
        boxes: (n, 6) centre and size along the model axes, working mm from the grid's outer corner.
        labels: (n,) int64 category indices.
        ignore: (n,) bool; such a lesion is neither a positive nor a negative example.
    """

    boxes: Tensor
    labels: Tensor
    ignore: Tensor

    def __post_init__(self) -> None:
        if (
            self.boxes.ndim != 2
            or self.boxes.shape[1] != 6
            or not len(self.boxes) == len(self.labels) == len(self.ignore)
        ):
            raise ValueError(f"boxes must be (n, 6) with n labels and flags, not {tuple(self.boxes.shape)}")
        if len(self.boxes) and not (torch.isfinite(self.boxes).all() and (self.boxes[:, 3:] > 0).all()):
            raise ValueError("every box must be finite and have a size above 0")

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same targets on another device."""
        return type(self)(*(tensor.to(*args, **kwargs) for tensor in (self.boxes, self.labels, self.ignore)))

    def scaled(self, factor: float) -> Targets:
        """The boxes in units `factor` times as many."""
        return Targets(self.boxes * factor, self.labels, self.ignore)

    @property
    def certain(self) -> Targets:
        """Without the ignored lesions."""
        if not self.ignore.any():
            return self
        keep = ~self.ignore
        return Targets(self.boxes[keep], self.labels[keep], self.ignore[keep])


@dataclass(frozen=True, slots=True)
class Batch:
    """Scans of one `plane`: `images` (b, 1, slices, rows, columns), normalised, and `targets` of each."""

    images: Tensor
    targets: tuple[Targets, ...]
    plane: Plane

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same batch on another device (Lightning moves it with this)."""
        targets = tuple(each.to(*args, **kwargs) for each in self.targets)
        return type(self)(self.images.to(*args, **kwargs), targets, self.plane)


@dataclass(frozen=True, slots=True)
class Detections:
    """What the model says about one scan: `boxes` (n, 6) mm as in `Targets`, `scores` (n, categories) in [0, 1]."""

    boxes: Tensor
    scores: Tensor

    def scaled(self, factor: float) -> Detections:
        """The boxes in units `factor` times as many."""
        return Detections(self.boxes * factor, self.scores)
