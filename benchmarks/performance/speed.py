"""Where a training step and a prediction for one scan spend their time, and what share of the matrix peak they reach.

    python -m benchmarks.performance.speed                                  # our detector, both planes, one CPU thread
    python -m benchmarks.performance.speed --models set,retinanet,dense --planes sagittal --repeats 20
    python -m benchmarks.performance.speed --models set_large --device cuda --batch 16     # wall time on a GPU, bf16
    python -m benchmarks.performance.speed --models set_large --shrink 4    # crops of a quarter in each direction

Input is noise of each plane's training crop with five lesions: time does not depend on what the picture shows. On the
CPU it is CPU time of one thread, so that other programs change it little; the peak is that of a large matrix product
in the same precision, measured here too. Operations are those of convolutions and matrix products, as PyTorch counts
them, the backward pass included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from spinedet.core.anatomy import Plane
from spinedet.core.files import write_json, write_text
from spinedet.detection.batch import Batch, Targets
from spinedet.detection.dataset import Augmented, collate
from spinedet.detection.models import Detector, ModelCard, build
from spinedet.detection.settings import MODELS, RecipeConfig
from spinedet.imaging.planes import SPECS, PlaneSpec
from spinedet.imaging.settings import AugmentConfig
from spinedet.training.precision import precision_for
from spinedet.training.samplers import Draw
from spinedet.training.settings import TrainerConfig

LESION = (44.0, 14.0, 40.0)
STAGES = ("augmentation", "forward and losses", "backward", "optimiser")
PEAK_SIZE = 2048


@dataclass(frozen=True)
class Clock:
    """Seconds on a device: of the CPU's own time there, of wall time with everything finished on a GPU."""

    device: torch.device

    def now(self) -> float:
        """Seconds."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def median(self, work: Callable[[], object], repeats: int) -> float:
        """Median seconds of some work, after a warm-up."""
        work()
        seconds = []
        for _ in range(repeats):
            began = self.now()
            work()
            seconds.append(self.now() - began)
        return statistics.median(seconds)


def example(spec: PlaneSpec) -> tuple[torch.Tensor, Targets]:
    """A scan of noise with five lesions along its rows."""
    extent = [length * mm for length, mm in zip(spec.crop_shape, spec.spacing, strict=True)]
    places = [[extent[0] / 2, extent[1] * (row + 1) / 6, extent[2] / 2, *LESION] for row in range(5)]
    targets = Targets(torch.tensor(places), torch.zeros(5, dtype=torch.long), torch.zeros(5, dtype=torch.bool))
    return torch.randn(1, *spec.crop_shape), targets


def smaller(spec: PlaneSpec, times: int) -> PlaneSpec:
    """With a training crop so many times smaller within the slices."""
    across, down, along = spec.field_of_view
    return replace(spec, field_of_view=(across, down / times, along / times))


def peak(clock: Clock, half: bool, repeats: int) -> float:
    """Operations per second of a large matrix product."""
    kind = torch.bfloat16 if half else torch.float32
    first, second = (torch.randn(PEAK_SIZE, PEAK_SIZE, device=clock.device, dtype=kind) for _ in range(2))
    return 2 * PEAK_SIZE**3 / clock.median(lambda: first @ second, repeats)


@dataclass(frozen=True)
class Subject:
    """A detector on its device, with what it learns from and the precision it does it in."""

    detector: Detector
    optimiser: torch.optim.Optimizer
    clock: Clock
    spec: PlaneSpec
    size: int
    half: bool

    def draw(self, step: int) -> Batch:
        """An augmented batch."""
        augmented, scan = Augmented(self.spec, AugmentConfig(), seed=0), example(self.spec)
        return collate([augmented(*scan, Draw(step, row)) for row in range(self.size)])

    def loss(self, batch: Batch) -> Tensor:
        """What a step lowers."""
        with torch.autocast(self.clock.device.type, torch.bfloat16, enabled=self.half):
            return torch.stack(list(self.detector.losses(batch).values())).sum()

    def step(self, number: int) -> list[float]:
        """Seconds of each stage of one step."""
        times = [self.clock.now()]
        batch = self.draw(number)
        times.append(self.clock.now())
        loss = self.loss(batch.to(self.clock.device))
        times.append(self.clock.now())
        loss.backward()
        times.append(self.clock.now())
        self.optimiser.step()
        self.optimiser.zero_grad()
        times.append(self.clock.now())
        return [ended - began for began, ended in pairwise(times)]


def subject(model: str, spec: PlaneSpec, arguments: argparse.Namespace) -> Subject:
    """A new detector."""
    clock = Clock(torch.device(arguments.device))
    detector = build(MODELS[model], ModelCard(("degeneration",), spec.spacing, LESION, (LESION,)))
    detector = detector.to(clock.device)
    accelerator = "gpu" if clock.device.type == "cuda" else "cpu"
    half = "bf16" in str(precision_for(TrainerConfig(accelerator=accelerator)))
    optimiser = torch.optim.AdamW(detector.parameters(), fused=clock.device.type == "cuda")
    return Subject(detector, optimiser, clock, spec, arguments.batch, half)


def measure(model: str, spec: PlaneSpec, arguments: argparse.Namespace) -> dict[str, object]:
    """Seconds of each part of a training step and of a prediction, and the share of the peak that a step reaches."""
    one = subject(model, spec, arguments)
    steps = [one.step(number) for number in range(arguments.repeats + 2)][2:]
    seconds = {stage: statistics.median(times) for stage, times in zip(STAGES, zip(*steps, strict=True), strict=True)}
    with FlopCounterMode(display=False) as counter:
        one.loss(one.draw(0).to(one.clock.device)).backward()
    image = example(spec)[0][None].to(one.clock.device, memory_format=torch.channels_last_3d)
    one.detector.eval()
    with torch.inference_mode():
        prediction = one.clock.median(lambda: one.detector.detect(image), arguments.repeats)
    step = sum(seconds[stage] for stage in STAGES[1:])
    about = {"model": model, "plane": spec.plane.value, "precision": "bf16" if one.half else "fp32", "batch": one.size}
    return {
        **about,
        "parameters": sum(part.numel() for part in one.detector.parameters()),
        "seconds": seconds,
        "scans_per_second": one.size / step,
        "gflop": counter.get_total_flops() / 1e9,
        "share_of_peak": counter.get_total_flops() / step / peak(one.clock, one.half, arguments.repeats),
        "prediction_seconds": prediction,
    }


def markdown(rows: list[dict[str, object]]) -> str:
    """A table."""
    heads = ["plane", "model", "parameters", "precision", "batch", *(f"{stage}, s" for stage in STAGES)]
    heads += ["scans a second", "GFLOP a step", "share of peak", "prediction, s"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        seconds: dict[str, float] = row["seconds"]  # type: ignore[assignment]  # it is one
        cells = [row["plane"], row["model"], f"{row['parameters']:,}", row["precision"], row["batch"]]
        cells += [f"{seconds[stage]:.3f}" for stage in STAGES]
        cells += [f"{row['scans_per_second']:.1f}", f"{row['gflop']:.1f}", f"{row['share_of_peak']:.0%}"]
        cells += [f"{row['prediction_seconds']:.3f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write `speed.json` and `speed.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="set")
    parser.add_argument("--planes", default="sagittal,axial")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batch", type=int, default=RecipeConfig().scans_a_step(processes=1))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--shrink", type=int, default=1, help="crops so many times smaller within the slices")
    parser.add_argument("--out", default="runs/speed")
    arguments = parser.parse_args()
    if arguments.device == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(0)
    planes = [smaller(SPECS[Plane(name)], arguments.shrink) for name in arguments.planes.split(",")]
    rows = [measure(model, spec, arguments) for spec in planes for model in arguments.models.split(",")]
    about = {"device": arguments.device, "cores": os.cpu_count(), "torch": torch.__version__}
    write_json(Path(arguments.out) / "speed.json", {**about, "rows": rows})
    write_text(Path(arguments.out) / "speed.md", markdown(rows))
    print(markdown(rows))


if __name__ == "__main__":
    main()
