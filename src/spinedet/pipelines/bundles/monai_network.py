"""The network of a MONAI bundle: one tensor in, one tensor out, for tools that know nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinedet.core.anatomy import Plane
from spinedet.detection.models import Detector
from spinedet.runs.run_folder import FinishedRun


class BundleNetwork(nn.Module):
    """A detector whose boxes come as channels."""

    def __init__(self, detector: Detector, scales: int) -> None:
        super().__init__()
        self.detector, self.scales = detector, scales

    def forward(self, image: Tensor) -> Tensor:
        """Image (1, 1, slices, rows, columns) on the working grid -> (1, 6 + categories + scales, boxes).

        Channels: centre and size of a box along slice, row, column in working mm from the image's outer corner, the
        score of each category, the expected grade on each scale.
        """
        (found,) = self.detector.detect(image)
        grades = found.boxes.new_empty(len(found.boxes), 0) if found.grades is None else found.grades
        return torch.cat([found.boxes, found.scores, grades[:, : self.scales]], dim=1).float().mT[None]


def network_of(run: FinishedRun, plane: str) -> BundleNetwork:
    """The detector of a plane."""
    detector = run.model.detectors[Plane(plane)]
    return BundleNetwork(detector.network, len(detector.card.grades))
