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
class Structures:
    """The places of one scan that were assessed: those with lesions and those found sound.

    Attributes:
        boxes: (n, 6) as in `Targets`.
        lesion: (n, categories) float32, 1 where the place holds a lesion of the category, 0 where it was found sound.
        ignore: (n,) bool; a structure whose lesions and grades are not known.
        grades: (n, scales) float32, NaN where unknown; scales as in `core.grades`.
    """

    boxes: Tensor
    lesion: Tensor
    ignore: Tensor
    grades: Tensor

    def __post_init__(self) -> None:
        if not len(self.boxes) == len(self.lesion) == len(self.ignore) == len(self.grades):
            raise ValueError("structures need as many labels, flags and grades as boxes")

    def to(self, *args: Any, **kwargs: Any) -> Structures:
        """The same structures on another device."""
        return Structures(*(t.to(*args, **kwargs) for t in (self.boxes, self.lesion, self.ignore, self.grades)))

    def select(self, rows: Tensor) -> Structures:
        """The rows of an index, or where a mask is true."""
        return Structures(self.boxes[rows], self.lesion[rows], self.ignore[rows], self.grades[rows])

    @classmethod
    def empty(cls, categories: int, scales: int) -> Structures:
        """Without any structure."""
        return cls(
            torch.empty(0, 6), torch.empty(0, categories), torch.empty(0, dtype=torch.bool), torch.empty(0, scales)
        )


@dataclass(frozen=True, slots=True)
class Targets:
    """The reference lesions of one scan.

    Attributes:
        boxes: (n, 6) centre and size along the model axes, working mm from the grid's outer corner.
        labels: (n,) int64 category indices.
        ignore: (n,) bool; such a lesion is neither a positive nor a negative example.
        severity: (n,) float32 grades, NaN where a lesion's is not known, as for all of them when it is left out.
        structures: all places that were assessed, where the reference standard has them; lesions are among them.
    """

    boxes: Tensor
    labels: Tensor
    ignore: Tensor
    severity: Tensor = None  # type: ignore[assignment]  # a tensor once it is built
    structures: Structures | None = None

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
        structures = None if self.structures is None else self.structures.to(*args, **kwargs)
        boxes, labels, ignore, severity = (tensor.to(*args, **kwargs) for tensor in tensors)
        return type(self)(boxes, labels, ignore, severity, structures)

    def scaled(self, factor: float) -> Targets:
        """The boxes in units `factor` times as many."""
        structures = self.structures and replace(self.structures, boxes=self.structures.boxes * factor)
        return replace(self, boxes=self.boxes * factor, structures=structures)

    @property
    def certain(self) -> Targets:
        """Without the ignored lesions."""
        if not self.ignore.any():
            return self
        keep = ~self.ignore
        return Targets(self.boxes[keep], self.labels[keep], self.ignore[keep], self.severity[keep])


@dataclass(frozen=True, slots=True)
class Batch:
    """Scans of one `plane`: `images` (b, 1, slices, rows, columns), normalised, and `targets` of each.

    Attributes:
        depths: how many slices of each image are its own, from the first; the rest repeats the last. None is all.
    """

    images: Tensor
    targets: tuple[Targets, ...]
    plane: Plane
    depths: tuple[int, ...] | None = None

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same batch on another device (Lightning moves it with this)."""
        targets = tuple(each.to(*args, **kwargs) for each in self.targets)
        images = self.images.to(*args, **{"non_blocking": self.images.is_pinned()} | kwargs)
        return type(self)(images, targets, self.plane, self.depths)


@dataclass(frozen=True, slots=True)
class Detections:
    """Predictions for one scan.

    Attributes:
        boxes: (n, 6) mm as in `Targets`.
        scores: (n, categories) in [0, 1].
        severity: (n,) expected grades, NaN where unknown; None from a network that does not grade.
        grades: (n, scales) expected grades on the scales of its `ModelCard`, likewise.
    """

    boxes: Tensor
    scores: Tensor
    severity: Tensor | None = None
    grades: Tensor | None = None

    def scaled(self, factor: float) -> Detections:
        """The boxes in units `factor` times as many."""
        return replace(self, boxes=self.boxes * factor)

    def select(self, rows: Tensor) -> Detections:
        """The rows of an index, or where a mask is true."""
        severity, grades = (None if part is None else part[rows] for part in (self.severity, self.grades))
        return Detections(self.boxes[rows], self.scores[rows], severity, grades)

    def cpu(self) -> Detections:
        """The same in main memory."""
        severity, grades = (None if part is None else part.cpu() for part in (self.severity, self.grades))
        return Detections(self.boxes.cpu(), self.scores.cpu(), severity, grades)


def concatenate(several: Sequence[Detections]) -> Detections:
    """One `Detections` of several; graded if any of them is."""
    boxes, scores = (torch.cat([getattr(one, name) for one in several]) for name in ("boxes", "scores"))
    lengths = [len(one.boxes) for one in several]
    severity = _concatenated([one.severity for one in several], lengths)
    return Detections(boxes, scores, severity, _concatenated([one.grades for one in several], lengths))


def _concatenated(parts: Sequence[Tensor | None], lengths: Sequence[int]) -> Tensor | None:
    """The rows of all parts, NaN for those of a part that is missing; None where all are."""
    known = next((part for part in parts if part is not None), None)
    if known is None:
        return None
    pairs = zip(parts, lengths, strict=True)
    return torch.cat([known.new_full((n, *known.shape[1:]), torch.nan) if part is None else part for part, n in pairs])
