"""What a command and all processes that descend from it cost, also those that nobody waits for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_PAUSE = 0.1
# By this variable in their environment the processes of one command are known.
_MARK = "SPINEDET_BENCHMARK_RUN"


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment of a command.

    Attributes:
        wall, cpu, queued: as of `Cost`, since it began. memory: GiB resident in all its processes; pages that several
            of them share count several times. done: how far it says it is.
    """

    wall: float
    cpu: float
    queued: float
    memory: float
    done: int

    def since(self, other: Sample) -> Cost:
        """The cost between two moments."""
        return Cost(self.wall - other.wall, self.cpu - other.cpu, self.queued - other.queued)


@dataclass(frozen=True)
class Cost:
    """Seconds: wall time, CPU time of all processes, and time in which their threads could have run but had no core."""

    wall: float
    cpu: float
    queued: float
    samples: tuple[Sample, ...] = ()

    def busy(self, cores: int) -> float:
        """The share of so many cores that it used."""
        return self.cpu / self.wall / cores

    def wanted(self, cores: int) -> float:
        """The share of so many cores that it used, or would have used if they had been free."""
        return min(1.0, (self.cpu + self.queued) / self.wall / cores)


@dataclass
class _Processes:
    """What each process has used so far, by its number; those that have ended are kept, but for their memory."""

    cpu: dict[int, float] = field(default_factory=dict)
    queued: dict[int, float] = field(default_factory=dict)
    pages: dict[int, int] = field(default_factory=dict)

    def look(self, folder: Path) -> None:
        """Note what a process has used, and how long each of its threads has waited for a core."""
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            self.cpu[int(folder.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
            self.pages[int(folder.name)] = int(fields[21])
            for thread in (folder / "task").iterdir():
                self.queued[int(thread.name)] = int((thread / "schedstat").read_text().split()[1]) / 1e9
        except OSError:  # it has just ended
            return

    def sample(self, mark: bytes, wall: float, done: int) -> Sample:
        """All processes that are there now."""
        self.pages.clear()
        for folder in _marked(mark):
            self.look(folder)
        memory = sum(self.pages.values()) * _PAGE / 2**30
        return Sample(wall, sum(self.cpu.values()), sum(self.queued.values()), memory, done)


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, progress: Callable[[], int] = lambda: 0
) -> Cost:
    """Run a command to its end, looking at its processes ten times a second; it ends this process when it fails.

    Args:
        progress: how far the command is, for the samples.
    """
    mark = uuid4().hex
    known = {**os.environ, **(environment or {}), _MARK: mark}
    processes, samples = _Processes(), [Sample(0.0, 0.0, 0.0, 0.0, 0)]
    began = time.monotonic()
    with TemporaryFile() as printed, subprocess.Popen(command, env=known, stdout=printed, stderr=printed) as process:
        while process.poll() is None:
            samples.append(processes.sample(f"{_MARK}={mark}".encode(), time.monotonic() - began, progress()))
            time.sleep(_PAUSE)
        wall = time.monotonic() - began
        if process.returncode:
            printed.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{printed.read().decode(errors='replace')}")
    last = samples[-1]
    samples.append(Sample(wall, last.cpu, last.queued, 0.0, progress()))
    return Cost(wall, last.cpu, last.queued, tuple(samples))


def _marked(mark: bytes) -> list[Path]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(folder)
        except OSError:  # it has ended, or is another user's
            continue
    return found
