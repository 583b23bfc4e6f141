"""Transformer pieces for boxes in millimetres: embeddings, an encoder layer, decoder layers that attend to a box."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spinedet.detection.boxes import limits

# Wavelengths of the sine embedding: from a third of a disc's height to more than a field of view.
SHORTEST_WAVE, LONGEST_WAVE = 8.0, 800.0
# Points along (slice, row, column) at which a box is read, spread over this many times its size.
POINTS = (3, 5, 5)
BEYOND = 1.2


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
    """Self-attention among coarse tokens, so that every token has the context of its neighbours."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            channels, heads, dim_feedforward=2 * channels, dropout=0.0, batch_first=True, norm_first=True
        )

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Tokens (b, t, c) and their positions (t, 3) mm -> tokens (b, t, c)."""
        # In fp32: on CPUs the backward pass of half-precision attention takes longer than that of the full one.
        with torch.autocast(tokens.device.type, enabled=tokens.is_cuda), without_fast_path():
            encoded: Tensor = self.layer(tokens.float() + sine_embedding(positions, tokens.shape[-1]))
        return encoded


@contextmanager
def without_fast_path() -> Iterator[None]:
    """Without PyTorch's inference shortcut, which stores every attention weight: slower and larger for a long scan."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def as_lengths(shape: Sequence[int], like: Tensor) -> Tensor:
    """Sizes of an image as floats like `like`; by `new_tensor` they would be constants of an exported graph."""
    return torch.cat([torch.full((1,), size, dtype=like.dtype, device=like.device) for size in shape])


class Map(NamedTuple):
    """A feature map (b, c, d, h, w) with the mm between its cells' centres and of its first cell's centre, (3,)."""

    features: Tensor
    pitch: Tensor
    first: Tensor

    def sample(self, points: Tensor) -> Tensor:
        """Features at points (b, n, 3) mm, interpolated, (b, n, c); outside, those of the border."""
        last = as_lengths(self.features.shape[2:], points) - 1
        index = (points - self.first) / self.pitch
        place = (2 * index / last.clamp_min(1) - 1).flip(-1)[:, :, None, None]
        sampled = F.grid_sample(self.features.float(), place, padding_mode="border", align_corners=True)
        return sampled[..., 0, 0].mT


class BoxAttention(nn.Module):
    """Cross-attention that reads the image at a grid of points spread over the query's box and a little beyond.

    It sees features finer than the tokens that proposed the box, at a cost that does not depend on the volume.
    """

    def __init__(self, channels: int, heads: int, read: int) -> None:
        super().__init__()
        self.heads = heads
        self.where = nn.Parameter(torch.randn(math.prod(POINTS), channels) * 0.02)
        self.query, self.out = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.read, self.value = nn.Linear(read, channels), nn.Linear(channels, 2 * channels)

    def forward(self, queries: Tensor, boxes: Tensor, detail: Map) -> Tensor:
        """Queries (b, q, c) with boxes (b, q, 6) mm read the map."""
        b, q, c = queries.shape
        spread = [torch.linspace(-BEYOND / 2, BEYOND / 2, count, device=boxes.device) for count in POINTS]
        points = boxes[:, :, None, :3] + torch.cartesian_prod(*spread) * boxes[:, :, None, 3:]
        seen = detail.sample(points.flatten(1, 2))
        read = F.relu(self.read(seen).view(b, q, -1, c) + self.where)
        # There are far more points than queries, so keys and values are never formed: (K r) . q is r . (K' q), and the
        # sum of w V r is V times the sum of w r. The keys' bias shifts all points alike, which the softmax ignores.
        keys, values = self.value.weight.view(2, self.heads, c // self.heads, c)
        query = self.query(queries).view(b, q, self.heads, -1) / math.sqrt(c // self.heads)
        weight = (torch.einsum("bqhd,hdc->bqhc", query, keys) @ read.mT).softmax(dim=-1)
        seen = torch.einsum("bqhc,hdc->bqhd", weight @ read, values).flatten(2) + self.value.bias[c:]
        out: Tensor = self.out(seen)
        return out


class BoxContext(NamedTuple):
    """The boxes (b, q, 6) mm of queries, and the feature map that they attend to."""

    boxes: Tensor
    detail: Map


class DecoderLayer(nn.Module):
    """Self-attention among queries, cross-attention to the image near each box, a feed-forward network."""

    def __init__(self, channels: int, heads: int, read: int) -> None:
        super().__init__()
        self.among = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.cross = BoxAttention(channels, heads, read)
        self.feed = mlp(channels, 2 * channels, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(self, queries: Tensor, place: Tensor, blocked: Tensor | None, context: BoxContext) -> Tensor:
        """One round: queries (b, q, c); place (b, q, c), the embedding of each query's box; blocked (q, q) bool,
        True where one query must not see another.
        """
        x = self.norms[0](queries)
        queries = queries + self.among(x + place, x + place, x, attn_mask=blocked, need_weights=False)[0]
        queries = queries + self.cross(self.norms[1](queries) + place, context.boxes, context.detail)
        out: Tensor = queries + self.feed(self.norms[2](queries))
        return out


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
