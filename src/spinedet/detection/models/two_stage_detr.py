"""The set-prediction detector: a dense first stage proposes distinct boxes, a transformer decoder refines them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spinedet.detection.assignment import Match
from spinedet.detection.batch import Batch, Detections, Targets
from spinedet.detection.boxes import Distinct, distinct, refine
from spinedet.detection.losses import MatchedPredictions, Prediction, batch_losses, match_decoder_layers
from spinedet.detection.models.base import Detector, ModelCard
from spinedet.detection.models.denoising import Jittered, attention_mask, jitter
from spinedet.detection.models.dense_detector import DenseStage, Tokens, match_dense_tokens
from spinedet.detection.models.transformer import BoxContext, BoxEmbedding, DecoderLayer, mlp
from spinedet.detection.settings import TwoStageDetrConfig

# How much a proposal that overlaps a better one is pushed down before the decoder scores it.
FILLER_DOUBT = 6.0


class Queries(NamedTuple):
    """Queries of the decoder: content (b, q, c), boxes (b, q, 6) mm, base logits (b, q, k)."""

    content: Tensor
    boxes: Tensor
    logits: Tensor


class Decoder(nn.Module):
    """Rounds of attention that correct each query's box and score."""

    def __init__(self, config: TwoStageDetrConfig, categories: int, read: int) -> None:
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
        # In fp32: a few dozen queries are too little work for half precision to pay for its conversions.
        with torch.autocast(queries.boxes.device.type, enabled=False):
            x, boxes, outputs = self.content(queries.content.float()), queries.boxes, []
            for layer, delta, score in zip(self.layers, self.deltas, self.scores, strict=True):
                x = layer(x, self.place(boxes), blocked, BoxContext(boxes, tokens.detail))
                refined = refine(boxes, delta(x))
                outputs.append((refined, queries.logits.float() + score(x)))
                boxes = refined.detach()
        return outputs


class TwoStageDetr(Detector):
    """Two-stage set prediction of boxes: no anchors, no suppression at the end.

    After Deformable DETR's two stages, DINO's denoising and RT-DETR's query selection, with queries made distinct
    before they are decoded, because duplicates are what a small decoder does not learn to suppress on small data.
    """

    embeddings = ("dense.top.bias", "dense.tower.1.bias", "decoder.content.bias")

    def __init__(self, config: TwoStageDetrConfig, card: ModelCard) -> None:
        super().__init__()
        self.config, self.card = config, card
        self.dense = DenseStage(config, card)
        self.decoder = Decoder(config, len(card.categories), self.dense.backbone.channels[0])

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class, L1 and GIoU terms of the dense stage, each decoder layer and the denoising queries."""
        return self.losses_and_boxes(batch)[0]

    def losses_and_boxes(self, batch: Batch) -> tuple[dict[str, Tensor], list[Detections]]:
        """The loss terms, and what the last layer detects in the same pass, without gradients."""
        tokens = self.dense(batch.images)
        given = tokens.detached() if self.config.apart else tokens
        queries, copies = self._select(given), jitter(batch.targets, self.config.denoising)
        count = queries.boxes.shape[1]
        both = Queries(
            *(torch.cat(pair, dim=1) for pair in zip(queries, _denoising_queries(given, copies), strict=True))
        )
        layers = self.decoder(both, given, attention_mask(count, copies))
        boxes, logits = (torch.stack(part) for part in zip(*layers, strict=True))
        matched = {"dense": match_dense_tokens(tokens, batch.targets, self.config)}
        matched |= match_decoder_layers(boxes[:, :, :count], logits[:, :, :count], batch.targets)
        if self.config.denoising:
            matched |= _match_denoising(boxes[:, :, count:], logits[:, :, count:], copies, batch.targets)
        losses = batch_losses(matched, self.config.least_quality)
        whole = ("dense", f"decoder{len(layers) - 1}", f"denoise{len(layers) - 1}")
        terms = {n: term if n.split("/")[0] in whole else self.config.auxiliary * term for n, term in losses.items()}
        scores = logits[-1, :, :count].detach().sigmoid()
        return terms, [Detections(*scan) for scan in zip(boxes[-1, :, :count].detach(), scores, strict=True)]

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """The last layer's boxes and scores, `queries` per scan."""
        tokens = self.dense(images)
        boxes, logits = self.decoder(self._select(tokens), tokens, None)[-1]
        return [
            Detections(b.float(), s.float().sigmoid(), tokens.grades(scan, b, self.config.positives))
            for scan, (b, s) in enumerate(zip(boxes, logits, strict=True))
        ]

    def _select(self, tokens: Tokens) -> Queries:
        best, boxes = tokens.logits.detach().float().amax(-1), tokens.boxes.detach()
        chosen = [distinct(b, s, self.config.overlap, self.config.queries) for b, s in zip(boxes, best, strict=True)]
        return self.queries_of(tokens, chosen)

    @staticmethod
    def queries_of(tokens: Tokens, chosen: Sequence[Distinct]) -> Queries:
        """The decoder's queries from the tokens that were chosen in each scan."""
        index, filler = (torch.stack(part) for part in zip(*chosen, strict=True))
        queries = _queries_at(tokens, index, _pick(tokens.boxes.detach(), index))
        return queries._replace(logits=queries.logits - FILLER_DOUBT * filler[..., None])


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """Rows of (b, t, c) by (b, q) -> (b, q, c)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _queries_at(tokens: Tokens, index: Tensor, boxes: Tensor) -> Queries:
    # The dense logits have a loss of their own; the decoder only corrects them.
    return Queries(_pick(tokens.features, index), boxes, _pick(tokens.logits, index).detach())


def _denoising_queries(tokens: Tokens, copies: Jittered) -> Queries:
    """Denoising queries start as real ones do: from the token that lies nearest to the box."""
    nearest = torch.cdist(copies.boxes[..., :3], tokens.positions.expand(len(copies.boxes), -1, -1)).argmin(-1)
    return _queries_at(tokens, nearest, copies.boxes)


def _match_denoising(
    boxes: Tensor, logits: Tensor, copies: Jittered, targets: tuple[Targets, ...]
) -> dict[str, list[MatchedPredictions]]:
    """Each layer's predictions for the copies that are not padding, matched to the lesions that they copy.

    Args:
        boxes: (layers, scans, q, 6) mm. logits: (layers, scans, q, categories).
    """
    parts: dict[str, list[MatchedPredictions]] = {f"denoise{layer}": [] for layer in range(len(boxes))}
    for row, (real, truth) in enumerate(zip(copies.real, targets, strict=True)):
        match = Match(torch.arange(int(real.sum()), device=real.device), copies.lesion[real])
        layers = zip(parts.values(), boxes[:, row, real], logits[:, row, real], strict=True)
        for part, own, scored in layers:
            part.append(MatchedPredictions(Prediction(own, scored), truth, match))
    return parts
