"""Studies a minute with both planes: our detectors, and MONAI's RetinaNet through its own inferer.

    python -m benchmarks.performance.throughput --studies 20                     # CPU seconds of each part, one thread
    python -m benchmarks.performance.throughput --studies 1000 --command         # the whole command on all cores, too
    python -m benchmarks.performance.throughput --batches 1,2,4,8,16,32 --device cuda       # series a second by batch

Studies are copies of a few drawn phantoms at a hospital's matrix. Both detectors get the same series from the same
reader. The RetinaNet is untrained, so that none of its boxes reaches suppression. Its inferer has windows of a training
crop that overlap by a quarter, as in MONAI's tutorial, or one window for the whole series, which is the least it can
do. On the CPU seconds are the process's own, which other programs change little; on a GPU they are wall time.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from benchmarks.performance.archive import write_manifest
from benchmarks.performance.predict_stages import Clock
from benchmarks.performance.process_tree import run
from benchmarks.performance.speed import Clock as Stopwatch
from spinedet.detection.dataset import thickened
from spinedet.detection.device import on_device
from spinedet.detection.inference import WorkingSeries, detect_series
from spinedet.detection.model_files import Model, PlaneDetector
from spinedet.detection.models import build
from spinedet.detection.models.retinanet import RetinaNetPeer
from spinedet.detection.settings import RetinaNetConfig
from spinedet.imaging.settings import EligibilityLimits, SelectionRules
from spinedet.pipelines.assign_levels import LevelAssigner
from spinedet.pipelines.image_sources import open_input
from spinedet.pipelines.predict_series import Predictor, predict_studies, read_study, with_levels
from spinedet.runs.run_folder import open_run
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig

CENTERS = ("A", "B", "C")
# Windows of MONAI's tutorial overlap so much, and boxes below this score are not compared.
OVERLAP, LEAST_SCORE = 0.25, 0.05
# What each detector's way to a study's findings consists of.
SHARED, LEVELS, OURS = "reading, checks, resampling", "levels", "our networks"
PEERS = {"RetinaNet, windows of a training crop": False, "RetinaNet, one window": True}


def retinanet(detector: PlaneDetector) -> RetinaNetPeer:
    """A new RetinaNet for the plane of one of our detectors."""
    network = build(RetinaNetConfig(min_score=LEAST_SCORE), detector.card).eval()
    if not isinstance(network, RetinaNetPeer):
        raise TypeError(type(network))
    return network


def window(peer: RetinaNetPeer, series: WorkingSeries, crop: Sequence[int] | None) -> list[int]:
    """Of the inferer: as large as a crop, or as the series when that is smaller or there is no crop."""
    divisors = peer.peer.size_divisible
    sizes = [series.shape] if crop is None else [series.shape, crop]
    rounded = [[-(-size // each) * each for size, each in zip(one, divisors, strict=True)] for one in sizes]
    return [min(several) for several in zip(*rounded, strict=True)]


def inferred(peer: RetinaNetPeer, series: WorkingSeries, crop: Sequence[int] | None) -> object:
    """What RetinaNet finds in a series through its own sliding-window inferer."""
    peer.peer.set_sliding_window_inferer(window(peer, series, crop), sw_batch_size=1, overlap=OVERLAP)
    with torch.inference_mode():
        return peer.peer([thickened(torch.from_numpy(series.volume.array)[None])], use_inferer=True)


def parts(manifest: Path) -> dict[str, float]:
    """Mean CPU seconds that a study costs in each part, the first study left out."""
    shipped = open_run("shipped")
    levels = LevelAssigner(shipped.model.region, shipped.levels)
    predictor = Predictor(shipped, EligibilityLimits(), 0.01, levels)
    detectors = shipped.model.detectors
    peers = {plane: retinanet(detector) for plane, detector in detectors.items()}
    crops = {plane: detector.spec(plane).crop_shape for plane, detector in detectors.items()}
    every: list[dict[str, float]] = []
    for source in open_input(manifest, SelectionRules()).studies():
        clock = Clock()
        with clock.stage(SHARED):
            study = read_study(predictor.reader, source)
        if study.skipped:
            sys.exit(f"{study.id} was skipped: {study.skipped}")
        with clock.stage(OURS):
            (found,) = predict_studies(predictor, [study])
        with clock.stage(LEVELS):
            with_levels(levels, found)
        for name, whole in PEERS.items():
            with clock.stage(name):
                for working in (series.working for series in study.series):
                    inferred(peers[working.plane], working, None if whole else crops[working.plane])
        every.append(clock.seconds)
    return {name: sum(one[name] for one in every[1:]) / (len(every) - 1) for name in every[0]}


def parts_table(seconds: dict[str, float], cores: int) -> Iterator[str]:
    """The parts, and what they come to for each detector."""
    yield "| part | CPU s a study |"
    yield "|---|--:|"
    for name in (SHARED, OURS, LEVELS, *PEERS):
        yield f"| {name} | {seconds[name]:.3f} |"
    yield ""
    yield f"| both planes, no pages | CPU s a study | studies a minute if {cores} cores are busy |"
    yield "|---|--:|--:|"
    for name, own in {"ours, levels included": (OURS, LEVELS), **{name: (name,) for name in PEERS}}.items():
        cost = seconds[SHARED] + sum(seconds[part] for part in own)
        yield f"| {name} | {cost:.3f} | {60 * cores / cost:.0f} |"


def command_table(manifest: Path, studies: int, words: Sequence[str]) -> Iterator[str]:
    """The whole command: wall time, CPU time of all its processes, share of the cores that it kept busy."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "spinedet.predict", "run=shipped", f"input={manifest}", f"out={folder}/out"]
        cost = run([*command, "outputs=[csv]", "pictures=false", *words], {"OMP_NUM_THREADS": "1"})
    yield f"| {studies:,} studies, `predict {' '.join(words)}` | wall s | CPU s | studies a minute | cores busy |"
    yield "|---|--:|--:|--:|--:|"
    rate = 60 * studies / cost.wall
    yield f"| {cores} cores | {cost.wall:.1f} | {cost.cpu:.1f} | {rate:.0f} | {cost.busy(cores):.0%} |"


