"""How well labels of simulated radiographs are told from what must not tell them.

    python -m benchmarks.experiments.radiograph_shortcuts --task implants --train 200 --test 200 [--leak 1.0]

Logistic regression (ridge, Newton steps on numpy alone) on three inputs of the first view: the metadata of manifest and
file, the rim (the outer 12 % of the image, 24 x 24 pixels), and the whole image at 32 x 32 pixels. Accuracy on other
patients of centre A with its exact 95 % interval, beside chance: the share of the commonest label, or one in n labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from scipy.stats import binomtest

from spinedet.core.radiograph.manifest import read_radiographs
from spinedet.core.radiograph.types import Radiograph, RadiographStudy
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup


@dataclass(frozen=True)
class Guessed:
    """What a baseline got right of `n`, and what guessing the commonest label of the training part would get."""

    right: int
    n: int
    chance: float

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % limits of the accuracy (Clopper and Pearson, 1934)."""
        limits = binomtest(self.right, self.n).proportion_ci(method="exact")
        return float(limits.low), float(limits.high)


Reader = Callable[[RadiographStudy, Radiograph], np.ndarray]


def pixels(image: Radiograph, side: int) -> np.ndarray:
    """(side, side) grey values in [0, 1]."""
    picture = Image.open(image.path)
    grey = Image.fromarray(np.array(picture, np.float32) / 65535)
    return np.array(grey.resize((side, side), Image.Resampling.BOX))


def metadata(study: RadiographStudy, image: Radiograph) -> np.ndarray:
    """Age, sex, number in the centre, pixel size, shape and size of the file."""
    width, height = Image.open(image.path).size
    number = int(study.id.rpartition("-")[2])
    age = study.attributes["age"]
    return np.array(
        [age, study.attributes["sex"] == "F", number, number % 5, image.mm, width / height, image.path.stat().st_size],
        np.float64,
    )


def rim(_study: RadiographStudy, image: Radiograph) -> np.ndarray:
    """The outer 12 % of the image."""
    small = pixels(image, 24)
    edge = np.ones(small.shape, bool)
    edge[3:-3, 3:-3] = False
    return small[edge].astype(np.float64)


def thumbnail(_study: RadiographStudy, image: Radiograph) -> np.ndarray:
    """The whole image at 32 x 32 pixels."""
    return pixels(image, 32).ravel().astype(np.float64)


READERS: dict[str, Reader] = {"metadata": metadata, "rim": rim, "32 x 32 pixels": thumbnail}


def fitted(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """(features + 1,) weights of a ridge logistic regression, y in {0, 1}; Newton in the space of the samples."""
    kernel = x @ x.T + 1
    alpha = np.zeros(len(y))
    for _ in range(12):
        score = kernel @ alpha
        p = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
        weight = np.maximum(p * (1 - p), 1e-6)
        alpha = np.linalg.solve(kernel + np.diag(penalty / weight), score + (y - p) / weight)
    return np.append(x.T @ alpha, alpha.sum())


def guess(cohort: RadiographCohort, folder: Path) -> dict[str, Guessed]:
    """Each baseline, taught on the split `train` of a cohort and tested on its split `test`."""
    manifest = read_radiographs(draw_radiographs(cohort, folder))
    found = {}
    for name, read in READERS.items():
        parts = {}
        for split in ("train", "test"):
            studies = [study for study in manifest.studies if study.split == split]
            parts[split] = (
                np.array([read(study, study.images[0]) for study in studies]),
                np.array([study.label for study in studies]),
            )
        (x, y), (u, v) = parts["train"], parts["test"]
        middle, spread = x.mean(0), x.std(0) + 1e-9
        x, u = ((part - middle) / spread / np.sqrt(x.shape[1]) for part in (x, u))
        labels, counts = np.unique(y, return_counts=True)
        weights = np.array([fitted(x, (y == label).astype(float), 0.3) for label in labels])
        answers = labels[np.argmax(u @ weights[:, :-1].T + weights[:, -1], axis=1)]
        commonest = labels[np.argmax(counts)]
        found[name] = Guessed(int((answers == v).sum()), len(v), float((v == commonest).mean()))
    return found


def main() -> None:
    """Print a line for each baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="implants")
    parser.add_argument("--train", type=int, default=200)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--pixels", type=int, default=128)
    parser.add_argument("--leak", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    groups = [RadiographGroup("A", "train", given.train), RadiographGroup("A", "test", given.test)]
    cohort = RadiographCohort("shortcuts", given.task, groups, given.seed, given.pixels, leak=given.leak)
    with TemporaryDirectory() as folder:
        for name, result in guess(cohort, Path(folder)).items():
            low, high = result.interval
            print(
                f"{name:<15} {result.right}/{result.n} = {result.right / result.n:.3f} ({low:.3f} to {high:.3f}), "
                f"commonest label {result.chance:.3f}"
            )


if __name__ == "__main__":
    main()
