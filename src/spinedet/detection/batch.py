"""What travels from the data to the model: one frozen batch in physical units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        severity: (n,) float32 grades, NaN where a lesion's is not known, as for all of them when it is left out.
    """

    boxes: Tensor
    labels: Tensor
    ignore: Tensor
    severity: Tensor = None  # type: ignore[assignment]  # a tensor once it is built

    def __post_init__(self) -> None:
        if self.severity is None:
            object.__setattr__(self, "severity", torch.full_like(self.labels, torch.nan, dtype=torch.float32))
        if (
            self.boxes.ndim != 2
            or self.boxes.shape[1] != 6
            or not len(self.boxes) == len(self.labels) == len(self.ignore) == len(self.severity)
        ):
            raise ValueError(f"boxes must be (n, 6) with n labels, flags and grades, not {tuple(self.boxes.shape)}")
        if len(self.boxes) and not (torch.isfinite(self.boxes).all() and (self.boxes[:, 3:] > 0).all()):
            raise ValueError("every box must be finite and have a size above 0")

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same targets on another device."""
        tensors = (self.boxes, self.labels, self.ignore, self.severity)
        return type(self)(*(tensor.to(*args, **kwargs) for tensor in tensors))

    def scaled(self, factor: float) -> Targets:
        """The boxes in units `factor` times as many."""
        return replace(self, boxes=self.boxes * factor)

    @property
    def certain(self) -> Targets:
        """Without the ignored lesions."""
        if not self.ignore.any():
            return self
        keep = ~self.ignore
        return Targets(self.boxes[keep], self.labels[keep], self.ignore[keep], self.severity[keep])


@dataclass(frozen=True, slots=True)
class Batch:
    """Scans of one `plane`: `images` (b, 1, slices, rows, columns), normalised, and `targets` of each."""

    images: Tensor
    targets: tuple[Targets, ...]
    plane: Plane

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same batch on another device (Lightning moves it with this)."""
        targets = tuple(each.to(*args, **kwargs) for each in self.targets)
        images = self.images.to(*args, **{"non_blocking": self.images.is_pinned()} | kwargs)
        return type(self)(images, targets, self.plane)


@dataclass(frozen=True, slots=True)
class Detections:
    """What the model says about one scan.

    Attributes:
        boxes: (n, 6) mm as in `Targets`.
        scores: (n, categories) in [0, 1].
        severity: (n,) expected grades, NaN where nobody graded; None from a network that grades nothing.
    """

    boxes: Tensor
    scores: Tensor
    severity: Tensor | None = None

    def scaled(self, factor: float) -> Detections:
        """The boxes in units `factor` times as many."""
        return replace(self, boxes=self.boxes * factor)

    def some(self, rows: Tensor) -> Detections:
        """Those of these rows, or where a mask says so."""
        graded = None if self.severity is None else self.severity[rows]
        return Detections(self.boxes[rows], self.scores[rows], graded)

    def cpu(self) -> Detections:
        """The same in main memory."""
        graded = None if self.severity is None else self.severity.cpu()
        return Detections(self.boxes.cpu(), self.scores.cpu(), graded)


def joined(several: Sequence[Detections]) -> Detections:
    """All of them as one; graded if any of them is."""
    grades = [torch.full_like(one.boxes[:, 0], torch.nan) if one.severity is None else one.severity for one in several]
    known = any(one.severity is not None for one in several)
    boxes, scores = (torch.cat([getattr(one, name) for one in several]) for name in ("boxes", "scores"))
    return Detections(boxes, scores, torch.cat(grades) if known else None)
