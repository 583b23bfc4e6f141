"""Detectors as one function from an image to tensors of fixed sizes, which can be exported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spinedet.core.errors import InputError
from spinedet.detection.boxes import compared, distinct_unrolled
from spinedet.detection.models import Detector
from spinedet.detection.models.dense_detector import DenseDetector
from spinedet.detection.models.detr import DetrDetector
from spinedet.detection.models.disc_grader import Places
from spinedet.detection.models.graded_detector import CERTAIN, FALL, LEAST, SAME, SURE, GradedDetector
from spinedet.detection.models.ordinal_head import SeverityHead
from spinedet.detection.models.transformer import as_lengths, without_fast_path
from spinedet.detection.models.two_stage_detr import TwoStageDetr

# Behind every structure of an image, in mm.
_FAR = 1e6


class DetectorGraph(nn.Module):
    """A detector for one image at a time; what `detect` would leave out has a score of 0.

    Selection of proposals and suppression of duplicates are inside; resampling, tiles and patient coordinates are not.

    Raises:
        InputError: as `check_exportable`.
    """

    def __init__(self, network: Detector) -> None:
        super().__init__()
        check_exportable(network)
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Image (1, 1, slices, rows, columns) -> boxes (n, 6) mm as in `Targets`, scores (n, categories), expected
        grades (n, scales), with no scale where the detector does not grade.
        """
        match self.network:
            case GradedDetector() as network:
                return _graded(network, image, *_two_stage(network, image))
            case TwoStageDetr() as network:
                boxes, scores = _two_stage(network, image)
            case DenseDetector() as network:
                boxes, scores = _dense(network, image)
            case DetrDetector() as network:
                placed, logits = network(image)[-1]
                boxes, scores = placed[0].float(), logits[0].float().sigmoid()
        return boxes, scores, scores[:, :0]


def check_exportable(network: Detector) -> None:
    """Refuse a network that has no form without loops over data, or that says more than the graph can.

    Raises:
        InputError: it is a RetinaNet, or it has learnt the severity of lesions.
    """
    if not isinstance(network, TwoStageDetr | DenseDetector | DetrDetector):
        raise InputError("model=retinanet cannot be exported: its suppression is a loop over data; use to=monai")
    if any(isinstance(part, SeverityHead) for part in network.modules()):
        raise InputError("model.severity cannot be exported, the file would lack it; use to=monai")


@contextmanager
def exportable() -> Iterator[None]:
    """Kernels that an exporter knows, in place of shortcuts for inference; `DetectorGraph` is run with gradients."""
    with torch.enable_grad(), torch.backends.mkldnn.flags(enabled=False), without_fast_path():
        yield


def _two_stage(network: TwoStageDetr, image: Tensor) -> tuple[Tensor, Tensor]:
    tokens, config = network.dense(image), network.config
    sizes = (compared(config.queries), config.queries)
    best = tokens.logits[0].float().amax(-1)
    chosen = distinct_unrolled(tokens.boxes[0], best, config.overlap, sizes)
    boxes, logits = network.decoder(network.queries_of(tokens, [chosen]), tokens, None)[-1]
    return boxes[0].float(), logits[0].float().sigmoid()


def _dense(network: DenseDetector, image: Tensor) -> tuple[Tensor, Tensor]:
    tokens, config = network.dense(image), network.config
    boxes, scores = tokens.boxes[0].float(), tokens.logits[0].float().sigmoid()
    chosen = distinct_unrolled(boxes, scores.amax(-1), config.overlap, (compared(config.queries), config.queries))
    return boxes[chosen.row], scores[chosen.row] * ~chosen.filler[:, None]


def _graded(network: GradedDetector, image: Tensor, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As `GradedDetector.detect` goes on with structures: those that it would leave out stay, behind the others."""
    count = network.config.queries
    single = distinct_unrolled(boxes, scores[:, 0], SAME, (count, count))
    boxes, scores = boxes[single.row], scores[single.row]
    kept = ~single.filler & (scores[:, 0] >= LEAST)
    axis, sense = network.card.caudal
    along = torch.where(kept, -sense * boxes[:, axis], _FAR)
    rows = along.topk(count, largest=False).indices
    boxes, scores, kept = boxes[rows], scores[rows], kept[rows]
    places = Places(boxes[None], kept[None], rows[None], (kept & (scores[:, 0] >= CERTAIN))[None])
    depth = as_lengths(image.shape[2:3], boxes)
    told = [grader.graded(grader.over_views(image, places, depth)[0]) for grader in network.members]
    lesion, grades = (torch.stack(part).mean(0) for part in zip(*told, strict=True))
    structure = (scores / SURE).clamp(max=1) ** FALL
    return boxes, lesion * structure * kept[:, None], grades
