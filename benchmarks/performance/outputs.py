"""What each output of `predict` costs a study: CPU seconds of its writer, beside those of the prediction.

    python -m benchmarks.performance.outputs INPUT [--repeats 5]

INPUT is what `predict input=` takes, or `sample`. CPU time of this process is measured, so that other work on the
machine does not count; the fastest of the repeats is given, and the bytes written.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from spinedet.imaging.settings import EligibilityLimits, SelectionRules
from spinedet.pipelines.assign_levels import LevelAssigner
from spinedet.pipelines.image_sources import open_input
from spinedet.pipelines.outputs import OUTPUTS
from spinedet.pipelines.outputs.settings import ReportSettings
from spinedet.pipelines.outputs.writer import OutputContext, load_outputs
from spinedet.pipelines.predict_series import Predictor, predict_study
from spinedet.pipelines.prediction import StudyPrediction
from spinedet.pipelines.sample import SAMPLE, sample_scan
from spinedet.runs.run_folder import SHIPPED, open_run

# Outputs in the form in which users ask for them.
FORMS: dict[str, tuple[str, dict[str, object]]] = {
    "page": ("page", {}),
    "page, pictures=false": ("page", {"pictures": False}),
    **{name: (name, {}) for name in OUTPUTS if name != "page"},
    "sr, sr.images=true": ("sr", {"report": ReportSettings(images=True)}),
}


def cost(study: StudyPrediction, name: str, settings: dict[str, object], repeats: int) -> tuple[float, int]:
    """CPU seconds of the writer, the least of `repeats`, and the bytes that it writes."""
    (output,) = load_outputs([name])
    seconds = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            context = OutputContext(Path(folder), study.model, **settings)  # type: ignore[arg-type]
            start = time.process_time()
            output.write_study(study, context)
            seconds.append(time.process_time() - start)
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return min(seconds), size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    run = open_run(SHIPPED)
    predictor = Predictor(run, EligibilityLimits(gate=False), 0.01, LevelAssigner(run.model.region, run.levels))
    path = sample_scan() if options.input == SAMPLE else Path(options.input)
    for source in open_input(path, SelectionRules()).studies():
        start = time.process_time()
        study = predict_study(predictor, source)
        print(f"study of {len(study.series)} series: prediction {time.process_time() - start:.2f} s")
        for form, (name, settings) in FORMS.items():
            seconds, size = cost(study, name, settings, options.repeats)
            print(f"  {form:24} {seconds:6.3f} s {size / 1024:8.0f} KiB")


if __name__ == "__main__":
    main()
