"""One training by one process and by two that torchrun starts: how far apart they end, and how fast they are.

    python -m benchmarks.performance.two_processes --epochs 12

A control sums the scans of each step in reverse order: the same sums, rounded otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from pytorch_lightning.callbacks import Callback
from safetensors.numpy import load_file, save_file

from spinedet.core.manifest import read_manifest
from spinedet.detection.batch import Batch
from spinedet.detection.dataset import prepare_scans
from spinedet.detection.settings import RecipeConfig, TwoStageDetrConfig
from spinedet.detection.trainer import PlanePlan, Settings, train_plane
from spinedet.imaging.planes import SAGITTAL
from spinedet.imaging.settings import AugmentConfig
from spinedet.pipelines.launch import launched, process_group
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.shipped_cohorts import SMOKE
from spinedet.training.distributed import mean_over_processes, rank
from spinedet.training.settings import TrainerConfig

STEPS, WEIGHTS = "steps.json", "weights.safetensors"


class Steps(Callback):
    """Keeps the loss of every step over all processes, and when it ended."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.times: list[float] = []

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        """Between the loss and its gradients."""
        self.losses.append(mean_over_processes(float(loss.detach())))

    def on_train_batch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        """After the step."""
        self.times.append(time.monotonic())


class ReversedScans(Callback):
    """Reverses the scans of every step."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, index: int) -> None:
        """In place: Lightning hands this very batch to the step."""
        batch.images.copy_(batch.images.flip(0))
        object.__setattr__(batch, "targets", batch.targets[::-1])
        object.__setattr__(batch, "depths", batch.depths and batch.depths[::-1])


def train_here(folder: Path, manifest: Path, batch: int, epochs: int) -> None:
    """The part of one process; the first one writes losses, times and weights."""
    team, steps = launched(), Steps()
    with process_group(team) if team else nullcontext():
        studies = [study for study in read_manifest(manifest).studies if study.split == "train"]
        scans = prepare_scans(studies, SAGITTAL, folder / f"cache-{rank()}", 1).scans
        extra = [ReversedScans()] if folder.name == "reversed" else []
        plan = PlanePlan(
            SAGITTAL, ("degeneration",), scans, scans[:2], lambda _: 0.0, folder=folder, callbacks=(*extra, steps)
        )
        trainer = TrainerConfig(max_epochs=epochs, accelerator="cpu", precision="32-true")
        # Without denoising, whose noise each process draws for its own scans.
        model = TwoStageDetrConfig(denoising=0)
        detector = train_plane(plan, Settings(model, RecipeConfig(batch=batch), AugmentConfig(), trainer))
        if rank() == 0:
            (folder / STEPS).write_text(json.dumps({"losses": steps.losses, "times": steps.times}))
            weights = {name: value.float().numpy() for name, value in detector.network.state_dict().items()}
            save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, folder / WEIGHTS)


def run(folder: Path, processes: int, words: list[str]) -> dict[str, Any]:
    """Train once; the steps of it."""
    folder.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "benchmarks.performance.two_processes", "--folder", str(folder), *words]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return json.loads((folder / STEPS).read_text())


def rate(steps: dict[str, Any], batch: int) -> float:
    """Scans a second, by the median step; the first ones warm up."""
    return batch / median(np.diff(steps["times"])[2:])


def weight_difference(one: Path, other: Path) -> float:
    """The largest of any weight."""
    first, second = (load_file(folder / WEIGHTS) for folder in (one, other))
    return max(float(np.abs(first[name] - second[name]).max()) for name in first)


def main() -> None:
    """Train three times, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=2, help="scans a step, of all processes together")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--manifest", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder:
        train_here(asked.folder, asked.manifest, asked.batch, asked.epochs)
        return
    with tempfile.TemporaryDirectory(prefix="processes-") as name:
        manifest = draw_cohort(SMOKE, Path(name) / "cohort")
        words = [f"--manifest={manifest}", f"--batch={asked.batch}", f"--epochs={asked.epochs}"]
        one, swapped, two = (Path(name) / part for part in ("one", "reversed", "two"))
        steps = [run(one, 1, words), run(swapped, 1, words), run(two, 2, words)]
        weights = [weight_difference(one, other) for other in (swapped, two)]
    speed = [rate(each, asked.batch) for each in steps]
    print("| | one process | the same, scans of each step reversed | two processes |\n|---|---|---|---|")
    print(f"| scans a second, {asked.batch} a step | {speed[0]:.2f} | {speed[1]:.2f} | {speed[2]:.2f} |")
    losses = [each["losses"] for each in steps]
    for step in sorted({1, 2, 5, 10, len(losses[0])}):
        change = [abs(each[step - 1] / losses[0][step - 1] - 1) for each in losses[1:]]
        print(f"| relative difference of the loss of step {step} | – | {change[0]:.0e} | {change[1]:.0e} |")
    print(f"| largest difference of a weight at the end | – | {weights[0]:.0e} | {weights[1]:.0e} |")
    print(f"\n{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
