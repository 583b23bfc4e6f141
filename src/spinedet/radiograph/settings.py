"""Settings of classification: networks, input, augmentation and recipe; importable without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from spinedet.core.errors import InputError
from spinedet.radiograph.phantom_weights import PHANTOMS, refuse_phantom_weights

_LARGEST_SIDE = 256  # of a baseline's square, pixels
EFFICIENT = tuple(f"b{size}" for size in range(9))


@dataclass
class EfficientNetConfig:
    """MONAI's EfficientNet (Tan and Le 2019, arXiv:1905.11946).

    Attributes:
        variant: b0 to b8. dropout: before the last layer. weights: a local .pth or .safetensors to start from, or none.
    """

    variant: str = "b0"
    dropout: float = 0.2
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.variant not in EFFICIENT:
            raise InputError(f"network.variant={self.variant}: use one of {', '.join(EFFICIENT)}")
        refuse_phantom_weights(self.weights, self.table)

    @property
    def table(self) -> str:
        """Its name among the networks that weights are of."""
        return f"efficientnet-{self.variant}"


@dataclass
class InvertedConfig:
    """A network of inverted residual blocks.

    Attributes:
        table: mobilenet_v3_large, mnasnet_b1, mnasnet_a1 or efficientnet_lite0. dropout: before the last layer.
        weights: to start from: phantoms (taught on simulated radiographs; shipped for all tables but mnasnet_a1), none,
            or a local .pth or .safetensors.
    """

    table: str = "efficientnet_lite0"
    dropout: float = 0.2
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise InputError(f"network.table={self.table}: use one of {', '.join(TABLES)}")
        refuse_phantom_weights(self.weights, self.table)


TABLES = ("mobilenet_v3_large", "mnasnet_b1", "mnasnet_a1", "efficientnet_lite0")


@dataclass
class FrozenConfig:
    """Features of a network that is not trained, and logistic regression on them.

    Attributes:
        table: as in an inverted network. weights: as there; with none the features are random.
        penalty: of squared weights, relative to the mean log loss.
    """

    table: str = "efficientnet_lite0"
    weights: str | None = PHANTOMS
    penalty: float = 1.0

    def __post_init__(self) -> None:
        InvertedConfig(table=self.table, weights=self.weights)
        _refuse_penalty(self.penalty)


@dataclass
class LinearConfig:
    """A baseline that must stay near chance: logistic regression on a few pixels.

    Attributes:
        side: of the square to which images are shrunk. penalty: as for frozen features.
    """

    side: int = 32
    penalty: float = 1.0

    def __post_init__(self) -> None:
        if not 2 <= self.side <= _LARGEST_SIDE:
            raise InputError(f"network.side={self.side}: use 2 to {_LARGEST_SIDE}")
        _refuse_penalty(self.penalty)


def _refuse_penalty(penalty: float) -> None:
    if penalty < 0:
        raise InputError(f"network.penalty={penalty}: use 0 or more")


NetworkConfig: TypeAlias = EfficientNetConfig | InvertedConfig | FrozenConfig | LinearConfig

# The choices of `network=`.
NETWORKS: dict[str, NetworkConfig] = {
    "efficientnet": EfficientNetConfig(),
    "efficientnet_b6": EfficientNetConfig(variant="b6"),
    "mobilenet": InvertedConfig(table="mobilenet_v3_large", weights=PHANTOMS),
    "mnasnet": InvertedConfig(table="mnasnet_b1", weights=PHANTOMS),
    "lite0": InvertedConfig(table="efficientnet_lite0", weights=PHANTOMS),
    "frozen": FrozenConfig(),
    "linear": LinearConfig(),
}


@dataclass
class VariationConfig:
    """How training images are varied; each share is of an image's side.

    Attributes:
        shift, scale: at most. degrees: of rotation, at most. gamma: exponent between 1 / (1 + gamma) and 1 + gamma.
        noise: standard deviation, at most. mirror: chance of an image's left and right being exchanged; for single
            vertebrae, which face either side, and for nothing whose sides matter.
    """

    shift: float = 0.12
    scale: float = 0.12
    degrees: float = 5.0
    gamma: float = 0.3
    noise: float = 0.03
    mirror: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.mirror <= 1:
            raise InputError(f"augment.mirror={self.mirror}: a chance lies between 0 and 1")
        for name in ("shift", "scale"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"augment.{name}={getattr(self, name)}: use a share of the image's side below 1")
        for name in ("degrees", "gamma", "noise"):
            if getattr(self, name) < 0:
                raise InputError(f"augment.{name}={getattr(self, name)}: use 0 or more")


@dataclass
class LearningConfig:
    """How a network learns.

    Attributes:
        lr: peak of the learning rate. weight_decay: of matrices. batch: images of a step. smoothing: of labels.
        balance: exponent of inverse label frequency as weight of the loss; 0.5 is the square root, 0 none.
        least_share: of an epoch's images that each label has at least, by repeating those of rarer ones; 0 for none.
        ema: decay of averaged weights. warmup: share of the training with rising rate. clip: of gradients.
    """

    lr: float = 1.5e-3
    weight_decay: float = 0.02
    batch: int = 16
    smoothing: float = 0.05
    balance: float = 0.5
    least_share: float = 0.0
    ema: float = 0.99
    warmup: float = 0.1
    clip: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.least_share < 1:
            raise InputError(f"learning.least_share={self.least_share}: use a share such as 0.25")
        if self.batch < 1:
            raise InputError(f"learning.batch={self.batch}: use at least 1")
        if self.lr <= 0 or self.clip <= 0:
            raise InputError(f"learning.lr={self.lr}, learning.clip={self.clip}: use numbers above 0")
        for name in ("weight_decay", "balance"):
            if getattr(self, name) < 0:
                raise InputError(f"learning.{name}={getattr(self, name)}: use 0 or more")
        for name in ("smoothing", "ema", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"learning.{name}={getattr(self, name)}: use 0 or more, and less than 1")


_LEAST_PIXELS, _MOST_PIXELS = 32, 2048
FOCI = ("image", "metal", "vertebra", "rim")
FOREIGN = ("reject", "mark")


@dataclass
class InputConfig:
    """What of an image a network is given.

    Attributes:
        pixels: side of the square. focus: `image`, the exposed field; `metal`, a square around the hardware;
            `vertebra`, every vertebra by itself, the image scored by the highest; or `rim`, a baseline that sees
            collimation and markers alone.
        mm: side of the square around the hardware or a vertebra, where the pixel size is known; wide enough for most,
            or 2.4 heights of the vertebral bodies, when null.
        metal: whether images must show hardware (true), must not (false), or may (null); others are rejected.
        foreign: `reject` images whose pixels look like no radiograph of a spine, or only `mark` them as doubtful.
    """

    pixels: int = 224
    focus: str = "image"
    mm: float | None = None
    metal: bool | None = None
    foreign: str = "reject"

    def __post_init__(self) -> None:
        if not _LEAST_PIXELS <= self.pixels <= _MOST_PIXELS:
            raise InputError(f"input.pixels={self.pixels}: use {_LEAST_PIXELS} to {_MOST_PIXELS}, a multiple of 32")
        if self.mm is not None and (self.mm <= 0 or self.focus not in ("metal", "vertebra")):
            raise InputError(f"input.mm={self.mm}: a length in mm above 0, with input.focus=metal or vertebra")
        if self.foreign not in FOREIGN:
            raise InputError(f"input.foreign={self.foreign}: use one of {', '.join(FOREIGN)}")
        if self.focus not in FOCI:
            raise InputError(f"input.focus={self.focus}: use one of {', '.join(FOCI)}")


@dataclass
class RejectionConfig:
    """When an image is given none of the labels.

    Attributes:
        keep: share of known tuning images that stay. neighbours: training images whose distance counts.
        least_auroc: nothing is rejected unless tuning images of none of the labels can be told from known ones so well.
    """

    keep: float = 0.95
    neighbours: int = 6
    least_auroc: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise InputError(f"rejection.keep={self.keep}: use a share such as 0.95")
        if self.neighbours < 1:
            raise InputError(f"rejection.neighbours={self.neighbours}: use at least 1")


@dataclass
class SearchConfig:
    """A search for the recipe of a training with Optuna, inside the budget of optimisation steps of that training.

    Attributes:
        trials: recipes that are tried; 0 for no search.
        share: of the training's optimisation steps that all trials take together; the rest of them trains the best
            recipe on all training patients.
        held_out: share of the training patients that the trials are compared on; the tuning split is not looked at.
    """

    trials: int = 0
    share: float = 0.5
    held_out: float = 0.25

    def __post_init__(self) -> None:
        if self.trials < 0:
            raise InputError(f"search.trials={self.trials}: use 0 for no search, or such as 6")
        for name, value in (("share", self.share), ("held_out", self.held_out)):
            if not 0 < value < 1:
                raise InputError(f"search.{name}={value}: use a share such as 0.5")
