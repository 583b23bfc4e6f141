"""Make the weights that ship: a sagittal detector that grades, from phantoms and all real patients at hand.

    python benchmarks/generate/shipped_weights.py SPIDER_FOLDER MIDSLICES_FOLDER runs/weights [--write]

1. Phantoms of the randomised centre, fat-suppressed ones among them, teach to find discs, sound ones too, in stacks,
   slabs and slices. The training begins with random weights: those that ship have seen all patients, and with them
   the folds' test patients.
2. Five folds of patients give findings out of fold, and with them the threshold.
3. A detector of all patients and a quarter of the phantoms is trained like those of the folds.
4. The axial detector, of phantoms alone, is taken over from the weights that ship already.

Finished steps are kept, so stop and start as you like. `--write` puts the result into the package, with the results
of the folds as `known_results.json`; fit the levels anew then (`benchmarks/generate/levels.py`). About an hour of one
quiet core.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from spinedet.core.anatomy import Plane
from spinedet.core.files import file_header, sha256, write_json
from spinedet.core.manifest import read_manifests
from spinedet.core.types import Findings, KnownResult, KnownResults, Manifest, Study, TrainedOn
from spinedet.detection.dataset import prepare_scans
from spinedet.detection.inference import Effort, detect_studies
from spinedet.detection.model_files import WEIGHTS as WEIGHTS_FILE
from spinedet.detection.model_files import Model, PlaneDetector, load_model, save_model
from spinedet.detection.settings import GradedConfig, RecipeConfig
from spinedet.detection.trainer import PlanePlan, Settings, train_network
from spinedet.imaging.planes import SPECS
from spinedet.imaging.settings import AugmentConfig
from spinedet.pipelines.cross_validation import CrossValidation, patient_folds, pooled, run_folds, train_on_all
from spinedet.pipelines.score_cross_validation import results
from spinedet.pipelines.splits import findings_on, only
from spinedet.runs.known_results import FILE as KNOWN_FILE
from spinedet.runs.known_results import FORMAT as KNOWN_FORMAT
from spinedet.runs.run_folder import SHIPPED, open_run
from spinedet.scoring import (
    BootstrapSettings,
    Estimate,
    IouCriterion,
    choose_operating_point,
    read_operating_point,
    write_operating_point,
)
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig
from spinedet.training.settings import TrainerConfig

PLANE, FOLDS, SEED = Plane.SAGITTAL, 5, 0
# Phantoms of centre R that taught the axial detector, or chose its threshold; those of the sagittal one are among them,
# but for those of centre F.
AXIAL_PHANTOMS, AXIAL_TUNING, FAT_SUPPRESSED = 440, 40, 30
# Every so many phantoms are mixed into the last training, or kept apart for the finder's threshold.
MIXED, HELD_OUT = 4, 8
PHANTOMS = CohortConfig(
    name="phantom-randomised",
    groups=[GroupConfig("R", "train", 130), GroupConfig("F", "train", FAT_SUPPRESSED)],
    coarseness=1.4,
    positions=1,
)
WEIGHTS = Path(__file__).resolve().parents[2] / "src/spinedet/weights"


def on_cpu(epochs: int) -> TrainerConfig:
    """So many epochs, no score on tuning scans."""
    return TrainerConfig(max_epochs=epochs, validate_every=epochs, accelerator="cpu")


FINDER = Settings(
    GradedConfig(),
    RecipeConfig(batch=4),
    AugmentConfig(slab_probability=0.75, slab_slices=5),
    on_cpu(40),
)
GRADED = Settings(
    GradedConfig(),
    RecipeConfig(batch=4, layer_decay=0.5),
    AugmentConfig(slab_probability=0.2, slab_slices=4),
    on_cpu(30),
)
# More scans an epoch, about as many steps.
FINAL = replace(GRADED, trainer=on_cpu(20))


def convert(source: str, root: Path, out: Path) -> Path:
    """A source's manifest."""
    if not (out / "manifest.json").exists():
        words = [f"source={source}", f"root={root}", f"out={out}"]
        subprocess.run([sys.executable, "-m", "spinedet.convert", *words], check=True)
    return out / "manifest.json"


def finder(phantoms: Manifest, out: Path) -> Path:
    """A run of the detector that phantoms have taught, its threshold from those that are kept apart."""
    folder = out / "finder"
    if not (folder / "operating_point.json").exists():
        scans = prepare_scans(phantoms.studies, SPECS[PLANE], folder / "cache", 1).scans
        held_out = phantoms.studies[::HELD_OUT]
        apart = {study.id for study in held_out}
        plan = PlanePlan(
            spec=SPECS[PLANE],
            categories=phantoms.categories,
            train=[scan for scan in scans if scan.study not in apart],
            tune=scans[:1],
            score=lambda detections: 0.0,
            folder=folder / "checkpoints",
            seed=SEED,
        )
        (detector,) = train_network([plan], FINDER)
        told = TrainedOn(kind="phantoms", phantoms=len(phantoms.studies), patients=0)
        model = Model("finder", phantoms.region, {PLANE: detector}, trained_on=told)
        save_model(folder / "model", model)
        found = Findings(model={"name": model.name}, studies=detect_studies(model, held_out, 0.01, Effort(1)).studies)
        point = choose_operating_point(only(phantoms, held_out), found, IouCriterion())
        write_operating_point(folder / "operating_point.json", point)
    return folder


