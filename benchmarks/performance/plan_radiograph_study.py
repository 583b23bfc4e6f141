"""What a size of the study of radiographs will take, from costs that are measured here: core seconds, and disk.

    python -m benchmarks.performance.plan_radiograph_study --size demo [--start 8] [--score 10]
    python -m benchmarks.performance.plan_radiograph_study --size demo --speeds       # of each network, for one image

Measured on one thread: drawing and reading a few images of each task, three optimisation steps of 16 images and the
inference of 16 images of each network at its own pixels. Taken from a finished study (`run.json` of its steps): the
start of a process and the scoring of a test.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from spinedet.core.radiograph import read_radiographs
from spinedet.radiograph.experiment.plan import StudyInput, TaskManifests, plan_steps
from spinedet.radiograph.experiment.sizes import SIZES, AlgorithmConfig, TaskSize
from spinedet.radiograph.images import Preparation, prepare_image
from spinedet.radiograph.models import build, fits_without_gradients
from spinedet.radiograph.settings import NETWORKS, InputConfig
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.tasks import TASKS

BATCH, LARGE = 16, 384
EXPERIMENTS = Path(__file__).parents[2] / "conf" / "radiograph" / "experiment"


@dataclass(frozen=True)
class Drawn:
    """Measured on a few studies of a task: CPU seconds and bytes of an image, images of a study."""

    seconds: float
    size: float
    images: float


@cache
def drawn(task: str, pixels: int, images: float, studies: int = 5) -> Drawn:
    """The median of the images but the first, which also fills tables."""
    with TemporaryDirectory() as folder:
        stamps = [time.process_time()]
        cohort = RadiographCohort(task=task, groups=[RadiographGroup(studies=studies)], pixels=pixels, images=images)
        draw_radiographs(cohort, Path(folder), progress=lambda *_: stamps.append(time.process_time()))
        files = list(Path(folder).rglob("*.png"))
        each = len(files) / studies
        spent = [(b - a) / each for a, b in itertools.pairwise(stamps)]
        return Drawn(median(spent[1:]), mean(path.stat().st_size for path in files), each)


@cache
def reading(task: str, pixels: int, focus: str, side: int, mm: float | None) -> tuple[float, float]:
    """CPU seconds to read an image, and how many crops it gives."""
    with TemporaryDirectory() as folder:
        cohort = RadiographCohort(task=task, groups=[RadiographGroup(studies=4)], pixels=pixels)
        items = list(read_radiographs(draw_radiographs(cohort, Path(folder))).images())
        how = Preparation(TASKS[task].task, InputConfig(side, focus=focus, mm=mm))
        spent, crops = [], []
        for item in items:
            begun = time.process_time()
            crops.append(max(len(prepare_image(item, how).crops), 1))
            spent.append(time.process_time() - begun)
        return median(spent[1:]), mean(crops)


@cache
def network_cost(name: str, side: int, labels: int) -> tuple[float, float]:
    """CPU seconds of an optimisation step of 16 images (0 where there are none), and of reading one image."""
    network = build(NETWORKS[name], labels)
    batch = BATCH if side <= LARGE else 2  # of large images a step is scaled, because 16 do not fit everywhere
    pixels, reference = torch.rand(batch, 1, side, side), torch.arange(batch) % labels
    step = 0.0
    if not fits_without_gradients(network):
        optimizer, spent = torch.optim.AdamW(network.parameters()), []
        for _ in range(3):
            begun = time.process_time()
            loss = F.cross_entropy(network.train()(pixels), reference)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            spent.append(time.process_time() - begun)
        step = min(spent) * BATCH / batch
    with torch.no_grad():
        network.eval()(pixels[:1])
        begun = time.process_time()
        network(pixels)
        return step, (time.process_time() - begun) / batch


@dataclass(frozen=True)
class Line:
    """One row of the plan."""

    what: str
    seconds: float
    mib: float = 0.0


def settings_of(task: TaskSize, algorithm: AlgorithmConfig) -> Any:
    """The experiment's file with the overrides of a step."""
    words = [word for word in (*task.words, *algorithm.words) if not word.startswith("+")]
    return OmegaConf.merge(OmegaConf.load(EXPERIMENTS / f"{task.cohort.task}.yaml"), OmegaConf.from_dotlist(words))


