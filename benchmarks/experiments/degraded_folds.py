"""Detectors of a cross-validation on degraded scans of the patients whom each never saw, all folds together.

    python -m benchmarks.experiments.degraded_folds runs/graded blur=4,8 motion=4,8 spacing=6,12

Every fold of `crossvalidate` finds in degraded copies of its own patients' scans, at the threshold that the other folds
chose. The table holds F1 over all patients, and its paired difference from rules that see no image.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from spinedet.core.manifest import read_manifests
from spinedet.core.types import Findings, StudyFindings
from spinedet.detection.inference import Effort, detect_studies
from spinedet.imaging.settings import DEGRADATIONS
from spinedet.pipelines.cross_validation import at_common_threshold
from spinedet.pipelines.robustness import degraded_studies
from spinedet.pipelines.score_cross_validation import markdown, results
from spinedet.runs.run_folder import open_run
from spinedet.scoring import BootstrapSettings, IouCriterion
from spinedet.scoring.cross_validated import FILE, HELD_OUT, read_cross_validation

MIN_SCORE = 0.01
# A degradation and its strength.
Step = tuple[str, float]


def main() -> None:
    """Read the command line, degrade, find and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of a finished crossvalidate")
    parser.add_argument("steps", nargs="+", help=f"degradation=strength,strength: {', '.join(DEGRADATIONS)}")
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--samples", type=int, default=2000, help="resamples of the patients")
    given = parser.parse_args()
    record = read_cross_validation(given.folder / FILE)
    folds = [given.folder / f"seed-{given.seed}" / name for name in record.folds]
    found = {}
    for step in [None, *steps_of(given.steps)]:
        name = "scans as they are" if step is None else f"{step[0]} {step[1]:g}"
        found[name] = [findings_on(folds, step)]
        print(f"{name}: finished", file=sys.stderr, flush=True)
    manifest = read_manifests([folder / HELD_OUT for folder in folds])
    print(markdown(results(manifest, found, IouCriterion(), BootstrapSettings(given.samples, 20))))


def steps_of(words: list[str]) -> list[Step]:
    """Every degradation with each of its strengths."""
    steps = [
        (name, float(strength))
        for name, _, strengths in (word.partition("=") for word in words)
        for strength in strengths.split(",")
    ]
    if unknown := sorted({name for name, _ in steps} - set(DEGRADATIONS)):
        sys.exit(f"{unknown[0]} is no degradation; use {', '.join(DEGRADATIONS)}")
    return steps


def findings_on(folds: Sequence[Path], step: Step | None) -> Findings:
    """What each fold finds in its own patients; a study that cannot be read any more has no findings."""
    studies: list[StudyFindings] = []
    planes: set[str] = set()
    for folder in folds:
        run, reference = open_run(str(folder)), read_manifests([folder / HELD_OUT])
        threshold = next(iter(run.operating_point.values.values()))
        with TemporaryDirectory(prefix="spinedet-") as scratch:
            scans = (
                reference.studies if step is None else list(degraded_studies(reference.studies, step, Path(scratch)))
            )
            there = {one.id: one for one in detect_studies(run.model, scans, MIN_SCORE, Effort(1)).studies}
        silent = (there.get(study.id) or StudyFindings(id=study.id) for study in reference.studies)
        studies += [at_common_threshold(one, threshold) for one in silent]
        planes |= {plane.value for plane in run.model.detectors}
    return Findings(model={"name": "folds", "planes": sorted(planes)}, studies=tuple(studies))


if __name__ == "__main__":
    main()
