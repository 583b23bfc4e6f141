"""One network that both planes share against one for each plane, after equal numbers of steps.

    python -m benchmarks.experiments.shared_network --seeds 0,1,2 --steps 800 --out runs/benchmark

A plane's own network (`set`) takes --steps, the shared one as many as all planes' together; all else
is as in detector.py, whose finished trainings under `--out` are taken as they are. Phantoms only: nothing clinical.
"""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path

from benchmarks.experiments.budgeted_training import quiet, train_together
from benchmarks.experiments.detector import (
    Bench,
    Job,
    markdown,
    match_cohort,
    parser_of,
    prepare_bench,
    prepare_training,
    run_job,
    summarise,
    timings,
)
from spinedet.core.anatomy import Plane
from spinedet.core.files import write_json, write_text

ALONE, SHARED = "set", "set:shared"


def run_shared(bench: Bench, seed: int) -> None:
    """Train one network for all planes, and judge it on each."""
    jobs = [Job(ALONE, plane, seed) for plane in Plane]
    with tempfile.TemporaryDirectory() as cache:
        trainings = [prepare_training(bench, job, Path(cache)) for job in jobs]
        done = zip(jobs, trainings, train_together(trainings), strict=True)
        for job, training, trained in done:
            match_cohort(bench, Job(SHARED, job.plane, seed), training, trained)


def main() -> None:
    """Train what is missing, then write `shared.json` and `shared.md`."""
    arguments = parser_of(__doc__, 800).parse_args()
    quiet()
    bench, seeds = prepare_bench(arguments), [int(seed) for seed in arguments.seeds.split(",")]
    for seed in [] if arguments.table else seeds:
        if not all(bench.finished(Job(SHARED, plane, seed)) for plane in Plane):
            run_shared(bench, seed)
        for job in (Job(ALONE, plane, seed) for plane in Plane):
            if not bench.finished(job):
                run_job(bench, job)
    jobs = [Job(model, plane, seed) for seed, plane, model in product(seeds, Plane, (ALONE, SHARED))]
    rows, timed = summarise(bench, jobs), list(timings(bench, jobs))
    write_json(bench.out / "shared.json", {"cohort": bench.manifest.name, "rows": rows, "trainings": timed})
    write_text(bench.out / "shared.md", markdown(rows, timed))
    print(markdown(rows, timed))


if __name__ == "__main__":
    main()
