"""The set-prediction detector: a dense first stage proposes distinct boxes, a transformer decoder settles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spinedet.detection.batch import Batch, Detections, Targets
from spinedet.detection.boxes import distinct, refine
from spinedet.detection.losses import Prediction, set_loss
from spinedet.detection.matcher import Match, hungarian, nearest_tokens
from spinedet.detection.models.backbone import COARSE_STRIDE, DETAIL_STRIDE, FINE_STRIDE, Backbone, token_centers
from spinedet.detection.models.denoising import Jittered, jitter, walls
from spinedet.detection.models.detector import Card, Detector
from spinedet.detection.models.transformer import BoxEmbedding, DecoderLayer, EncoderLayer, Look, Map, mlp

# The share of tokens that are positive at first, as a logit: focal losses need a pessimistic start.
PRIOR_LOGIT = -4.0
# How much a proposal that overlaps a better one is pushed down before the decoder judges it.
FILLER_DOUBT = 6.0


@dataclass
class SetDetectorConfig:
    """Sizes of the set-prediction detector.

    Attributes:
        width: channels of the ResNet18's first stage (64 is the published one).
        channels, heads: of the transformer.
        queries: boxes that the decoder settles; a few times the lesions a scan can have.
        overlap: IoU above which two proposals are one query.
        positives: tokens of the dense stage that answer for one lesion.
        denoising: jittered copies of each lesion that the decoder learns to repair; 0 turns it off.
    """

    name: str = "set"
    width: int = 16
    channels: int = 64
    heads: int = 4
    decoder_layers: int = 3
    queries: int = 24
    overlap: float = 0.3
    positives: int = 9
    denoising: int = 3


class Tokens(NamedTuple):
    """The dense stage: features (b, t, c), boxes (b, t, 6) mm, logits (b, t, k), positions (t, 3) mm, and the finer map
    that the decoder reads.
    """

    features: Tensor
    boxes: Tensor
    logits: Tensor
    positions: Tensor
    detail: Map


class Queries(NamedTuple):
    """Queries of the decoder: content (b, q, c), boxes (b, q, 6) mm, base logits (b, q, k)."""

    content: Tensor
    boxes: Tensor
    logits: Tensor


class DenseStage(nn.Module):
    """Backbone, one encoder layer on the coarse map, and a box with a score at every fine token."""

    def __init__(self, config: SetDetectorConfig, card: Card) -> None:
        super().__init__()
        c = config.channels
        self.backbone = Backbone(config.width)
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
        self.spacing, self.mean_size = card.spacing, card.mean_size

    def forward(self, images: Tensor) -> Tokens:
        """Tokens of images (b, 1, slices, rows, columns)."""
        maps = self.backbone(images)
        coarse = self.top(maps.coarse)
        places = token_centers(coarse, COARSE_STRIDE, self.spacing)
        encoded = self.encoder(coarse.flatten(2).mT, places).mT.reshape(coarse.shape)
        fine = self.lateral(maps.fine) + F.interpolate(encoded, size=maps.fine.shape[2:])
        features = self.tower(fine).flatten(2).mT
        positions = token_centers(fine, FINE_STRIDE, self.spacing)
        start = torch.cat([positions, positions.new_tensor(self.mean_size).expand_as(positions)], dim=-1)
        spacing = positions.new_tensor(self.spacing)
        detail = Map(maps.detail, spacing * spacing.new_tensor(DETAIL_STRIDE), spacing / 2)
        return Tokens(features, refine(start, self.box(features)), self.score(features), positions, detail)


class Decoder(nn.Module):
    """Rounds of attention that correct each query's box and score."""

    def __init__(self, config: SetDetectorConfig, categories: int, read: int) -> None:
        super().__init__()
        c = config.channels
        self.content = nn.Linear(c, c)
        self.place = BoxEmbedding(c)
        self.layers = nn.ModuleList(DecoderLayer(c, config.heads, read) for _ in range(config.decoder_layers))
        deltas = [mlp(c, c, 6) for _ in range(config.decoder_layers)]
        scores = [nn.Linear(c, categories) for _ in range(config.decoder_layers)]
        self.deltas, self.scores = nn.ModuleList(deltas), nn.ModuleList(scores)
        # Each layer starts as "the proposal is right", with weights just large enough to pass gradients on.
        for head in (*scores, *(delta[-1] for delta in deltas)):
            for parameter in head.parameters():
                nn.init.normal_(parameter, std=1e-3)

    def forward(self, queries: Queries, tokens: Tokens, blocked: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """Boxes (b, q, 6) and logits (b, q, k) after each layer."""
        x, boxes, outputs = self.content(queries.content), queries.boxes, []
        for layer, delta, score in zip(self.layers, self.deltas, self.scores, strict=True):
            x = layer(x, self.place(boxes), blocked, Look(boxes, tokens.detail))
            refined = refine(boxes, delta(x))
            outputs.append((refined, queries.logits + score(x)))
            boxes = refined.detach()
        return outputs


class SetDetector(Detector):
    """Two-stage set prediction of boxes: no anchors, no suppression at the end.

    After Deformable DETR's two stages, DINO's denoising and RT-DETR's query selection, with queries made distinct
    before they are decoded, because duplicates are what a small decoder does not unlearn on small data.
    """

    def __init__(self, config: SetDetectorConfig, card: Card) -> None:
        super().__init__()
        self.config, self.card = config, card
        self.dense = DenseStage(config, card)
        self.decoder = Decoder(config, len(card.categories), self.dense.backbone.channels[0])

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class, L1 and GIoU terms of the dense stage, each decoder layer and the denoising queries."""
        tokens = self.dense(batch.images)
        queries, copies = self._select(tokens), jitter(batch.targets, self.config.denoising)
        count = queries.boxes.shape[1]
        both = Queries(*(torch.cat(pair, dim=1) for pair in zip(queries, _repair_queries(tokens, copies), strict=True)))
        losses = self._dense_losses(tokens, batch.targets)
        for layer, (boxes, logits) in enumerate(self.decoder(both, tokens, walls(count, copies))):
            settled = _predictions(boxes[:, :count], logits[:, :count])
            matches = [hungarian(p.boxes, p.logits, t.certain) for p, t in zip(settled, batch.targets, strict=True)]
            losses |= _named(f"decoder{layer}", settled, batch.targets, matches)
            if self.config.denoising:
                repaired = _predictions(boxes[:, count:], logits[:, count:])
                losses |= _repair_losses(f"denoise{layer}", repaired, batch.targets, copies)
        return losses

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """The last layer's boxes and scores, `queries` per scan."""
        tokens = self.dense(images)
        boxes, logits = self.decoder(self._select(tokens), tokens, None)[-1]
        return [Detections(b.float(), s.float().sigmoid()) for b, s in zip(boxes, logits, strict=True)]

    def _select(self, tokens: Tokens) -> Queries:
        best, boxes = tokens.logits.detach().float().amax(-1), tokens.boxes.detach()
        chosen = [distinct(b, s, self.config.overlap, self.config.queries) for b, s in zip(boxes, best, strict=True)]
        index, filler = (torch.stack(part) for part in zip(*chosen, strict=True))
        queries = _queries_at(tokens, index, _pick(boxes, index))
        return queries._replace(logits=queries.logits - FILLER_DOUBT * filler[..., None])

    def _dense_losses(self, tokens: Tokens, targets: tuple[Targets, ...]) -> dict[str, Tensor]:
        matches = [nearest_tokens(tokens.positions, t.certain, self.config.positives) for t in targets]
        return _named("dense", _predictions(tokens.boxes, tokens.logits), targets, matches)


def _predictions(boxes: Tensor, logits: Tensor) -> list[Prediction]:
    return [Prediction(b, s) for b, s in zip(boxes, logits, strict=True)]


def _named(
    name: str, predictions: list[Prediction], targets: tuple[Targets, ...], matches: list[Match]
) -> dict[str, Tensor]:
    """The batch's terms per matched prediction, under their names."""
    scans = zip(predictions, targets, matches, strict=True)
    total = torch.stack([set_loss(*scan) for scan in scans]).sum(0) / max(1, sum(len(m.target) for m in matches))
    return {f"{name}/{term}": value for term, value in zip(("class", "l1", "giou"), total, strict=True)}


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """Rows of (b, t, c) by (b, q) -> (b, q, c)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _queries_at(tokens: Tokens, index: Tensor, boxes: Tensor) -> Queries:
    # The dense logits are settled by their own loss; the decoder only corrects them.
    return Queries(_pick(tokens.features, index), boxes, _pick(tokens.logits, index).detach())


def _repair_queries(tokens: Tokens, copies: Jittered) -> Queries:
    """Denoising queries start as real ones do: from the token that lies nearest to the box."""
    nearest = torch.cdist(copies.boxes[..., :3], tokens.positions.expand(len(copies.boxes), -1, -1)).argmin(-1)
    return _queries_at(tokens, nearest, copies.boxes)


def _repair_losses(
    name: str, repaired: list[Prediction], targets: tuple[Targets, ...], copies: Jittered
) -> dict[str, Tensor]:
    kept, matches = [], []
    for prediction, real in zip(repaired, copies.real, strict=True):
        kept.append(Prediction(prediction.boxes[real], prediction.logits[real]))
        matches.append(Match(torch.arange(int(real.sum()), device=real.device), copies.lesion[real]))
    return _named(name, kept, targets, matches)
