"""Wall time, CPU time and memory of `spinedet score` with all pages, by the number of scans and of worker processes.

    python -m benchmarks.performance.score_command --scans 1000 10000 --repeats 3     # two free cores, below 4 minutes
    python -m benchmarks.performance.score_command --scans 100000 --workers 2 --repeats 1

100 findings a scan, 2,000 patient replicates, from the start of the command to its end. The scores must be the same
bytes whatever the number of workers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.performance.scoring import REPLICATES, write_cohort


@dataclass(frozen=True)
class Run:
    """One run: seconds, CPU seconds of all its processes, peak GiB of the largest of them, `scores.json`."""

    seconds: float
    cpu: float
    gib: float
    scores: bytes


def run_command(cohort: Path, out: Path, workers: int, pages: bool, replicates: int) -> Run:
    """Score a written cohort with the command."""
    words = [f"reference={cohort / 'manifest.json'}", f"findings={cohort / 'findings.json'}", "threshold=0.5"]
    words += [f"bootstrap.samples={replicates}", f"workers={workers}", f"pages={str(pages).lower()}", f"out={out}"]
    start = time.perf_counter()
    log = os.open(f"{out}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    quiet = [(os.POSIX_SPAWN_DUP2, log, stream) for stream in (1, 2)]
    command = [sys.executable, "-m", "spinedet.score", *words]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    os.close(log)
    if status:
        raise SystemExit(Path(f"{out}.log").read_text())
    scores = (out / "scores.json").read_bytes()
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, scores)


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--no-pages", action="store_true")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {arguments.repeats}\n")
    print("| scans | workers | seconds | CPU seconds | peak GiB |\n|--:|--:|--:|--:|--:|", flush=True)
    for scans in arguments.scans:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_cohort(folder, scans)
            kept: set[bytes] = set()
            for workers in arguments.workers:
                runs = [
                    run_command(
                        folder, folder / f"{workers}-{turn}", workers, not arguments.no_pages, arguments.replicates
                    )
                    for turn in range(arguments.repeats)
                ]
                kept |= {run.scores for run in runs}
                middle = [statistics.median(getattr(run, key) for run in runs) for key in ("seconds", "cpu", "gib")]
                print(f"| {scans:,} | {workers} | {middle[0]:.1f} | {middle[1]:.1f} | {middle[2]:.2f} |", flush=True)
            if len(kept) > 1:
                raise SystemExit(f"{scans:,} scans: the scores depend on the number of workers")


if __name__ == "__main__":
    main()
