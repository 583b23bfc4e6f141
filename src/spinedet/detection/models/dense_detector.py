"""The dense first stage: a box with a score at every token; with suppression at the end, a detector of its own."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spinedet.detection.assignment import nearest_tokens
from spinedet.detection.batch import Batch, Detections, Targets
from spinedet.detection.boxes import distinct, refine
from spinedet.detection.losses import MatchedPredictions, Prediction, batch_losses
from spinedet.detection.models.backbone import Backbone, token_centers
from spinedet.detection.models.base import Detector, ModelCard
from spinedet.detection.models.ordinal_head import SeverityHead, expected_grade
from spinedet.detection.models.transformer import EncoderLayer, Map
from spinedet.detection.settings import DenseConfig

# The share of tokens that are positive at first, as a logit: focal losses need a pessimistic start.
PRIOR_LOGIT = -4.0


class Tokens(NamedTuple):
    """The dense stage: features (b, t, c), boxes (b, t, 6) mm, logits (b, t, k), positions (t, 3) mm, the finer map
    that the decoder reads, and logits of being above each grade (b, t, g) where grades are learned.
    """

    features: Tensor
    boxes: Tensor
    logits: Tensor
    positions: Tensor
    detail: Map
    severity: Tensor | None = None

    def detached(self) -> Tokens:
        """The same tokens without gradients."""
        detail = self.detail._replace(features=self.detail.features.detach())
        return self._replace(features=self.features.detach(), detail=detail)

    def grades(self, scan: int, boxes: Tensor, count: int) -> Tensor | None:
        """Expected grades (n,) of one scan's boxes (n, 6) mm, from the `count` tokens nearest to each."""
        if self.severity is None:
            return None
        away = (self.positions[:, None] - boxes[None, :, :3]) / boxes[None, :, 3:]
        near = away.square().sum(-1).topk(min(count, len(away)), dim=0, largest=False).indices
        return expected_grade(self.severity[scan, near].mean(0))


class DenseStage(nn.Module):
    """Backbone, one encoder layer on the coarse map, and a box with a score at every fine token."""

    def __init__(self, config: DenseConfig, card: ModelCard) -> None:
        super().__init__()
        c = config.channels
        self.backbone = Backbone(config.width, card.spacing)
        _, fine, coarse = self.backbone.channels
        self.lateral, self.top = nn.Conv3d(fine, c, 1), nn.Conv3d(coarse, c, 1)
        self.encoder = EncoderLayer(c, config.heads)
        self.tower = nn.Sequential(
            nn.Conv3d(c, c, (1, 3, 3), padding=(0, 1, 1), bias=False), nn.BatchNorm3d(c), nn.ReLU(inplace=True)
        )
        self.score, self.box = nn.Linear(c, len(card.categories)), nn.Linear(c, 6)
        nn.init.constant_(self.score.bias, PRIOR_LOGIT)
        nn.init.normal_(self.box.weight, std=1e-3)
        nn.init.zeros_(self.box.bias)
        self.severity = SeverityHead(c, config.severity) if config.severity else None
        self.spacing, self.mean_size = card.spacing, card.mean_size

    def forward(self, images: Tensor) -> Tokens:
        """Tokens of images (b, 1, slices, rows, columns)."""
        maps, strides = self.backbone(images), self.backbone.strides
        coarse = self.top(maps.coarse)
        places = token_centers(coarse, strides.coarse, self.spacing)
        encoded = self.encoder(coarse.flatten(2).mT, places).mT.reshape(coarse.shape)
        fine = self.lateral(maps.fine) + F.interpolate(encoded, size=maps.fine.shape[2:])
        features = self.tower(fine).flatten(2).mT
        positions = token_centers(fine, strides.fine, self.spacing)
        start = torch.cat([positions, positions.new_tensor(self.mean_size).expand_as(positions)], dim=-1)
        spacing = positions.new_tensor(self.spacing)
        detail = Map(maps.detail, spacing * spacing.new_tensor(strides.detail), spacing / 2)
        graded = None if self.severity is None else self.severity(features)
        return Tokens(features, refine(start, self.box(features)), self.score(features), positions, detail, graded)


class DenseDetector(Detector):
    """The dense stage alone; overlapping boxes are suppressed at the end."""

    embeddings = ("dense.top.bias", "dense.tower.1.bias")

    def __init__(self, config: DenseConfig, card: ModelCard) -> None:
        super().__init__()
        self.config, self.card = config, card
        self.dense = DenseStage(config, card)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class, L1 and GIoU terms of the tokens."""
        matched = match_dense_tokens(self.dense(batch.images), batch.targets, self.config)
        return batch_losses({"dense": matched}, self.config.least_quality)

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """The best boxes that do not overlap a better one, at most `queries` per scan."""
        tokens = self.dense(images)
        return [self._suppress(tokens, scan) for scan in range(len(images))]

    def _suppress(self, tokens: Tokens, scan: int) -> Detections:
        boxes, scores = tokens.boxes[scan].float(), tokens.logits[scan].float().sigmoid()
        chosen = distinct(boxes, scores.amax(-1), self.config.overlap, self.config.queries)
        kept = chosen.row[~chosen.filler]
        return Detections(boxes[kept], scores[kept], tokens.grades(scan, boxes[kept], self.config.positives))


def match_dense_tokens(tokens: Tokens, targets: tuple[Targets, ...], config: DenseConfig) -> list[MatchedPredictions]:
    """The tokens' predictions for each scan, the `config.positives` nearest of them matched to each lesion."""
    grades = [None] * len(targets) if tokens.severity is None else tokens.severity
    predictions = [Prediction(*one) for one in zip(tokens.boxes, tokens.logits, grades, strict=True)]
    return [
        MatchedPredictions(prediction, truth, nearest_tokens(tokens.positions, truth.certain, config.positives))
        for prediction, truth in zip(predictions, targets, strict=True)
    ]
