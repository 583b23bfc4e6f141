"""The detector against its peers and against itself with parts taken away, after equal numbers of steps.

    python -m benchmarks.experiments.detector --models set,retinanet --planes sagittal,axial --seeds 0,1,2 --steps 800
    python -m benchmarks.experiments.detector --ablate --seeds 0,1,2 --out runs/ablation
    python -m benchmarks.experiments.detector --table --out runs/benchmark    # of what is finished

Every model is trained on the same scans with the same augmentation, optimiser, schedule and averaged weights for the
same number of steps, deterministically, so that what else the machine does changes nothing; what a step costs differs
between models, so the CPU seconds of each training are reported.

A model is a choice of `model=`, with settings of it, of the recipe or of the
augmentation after a colon: `--models "set;retinanet:negatives=focal,lr=0.0005,levels=fine+coarse"`. The threshold is
frozen on the tuning split at IoU 0.1 (max F1) and used at every IoU. Each model, plane and seed is a process with a
folder of its own under `--out`, and what is finished there is not trained again: stop and start as you like. Phantoms
only: nothing clinical.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.experiments.budgeted_training import IOU, Trained, Training, as_findings, predict_scans, quiet, train
from spinedet.core.anatomy import Plane
from spinedet.core.files import write_json, write_text
from spinedet.core.findings import read_findings, write_findings
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Manifest
from spinedet.detection.dataset import prepare_scans
from spinedet.detection.models import CONFIGS, ModelConfig
from spinedet.detection.settings import RecipeConfig
from spinedet.imaging.planes import SPECS
from spinedet.imaging.settings import AugmentConfig
from spinedet.pipelines.splits import Splits, only, split_studies
from spinedet.scoring import (
    BootstrapSettings,
    Examination,
    IouCriterion,
    ScoreSettings,
    Selection,
    choose_operating_point,
    examine,
    read_operating_point,
    write_operating_point,
)
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.statistics.estimates import Statistics, performance
from spinedet.scoring.statistics.hypothesis_tests import difference
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.shipped_cohorts import SHIPPED

IOUS = (IOU, 0.25, 0.5)
ABLATIONS = (
    "set",
    "set:denoising=0",
    "set:positives=1",
    "set:overlap=1.0",
    "set:auxiliary=0.0",
    "set:least_quality=1.0",
    "set:apart=false",
    "set:decoder_layers=1",
    "dense",
)
SENSITIVITY = froc_name(1.0)
# By which all tables so far were made; `thresholds.py` compares it with the one that trainings use.
RULE = "max_f1"
# The F1 on the tuning split at IoU 0.1 that a training is timed to.
GOAL = 0.9


@dataclass(frozen=True)
class Job:
    """One training. `model` is as on the command line."""

    model: str
    plane: Plane
    seed: int

    @property
    def name(self) -> str:
        """As a folder."""
        return f"{re.sub(r'[^a-z0-9_.=+]+', '-', self.model)}-{self.plane.value}-{self.seed}"

    @property
    def settings(self) -> tuple[ModelConfig, RecipeConfig, AugmentConfig]:
        """The model's config, and the recipe and augmentation that all share but for what is asked here."""
        kind, _, words = self.model.partition(":")
        given = {key: _value(text) for key, _, text in (word.partition("=") for word in words.split(",") if word)}
        recipe, augment = (
            {key: given.pop(key) for key in [one.name for one in fields(part)] if key in given}
            for part in (RecipeConfig, AugmentConfig)
        )
        return CONFIGS[kind](**given), RecipeConfig(**recipe), AugmentConfig(**augment)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.split("+") if "+" in text else text


@dataclass(frozen=True)
class Bench:
    """What all trainings have in common: the cohort, the steps, and where everything is written."""

    manifest: Manifest
    splits: Splits
    steps: int
    every: int
    out: Path

    def folder(self, job: Job) -> Path:
        """Of one training."""
        return self.out / f"{self.manifest.name}-{self.steps}steps" / job.name

    def finished(self, job: Job) -> bool:
        """Whether a training came to its end; `result.json` is written last."""
        return (self.folder(job) / "result.json").is_file()