def images_in(cohort: RadiographCohort, *splits: str) -> float:
    """Images of a cohort in these splits, or in all."""
    studies = sum(group.studies for group in cohort.groups if not splits or group.split in splits)
    return studies * drawn(cohort.task, cohort.pixels, cohort.images).images


def training(task: TaskSize, algorithm: AlgorithmConfig, cohort: RadiographCohort) -> tuple[float, float, float]:
    """Core seconds of one training's optimisation, reading of images, and inference."""
    config = settings_of(task, algorithm)
    simulated = TASKS[task.cohort.task].task
    side, focus = config.input.pixels, config.input.get("focus", "image")
    step, forward = network_cost(config.network, side, _labels(task))
    each, crops = reading(task.cohort.task, cohort.pixels, focus, side, config.input.get("mm"))
    limit = config.trainer.get("max_steps")
    rows = images_in(cohort, "train") * crops
    steps = limit * len(simulated.views) if limit else config.trainer.max_epochs * rows / BATCH
    everything = images_in(cohort)
    return steps * step, everything * each, everything * crops * forward


def lines(size: str, start: float, score: float) -> Iterator[Line]:
    """The plan of a size."""
    tasks = SIZES[size].tasks
    for task in tasks:
        for cohort in (task.cohort, task.control, task.confounded):
            if cohort is not None:
                cost, images = drawn(cohort.task, cohort.pixels, cohort.images), images_in(cohort)
                yield Line(
                    f"drawing {images:,.0f} images, {cohort.name}", images * cost.seconds, images * cost.size / 2**20
                )
    for task in tasks:
        for algorithm in (*task.algorithms, *task.baselines):
            name = f"{task.cohort.task}, {algorithm.name}"
            optimised, read, inferred = training(task, algorithm, task.cohort)
            yield Line(f"{name}: optimisation", optimised)
            yield Line(f"{name}: reading and inference", read + inferred)
        for part, cohort, tested in (
            ("control set", task.control, task.algorithms),
            ("confounder", task.confounded, task.baselines),
        ):
            for algorithm in tested if cohort is not None else ():
                _, read, inferred = training(task, algorithm, cohort or task.cohort)
                yield Line(f"{task.cohort.task}, {algorithm.name}: {part}", read + inferred)
    given = StudyInput({task.cohort.task: _somewhere(task) for task in tasks}, Path(), None, ())
    count = len(plan_steps(tasks, given, [0]))
    yield Line(f"{count} steps: start {start:g} s, scoring {score:g} s", count * (start + score))


def speeds(size: str) -> Iterator[str]:
    """A row for each network of a size: CPU seconds of training and of inference, for one image or vertebra."""
    for task in SIZES[size].tasks:
        for algorithm in task.algorithms:
            config = settings_of(task, algorithm)
            item = "vertebra" if config.input.get("focus") == "vertebra" else "image"
            step, forward = network_cost(config.network, config.input.pixels, _labels(task))
            name = f"{task.cohort.task}, {algorithm.name}: {config.network}"
            yield f"| {name} | {item}, {config.input.pixels} pixels | {step / BATCH:.3f} | {forward:.3f} |"


def _labels(task: TaskSize) -> int:
    simulated = TASKS[task.cohort.task].task
    return max(len(simulated.labels_of(view)) for view in simulated.views)


def _somewhere(task: TaskSize) -> TaskManifests:
    path = Path("manifest.json")
    return TaskManifests(path, path if task.control else None, path if task.confounded else None)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="demo", choices=SIZES)
    parser.add_argument("--start", type=float, default=8.0)
    parser.add_argument("--score", type=float, default=10.0)
    parser.add_argument("--speeds", action="store_true", help="print the speed of each network instead of the plan")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.speeds:
        print("| network | item | training, s | inference, s |\n|---|---|--:|--:|", *speeds(given.size), sep="\n")
        return
    found = list(lines(given.size, given.start, given.score))
    print("| what | core seconds | MiB |\n|---|--:|--:|")
    for one in found:
        print(f"| {one.what} | {one.seconds:,.0f} | {f'{one.mib:,.0f}' if one.mib else ''} |")
    total = sum(one.seconds for one in found)
    print(f"| sum: {total / 120:,.0f} minutes on two cores | {total:,.0f} | {sum(one.mib for one in found):,.0f} |")


if __name__ == "__main__":
    main()
