"""What the weights that a network begins with are worth, on simulated radiographs of implants.

    python -m benchmarks.experiments.radiograph_weights runs/weights [--file lite0.pth] [--steps 160]

Studies of centre A of the demo cohort: the first 100 teach, the last 90 test, and the 30 of centre B test too. Each is
read as `+experiment=implants` does, once; the squares are kept in the folder. Weights taught on phantoms, of a local
file (`--file`) and random ones are compared by frozen features and logistic regression, whose penalty is chosen for
each by five-fold cross-validation among `--penalties` on the studies that teach and the 20 that follow, and with
`--steps` by fine-tuning too. Accuracy by view and of both views together (mean log-probability), with exact 95 %
intervals: every patient has one image a view.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from spinedet.core.radiograph import VIEWS, read_radiograph_cohort
from spinedet.radiograph.images import Preparation, prepare_images
from spinedet.radiograph.models import begin, build
from spinedet.radiograph.models.frozen import LogisticHead, fit_logistic
from spinedet.radiograph.phantom_weights import NONE, PHANTOMS
from spinedet.radiograph.settings import (
    FrozenConfig,
    InputConfig,
    InvertedConfig,
    LearningConfig,
    NetworkConfig,
    VariationConfig,
)
from spinedet.radiograph.trainer import PartPlan, Recipe, embed, logits_of, train_part
from spinedet.scoring.statistics.exact import exact_interval
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographGroup
from spinedet.simulation.radiograph.shipped import SHIPPED
from spinedet.training.settings import TrainerConfig

TRAIN, TUNE = 100, 20
FOLDS, SEED = 5, 0
INPUT = InputConfig(pixels=176, focus="metal", mm=110, metal=True)


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """Images of one view, (n, side, side), with rows of labels (n,) and the number of each study at its centre (n,)."""

    pixels: NDArray[np.float16]
    labels: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def part(self, rows: NDArray[np.bool_]) -> Squares:
        """Some of them."""
        return Squares(self.pixels[rows], self.labels[rows], self.numbers[rows])


Views = dict[str, Squares]


def read(folder: Path) -> dict[str, Views]:
    """The squares of every view by centre, in the order of studies."""
    demo = next(one for one in SHIPPED["demo"] if one.task == "implants")
    at_a = [group for group in demo.groups if group.center == "A" and group.only is None]
    found = {}
    for center, groups in {"A": at_a, "B": [RadiographGroup("B", "test", 30)]}.items():
        kept = folder / f"{center}.npz"
        if not kept.is_file():
            manifest = read_radiograph_cohort([draw_radiographs(replace(demo, groups=groups), folder / center)])
            items = [(study, image) for study in manifest.studies for image in study.used]
            images = prepare_images(items, Preparation(manifest.task, INPUT), 1, lambda done, count: None)
            used = [one for one in images if one.pixels is not None and one.rejected is None]
            np.savez_compressed(
                kept,
                pixels=np.stack([one.pixels for one in used if one.pixels is not None]),
                labels=[one.label for one in used],
                numbers=[int(one.study.rpartition("-")[2]) for one in used],
                views=[str(one.view) for one in used],
            )
        with np.load(kept) as content:
            all_views = Squares(content["pixels"], content["labels"], content["numbers"])
            found[center] = {view: all_views.part(content["views"] == view) for view in VIEWS}
    return found


def chosen_penalty(weights: str, squares: Squares, penalties: Sequence[float]) -> tuple[float, list[float]]:
    """The penalty of the least cross-validated log loss, and the losses of all."""
    config = FrozenConfig(weights=weights)
    network = build(config, 1)
    begin(config, network)
    features = embed(network, squares.pixels)
    labels = torch.from_numpy(squares.labels)
    fold = torch.from_numpy(np.random.default_rng(SEED).permutation(len(labels)) % FOLDS)
    losses = []
    for penalty in penalties:
        total = 0.0
        for one in range(FOLDS):
            head = LogisticHead(features.shape[1], int(labels.max()) + 1)
            fit_logistic(head, features[fold != one], labels[fold != one], torch.ones(int(labels.max()) + 1), penalty)
            with torch.no_grad():
                total += float(F.cross_entropy(head(features[fold == one]), labels[fold == one], reduction="sum"))
        losses.append(total / len(labels))
    return penalties[int(np.argmin(losses))], losses


def log_probabilities(config: NetworkConfig, train: Squares, tests: Sequence[Squares], steps: int) -> list[np.ndarray]:
    """(n, labels) of every test, from a network that the squares of `train` teach."""
    recipe = Recipe(
        config,
        VariationConfig(),
        LearningConfig(),
        TrainerConfig(max_steps=steps or None, deterministic=True, accelerator="cpu"),
    )
    names = tuple(map(str, train.numbers))
    with TemporaryDirectory() as folder:
        plan = PartPlan(tuple("ABCDE"), train.pixels, train.labels, names, folder=Path(folder), seed=SEED)
        network = train_part(plan, recipe).network
    return [logits_of(network, embed(network, one.pixels)).log_softmax(1).double().numpy() for one in tests]


def compared(name: str, configs: dict[str, NetworkConfig], data: dict[str, Views], steps: int) -> Iterator[str]:
    """A line for each centre."""
    found: dict[str, dict[str, tuple[Squares, np.ndarray]]] = {"A": {}, "B": {}}
    for view, config in configs.items():
        at_a = data["A"][view]
        tests = {"A": at_a.part(at_a.numbers > TRAIN + TUNE), "B": data["B"][view]}
        answers = log_probabilities(config, at_a.part(at_a.numbers <= TRAIN), list(tests.values()), steps)
        for (center, test), answer in zip(tests.items(), answers, strict=True):
            found[center][view] = test, answer
    for center, views in found.items():
        parts = []
        for view, (test, answer) in views.items():
            parts.append(f"{view} {_share(answer.argmax(1) == test.labels)}")
        both = sorted(set.intersection(*(set(test.numbers.tolist()) for test, _ in views.values())))
        rows = [[test.numbers.tolist().index(one) for one in both] for test, _ in views.values()]
        fused = sum(answer[row] for (_, answer), row in zip(views.values(), rows, strict=True))
        labels = next(iter(views.values()))[0].labels[rows[0]]
        parts.append(f"together {_share(np.asarray(fused).argmax(1) == labels)}")
        yield f"{name}, centre {center}: {', '.join(parts)}"


def _share(right: NDArray[np.bool_]) -> str:
    low, high = exact_interval(int(right.sum()), len(right))
    return f"{right.mean():.2f} ({low:.2f} to {high:.2f}, {right.sum()} of {len(right)})"


def main() -> None:
    """Print a line for each network, its weights and a centre."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--file", help="weights of EfficientNet-Lite0 to compare with")
    parser.add_argument("--steps", type=int, default=0, help="of fine-tuning; 0 for frozen features alone")
    parser.add_argument("--penalties", type=float, nargs="+", default=[0.01, 0.1, 0.3, 1.0, 3.0])
    parser.add_argument("--weights", nargs="+", default=[PHANTOMS, "file", NONE], help="which of them")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    data = read(given.folder)
    named = {PHANTOMS: PHANTOMS, NONE: NONE, **({"file": given.file} if given.file else {})}
    for weights in (one for one in given.weights if one in named):
        began = time.process_time()
        configs: dict[str, NetworkConfig] = {}
        for view, squares in data["A"].items():
            known = squares.part(squares.numbers <= TRAIN + TUNE)
            penalty, losses = chosen_penalty(named[weights], known, given.penalties)
            print(f"frozen, {weights}, {view}: log loss {[round(one, 2) for one in losses]}, penalty {penalty:g}")
            configs[view] = FrozenConfig(weights=named[weights], penalty=penalty)
        for line in compared(f"frozen, {weights}", configs, data, 0):
            print(line, flush=True)
        if given.steps:
            tuned: dict[str, NetworkConfig] = dict.fromkeys(VIEWS, InvertedConfig(weights=named[weights]))
            for line in compared(f"fine-tuned, {weights}", tuned, data, given.steps):
                print(line, flush=True)
        print(f"{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
