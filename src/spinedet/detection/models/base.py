"""What every detector can do, and the facts about the data that it is built for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from spinedet.detection.batch import Batch, Detections


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The data a detector is built for.

    Attributes:
        categories: names, in the order of the logits.
        spacing: of the model grid along slice, row, column, mm.
        mean_size: of a training lesion along the same axes, mm.
        sizes: a few that stand for those of all training lesions, mm.
        structures: whether the training data hold structures without a lesion, so that both are learned apart.
        grades: the scales of `core.grades` on which structures are graded in the training data.
        caudal: the array axis that runs along the spine, and 1 where it runs to the feet, -1 where to the head.
    """

    categories: tuple[str, ...]
    spacing: tuple[float, float, float]
    mean_size: tuple[float, float, float]
    sizes: tuple[tuple[float, float, float], ...] = ()
    structures: bool = False
    grades: tuple[str, ...] = ()
    caudal: tuple[int, int] = (1, 1)


class TrainableModel(nn.Module, ABC):
    """What is trained: it learns from batches, and predicts boxes in them."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Named loss terms; their sum is what training lowers. Finite for scans without lesions."""

    @abstractmethod
    def predict(self, batch: Batch) -> list[Detections]:
        """Boxes and scores of every scan of a batch, whose targets are not read."""


class Detector(TrainableModel):
    """A network for scans of one plane, which predicts boxes in mm.

    Attributes:
        embeddings: the names of the vectors that are added to tokens or queries, by which a network that is shared
            between planes tells them apart.
    """

    embeddings: tuple[str, ...]

    def predict(self, batch: Batch) -> list[Detections]:
        """As `detect`."""
        return self.detect(batch.images)

    @abstractmethod
    def detect(self, images: Tensor) -> list[Detections]:
        """Boxes and scores of every scan of (b, 1, slices, rows, columns); no suppression is needed afterwards."""
