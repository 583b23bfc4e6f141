"""CPU seconds of each stage of `predict` on one image: imports, model, reading, preparing, network, levels, outputs.

python -m benchmarks.performance.predict_stages [--image IMAGE] [--repeats 5]

Medians over fresh processes with one thread. The whole command is measured beside them; what the stages leave of it is
composing the config, the terminal and the end of the process. With `--price` the stages give the cost of an archive.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.performance.startup import ROOT, process

# What a job does once, however many series it predicts.
ONCE = ("imports", "model")
STAGES = (*ONCE, "reading", "preparing", "network", "levels", "outputs")
SERIES = 100_000
_HOUR = 3600


@dataclass
class Clock:
    """CPU seconds of named parts of this process."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds what is done inside to the stage."""
        before = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - before


def measure(image: Path, out: Path) -> dict[str, float]:
    """The stages in this process, which has imported nothing of the package's heavy parts yet.

    Reading is done twice, so that preparing can be told from it.
    """
    clock = Clock({"imports": time.process_time()})
    with clock.stage("imports"):
        import spinedet.commands.predict  # noqa: F401  # what the command imports
        from spinedet.imaging.settings import EligibilityLimits, SelectionRules
        from spinedet.pipelines.assign_levels import LevelAssigner
        from spinedet.pipelines.image_sources import open_input
        from spinedet.pipelines.outputs.writer import OutputContext, load_outputs
        from spinedet.pipelines.predict_series import Predictor, predict_studies, read_study, record_of, with_levels
        from spinedet.runs.run_folder import open_run

        outputs = load_outputs(["page"])
    with clock.stage("model"):
        run = open_run("shipped")
    with clock.stage("reading"):
        (source,) = open_input(image, SelectionRules()).studies()
        source.series[0].read()
    predictor = Predictor(run, EligibilityLimits(), 0.01, LevelAssigner(run.model.region, run.levels))
    with clock.stage("preparing"):
        read = read_study(predictor.reader, source)
    clock.seconds["preparing"] -= clock.seconds["reading"]
    with clock.stage("network"):
        (study,) = predict_studies(predictor, [read])
    with clock.stage("levels"):
        study = with_levels(predictor.assign_levels, study)
    with clock.stage("outputs"):
        context = OutputContext(out, run.identity)
        for output in outputs:
            output.write_study(study, context)
            output.write_summary(lambda: iter([record_of(study)]), context)
    return clock.seconds


def child(image: Path, folder: Path) -> dict[str, float]:
    """`measure` in a fresh process."""
    words = [sys.executable, "-m", __spec__.name, "--child", str(image), str(folder)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each part over all runs."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


def cost(stages: Mapping[str, float], words: Namespace) -> dict[str, str]:
    """What `SERIES` series cost on CPUs in jobs of `words.per_job` series each."""
    each = sum(seconds for name, seconds in stages.items() if name in STAGES and name not in ONCE)
    once = sum(stages[name] for name in ONCE)
    hours = (each * SERIES + once * SERIES / words.per_job) / _HOUR
    return {
        "CPU s of a series": f"{each:.2f}",
        "CPU s of a job before its first series": f"{once:.2f}",
        f"core hours for {SERIES:,} series in jobs of {words.per_job:,}": f"{hours:.0f}",
        f"price at {words.price:g} a core hour": f"{words.price * hours:.0f}",
        f"written for {SERIES:,} series, GB": f"{stages['written'] * SERIES / 1e9:.1f}",
        f"read for {SERIES:,} series, GB": f"{stages['read'] * SERIES / 1e9:.1f}",
    }


def main() -> None:
    """Print both tables."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--child", nargs=2, type=Path, metavar=("IMAGE", "OUT"))
    parser.add_argument("--image", type=Path, help="an image; the sample of the package when left out")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--price", type=float, default=0.05, help="of a core hour")
    parser.add_argument("--per-job", type=int, default=1000, help="series of one job")
    words = parser.parse_args()
    if words.child:
        print(json.dumps(measure(*words.child)))
        return
    image = words.image or ROOT / "src/spinedet/sample/sample_lumbar_t2.nii.gz"
    runs = []
    for _ in range(words.repeats):
        with TemporaryDirectory() as folder:
            out = Path(folder)
            sizes = {"read": float(image.stat().st_size)}
            found = child(image, out) | {"whole": process(ROOT, "predict", "run=shipped", f"input={image}", "out=out")}
            sizes["written"] = float(sum(file.stat().st_size for file in out.rglob("*") if file.is_file()))
            runs.append(found | sizes)
    middle = medians(runs)
    rest = middle["whole"] - sum(middle[name] for name in STAGES)
    print(f"| stage of `predict` on {image.name} | CPU s | share |\n|---|--:|--:|")
    for name, seconds in {
        **{name: middle[name] for name in STAGES},
        "the rest": rest,
        "whole": middle["whole"],
    }.items():
        print(f"| {name} | {seconds:.2f} | {100 * seconds / middle['whole']:.0f} % |")
    print("\n| an archive of such series | |\n|---|--:|")
    for name, text in cost(middle, words).items():
        print(f"| {name} | {text} |")


if __name__ == "__main__":
    main()
