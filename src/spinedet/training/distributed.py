"""Communication between the processes of one training; without others each gets its own value back."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is; the first one is 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes_here() -> int:
    """How many of them are on this node."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def mean_over_processes(value: float) -> float:
    """The mean over all processes."""
    if world_size() == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(total)
    return float(total) / world_size()


def any_process(flag: bool) -> bool:
    """Whether it is true on any process."""
    return mean_over_processes(float(flag)) > 0


def broadcast_from_first(value: float) -> float:
    """The value of the first process, for clocks that must not differ."""
    if world_size() == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    dist.broadcast(shared, src=0)
    return float(shared)


def gather(values: list[T]) -> list[T]:
    """On the first process the values of all in round-robin order: item i came from process i modulo their number.

    A process that had nothing to do may have padded its list; what is beyond the first shortfall is dropped by the
    caller, who knows how many there are. Other processes get an empty list.
    """
    if world_size() == 1:
        return values
    parts: list[list[T] | None] | None = [None] * world_size() if rank() == 0 else None
    dist.gather_object(values, parts, dst=0)
    if parts is None:
        return []
    rounds = max(len(part or ()) for part in parts)
    return [part[turn] for turn in range(rounds) for part in parts if part is not None and turn < len(part)]


class _Sum(torch.autograd.Function):
    """The sum over processes; its gradient is the sum over their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The same sum on every process."""
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Each process's sum has taken the value of every x."""
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _summed(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]  # torch's own
    return total


class _BatchNorm(nn.BatchNorm3d):
    """Batch normalisation over the scans of all processes, on any device (torch's own needs a GPU)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised x, (b, channels, d, h, w)."""
        if not self.training:
            return super().forward(x)
        count = x.numel() / x.shape[1] * world_size()  # every process has as many scans
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = _summed(exact.sum((0, 2, 3, 4))) / count
        centered = exact - mean.view(1, -1, 1, 1, 1)
        variance = _summed(centered.square().sum((0, 2, 3, 4))) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scale = (self.weight / (variance + self.eps).sqrt()).view(1, -1, 1, 1, 1)
        return (centered * scale + self.bias.view(1, -1, 1, 1, 1)).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None  # noqa: S101  # the networks' norms all keep statistics
        assert self.running_var is not None  # noqa: S101  # likewise
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def share_batch_norm(network: nn.Module, on_gpu: bool) -> nn.Module:
    """The network with norms over all processes' scans; parameters and their names stay."""
    if on_gpu:
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # torch's own
    for module in network.modules():
        if type(module) is nn.BatchNorm3d:
            module.__class__ = _BatchNorm
    return network


def end_with_parent() -> None:
    """End this process when the one that started it ends.

    A killed command must not leave a training behind that writes into the folder while another one resumes there.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