def graded(real: Manifest, extra: tuple[Study, ...], initial: PlaneDetector, out: Path) -> Path:
    """The folds' findings, then the detector of all patients."""
    plan = patient_folds(real.studies, FOLDS, SEED)
    task = CrossValidation(real, plan, PLANE, GRADED, IouCriterion(), out / "folds", initial=initial)
    for name in run_folds(task, task.prepared(), SEED):
        print(f"{name} is finished", flush=True)
    whole = CrossValidation(real, plan, PLANE, FINAL, IouCriterion(), out / "folds", extra=extra, initial=initial)
    final = out / "folds" / "final"
    return final if (final / "operating_point.json").exists() else train_on_all(whole, whole.prepared(), SEED)


def join(final: Path, out: Path) -> None:
    """The sagittal detector with the axial one that ships, and the thresholds of both."""
    before, model = open_run(SHIPPED), load_model(final / "model")
    detectors = {**model.detectors, Plane.AXIAL: before.model.detectors[Plane.AXIAL]}
    point = read_operating_point(final / "operating_point.json")
    told = TrainedOn(kind="both", phantoms=AXIAL_PHANTOMS + FAT_SUPPRESSED, patients=point.chosen_on.patients)
    save_model(out / "model", Model("lumbar-graded", model.region, detectors, trained_on=told))
    axial = tuple(one for one in before.operating_point.thresholds if one.plane == Plane.AXIAL.value)
    sagittal = tuple(one for one in point.thresholds if one.plane == PLANE.value)
    # Both planes' tuning studies, so that anybody can tell whether a study was among them.
    both = (point.chosen_on, before.operating_point.chosen_on)
    hashes = tuple(sorted({digest for each in both for digest in each.study_hashes}))
    chosen_on = point.chosen_on.model_copy(
        update={"study_hashes": hashes, "studies": len(hashes), "patients": point.chosen_on.patients + AXIAL_TUNING}
    )
    joined = point.model_copy(update={"thresholds": (*sagittal, *axial), "chosen_on": chosen_on})
    write_operating_point(out / "operating_point.json", joined)


def known_results(real: Manifest, parts: dict[str, Manifest], out: Path) -> KnownResults:
    """F1 of the folds' findings at nested thresholds, in each part of the patients."""
    plan = patient_folds(real.studies, FOLDS, SEED)
    findings = pooled(CrossValidation(real, plan, PLANE, GRADED, IouCriterion(), out / "folds"), SEED)
    known = []
    for data, part in parts.items():
        found, *_ = results(part, {"folds": [findings_on(findings, part)]}, IouCriterion(), BootstrapSettings(seed=20))
        f1 = found.estimate("f1") or Estimate()
        value, low, high = (None if one is None else round(one, 3) for one in (f1.value, f1.low, f1.high))
        count = len(part.studies)
        how = f"{count} {data} of SPIDER, five-fold cross-validation over patients"
        known.append(
            KnownResult(plane=PLANE.value, data=how, patients=count, statistic="F1", value=value, low=low, high=high)
        )
    known.append(KnownResult(plane="axial", remark="trained on phantoms alone, never tested on patients"))
    digest = sha256(out / "weights" / "model" / WEIGHTS_FILE)
    return KnownResults(weights="the weights that ship with spinedet", weights_sha256=digest, results=tuple(known))


def main() -> None:
    """All steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("spider", "midslices", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--write", action="store_true", help="put the weights into the package")
    options = parser.parse_args()
    out: Path = options.out
    manifests = [convert(name, getattr(options, name), out / name) for name in ("midslices", "spider")]
    phantoms = read_manifests([draw_cohort(PHANTOMS, out / "phantoms", 1)])
    initial = open_run(str(finder(phantoms, out))).model.detectors[PLANE]
    final = graded(read_manifests(manifests), phantoms.studies[2::MIXED], initial, out)
    join(final, out / "weights")
    parts = {
        name: read_manifests([path]) for name, path in zip(("middle slices", "T2 SPACE slabs"), manifests, strict=True)
    }
    known = known_results(read_manifests(manifests), parts, out).model_dump(mode="json")
    write_json(out / "weights" / "model" / KNOWN_FILE, {**file_header(KNOWN_FORMAT), **known})
    write_json(
        out / "weights" / "made.json",
        {"folds": FOLDS, "seed": SEED, "phantoms_mixed_in": len(phantoms.studies[2::MIXED])},
    )
    if options.write:
        shutil.copytree(out / "weights" / "model", WEIGHTS / "model", dirs_exist_ok=True)
        shutil.copy(out / "weights" / "operating_point.json", WEIGHTS / "operating_point.json")
        print(f"written to {WEIGHTS}")


if __name__ == "__main__":
    main()
