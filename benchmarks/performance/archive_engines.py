"""The same archive by a job array (`shard=`), by Dask and by Ray Data, each with two processes that predict.

    python -m benchmarks.performance.archive_engines --series 24

Dask and Ray are in the extra `bench`; an engine that is not installed is left out. All predict copies of one scan on
CPUs with one thread a process, write `findings.json` and no pages. Every engine is a process of its own, and CPU
seconds are those of all processes that descend from it, schedulers and services included.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spinedet
from benchmarks.performance.process_tree import Cost, run
from spinedet.core.findings import read_findings, write_findings
from spinedet.core.types import Findings, StudyFindings
from spinedet.pipelines.sample import sample_scan

PROCESSES = 2
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def job_array(images: Path, out: Path) -> None:
    """Two jobs at once; the last one merges."""
    words = [sys.executable, "-m", "spinedet.predict", "run=shipped", f"input={images}", f"out={out}", "outputs=[]"]
    words += ["workers=1", "device=cpu"]
    jobs = [
        subprocess.Popen([*words, f"shard={part}/{PROCESSES}"], stderr=subprocess.DEVNULL)
        for part in range(1, PROCESSES + 1)
    ]
    if any(job.wait() for job in jobs):
        sys.exit("a job failed")


def dask(images: Path, out: Path) -> None:
    """A local cluster of two processes that keep the model; the client gathers and writes."""
    from distributed import Client, LocalCluster

    with LocalCluster(PROCESSES, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        write(out, client.gather(client.map(predict_one, paths(images), pure=False)))


def ray_data(images: Path, out: Path) -> None:
    """A data set of paths, mapped by two actors that keep the model."""
    import ray

    ray.init(num_cpus=PROCESSES, include_dashboard=False, log_to_driver=False)
    pool = ray.data.ActorPoolStrategy(size=PROCESSES)
    rows = ray.data.from_items([{"image": path} for path in paths(images)]).map(RayPredictor, compute=pool, num_cpus=1)
    studies = [row["study"] for row in sorted(rows.take_all(), key=lambda row: str(row["image"]))]
    ray.shutdown()
    write(out, [StudyFindings.model_validate_json(study).model_dump() for study in studies])


class RayPredictor:
    """An actor of Ray Data; findings travel as JSON, because its tables hold no nested values of free shape."""

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """A row with the findings of its image."""
        return row | {"study": StudyFindings.model_validate(predict_one(row["image"])).model_dump_json()}


ENGINES: dict[str, tuple[str, str | None, Callable[[Path, Path], None]]] = {
    "jobs": ("job array, `shard=k/2`", None, job_array),
    "dask": ("Dask, `LocalCluster`", "distributed", dask),
    "ray": ("Ray Data, actors", "ray", ray_data),
}


def paths(images: Path) -> list[str]:
    """Of all images."""
    return sorted(map(str, images.iterdir()))


@cache
def _model() -> Any:
    return spinedet.load("shipped", device="cpu")


def predict_one(image: str) -> dict[str, Any]:
    """The findings of one image, in a worker that opened the model once."""
    (study,) = _model().predict(image).studies
    content: dict[str, Any] = study.model_dump(mode="python")
    return content


def write(out: Path, studies: list[dict[str, Any]]) -> None:
    """Put all together."""
    found = tuple(StudyFindings.model_validate(one) for one in studies)
    write_findings(out / "findings.json", Findings(model={"name": "benchmark"}, studies=found))


def timed(engine: str, images: Path, out: Path) -> Cost:
    """What an engine costs."""
    words = [sys.executable, "-m", "benchmarks.performance.archive_engines", "--engine", engine, str(images), str(out)]
    return run(words, THREADS)


def scores(out: Path) -> list[list[float]]:
    """Of every study, highest first."""
    return [sorted((one.score for one in study.findings), reverse=True) for study in read_findings(out).studies]


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, default=24)
    parser.add_argument("--engine", nargs=3, metavar=("ENGINE", "IMAGES", "OUT"), help="one engine, in this process")
    words = parser.parse_args()
    if words.engine:
        # Under its own name, so that workers which are sent its functions can import them.
        by_name = import_module(__spec__.name if __spec__ else __name__)
        by_name.ENGINES[words.engine[0]][2](Path(words.engine[1]), Path(words.engine[2]))
        return
    print(f"| {words.series} series, {PROCESSES} processes | wall s | CPU s | same scores |\n|---|--:|--:|---|")
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for number in range(words.series):
            shutil.copy(sample_scan(), folder / "images" / f"scan {number:04}.nii.gz")
        first: list[list[float]] | None = None
        for engine, (label, library, _) in ENGINES.items():
            if library and not find_spec(library):
                print(f"| {label} | not installed | | |")
                continue
            out = folder / engine
            out.mkdir()
            cost = timed(engine, folder / "images", out)
            found = scores(out / "findings.json")
            first = first or found
            print(f"| {label} | {cost.wall:.1f} | {cost.cpu:.1f} | {found == first} |", flush=True)


if __name__ == "__main__":
    main()
