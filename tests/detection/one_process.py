"""One process of a tiny training, run as `python -m tests.detection.one_process STUDIES FOLDER`: prints its losses."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import Callback
from tests.detection.tiny import plan, settings

from spinedet.core.types import Study
from spinedet.detection import training
from spinedet.detection.batch import Detections
from spinedet.detection.parallel import mean_over_processes
from spinedet.detection.training import train_plane
from spinedet.processes import _joined, launched


class Losses(Callback):
    """Keeps the loss of every step, of all processes together."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        """Between the loss and its gradients."""
        self.values.append(mean_over_processes(float(loss.detach())))


def main(studies: Path, folder: Path) -> None:
    """Train on studies[:-3], score the last three, write `losses.json` and what was scored."""
    known = [Study.model_validate_json(line) for line in studies.read_text().splitlines()]
    losses, scored, before = Losses(), [], training._callbacks

    def score(found: list[Detections]) -> float:
        scored.append([detections.boxes.sum().item() for detections in found])
        return float(len(found))

    training._callbacks = lambda *words: [*before(*words), losses]
    team = launched()
    words = settings(max_epochs=4, validate_every=2)
    words.model.denoising = 0  # its noise is drawn by each process for its own scans
    with _joined(team) if team else nullcontext():
        made = plan(known, folder / f"process-{os.environ.get('RANK', 0)}", score=score)
        scans = [*made.train, *made.tune]
        detector = train_plane(replace(made, train=scans[:-3], tune=scans[-3:]), words)
    total = sum(weight.detach().double().sum().item() for weight in detector.network.parameters())
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps({"losses": losses.values, "scored": scored, "weights": total}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