def batches_table(manifest: Path, sizes: Sequence[int], device: torch.device, repeats: int) -> Iterator[str]:
    """Series of each plane that the networks predict in a second, so many of one shape at once."""
    shipped = open_run("shipped")
    model, stopwatch = on_device(shipped.model, device), Stopwatch(device)
    predictor = Predictor(shipped, EligibilityLimits(), 0.01)
    study = read_study(predictor.reader, next(open_input(manifest, SelectionRules()).studies()))
    yield f"| plane | batch | s a batch on {device} | series a second | memory of the GPU, GiB |"
    yield "|---|--:|--:|--:|--:|"
    for series in study.series:
        for size in sizes:
            seconds, memory = _batch(model, [series.working] * size, stopwatch, repeats)
            yield f"| {series.working.plane.value} | {size} | {seconds:.3f} | {size / seconds:.1f} | {memory} |"


def _batch(model: Model, series: Sequence[WorkingSeries], stopwatch: Stopwatch, repeats: int) -> tuple[float, str]:
    on_gpu = stopwatch.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = stopwatch.median(lambda: detect_series(model, series, 0.0, len(series)), repeats)
    return seconds, f"{torch.cuda.max_memory_allocated() / 2**30:.1f}" if on_gpu else "–"


def draw(folder: Path, phantoms: int, coarseness: float) -> Path:
    """The manifest of so many drawn studies of three centres."""
    groups = [GroupConfig(center, "test", len(range(row, phantoms, 3))) for row, center in enumerate(CENTERS)]
    drawn = [group for group in groups if group.studies]
    return draw_cohort(CohortConfig("throughput", groups=drawn, coarseness=coarseness), folder)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--phantoms", type=int, default=3, help="that are drawn, the studies are copies of them")
    parser.add_argument("--coarseness", type=float, default=1.0, help="of their pixels, see `phantom --help`")
    parser.add_argument("--command", action="store_true", help="also run the command on all of them")
    parser.add_argument("--batches", help="instead, series at once, such as 1,2,4")
    parser.add_argument("--device", default="cpu", help="of --batches and --command, such as cuda")
    parser.add_argument("--batch", type=int, default=1, help="of --command")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="of --command")
    parser.add_argument("--repeats", type=int, default=5, help="of --batches")
    words = parser.parse_args()
    if words.studies < 2 and not words.batches:
        parser.error("at least two studies are needed: the first one is not counted")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="throughput-") as name:
        source, manifest = draw(Path(name) / "cohort", words.phantoms, words.coarseness), Path(name) / "studies.json"
        write_manifest(manifest, source, words.studies)
        if words.batches:
            sizes = [int(size) for size in words.batches.split(",")]
            print("\n".join(batches_table(manifest, sizes, torch.device(words.device), words.repeats)))
            return
        print("\n".join(parts_table(parts(manifest), len(os.sched_getaffinity(0)))), flush=True)
        if words.command:
            settings = (f"device={words.device}", f"batch={words.batch}", f"workers={words.workers}")
            print("\n" + "\n".join(command_table(manifest, words.studies, settings)))


if __name__ == "__main__":
    main()
