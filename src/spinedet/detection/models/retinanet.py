"""MONAI's RetinaNet on our backbone: the anchor-based peer that the set detector is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from monai.losses.focal_loss import FocalLoss
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork
from torch import Tensor, nn

from spinedet.detection.batch import Batch, Detections, Targets
from spinedet.detection.boxes import contains, limits
from spinedet.detection.models.backbone import Backbone, Stride
from spinedet.detection.models.base import Detector, ModelCard
from spinedet.detection.settings import LEVELS, RetinaNetConfig


class Pyramid(nn.Module):
    """The backbone under MONAI's feature pyramid, which as such needs no torchvision."""

    def __init__(self, config: RetinaNetConfig, card: ModelCard) -> None:
        super().__init__()
        self.levels = tuple(level for level in LEVELS if level in config.levels)
        first = LEVELS.index(self.levels[0])
        self.names, self.out_channels = LEVELS[first:], config.channels
        self.backbone = Backbone(config.width, card.spacing)
        self.pyramid = FeaturePyramidNetwork(3, list(self.backbone.channels[first:]), config.channels)
        # Maps that only pass context down need no convolution of their own.
        for index, name in enumerate(self.names):
            if name not in self.levels:
                self.pyramid.layer_blocks[index] = nn.Identity()

    def forward(self, images: Tensor) -> list[Tensor]:
        """A map for each level, finest first."""
        features = self.backbone(images)._asdict()
        maps = self.pyramid({name: features[name] for name in self.names})
        return [maps[name] for name in self.levels]


class _ReadOut(NamedTuple):
    """Class logits (b, anchors, k), box offsets (b, anchors, 6), the anchors of each scan and positions per level."""

    maps: dict[str, Tensor]
    anchors: list[Tensor]
    positions: list[int]


class _Peer(RetinaNetDetector):
    """MONAI's detector without torchvision; anchors in a lesion to be ignored are neither right nor wrong."""

    def read_out(self, images: Tensor) -> _ReadOut:
        heads = self.network(images)
        self.generate_anchors(images, heads)
        positions = [level.shape[2:].numel() for level in heads[self.cls_key]]
        maps = {key: self._reshape_maps(levels).float() for key, levels in heads.items()}
        return _ReadOut(maps, self.anchors or [], positions)

    def compute_anchor_matched_idxs(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]], num_anchor_locs_per_level: Sequence[int]
    ) -> list[Tensor]:
        """As MONAI's, for adaptive assignment alone; anchors centred in an ignored lesion are left out."""
        matched = []
        for places, truth in zip(anchors, targets, strict=True):
            arguments = (truth["boxes"], places, num_anchor_locs_per_level, self.num_anchors_per_loc)
            match = self.proposal_matcher(*arguments)[1].to(places.device)
            center = (places[:, :3] + places[:, 3:]) / 2
            excused = contains(truth["ignored"], center).any(1) & (match < 0)
            matched.append(match.masked_fill(excused, self.proposal_matcher.BETWEEN_THRESHOLDS))
        return matched


class _FocalSum(nn.Module):
    """Focal loss per positive anchor, as RetinaNet's authors normalise it."""

    def __init__(self) -> None:
        super().__init__()
        self.focal = FocalLoss(gamma=2.0, alpha=0.25, reduction="sum")

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        total: Tensor = self.focal(logits, truth)
        return total / truth.sum().clamp_min(1)


class RetinaNetPeer(Detector):
    """Anchors at every position, adaptive assignment, hard negatives, suppression at the end.

    Settings that are not in the config are those of MONAI's LUNA16 tutorial.
    """

    def __init__(self, config: RetinaNetConfig, card: ModelCard) -> None:
        super().__init__()
        self.config, self.card = config, card
        sizes = torch.tensor(card.sizes or (card.mean_size,)) / torch.tensor(card.spacing)
        pyramid = Pyramid(config, card)
        network = RetinaNet(3, len(card.categories), len(sizes), pyramid, pyramid.backbone.strides.coarse)
        anchors = AnchorGeneratorWithAnchorShape((1.0,) * len(config.levels), sizes.tolist())
        # MONAI rounds them to whole voxels, which costs the thin ones up to 0.05 of their IoU with the lesions.
        anchors.cell_anchors = [torch.cat([-sizes / 2, sizes / 2], dim=1)] * len(config.levels)
        self.peer = _Peer(network, anchors)
        self.peer.set_atss_matcher(config.candidates, center_in_gt=False)
        self.peer.set_box_selector_parameters(config.min_score, config.most, config.overlap, config.most)
        if config.negatives == "hard":
            self.peer.set_hard_negative_sampler(
                batch_size_per_image=64, positive_fraction=0.3, pool_size=20, min_neg=16
            )
        else:
            self.peer.set_cls_loss(_FocalSum())
        inner = "peer.network.feature_extractor.pyramid.inner_blocks"
        self.embeddings = tuple(f"{inner}.{level}.bias" for level in range(len(pyramid.names)))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Class and box terms."""
        out = self.peer.read_out(batch.images)
        targets = [self._truth(truth) for truth in batch.targets]
        terms = self.peer.compute_loss(out.maps, targets, out.anchors, out.positions)
        # Without a lesion the box term is a constant; every parameter still needs a gradient, in parallel training too.
        nothing = 0 * out.maps[self.peer.box_reg_key].sum()
        return {
            "retinanet/class": terms[self.peer.cls_key],
            "retinanet/box": terms[self.peer.box_reg_key] + nothing,
        }

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """Boxes that no better one of their category suppresses."""
        padded = _padded(images, self.peer.size_divisible)
        out = self.peer.read_out(padded)
        sizes = [list(padded.shape[2:])] * len(padded)
        return [self._answer(f) for f in self.peer.postprocess_detections(out.maps, out.anchors, sizes, out.positions)]

    def _truth(self, targets: Targets) -> dict[str, Tensor]:
        """Boxes as (low, high) in voxels."""
        spacing = targets.boxes.new_tensor(self.card.spacing).repeat(2)
        boxes = torch.cat(limits(targets.boxes), dim=1) / spacing
        certain = ~targets.ignore
        return {"boxes": boxes[certain], "labels": targets.labels[certain], "ignored": boxes[targets.ignore]}

    def _answer(self, found: dict[str, Tensor]) -> Detections:
        low, high = found["boxes"][:, :3], found["boxes"][:, 3:]
        boxes = torch.cat([(low + high) / 2, high - low], dim=1) * low.new_tensor(self.card.spacing).repeat(2)
        scores = F.one_hot(found["labels"], len(self.card.categories)) * found["labels_scores"][:, None]
        return Detections(boxes, scores)


def _padded(images: Tensor, stride: Stride) -> Tensor:
    """Images (b, 1, slices, rows, columns) with every axis a multiple of the coarsest stride; what is added holds each
    image's own lowest value, so that an image is read alike in any batch.
    """
    shape = [-(-size // each) * each for size, each in zip(images.shape[2:], stride, strict=True)]
    padded = images.amin((1, 2, 3, 4), keepdim=True).repeat(1, 1, *shape)
    padded[:, :, : images.shape[2], : images.shape[3], : images.shape[4]] = images
    return padded
