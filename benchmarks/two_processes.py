"""One training by one process and by two that torchrun starts: how far apart they end, and how fast they are."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from pytorch_lightning.callbacks import Callback
from safetensors.numpy import load_file

from spinedet import train
from spinedet.detection import batch_loader, trainer
from spinedet.detection.dataset import collate
from spinedet.scoring import read_scores
from spinedet.training.distributed import mean_over_processes, rank

# Without denoising, whose noise each process draws for its own scans.
SAME = ("planes=[sagittal]", "workers=1", "trainer.accelerator=cpu", "trainer.precision=32-true", "model.denoising=0")
STEPS = "steps.json"


class Steps(Callback):
    """Writes the loss of every step over all processes, and when it ended."""

    def __init__(self, path: Path) -> None:
        self.path, self.losses, self.times = path, [], []

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        """Between the loss and its gradients."""
        self.losses.append(mean_over_processes(float(loss.detach())))

    def on_train_batch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        """After the step."""
        self.times.append(time.monotonic())

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """All of them, from the first process."""
        if rank() == 0:
            self.path.write_text(json.dumps({"losses": self.losses, "times": self.times}))


def inside(folder: Path, words: list[str]) -> None:
    """The command `train`, whose steps are written down.

    In a folder called `swapped` the scans of each step come in reverse: the same sums, rounded otherwise.
    """
    if folder.name == "swapped":
        batch_loader.collate = lambda examples: collate(examples[::-1])
    before = trainer._callbacks
    trainer._callbacks = lambda *known: [*before(*known), Steps(folder / STEPS)]
    sys.argv = ["train", *words]
    train.main()


def run(folder: Path, processes: int, words: list[str]) -> dict[str, Any]:
    """Train once; the steps of it."""
    folder.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, __file__, "--inside", str(folder), *SAME, *words, f"out={folder / 'run'}"]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(done.stderr.decode())
    return json.loads((folder / STEPS).read_text())


def rate(steps: dict[str, Any], batch: int) -> float:
    """Scans a second, by the median step; the first ones warm up."""
    return batch / median(np.diff(steps["times"])[2:])


def apart(one: Path, two: Path) -> tuple[float, float]:
    """Largest differences of a weight, and of a sensitivity, AP or CPM (these are always defined)."""
    first, second = (load_file(folder / "run/model/weights.safetensors") for folder in (one, two))
    weights = max(float(np.abs(first[name].astype(float) - second[name]).max()) for name in first)
    groups = zip(*(read_scores(folder / "run/scores.json").groups for folder in (one, two)), strict=True)
    pairs = [[getattr(group, name).value for group in pair] for pair in groups for name in ("recall", "ap", "cpm")]
    return weights, max(abs(a - b) for a, b in pairs if a is not None and b is not None)


def main() -> None:
    """Train twice, compare."""
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2, help="scans a step, of all processes together")
    parser.add_argument("words", nargs="*", default=["+experiment=smoke", "trainer.max_epochs=12"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="processes-") as name:
        one, swapped, two = (Path(name) / part for part in ("one", "swapped", "two"))
        words = [*asked.words, f"recipe.batch={asked.batch}"]
        steps = [run(one, 1, words)]
        words.append(f"data.manifests=[{one / 'run/cohort/manifest.json'}]")
        steps += [run(swapped, 1, words), run(two, 2, words)]
        weights, scores = zip(*(apart(one, other) for other in (swapped, two)), strict=True)
    speed = [rate(each, asked.batch) for each in steps]
    print("| | one process | the same, scans of each step swapped | two processes |\n|---|---|---|---|")
    print(f"| scans a second, {asked.batch} a step | {speed[0]:.2f} | {speed[1]:.2f} | {speed[2]:.2f} |")
    losses = [each["losses"] for each in steps]
    for step in sorted({1, 2, 5, 10, len(losses[0])}):
        change = [abs(each[step - 1] / losses[0][step - 1] - 1) for each in losses[1:]]
        print(f"| relative difference of the loss of step {step} | – | {change[0]:.0e} | {change[1]:.0e} |")
    print(f"| largest difference of a weight at the end | – | {weights[0]:.0e} | {weights[1]:.0e} |")
    print(f"| largest difference of a sensitivity, AP or CPM, test split | – | {scores[0]:.0e} | {scores[1]:.0e} |")
    print(f"\n{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
