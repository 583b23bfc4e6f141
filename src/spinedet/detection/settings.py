"""Settings of the detectors and of their training, importable without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from spinedet.core.errors import InputError

# A positive's target score is its box's IoU, but at least this, so that a first inaccurate box still counts.
LEAST_QUALITY = 0.2


# Feature maps that anchors may lie on, by stride.
LEVELS = ("detail", "fine", "coarse")


NEGATIVES = ("hard", "focal")


# Scans a step by default: small steps learn most from few scans and little time.
FEW_SCANS = 2


@dataclass
class DenseConfig:
    """Sizes of the dense detector: what remains of the set-prediction detector without its decoder.

    Attributes:
        width: channels of the ResNet18's first stage (64 is the published one).
        channels, heads: of the encoder layer.
        queries: most boxes of a scan.
        overlap: IoU above which two proposals are one.
        positives: tokens that are matched to one lesion.
        least_quality: a positive's target score is its box's IoU, but at least this.
        severity: the highest grade of lesions' `attributes.severity`, which is learned too; 0 learns none.
    """

    name: str = "dense"
    width: int = 16
    channels: int = 64
    heads: int = 4
    queries: int = 24
    overlap: float = 0.3
    positives: int = 9
    least_quality: float = LEAST_QUALITY
    severity: int = 0

    def __post_init__(self) -> None:
        if self.severity < 0:
            raise InputError(f"model.severity={self.severity}: name the highest grade, such as 3, or 0 to learn none")


@dataclass
class TwoStageDetrConfig(DenseConfig):
    """Sizes of the set-prediction detector, and a switch for each part that an ablation takes away.

    Attributes:
        decoder_layers: of the transformer decoder.
        queries: boxes that the decoder refines; a few times the lesions a scan can have.
        overlap: IoU above which two proposals are one query; with 1 every proposal may be a query.
        positives: tokens of the dense stage that are matched to one lesion; 1 turns one-to-many supervision off.
        denoising: jittered copies of each lesion that the decoder learns to denoise; 0 turns it off.
        auxiliary: weight of the losses of all decoder layers but the last; 0 leaves the last layer's.
        least_quality: a positive's target score is its box's IoU, but at least this; 1 turns IoU-awareness off.
        apart: the decoder learns from the features of the dense stage without changing them; the dense stage learns
            more from its own losses alone (measured).
    """

    name: str = "set"
    decoder_layers: int = 3
    denoising: int = 3
    auxiliary: float = 1.0
    apart: bool = True


@dataclass
class GraderConfig:
    """Sizes of the grader.

    Attributes:
        width: channels of its first stage. channels, heads: of the attention among structures.
        layers: of that attention; 0 grades each structure by itself, without its place in the order.
        dropout: in the attention and before the outputs.
        members: graders that are trained side by side from different initial weights; their mean is the output.
    """

    width: int = 24
    channels: int = 96
    heads: int = 4
    layers: int = 1
    dropout: float = 0.1
    members: int = 1

    def __post_init__(self) -> None:
        if self.members < 1 or self.layers < 0:
            raise InputError("model.grader.members must be at least 1 and model.grader.layers at least 0")


# What a graded detector can learn: everything, or only to grade what it finds already.
LEARNED = ("all", "grader")


@dataclass
class GradedConfig(TwoStageDetrConfig):
    """The set-prediction detector with a grader behind it.

    Attributes:
        grader: what grades the structures.
        learn: `all`, or only the `grader`, where the detector comes from init= and finds the structures already.
    """

    name: str = "graded"
    grader: GraderConfig = field(default_factory=GraderConfig)
    learn: str = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learn not in LEARNED:
            raise InputError(f"model.learn={self.learn}: use one of {list(LEARNED)}")
        if isinstance(self.grader, dict):
            self.grader = GraderConfig(**self.grader)


@dataclass
class DetrConfig:
    """Sizes of the control, after Carion et al. (ECCV 2020), with a focal class term.

    Attributes:
        width: channels of the ResNet18's first stage. channels, heads: of the transformer.
        queries: learned, more than a scan can have lesions.
    """

    name: str = "detr"
    width: int = 16
    channels: int = 64
    heads: int = 4
    encoder_layers: int = 2
    decoder_layers: int = 6
    queries: int = 32


@dataclass
class RetinaNetConfig:
    """Sizes and settings of the peer.

    Attributes:
        width: channels of the ResNet18's first stage. channels: of pyramid and heads, a multiple of 8.
        levels: maps of the backbone that carry anchors, finest first. The anchors of each have the typical lesion
            sizes of the training data, `ModelCard.sizes`.
        candidates: anchor positions for each lesion and level among which adaptive assignment (ATSS) chooses.
        negatives: `hard` samples the worst of them, as MONAI's tutorial does; `focal` weighs them all.
        overlap: IoU above which the worse of two boxes is suppressed. most: boxes that are compared in each level.
        min_score: boxes below it are not compared.
    """

    name: str = "retinanet"
    width: int = 16
    channels: int = 64
    levels: list[str] = field(default_factory=lambda: ["fine"])
    candidates: int = 4
    negatives: str = "hard"
    overlap: float = 0.22
    most: int = 300
    min_score: float = 0.01

    def __post_init__(self) -> None:
        if not self.levels or set(self.levels) - set(LEVELS):
            raise InputError(f"model.levels={list(self.levels)}: name some of {list(LEVELS)}")
        if self.negatives not in NEGATIVES:
            raise InputError(f"model.negatives={self.negatives}: use one of {list(NEGATIVES)}")
        if self.channels % 8:
            raise InputError(f"model.channels={self.channels}: RetinaNet's heads need a multiple of 8")


ModelConfig: TypeAlias = GradedConfig | TwoStageDetrConfig | DenseConfig | DetrConfig | RetinaNetConfig


# By the name that is stored with the weights.
CONFIGS: dict[str, type[ModelConfig]] = {
    "graded": GradedConfig,
    "set": TwoStageDetrConfig,
    "dense": DenseConfig,
    "detr": DetrConfig,
    "retinanet": RetinaNetConfig,
}

# The choices of `model=`: the networks, and `set` with the full ResNet18 and DETR's own transformer width, for GPUs.
MODELS: dict[str, ModelConfig] = {
    **{name: config() for name, config in CONFIGS.items()},
    "set_large": TwoStageDetrConfig(width=64, channels=256, heads=8),
}


@dataclass
class RecipeConfig:
    """How a detector is trained.

    Attributes:
        lr, weight_decay: of AdamW. warmup: the share of the budget over which the rate rises; it then falls as a
            cosine to nothing at the end of the budget: `trainer.max_steps`, else `trainer.max_epochs`, and only where
            that is -1 `trainer.max_time`.
        clip: largest gradient norm. ema: decay of the averaged weights that are kept.
        batch: scans per step, over all processes; null is two, or one for each process where there are more.
        backbone: file of published ResNet18 weights to begin with, such as MedicalNet's; needs model.width=64.
        layer_decay: learning rate of each stage of the backbone as a share of the next deeper one's; at 1 all learn
            alike, at 0 the backbone stays as it is, its normalisation included.
    """

    lr: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.08
    clip: float = 5.0
    ema: float = 0.99
    batch: int | None = None
    backbone: str | None = None
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.layer_decay <= 1:
            raise InputError(f"recipe.layer_decay={self.layer_decay} must be from 0 (backbone frozen) to 1")
        if self.batch is not None and self.batch < 1:
            raise InputError(f"recipe.batch={self.batch} must be at least 1, or null for a number that fits")

    def scans_a_step(self, processes: int) -> int:
        """Of so many processes together."""
        return self.batch or max(FEW_SCANS, processes)
