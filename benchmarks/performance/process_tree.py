"""What a command and all processes that descend from it cost, also those that nobody waits for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

_TICKS = os.sysconf("SC_CLK_TCK")
_PAUSE = 0.1
# By this variable in their environment the processes of one command are known.
_MARK = "SPINEDET_BENCHMARK_RUN"


@dataclass(frozen=True)
class Cost:
    """Seconds: wall time, CPU time of all processes, and time in which their threads could have run but had no core."""

    wall: float
    cpu: float
    queued: float

    def busy(self, cores: int) -> float:
        """The share of so many cores that it used, or would have used if they had been free."""
        return min(1.0, (self.cpu + self.queued) / self.wall / cores)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, looking at its processes ten times a second; it ends this process when it fails."""
    mark = uuid4().hex
    cpu: dict[int, float] = {}
    queued: dict[int, float] = {}
    known = {**os.environ, **(environment or {}), _MARK: mark}
    began = time.monotonic()
    with TemporaryFile() as printed, subprocess.Popen(command, env=known, stdout=printed, stderr=printed) as process:
        while process.poll() is None:
            for folder in _marked(f"{_MARK}={mark}".encode()):
                _look(folder, cpu, queued)
            time.sleep(_PAUSE)
        wall = time.monotonic() - began
        if process.returncode:
            printed.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{printed.read().decode(errors='replace')}")
    return Cost(wall, sum(cpu.values()), sum(queued.values()))


def _marked(mark: bytes) -> list[Path]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(folder)
        except OSError:  # it has ended, or is another user's
            continue
    return found


def _look(folder: Path, cpu: dict[int, float], queued: dict[int, float]) -> None:
    """Note what a process has used so far, and how long each of its threads has waited for a core."""
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        cpu[int(folder.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
        for thread in (folder / "task").iterdir():
            queued[int(thread.name)] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    except OSError:  # it has just ended
        return
