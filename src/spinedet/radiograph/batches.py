"""Training batches of radiographs: an order and a variation that follow from seed, epoch and image alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spinedet.radiograph.settings import VariationConfig
from spinedet.training.samplers import Draw, EpochSampler, generator, seed_for


@dataclass(frozen=True, slots=True, eq=False)
class ImageBatch:
    """Images (N, 1, side, side) in [0, 1] and rows of labels (N,)."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device | str) -> ImageBatch:
        """The same on another device."""
        return ImageBatch(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImages:
    """Images in memory, (n, side, side), with rows of labels (n,) and how they are varied."""

    pixels: NDArray[np.float16]
    labels: NDArray[np.int64]
    variation: VariationConfig
    seed: int

    def batch(self, draws: Sequence[Draw]) -> ImageBatch:
        """The images of some draws, varied."""
        rows = [draw.index for draw in draws]
        images = torch.from_numpy(self.pixels[rows].astype(np.float32))[:, None]
        labels = torch.from_numpy(self.labels[rows])
        return ImageBatch(self._varied(images, draws), labels)

    def _varied(self, images: Tensor, draws: Sequence[Draw]) -> Tensor:
        how = self.variation
        streams = [np.random.default_rng(seed_for(self.seed, draw.epoch, draw.index)) for draw in draws]
        numbers = np.array([stream.uniform(-1, 1, 7) for stream in streams], dtype=np.float32)
        turn, zoom, across, down, bend, loud, side = torch.from_numpy(numbers).unbind(1)
        angle = turn * math.radians(how.degrees)
        scale = (1 + how.scale) ** -zoom
        cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
        # A shift by half of a side is 1 in the grid's units.
        facing = torch.where((side + 1) / 2 < how.mirror, -1.0, 1.0)
        rows = (facing * cosine, -sine, 2 * how.shift * across, facing * sine, cosine, 2 * how.shift * down)
        grid = F.affine_grid(torch.stack(rows, 1).reshape(-1, 2, 3), list(images.shape), align_corners=False)
        moved = F.grid_sample(images, grid, align_corners=False).clamp_min(0)
        bent = moved ** ((1 + how.gamma) ** bend)[:, None, None, None]
        random = generator(self.seed, draws[0].epoch, draws[0].index, len(draws))
        noise = torch.randn(bent.shape, generator=random) * (how.noise * (loud + 1) / 2)[:, None, None, None]
        return bent + noise


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBatches:
    """The batches of each epoch in the sampler's order: all that Lightning needs of a loader."""

    images: TrainingImages
    sampler: EpochSampler

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return len(self.sampler) // self.sampler.share.own

    def __iter__(self) -> Iterator[ImageBatch]:
        """From the sampler's position on."""
        draws: list[Draw] = []
        for draw in self.sampler:
            draws.append(draw)
            if len(draws) == self.sampler.share.own:
                yield self.images.batch(draws)
                draws = []
