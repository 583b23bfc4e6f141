"""What every detector can do, and the facts about the data that it is built for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from spinedet.detection.batch import Batch, Detections


@dataclass(frozen=True, slots=True)
class Card:
    """The data a detector is built for.

    Attributes:
        categories: names, in the order of the logits.
        spacing: of the model grid along slice, row, column, mm.
        mean_size: of a training lesion along the same axes, mm.
        sizes: a few that stand for those of all training lesions, mm.
    """

    categories: tuple[str, ...]
    spacing: tuple[float, float, float]
    mean_size: tuple[float, float, float]
    sizes: tuple[tuple[float, float, float], ...] = ()


class Detector(nn.Module, ABC):
    """A network that learns from batches and answers with boxes in mm."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Named loss terms; their sum is what training lowers. Finite for scans without lesions."""

    @abstractmethod
    def detect(self, images: Tensor) -> list[Detections]:
        """Boxes and scores of every scan of (b, 1, slices, rows, columns); no suppression is needed afterwards."""
