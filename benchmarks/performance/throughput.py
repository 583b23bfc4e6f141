"""Studies a minute with both planes: our detectors, and MONAI's RetinaNet through its own inferer.

    python -m benchmarks.performance.throughput --studies 20                     # CPU seconds of each part, one thread
    python -m benchmarks.performance.throughput --studies 1000 --command         # the whole command on all cores, too
    python -m benchmarks.performance.throughput --batches 1,2,4,8,16,32 --device cuda       # series a second by batch

Studies are a few drawn phantoms at a hospital's matrix, again and again under other ids. Both detectors get the same
series from the same reader. The RetinaNet is untrained, so that none of its boxes reaches suppression. Its inferer has
windows of a training crop that overlap by a quarter, as in MONAI's tutorial, or one window for the whole series, which
is the least it can do. On the CPU seconds are the process's own, which other programs change little; on a GPU they are
wall time.

With `--command`, `predict` does all studies, and the RetinaNet (windows of a training crop; boxes are not written
anywhere) as many as `--peer-studies` says, in as many worker processes of the same kind. Start-up ends when the first
study is done. Cores are busy while they compute for the command; those that it wanted count, too, the time in which
one of its threads waited for a core that another program had.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks.performance.archive import write_manifest
from benchmarks.performance.predict_stages import Clock
from benchmarks.performance.process_tree import Cost, run
from benchmarks.performance.speed import Clock as Stopwatch
from spinedet.core.anatomy import Plane
from spinedet.detection.dataset import thickened
from spinedet.detection.device import on_device
from spinedet.detection.inference import WorkingSeries, detect_series
from spinedet.detection.model_files import Model, PlaneDetector
from spinedet.detection.models import build
from spinedet.detection.models.retinanet import RetinaNetPeer
from spinedet.detection.settings import RetinaNetConfig
from spinedet.detection.worker_pool import worker_processes
from spinedet.imaging.settings import EligibilityLimits, SelectionRules
from spinedet.pipelines.assign_levels import LevelAssigner
from spinedet.pipelines.image_sources import StudySource, open_input
from spinedet.pipelines.outputs.writer import OutputContext, load_outputs
from spinedet.pipelines.predict_archive import Finisher, finish_study
from spinedet.pipelines.predict_series import Predictor, Reader, predict_studies, read_study
from spinedet.runs.run_folder import open_run
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig

CENTERS = ("A", "B", "C")
# Windows of MONAI's tutorial overlap so much, and boxes below this score are not compared.
OVERLAP, LEAST_SCORE = 0.25, 0.05
# What each detector's way to a study's findings consists of.
SHARED, FILES, OURS = "reading, checks, resampling", "of these, reading the files", "our networks"
REST = "levels, fusion of both planes, findings written"
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
    context = OutputContext(manifest.parent, shipped.identity, pictures=False)
    finisher = Finisher(levels, load_outputs(["csv"]), context)
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
        with clock.stage(FILES):  # once more, to tell it from the rest
            for series in source.series:
                series.read()
        with clock.stage(OURS):
            (found,) = predict_studies(predictor, [study])
        with clock.stage(REST):
            finish_study(finisher, found)
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
    for name in (SHARED, FILES, OURS, REST, *PEERS):
        yield f"| {name} | {seconds[name]:.3f} |"
    yield ""
    yield f"| both planes, no pages | CPU s a study | studies a minute if {cores} cores are busy |"
    yield "|---|--:|--:|"
    for name, own in {"ours, levels included": (OURS, REST), **{name: (name,) for name in PEERS}}.items():
        cost = seconds[SHARED] + sum(seconds[part] for part in own)
        yield f"| {name} | {cost:.3f} | {60 * cores / cost:.0f} |"


@dataclass(frozen=True)
class PeerReader:
    """What a worker process needs to read a study and to show it to RetinaNets."""

    reader: Reader
    peers: Mapping[Plane, RetinaNetPeer]
    crops: Mapping[Plane, Sequence[int]]

    def __call__(self, source: StudySource) -> str:
        """Read a study and infer all its series; its id."""
        study = read_study(self.reader, source)
        for working in (series.working for series in study.series):
            inferred(self.peers[working.plane], working, self.crops[working.plane])
        return study.id


def predict_with_peer(manifest: Path, journal: Path, workers: int) -> None:
    """Show all studies to RetinaNets, and note each that is done; the counterpart of `predict`."""
    model = open_run("shipped").model
    peers = {plane: retinanet(detector) for plane, detector in model.detectors.items()}
    crops = {plane: detector.spec(plane).crop_shape for plane, detector in model.detectors.items()}
    reader = PeerReader(Predictor(open_run("shipped"), EligibilityLimits(), 0.01).reader, peers, crops)
    source = open_input(manifest, SelectionRules())
    with (
        journal.open("w", buffering=1) as stream,
        worker_processes(workers, source.count, __spec__.name, (reader,)) as (predicted,),
    ):
        for study in predicted(source.studies()):
            stream.write(f"{study}\n")


@dataclass(frozen=True)
class Phase:
    """A part of a command, and how many studies were done in it."""

    name: str
    studies: int
    cost: Cost


@dataclass(frozen=True)
class Archive:
    """A manifest, how many studies it has, and on how many cores they are predicted."""

    manifest: Path
    studies: int
    cores: int

    def ours(self, settings: Sequence[str]) -> Cost:
        """Of `predict`, findings as JSON and CSV."""
        with tempfile.TemporaryDirectory() as folder:
            words = ["run=shipped", f"input={self.manifest}", f"out={folder}/out", "outputs=[csv]", "pictures=false"]
            journal = Path(folder) / "out/parts/0001-of-0001.jsonl"
            return _run([sys.executable, "-m", "spinedet.predict", *words, *settings], journal)

    def peers(self, workers: int) -> Cost:
        """Of the RetinaNet."""
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "done"
            words = ["--peer", str(self.manifest), str(journal), "--workers", str(workers)]
            return _run([sys.executable, "-m", __spec__.name, *words], journal)

    def phases(self, cost: Cost) -> Iterator[Phase]:
        """From the start to the first study, from there to the last one, from there to the end; and all."""
        first, last = (next(one for one in cost.samples if one.done >= done) for done in (1, self.studies))
        begun, end = cost.samples[0], cost.samples[-1]
        for name, until, since in (
            ("start-up", first, begun),
            ("studies", last, first),
            ("end", end, last),
            ("all", end, begun),
        ):
            yield Phase(name, until.done - since.done, until.since(since))


def _run(command: Sequence[str], journal: Path) -> Cost:
    def lines() -> int:
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    return run(command, {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}, lines)


def command_table(name: str, archive: Archive, cost: Cost) -> Iterator[str]:
    """Each phase of a command: wall time, CPU time of all its processes, share of the cores that it kept busy."""
    cores = archive.cores
    yield f"| {name}, {archive.studies:,} studies, {cores} cores | wall s | share | CPU s | cores busy | cores wanted |"
    yield "|---|--:|--:|--:|--:|--:|"
    for phase in archive.phases(cost):
        one = phase.cost
        if one.wall > 0:
            shares = f"{one.busy(cores):.1%} | {one.wanted(cores):.1%}"
            yield f"| {phase.name} | {one.wall:.1f} | {one.wall / cost.wall:.1%} | {one.cpu:.1f} | {shares} |"


def rates_table(measured: Mapping[str, tuple[Archive, Cost]]) -> Iterator[str]:
    """Studies a minute and CPU seconds a study of each command: of all of it, and without its start-up and end."""
    heads = ("studies", "studies a minute", "CPU s a study", "without start and end", "CPU s a study", "GiB at most")
    yield f"| both planes | {' | '.join(heads)} |"
    yield "|---|" + "--:|" * len(heads)
    for name, (archive, cost) in measured.items():
        _, steady, _, whole = archive.phases(cost)
        rates = [
            f"{60 * phase.studies / phase.cost.wall:.0f} | {phase.cost.cpu / phase.studies:.3f}"
            if phase.studies
            else "– | –"
            for phase in (whole, steady)
        ]
        memory = max(one.memory for one in cost.samples)
        yield f"| {name} | {archive.studies:,} | {' | '.join(rates)} | {memory:.1f} |"


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
    parser.add_argument("--parts-studies", type=int, default=20, help="at most so many for the parts")
    parser.add_argument("--peer-studies", type=int, default=200, help="at most so many for the RetinaNet of --command")
    parser.add_argument("--phantoms", type=int, default=3, help="that are drawn, the studies are copies of them")
    parser.add_argument("--coarseness", type=float, default=1.0, help="of their pixels, see `phantom --help`")
    parser.add_argument("--command", action="store_true", help="also run the command on all of them")
    parser.add_argument("--batches", help="instead, series at once, such as 1,2,4")
    parser.add_argument("--device", default="cpu", help="of --batches and --command, such as cuda")
    parser.add_argument("--batch", type=int, default=1, help="of --command")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="of --command")
    parser.add_argument("--repeats", type=int, default=5, help="of --batches")
    parser.add_argument("--peer", nargs=2, type=Path, metavar=("MANIFEST", "JOURNAL"), help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.peer:
        predict_with_peer(*words.peer, words.workers)
        return
    if min(words.studies, words.parts_studies, words.peer_studies) < 2 and not words.batches:
        parser.error("at least two studies are needed: the first one is not counted")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="throughput-") as name:
        source = draw(Path(name) / "cohort", words.phantoms, words.coarseness)
        if words.batches:
            sizes, device = [int(size) for size in words.batches.split(",")], torch.device(words.device)
            manifest = archive_of(source, 1).manifest
            print("\n".join(batches_table(manifest, sizes, device, words.repeats)))
            return
        few = archive_of(source, min(words.studies, words.parts_studies))
        print(f"{words.studies:,} studies: {words.phantoms} drawn phantoms, again and again under other ids\n")
        print("\n".join(parts_table(parts(few.manifest), few.cores)), flush=True)
        if words.command:
            compare(source, words)


def compare(source: Path, words: argparse.Namespace) -> None:
    """Measure and print both commands."""
    settings = (f"device={words.device}", f"batch={words.batch}", f"workers={words.workers}")
    ours, peers = (archive_of(source, count) for count in (words.studies, min(words.studies, words.peer_studies)))
    measured = {}
    for name, archive, measure in (
        (f"`predict {' '.join(settings)}`", ours, partial(ours.ours, settings)),
        ("RetinaNet on the CPU, windows of a training crop", peers, partial(peers.peers, words.workers)),
    ):
        measured[name] = archive, measure()
        print("\n" + "\n".join(command_table(name, *measured[name])), flush=True)
    print("\n" + "\n".join(rates_table(measured)))


def archive_of(source: Path, studies: int) -> Archive:
    """So many studies that lead to the images of a manifest."""
    manifest = source.parent / f"{studies}.json"
    write_manifest(manifest, source, studies)
    return Archive(manifest, studies, len(os.sched_getaffinity(0)))


if __name__ == "__main__":
    main()
