"""The same study twice, once beside busy processes: every number of every test must be identical.

    python -m benchmarks.experiments.same_numbers runs/same_numbers [size=smoke seed=0 ...]

Words after the folder are overrides of `spinedet.study`. The second run competes with a busy process for every core.
The table lists each step with the digests of its `scores.json` in both runs; the exit status is 1 when any file of
numbers differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spinedet.core.files import sha256

NUMBERS = ("scores.json", "operating_point.json", "findings.json")


def spin() -> None:
    """Use a core until the process is ended."""
    while True:
        sum(range(100_000))


@contextmanager
def busy_cores(processes: int) -> Iterator[None]:
    """So many processes that use a core each."""
    others = [multiprocessing.Process(target=spin, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.terminate()


def run_study(out: Path, words: list[str]) -> float:
    """Run the study in a process of its own; returns the seconds that it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "spinedet.study", *words, f"out={out}"], check=True)  # own words
    return time.perf_counter() - began


def digests(step: Path) -> dict[str, str]:
    """The digest of each file of numbers of one step, whose `findings.json` names the day and so is dated alike."""
    return {name: sha256(step / name) for name in NUMBERS if (step / name).is_file()}


def main() -> int:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("words", nargs="*", default=["size=smoke"])
    arguments = parser.parse_args()
    quiet, loaded = arguments.out / "quiet", arguments.out / "busy"
    seconds = [run_study(quiet, arguments.words)]
    with busy_cores(os.cpu_count() or 1):
        seconds.append(run_study(loaded, arguments.words))
    print(
        f"quiet {seconds[0]:.0f} s, busy {seconds[1]:.0f} s\n\n| step | quiet | busy | identical |\n|---|---|---|---|"
    )
    same = True
    for step in sorted(path.parent for path in quiet.glob("steps/*/scores.json")):
        ours, theirs = digests(step), digests(loaded / "steps" / step.name)
        same &= ours == theirs
        first, second = (each.get("scores.json", "missing")[:12] for each in (ours, theirs))
        print(f"| {step.name} | `{first}` | `{second}` | {'yes' if ours == theirs else 'NO'} |")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
