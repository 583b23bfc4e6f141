"""What `predict` takes for an archive that is killed half-way: memory, and time a study, from first to last tenth."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spinedet.core.manifest import read_manifest

MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")
# Every so many-th study has no image.
BROKEN_EVERY = 2_000


def write_manifest(path: Path, source: Path, studies: int) -> int:
    """A manifest of so many studies whose paths lead to the source's few images; how many of them have none."""
    raw = json.loads(source.read_text())
    folder = source.parent.resolve()
    lost = range(BROKEN_EVERY // 2, studies, BROKEN_EVERY)
    with path.open("w") as stream:
        header = {key: value for key, value in raw.items() if key != "studies"}
        stream.write(json.dumps(header)[:-1] + ', "studies": [\n')
        for number in range(studies):
            one = raw["studies"][number % len(raw["studies"])]
            name = "missing" if number in lost else ""
            series = [{**s, "path": f"{folder}/{s['path']}{name}", "sha256": None} for s in one["series"]]
            known = {"id": f"study-{number}", "patient": f"patient-{number}", "split": None, "series": series}
            stream.write(json.dumps({**one, **known}) + (",\n" if number < studies - 1 else "\n"))
        stream.write("]}\n")
    return len(lost)


@dataclass(frozen=True, slots=True)
class Sample:
    """Of a running command: studies written down, its CPU seconds, and its memory in MiB."""

    done: int
    cpu: float
    memory: float


def watch(command: subprocess.Popen[bytes], journal: Path) -> Iterator[Sample]:
    """Samples, twice a second, until the command ends."""
    done = place = 0
    while command.poll() is None:
        if journal.exists():
            with journal.open("rb") as stream:
                stream.seek(place)
                new = stream.read()
            done, place = done + new.count(b"\n"), place + len(new)
        try:
            fields = Path(f"/proc/{command.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return
        pages = int(Path(f"/proc/{command.pid}/statm").read_text().split()[1])
        yield Sample(done, (int(fields[11]) + int(fields[12])) / TICKS, pages * resource.getpagesize() / MIB)
        time.sleep(0.5)


def tenth(samples: list[Sample], low: float, high: float) -> tuple[float, float]:
    """CPU milliseconds a study and the highest memory, from one number of studies to another."""
    part = [sample for sample in samples if low <= sample.done <= high]
    first, last = part[0], part[-1]
    return 1000 * (last.cpu - first.cpu) / max(1, last.done - first.done), max(sample.memory for sample in part)


@dataclass(frozen=True)
class Trial:
    """One archive, and the command that is asked about it."""

    words: tuple[str, ...]
    out: Path
    studies: int

    @property
    def journal(self) -> Path:
        return self.out / "parts/0001-of-0001.jsonl"

    def run(self, enough: Callable[[Sample], bool]) -> tuple[list[Sample], int]:
        """Go on until enough is done, then kill it; the samples, and how it ended."""
        words = [sys.executable, "-m", "spinedet.predict", *self.words, f"out={self.out}", "resume=true"]
        samples = []
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as command:
            for sample in watch(command, self.journal):
                samples.append(sample)
                if enough(sample):
                    command.send_signal(signal.SIGKILL)
                    break
            _, said = command.communicate()
        if command.returncode not in (0, 3, -signal.SIGKILL):
            sys.exit(said.decode())
        return samples, command.returncode


def measure(trial: Trial, broken: int, images: int) -> None:
    """Interrupt, go on, and print what it took."""
    half = trial.studies // 2
    first, status = trial.run(lambda sample: sample.done >= half)
    done = first[-1].done
    second, status = trial.run(lambda sample: False)
    ids = [
        json.loads(line.rstrip(b",\n"))["id"]
        for line in (trial.out / "findings.json").open("rb")
        if line[:6] == b'{"id":'
    ]
    listed = json.loads((trial.out / "skipped.json").read_text()) if status == 3 else []
    lost = {one["study"].split("/")[0] for one in listed}
    begun = [next(s for s in part if s.done > (0 if part is first else done)) for part in (first, second)]
    size = trial.studies / 10
    early, late = tenth(first, 1, size), tenth(second, trial.studies - size, trial.studies - 1)
    merged = [sample for sample in second if sample.done == trial.studies]
    rows = {
        "CPU s until the first study: imports, the model, all of the manifest checked": f"{begun[0].cpu:.1f}",
        "CPU ms a study, first tenth → last tenth": f"{early[0]:.2f} → {late[0]:.2f}",
        "memory, MiB, first tenth → last tenth": f"{early[1]:.0f} → {late[1]:.0f}",
        "killed (-9) after": f"{done:,} studies",
        "CPU s until the first new study when resumed": f"{begun[1].cpu:.1f}",
        "CPU s to put all parts together": f"{merged[-1].cpu - merged[0].cpu:.1f}" if merged else "below the samples",
        "highest memory, MiB, of all": f"{max(sample.memory for sample in [*first, *second]):.0f}",
        "studies in findings.json, each once": f"{len(ids):,}, {len(ids) == len(set(ids)) == trial.studies - broken}",
        "studies without an image, listed, and the exit status": f"{len(lost)} of {broken}, {status}",
    }
    print(f"| {trial.studies:,} studies, {images} images | |\n|---|---|")
    print("\n".join(f"| {name} | {value} |" for name, value in rows.items()))


def main() -> None:
    """Draw a few phantoms, write the manifest, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2_000)
    parser.add_argument("--run", default="shipped", help="a finished run")
    parser.add_argument("--source", type=Path, help="a manifest; phantoms of the cohort `smoke` when left out")
    parser.add_argument("--min-score", type=float, default=0.5, help="findings below it are not written")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="archive-") as name:
        folder = Path(name)
        source = words.source or folder / "cohort/manifest.json"
        if words.source is None:
            drawing = [sys.executable, "-m", "spinedet.phantom", "cohort=smoke", f"out={source.parent}"]
            subprocess.run(drawing, check=True, capture_output=True)
        broken = write_manifest(folder / "archive.json", source, words.studies)
        asked = (f"run={words.run}", f"input={folder / 'archive.json'}", "pictures=false", "workers=1")
        asked += (f"min_score={words.min_score}",)
        images = sum(len(study.series) for study in read_manifest(source).studies)
        measure(Trial(asked, folder / "out", words.studies), broken, images)


if __name__ == "__main__":
    main()
