"""CPU time of the intensity augmentation beside MONAI's transforms of the same kind, on one training crop.

python benchmarks/performance/augmentation.py
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable

import torch
from monai.transforms import RandAdjustContrast, RandBiasField, RandRicianNoise, RandSimulateLowResolution

from spinedet.imaging.augment import augment
from spinedet.imaging.planes import SAGITTAL
from spinedet.imaging.settings import AugmentConfig

REPEATS = 30
OFF = {name: 0.0 for name in AugmentConfig.__dataclass_fields__ if name.endswith("_probability")}


def milliseconds(work: Callable[[], object]) -> float:
    """CPU time of one call, after one that is not counted."""
    work()
    start = time.process_time()
    for _ in range(REPEATS):
        work()
    return (time.process_time() - start) / REPEATS * 1e3


def main() -> None:
    """Print a line for each variation."""
    ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    image, boxes = 3 * torch.rand((1, *SAGITTAL.crop_shape), generator=generator), torch.zeros((0, 6))
    theirs = {
        "bias_probability": RandBiasField(prob=1, degree=3, coeff_range=(-0.2, 0.2)),
        "noise_probability": RandRicianNoise(prob=1, std=0.2),
        "contrast_probability": RandAdjustContrast(prob=1, gamma=(0.7, 1.4)),
        "blur_probability": RandSimulateLowResolution(prob=1, zoom_range=(0.5, 1.0)),
    }
    for name, transform in theirs.items():
        config = AugmentConfig(**{**OFF, name: 1.0})
        own = milliseconds(lambda config=config: augment(image, boxes, SAGITTAL, config, generator))
        other = milliseconds(lambda transform=transform: transform(image))
        print(f"{name.removesuffix('_probability')}: {own:.1f} ms, {type(transform).__name__} {other:.1f} ms")


if __name__ == "__main__":
    main()
