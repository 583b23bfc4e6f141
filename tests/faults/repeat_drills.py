"""Fault drills many times each: `python -m tests.faults.repeat_drills --times 5` prints the table of docs/faults.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.faults.drills import DRILLS, Drill, Ground, NotHereError


def outcomes(drill: Drill, ground: Ground, seeds: range) -> Counter[str]:
    """How often a drill ended how; what went wrong is one of the outcomes."""
    found: Counter[str] = Counter()
    for seed in seeds:
        try:
            found[drill(ground, Random(seed))] += 1  # noqa: S311  # no secret
        except NotHereError as error:
            found[f"not done: {error}"] += 1
        except AssertionError:
            found["**LOST**"] += 1
            print(f"seed {seed}: {traceback.format_exc()}", file=sys.stderr)
    return found


def main() -> None:
    """Run the drills and print what came out, one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="of every drill")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one")
    parser.add_argument("--only", default="", help="drills whose name holds this")
    words = parser.parse_args()
    seeds = range(words.first, words.first + words.times)
    print("| fault | times | outcome |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="drills-") as folder:
        ground = Ground(Path(folder))
        for name, drill in DRILLS.items():
            if words.only in name:
                begun = time.monotonic()
                found = outcomes(drill, ground, seeds)
                told = "; ".join(f"{outcome} ({count})" for outcome, count in found.items())
                print(f"| {name} | {words.times} | {told} |", flush=True)
                print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
