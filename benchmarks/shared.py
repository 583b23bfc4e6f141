"""One network that both planes share against one for each plane, at equal CPU time.

    python benchmarks/shared.py --seeds 0,1,2 --budget 200 --out runs/benchmark

A plane's own network (`set`) uses the CPU seconds of --budget, the shared one as many as all planes' together; all else
is as in benchmarks/detector.py, whose finished trainings under `--out` are taken as they are. Phantoms only: nothing
clinical.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from budget import quiet, train_together
from detector import Bench, Job, judge, markdown, prepare_bench, prepare_training, run_job, summarise, timings
from spinedet.core.anatomy import Plane
from spinedet.core.files import write_json, write_text
from spinedet.simulation import SHIPPED

ALONE, SHARED = "set", "set:shared"


def run_shared(bench: Bench, seed: int) -> None:
    """Train one network for all planes, and judge it on each."""
    jobs = [Job(ALONE, plane, seed) for plane in Plane]
    with tempfile.TemporaryDirectory() as cache:
        trainings = [prepare_training(bench, job, Path(cache)) for job in jobs]
        done = zip(jobs, trainings, train_together(trainings), strict=True)
        for job, training, trained in done:
            judge(bench, Job(SHARED, job.plane, seed), training, trained)


def missing(bench: Bench, jobs: Sequence[Job]) -> list[Job]:
    """Those that are not finished."""
    return [job for job in jobs if not (bench.folder(job) / "result.json").is_file()]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--budget", type=float, default=200, help="CPU seconds of each plane")
    parser.add_argument("--every", type=int, default=100, help="steps between scores on the tuning split")
    parser.add_argument("--cohort", default="demo", choices=sorted(SHIPPED))
    parser.add_argument("--folder", help="where the cohort lies or will be drawn; in --out when left out")
    parser.add_argument("--processes", type=int, default=2, help="that draw the cohort")
    parser.add_argument("--out", default="runs/benchmark")
    parser.add_argument("--table", action="store_true", help="write the tables of what is finished, train nothing")
    return parser.parse_args()


def main() -> None:
    """Train what is missing, then write `shared.json` and `shared.md`."""
    arguments = parse()
    quiet()
    bench, seeds = prepare_bench(arguments), [int(seed) for seed in arguments.seeds.split(",")]
    for seed in [] if arguments.table else seeds:
        if missing(bench, [Job(SHARED, plane, seed) for plane in Plane]):
            run_shared(bench, seed)
        for job in missing(bench, [Job(ALONE, plane, seed) for plane in Plane]):
            run_job(bench, job)
    jobs = [Job(model, plane, seed) for seed, plane, model in product(seeds, Plane, (ALONE, SHARED))]
    rows, timed = summarise(bench, jobs), list(timings(bench, jobs))
    write_json(bench.out / "shared.json", {"cohort": bench.manifest.name, "rows": rows, "trainings": timed})
    write_text(bench.out / "shared.md", markdown(rows, timed))
    print(markdown(rows, timed))


if __name__ == "__main__":
    main()