def run_job(bench: Bench, job: Job) -> None:
    """Train and judge one network."""
    quiet()
    with tempfile.TemporaryDirectory() as cache:
        training = prepare_training(bench, job, Path(cache))
        match_cohort(bench, job, training, train(training))


def prepare_training(bench: Bench, job: Job, cache: Path) -> Training:
    """What the training of a job needs; scans go to `cache`."""
    spec, tuning = SPECS[job.plane], {study.id for study in bench.splits.tune}
    scans = prepare_scans((*bench.splits.train, *bench.splits.tune), spec, cache / job.name, 1).scans
    seen = [scan for scan in scans if scan.study not in tuning]
    held = [scan for scan in scans if scan.study in tuning]
    config, recipe, augment = job.settings
    known = (bench.manifest, seen, held, spec, config, recipe, bench.steps, bench.every, job.seed)
    return Training(*known, augment=augment)


def match_cohort(bench: Bench, job: Job, training: Training, trained: Trained) -> None:
    """Freeze the threshold on the tuning split, look at the test studies; `result.json` is written last."""
    folder, held, network = bench.folder(job), training.tune, trained.detector.network
    with tempfile.TemporaryDirectory() as cache:
        tested = prepare_scans(bench.splits.test, training.spec, Path(cache), 1).scans
        tuned = as_findings(bench.manifest, held, predict_scans(network, held)[0], job.plane.value)
        detections, seconds = predict_scans(network, tested)
        found = as_findings(bench.manifest, tested, detections, job.plane.value)
    reference = only(bench.manifest, bench.splits.tune)
    write_operating_point(folder / "point.json", choose_operating_point(reference, tuned, IouCriterion(iou=IOU), RULE))
    named = found.model_copy(update={"model": {"name": job.model, **found.model}})
    write_findings(folder / "findings.json", named)
    parameters = sum(p.numel() for p in network.parameters())
    timed = {"steps": trained.steps, "cpu_seconds": trained.cpu_seconds}
    timed |= {"inference_cpu_seconds": statistics.median(seconds), "parameters": parameters}
    write_json(folder / "result.json", {"model": job.model, **timed, "tuning": trained.curve})


def examined(bench: Bench, job: Job, iou: float) -> Examination:
    """One finished training, judged at one IoU with its frozen threshold."""
    folder = bench.folder(job)
    point = read_operating_point(folder / "point.json")
    # The threshold stays that of IoU 0.1 whatever the criterion of a hit.
    values = {value for (plane, _), value in point.values.items() if plane == job.plane.value}
    settings = ScoreSettings(
        criterion=IouCriterion(iou=iou),
        selection=Selection(planes=(job.plane.value,)),
        threshold=values.pop() if len(values) == 1 else None,
        bootstrap=BootstrapSettings(samples=2000, seed=0, method="percentile"),
        secondary=(),
        strata=(),
    )
    return examine(only(bench.manifest, bench.splits.test), read_findings(folder / "findings.json"), settings)


def mean_statistics(several: Sequence[Statistics]) -> Statistics:
    """The mean over seeds, replicate by replicate: all share the resamples of the patients."""
    first = several[0]
    return replace(
        first,
        values={name: float(np.mean([one.values[name] for one in several])) for name in first.values},
        replicates={name: np.mean([one.replicates[name] for one in several], axis=0) for name in first.replicates},
    )


@dataclass(frozen=True, eq=False)
class CenterNumbers:
    """Numbers of one model at one centre, averaged over the seeds.

    Attributes:
        duplicates: false positives a scan that touch a lesion which a better finding took.
    """

    statistics: Statistics
    duplicates: float


