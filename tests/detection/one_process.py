"""One process of tiny trainings, run as `python -m tests.detection.one_process STUDIES FOLDER`: prints their losses."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import Callback

from spinedet.core.types import Study
from spinedet.detection.batch import Detections
from spinedet.detection.trainer import PlanePlan, train_network
from spinedet.pipelines.launch import launched, process_group
from spinedet.training.distributed import mean_over_processes
from tests.detection.tiny import plan, settings, turned


class Losses(Callback):
    """Keeps the loss of every step, of all processes together."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        """Between the loss and its gradients."""
        self.values.append(mean_over_processes(float(loss.detach())))


def trained(plans: Sequence[PlanePlan]) -> dict[str, Any]:
    """The losses of a training of four epochs, what was scored along the way, and the sum of its weights."""
    losses, scored = Losses(), []

    def score(found: list[Detections]) -> float:
        scored.append([detections.boxes.sum().item() for detections in found])
        return float(len(found))

    words = settings(max_epochs=4, validate_every=2)
    words.model.denoising = 0  # its noise is drawn by each process for its own scans
    words.model.severity = 3
    detectors = train_network([replace(each, score=score, callbacks=(losses,)) for each in plans], words)
    total = sum(weight.detach().double().sum().item() for one in detectors for weight in one.network.parameters())
    return {"losses": losses.values, "scored": scored, "weights": total}


def main(studies: Path, folder: Path) -> None:
    """Train on studies[:-3], score the last three: one plane alone, then two planes that share a network."""
    known = [Study.model_validate_json(line) for line in studies.read_text().splitlines()]
    team = launched()
    with process_group(team) if team else nullcontext():
        made = plan(known, folder / f"process-{os.environ.get('RANK', 0)}")
        scans = [*made.train, *made.tune]
        made = replace(made, train=scans[:-3], tune=scans[-3:])
        told = {"alone": trained([made]), "shared": trained([made, turned(made)])}
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
