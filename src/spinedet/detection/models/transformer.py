"""Transformer pieces for boxes in millimetres: embeddings, an encoder layer, decoder layers that look at a box."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spinedet.detection.boxes import limits

# Wavelengths of the sine embedding: from a third of a disc's height to more than a field of view.
SHORTEST_WAVE, LONGEST_WAVE = 8.0, 800.0


def sine_embedding(points: Tensor, channels: int) -> Tensor:
    """Sines and cosines of each mm coordinate, (..., k) -> (..., channels), zero-padded to `channels`."""
    count = channels // (2 * points.shape[-1])
    waves = torch.logspace(math.log10(SHORTEST_WAVE), math.log10(LONGEST_WAVE), count, device=points.device)
    phase = (points.float()[..., None] * (2 * math.pi / waves)).flatten(-2)
    embedded = torch.cat([phase.sin(), phase.cos()], dim=-1)
    return F.pad(embedded, (0, channels - embedded.shape[-1]))


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two linear layers."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs))


class EncoderLayer(nn.Module):
    """Self-attention among coarse tokens, so that every disc knows of its neighbours."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            channels, heads, dim_feedforward=2 * channels, dropout=0.0, batch_first=True, norm_first=True
        )

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Tokens (b, t, c) and their positions (t, 3) mm -> tokens (b, t, c)."""
        encoded: Tensor = self.layer(tokens + sine_embedding(positions, tokens.shape[-1]).to(tokens.dtype))
        return encoded


class GaussianAttention(nn.Module):
    """Cross-attention whose logits fall off with the distance from the query's box, at a rate learned per head."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(channels, channels) for _ in range(4))
        self.falloff = nn.Parameter(torch.linspace(-2.0, 2.0, heads))

    def forward(self, queries: Tensor, tokens: Tensor, boxes: Tensor, positions: Tensor) -> Tensor:
        """Queries (b, q, c) with boxes (b, q, 6) read tokens (b, t, c) that lie at positions (t, 3) mm."""
        b, q, c = queries.shape
        split = (b, -1, self.heads, c // self.heads)
        away = (positions - boxes[..., None, :3]) / boxes[..., None, 3:].clamp_min(8.0)
        bias = -F.softplus(self.falloff)[:, None, None] * away.square().sum(-1)[:, None]
        query, key, value = self.query(queries), self.key(tokens), self.value(tokens)
        attended = F.scaled_dot_product_attention(
            query.view(split).transpose(1, 2),
            key.view(split).transpose(1, 2),
            value.view(split).transpose(1, 2),
            attn_mask=bias.to(query.dtype),
        )
        out: Tensor = self.out(attended.transpose(1, 2).reshape(b, q, c))
        return out


class DecoderLayer(nn.Module):
    """Queries talk to each other, read the image near their box, and think."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.among = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.cross = GaussianAttention(channels, heads)
        self.feed = mlp(channels, 2 * channels, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(
        self, queries: Tensor, place: Tensor, blocked: Tensor | None, look: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """One round.

        Args:
            queries: (b, q, c). place: (b, q, c), the embedding of each query's box.
            blocked: (q, q) bool, True where one query must not see another.
            look: tokens (b, t, c), boxes (b, q, 6) mm, token positions (t, 3) mm.
        """
        tokens, boxes, positions = look
        x = self.norms[0](queries)
        queries = queries + self.among(x + place, x + place, x, attn_mask=blocked, need_weights=False)[0]
        queries = queries + self.cross(self.norms[1](queries) + place, tokens, boxes, positions)
        thought: Tensor = queries + self.feed(self.norms[2](queries))
        return thought


class BoxEmbedding(nn.Module):
    """Where a box is and how large, as a vector."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.project = mlp(2 * channels, channels, channels)

    def forward(self, boxes: Tensor) -> Tensor:
        """Boxes (..., 6) mm -> (..., channels)."""
        low, high = limits(boxes.float())
        place = torch.cat([sine_embedding(low, self.channels), sine_embedding(high, self.channels)], dim=-1)
        embedded: Tensor = self.project(place)
        return embedded
