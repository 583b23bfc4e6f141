"""Plain DETR in 3D, the control: learned queries, attention to the whole coarse map, nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinedet.detection.batch import Batch, Detections
from spinedet.detection.losses import batch_losses, match_decoder_layers
from spinedet.detection.models.backbone import Backbone, token_centers
from spinedet.detection.models.base import Detector, ModelCard
from spinedet.detection.models.dense_detector import PRIOR_LOGIT
from spinedet.detection.models.transformer import EncoderLayer, as_lengths, mlp, sine_embedding
from spinedet.detection.settings import DetrConfig


class GlobalLayer(nn.Module):
    """Self-attention among queries, cross-attention to every token, a feed-forward network."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.among = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.cross = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.feed = mlp(channels, 2 * channels, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Tensor, place: Tensor, tokens: Tensor, where: Tensor) -> Tensor:
        """One round: x and place (b, q, c) of the queries, tokens (b, t, c) and where (t, c) of the map."""
        y = self.norms[0](x)
        x = x + self.among(y + place, y + place, y, need_weights=False)[0]
        x = x + self.cross(self.norms[1](x) + place, tokens + where, tokens, need_weights=False)[0]
        out: Tensor = x + self.feed(self.norms[2](x))
        return out


class DetrDetector(Detector):
    """A fixed set of learned queries, each matched to at most one lesion; no first stage, no suppression."""

    embeddings = ("project.bias", "queries")

    def __init__(self, config: DetrConfig, card: ModelCard) -> None:
        super().__init__()
        self.config, self.card = config, card
        c = config.channels
        self.backbone = Backbone(config.width, card.spacing)
        self.project = nn.Conv3d(self.backbone.channels[-1], c, 1)
        self.encoder = nn.ModuleList(EncoderLayer(c, config.heads) for _ in range(config.encoder_layers))
        self.queries = nn.Parameter(torch.randn(config.queries, c))
        self.decoder = nn.ModuleList(GlobalLayer(c, config.heads) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(c)
        self.score, self.box = nn.Linear(c, len(card.categories)), mlp(c, c, 6)
        nn.init.constant_(self.score.bias, PRIOR_LOGIT)

    def forward(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Boxes (b, q, 6) mm and logits (b, q, k) after each decoder layer."""
        coarse = self.project(self.backbone(images).coarse)
        places = token_centers(coarse, self.backbone.strides.coarse, self.card.spacing)
        tokens = coarse.flatten(2).mT
        for layer in self.encoder:
            tokens = layer(tokens, places)
        where = sine_embedding(places, self.config.channels)
        place = self.queries.expand(len(images), -1, -1)
        x, outputs = place, []
        for layer in self.decoder:
            x = layer(x, place, tokens, where)
            normed = self.norm(x)
            outputs.append((self._boxes(self.box(normed), images), self.score(normed)))
        return outputs

    def _boxes(self, raw: Tensor, images: Tensor) -> Tensor:
        """Centres anywhere in the image; sizes around the mean lesion's, as the data are too few to learn them."""
        raw = raw.float()  # half precision has steps of a millimetre at the far end of an image
        extent = as_lengths(images.shape[2:], raw) * raw.new_tensor(self.card.spacing)
        size = raw.new_tensor(self.card.mean_size) * raw[..., 3:].clamp(-3, 3).exp()
        return torch.cat([raw[..., :3].sigmoid() * extent, size], dim=-1)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class, L1 and GIoU terms of each decoder layer."""
        boxes, logits = (torch.stack(part) for part in zip(*self(batch.images), strict=True))
        return batch_losses(match_decoder_layers(boxes, logits, batch.targets))

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """The last layer's boxes and scores, `queries` per scan."""
        boxes, logits = self(images)[-1]
        return [Detections(b.float(), s.float().sigmoid()) for b, s in zip(boxes, logits, strict=True)]