def by_center(bench: Bench, jobs: Sequence[Job], iou: float) -> dict[str, CenterNumbers]:
    """Numbers of one model in one plane for each centre."""
    found: dict[str, list[CenterNumbers]] = {}
    for job in jobs:
        one = examined(bench, job, iou)
        for named in one.groups:
            if set(named.by) == {"plane", "center"}:
                counted = one.count_part(named)
                numbers = one.statistics(counted)
                double = performance(counted, numbers, one.matched, one.reached).duplicates / named.part.scans.sum()
                found.setdefault(str(named.by["center"]), []).append(CenterNumbers(numbers, float(double)))
    return {
        center: CenterNumbers(
            mean_statistics([one.statistics for one in several]), float(np.mean([one.duplicates for one in several]))
        )
        for center, several in found.items()
    }


def summarise(bench: Bench, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """A row for each model, plane and centre of what is finished; differences are first model minus this one."""
    rows = []
    for plane in dict.fromkeys(job.plane for job in jobs):
        finished: dict[str, list[Job]] = {}
        for job in jobs:
            if job.plane is plane and bench.finished(job):
                finished.setdefault(job.model, []).append(job)
        first = next((job.model for job in jobs if job.model in finished), None)
        for model, done in finished.items():
            # Paired: the same seeds of both, or nothing to compare.
            seeds = {job.seed for job in done} if model != first else set()
            own = [job for job in finished[str(first)] if job.seed in seeds]
            for iou in IOUS:
                numbers, reference = by_center(bench, done, iou), by_center(bench, own, iou) if own else {}
                for center, each in numbers.items():
                    rows.append(_row(model, plane, center, iou) | _numbers(each, reference.get(center), done))
    return rows


def _row(model: str, plane: Plane, center: str, iou: float) -> dict[str, Any]:
    return {"model": model, "plane": plane.value, "center": center, "iou": iou}


def _numbers(each: CenterNumbers, reference: CenterNumbers | None, jobs: Sequence[Job]) -> dict[str, Any]:
    names = ("f1", "f1_max", SENSITIVITY, "ap")
    row: dict[str, Any] = {"seeds": [job.seed for job in jobs], "duplicates": each.duplicates}
    row |= {name: each.statistics.estimate(name).model_dump(mode="json") for name in names}
    if reference is not None:
        apart = difference(each.statistics, reference.statistics, names)
        row |= {f"ahead in {name}": apart.estimate(name).model_dump(mode="json") for name in names}
    return row


def timings(bench: Bench, jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
    """Steps, those to the goal, and CPU seconds in all and for one scan of every finished training."""
    for job in jobs:
        file = bench.folder(job) / "result.json"
        if file.is_file():
            content = json.loads(file.read_text("utf-8"))
            reached = next((steps for steps, f1 in content["tuning"] if f1 >= GOAL), None)
            yield {"plane": job.plane.value, "seed": job.seed, "steps_to_goal": reached, **content}


def markdown(rows: Sequence[dict[str, Any]], timed: Sequence[dict[str, Any]]) -> str:
    """Both tables."""
    heads = (
        "F1 at IoU .1 / .25 / .5",
        "best F1",
        "sensitivity at 1 FP",
        "duplicates a scan",
        "first model ahead in F1",
    )
    lines = [f"| plane | centre | model | seeds | {' | '.join(heads)} |", "|" + "---|" * 9]
    cells = dict.fromkeys((row["plane"], row["center"], row["model"]) for row in rows)
    for plane, center, model in cells:
        mine = [row for row in rows if (row["plane"], row["center"], row["model"]) == (plane, center, model)]
        columns = [" / ".join(_short(row[name]["value"]) for row in mine) for name in ("f1", "f1_max")]
        ahead = " / ".join(_interval(row["ahead in f1"]) for row in mine) if "ahead in f1" in mine[0] else "–"
        seeds = ", ".join(map(str, mine[0]["seeds"]))
        lines.append(
            f"| {plane} | {center} | {model} | {seeds} | {columns[0]} | {columns[1]} "
            f"| {_short(mine[0][SENSITIVITY]['value'])} | {mine[0]['duplicates']:.2f} | {ahead} |"
        )
    lines += ["", "| plane | model | seed | steps | steps to F1 0.9 on tuning | CPU s | CPU s a scan | parameters |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for one in timed:
        reached = one["steps_to_goal"]
        goal = "not reached" if reached is None else f"{reached}"
        lines.append(
            f"| {one['plane']} | {one['model']} | {one['seed']} | {one['steps']} | {goal} "
            f"| {one['cpu_seconds']:.0f} | {one['inference_cpu_seconds']:.2f} | {one['parameters']:,} |"
        )
    return "\n".join(lines) + "\n"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def _interval(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None or estimate["low"] is None:
        return "–"
    return "{value:+.2f} ({low:+.2f}, {high:+.2f})".format(**estimate)


def prepare_bench(arguments: argparse.Namespace) -> Bench:
    """The cohort, drawn on first use, in its splits."""
    out = Path(arguments.out)
    cohort = Path(arguments.folder or out / arguments.cohort)
    manifest = read_manifest(draw_cohort(SHIPPED[arguments.cohort], cohort, arguments.processes))
    return Bench(manifest, split_studies(manifest, 0.2, seed=0), arguments.steps, arguments.every, out)


def parser_of(words: str | None, steps: int) -> argparse.ArgumentParser:
    """A command line with what every comparison of trainings can be told: its help, and its usual number of steps."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=steps, help="of each plane's training")
    parser.add_argument("--every", type=int, default=100, help="steps between scores on the tuning split")
    parser.add_argument("--cohort", default="demo", choices=sorted(SHIPPED))
    parser.add_argument("--folder", help="where the cohort lies or will be drawn; in --out when left out")
    parser.add_argument("--processes", type=int, default=2, help="that draw the cohort, or train side by side")
    parser.add_argument("--out", default="runs/benchmark")
    parser.add_argument("--table", action="store_true", help="write the tables of what is finished, train nothing")
    return parser


def parse() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, 800)
    parser.add_argument("--models", default="set,retinanet", help="separated by commas, or by ; when one has settings")
    parser.add_argument("--ablate", action="store_true", help="our detector with each part taken away in turn")
    parser.add_argument("--planes", default="sagittal,axial")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def jobs_of(arguments: argparse.Namespace) -> list[Job]:
    """All trainings, seed by seed, so that a stopped benchmark has whole comparisons."""
    separator = ";" if re.search("[:;]", arguments.models) else ","
    models = ABLATIONS if arguments.ablate else arguments.models.split(separator)
    planes = [Plane(name) for name in arguments.planes.split(",")]
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    return [Job(model, plane, seed) for seed, plane, model in product(seeds, planes, models)]


def start(job: Job) -> int:
    """Train in a process of its own on one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    words = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--job", f"{job.plane.value}/{job.seed}/{job.model}"]
    print(f"training {job.name}", flush=True)
    return subprocess.run(words, env={**os.environ, **threads}, check=False).returncode


def main() -> None:
    """Train what is missing, then write `detector.json` and `detector.md`."""
    arguments = parse()
    bench, jobs = prepare_bench(arguments), jobs_of(arguments)
    if arguments.job:
        plane, seed, model = arguments.job.split("/", 2)
        run_job(bench, Job(model, Plane(plane), int(seed)))
        return
    missing = [job for job in jobs if not bench.finished(job)]
    with ThreadPoolExecutor(arguments.processes) as pool:
        failed = [] if arguments.table else [code for code in pool.map(start, missing) if code]
    rows, timed = summarise(bench, jobs), list(timings(bench, jobs))
    about = {"cohort": bench.manifest.name, "steps": bench.steps, "torch": torch.__version__}
    write_json(bench.out / "detector.json", {**about, "rows": rows, "trainings": timed})
    write_text(bench.out / "detector.md", markdown(rows, timed))
    print(markdown(rows, timed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
