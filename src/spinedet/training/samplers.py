"""The scans of every training step: an order fixed by seed and epoch, divided among processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Sampler


@dataclass(frozen=True, slots=True)
class Position:
    """Position in the training data: epochs completed, and steps taken in the current one."""

    epoch: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Draw:
    """Which scan is drawn in which epoch; together with the run's seed it fixes the augmentation."""

    epoch: int
    index: int


@dataclass(frozen=True, slots=True)
class Share:
    """A process's part of every step: `batch` scans a step are divided among `size` processes."""

    batch: int
    rank: int = 0
    size: int = 1

    @property
    def own(self) -> int:
        """Scans of this process in a step."""
        return self.batch // self.size


class EpochSampler(Sampler[Draw]):
    """Every scan once per epoch (those left over after the last full batch wait), from `start` on.

    The scans of a step are the same however many processes share them.
    """

    def __init__(self, scans: int, seed: int, share: Share, start: Position = Position()) -> None:  # frozen
        self.scans, self.seed, self.share, self.start = scans, seed, share, start
        self.epoch = start.epoch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Draws of a whole epoch: Lightning counts the steps before `start` as done."""
        return self.scans // self.share.batch * self.share.own

    def __iter__(self) -> Iterator[Draw]:
        done = self.start.steps if self.epoch == self.start.epoch else 0
        order, own = self._order(self.epoch), self.share.own
        for step in range(done, self.scans // self.share.batch):
            first = step * self.share.batch + self.share.rank * own
            yield from order[first : first + own]

    def step(self, at: Position) -> list[Draw]:
        """The scans of all processes at one step."""
        return self._order(at.epoch)[at.steps * self.share.batch : (at.steps + 1) * self.share.batch]

    def _order(self, epoch: int) -> list[Draw]:
        order = torch.randperm(self.scans, generator=generator(self.seed, epoch))
        return [Draw(epoch, index) for index in order.tolist()]


@dataclass(frozen=True, slots=True)
class Pool:
    """The scans of one plane that an epoch draws from.

    Attributes:
        scans: how many there are. weights: how often each is drawn in an epoch on average; None is once each.
    """

    scans: int
    weights: tuple[float, ...] | None = None

    @property
    def draws(self) -> int:
        """Draws of an epoch."""
        return self.scans if self.weights is None else round(sum(self.weights))

    def order(self, random: torch.Generator) -> list[int]:
        """The scans of one epoch, in random order.

        Weighted ones by systematic sampling (Madow, Ann Math Stat 1949;20:333): each as often as its share of the
        draws, rounded down or up.
        """
        if self.weights is None:
            return torch.randperm(self.scans, generator=random).tolist()
        drawn = torch.randperm(self.scans, generator=random)
        edges = torch.tensor(self.weights, dtype=torch.float64)[drawn].cumsum(0)
        places = (torch.arange(self.draws) + torch.rand(1, generator=random, dtype=torch.float64)) / self.draws
        picked = torch.searchsorted(edges, places * edges[-1], right=True).clamp(max=self.scans - 1)
        return drawn[picked][torch.randperm(self.draws, generator=random)].tolist()


class PlaneTurns(EpochSampler):
    """Steps of one plane each: several planes take turns in proportion to their draws; one alone is an `EpochSampler`.

    The scans are numbered one plane after the other.
    """

    def __init__(self, pools: Sequence[Pool], seed: int, share: Share, start: Position = Position()) -> None:  # frozen
        self.steps = [pool.draws // share.batch for pool in pools]
        self.pools = pools
        super().__init__(sum(self.steps) * share.batch, seed, share, start)

    def _order(self, epoch: int) -> list[Draw]:
        random, batch = generator(self.seed, epoch), self.share.batch
        turns: list[tuple[float, list[Draw]]] = []
        first = 0
        for pool, steps in zip(self.pools, self.steps, strict=True):
            order = [Draw(epoch, first + index) for index in pool.order(random)]
            turns += [((step + 0.5) / steps, order[step * batch : (step + 1) * batch]) for step in range(steps)]
            first += pool.scans
        return [draw for _, draws in sorted(turns, key=lambda turn: turn[0]) for draw in draws]


def seed_for(*key: int) -> int:
    """The seed of a random stream of its own for every key."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*key: int) -> torch.Generator:
    """A random stream of its own for every key."""
    return torch.Generator().manual_seed(seed_for(*key))
