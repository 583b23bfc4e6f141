"""The same archive by a job array (`shard=`) and by Dask, each with two processes: wall time, CPU seconds, findings.

python -m benchmarks.performance.archive_engines --series 24

Dask is in the extra `bench`. Both predict copies of one scan on CPUs with one thread a process and write no pages.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spinedet
from spinedet.core.findings import read_findings, write_findings
from spinedet.core.types import Findings, StudyFindings
from spinedet.pipelines.sample import sample_scan

PROCESSES = 2
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def job_array(images: Path, out: Path) -> Findings:
    """Two jobs at once; the last one merges."""
    words = [sys.executable, "-m", "spinedet.predict", "run=shipped", f"input={images}", f"out={out}", "outputs=[]"]
    words += ["workers=1", "device=cpu"]
    jobs = [
        subprocess.Popen([*words, f"shard={part}/{PROCESSES}"], env=os.environ | THREADS, stderr=subprocess.DEVNULL)
        for part in range(1, PROCESSES + 1)
    ]
    if any(job.wait() for job in jobs):
        sys.exit("a job failed")
    return read_findings(out / "findings.json")


def dask(images: Path, out: Path) -> Findings:
    """A local cluster of two processes that keep the model; the client gathers and writes."""
    from distributed import Client, LocalCluster

    os.environ |= THREADS
    with LocalCluster(PROCESSES, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        futures = client.map(predict_one, sorted(map(str, images.iterdir())), pure=False)
        studies = tuple(StudyFindings.model_validate(one) for one in client.gather(futures))
    findings = Findings(model={"name": "dask"}, studies=studies)
    write_findings(out / "findings.json", findings)
    return findings


@cache
def _model() -> Any:
    return spinedet.load("shipped", device="cpu")


def predict_one(image: str) -> dict[str, Any]:
    """The findings of one image, in a worker that opened the model once."""
    (study,) = _model().predict(image).studies
    content: dict[str, Any] = study.model_dump(mode="python")
    return content


def timed(engine: Callable[[Path, Path], Findings], images: Path, out: Path) -> tuple[Findings, float, float]:
    """Findings, wall seconds and CPU seconds, child processes included."""
    before, began = _cpu(), time.monotonic()
    found = engine(images, out)
    return found, time.monotonic() - began, _cpu() - before


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def scores(findings: Findings) -> list[list[float]]:
    """Of every study, highest first."""
    return [sorted((one.score for one in study.findings), reverse=True) for study in findings.studies]


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, default=24)
    words = parser.parse_args()
    print(f"| {words.series} series, {PROCESSES} processes | wall s | CPU s | same scores |\n|---|--:|--:|---|")
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for number in range(words.series):
            shutil.copy(sample_scan(), folder / "images" / f"scan {number:04}.nii.gz")
        first: list[list[float]] | None = None
        for label, engine in (("job array, shard=k/2", job_array), ("Dask, LocalCluster", dask)):
            out = folder / engine.__name__
            out.mkdir()
            found, wall, cpu = timed(engine, folder / "images", out)
            first = first or scores(found)
            print(f"| {label} | {wall:.1f} | {cpu:.1f} | {scores(found) == first} |", flush=True)


if __name__ == "__main__":
    main()
