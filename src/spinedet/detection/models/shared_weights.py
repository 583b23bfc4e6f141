"""One network for several planes: its weights are common, an embedding encodes the plane."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.detection.batch import Batch, Detections
from spinedet.detection.models.base import Detector, TrainableModel


class SharedDetector(TrainableModel):
    """Detectors of several planes that learn the same weights.

    What each plane keeps for itself: the embeddings that are added to its tokens and queries, the statistics of its
    normalisation (after Chang et al., CVPR 2019), and the strides and box priors of its card. So every plane's
    detector is whole, and is stored and used like one that learned alone.

    Raises:
        InputError: the networks are not of the same shape.
    """

    def __init__(self, networks: Mapping[Plane, Detector]) -> None:
        super().__init__()
        first, *others = networks.values()
        for other in others:
            _share(first, other)
        self.networks = nn.ModuleDict({plane.value: network for plane, network in networks.items()})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Those of the plane's network."""
        losses = self._of(batch.plane.value).losses(batch)
        name = next(iter(losses))
        return losses | {name: losses[name] + self._nothing()}

    def predict(self, batch: Batch) -> list[Detections]:
        """Of the plane's network."""
        return self._of(batch.plane.value).predict(batch)

    def _of(self, plane: str) -> Detector:
        network = self.networks[plane]
        assert isinstance(network, Detector)  # noqa: S101  # a ModuleDict forgets what it holds
        return network

    def _nothing(self) -> Tensor:
        """Zero, of which every embedding has a gradient: parallel training waits for those of all parameters."""
        own = [network.get_parameter(name) for network in map(self._of, self.networks) for name in network.embeddings]
        return 0 * torch.stack([parameter.sum() for parameter in own]).sum()


def _share(source: Detector, network: Detector) -> None:
    """Make the parameters of `network` those of `source`, but for the embeddings."""
    for name, parameter in source.named_parameters():
        if network.get_parameter(name).shape != parameter.shape:
            raise InputError(f"shared=true needs planes whose networks agree, and {name} differs; leave shared out")
        if name not in source.embeddings:
            owner, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(owner), leaf, parameter)
