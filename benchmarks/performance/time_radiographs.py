"""CPU seconds and bytes for each simulated radiograph, by task.

python -m benchmarks.performance.time_radiographs --studies 6 --pixels 384
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.tasks import TASKS


def main() -> None:
    """Print a line for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=6)
    parser.add_argument("--pixels", type=int, default=384)
    given = parser.parse_args()
    for task in TASKS:
        with TemporaryDirectory() as folder:
            stamps: list[float] = [time.process_time()]
            cohort = RadiographCohort(task=task, groups=[RadiographGroup(studies=given.studies)], pixels=given.pixels)
            draw_radiographs(cohort, Path(folder), progress=lambda *_, to=stamps: to.append(time.process_time()))
            files = list(Path(folder).rglob("*.png"))
            each = len(files) / given.studies
            # The first study also fills tables.
            spent = [(b - a) / each for a, b in itertools.pairwise(stamps)]
            size = statistics.mean(path.stat().st_size for path in files)
            print(
                f"{task:<10} {statistics.median(spent):.2f} CPU s an image (up to {max(spent):.2f}), "
                f"{size / 1024:.0f} KiB"
            )


if __name__ == "__main__":
    main()
