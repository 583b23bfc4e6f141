"""Cross-validation over patients: detectors that never saw a patient find in it, at thresholds from other patients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, write_json
from spinedet.core.findings import read_findings, write_findings
from spinedet.core.manifest import write_manifest
from spinedet.core.types import Findings, Manifest, Study, StudyFindings
from spinedet.detection.dataset import Prepared, Scan, prepare_scans
from spinedet.detection.device import on_device
from spinedet.detection.inference import Effort, detect_studies
from spinedet.detection.model_files import Model, PlaneDetector, save_model
from spinedet.detection.trainer import PlanePlan, Settings, train_network
from spinedet.imaging.planes import SPECS
from spinedet.pipelines.splits import only
from spinedet.scoring import Criterion, OperatingPoint, choose_operating_point, write_operating_point
from spinedet.scoring.cross_validated import HELD_OUT

# Findings are mapped so that this is every fold's threshold.
COMMON_THRESHOLD = 0.5
POOLED = "pooled.json"
_SURE = 1 - 1e-6


@dataclass(frozen=True)
class Fold:
    """Patients that are tested together, and those that train the detector which tests them."""

    name: str
    train: frozenset[str]
    test: frozenset[str]


@dataclass(frozen=True)
class FoldPlan:
    """Which trainings are made.

    Attributes:
        tested: the folds whose findings are scored.
        inner: of each tested fold by name, the folds whose findings choose its threshold; none of them tests a patient
            of the fold.
    """

    tested: tuple[Fold, ...]
    inner: Mapping[str, tuple[Fold, ...]]

    @property
    def every(self) -> tuple[Fold, ...]:
        """Each training once."""
        return tuple(dict.fromkeys((*self.tested, *(fold for folds in self.inner.values() for fold in folds))))


def balanced(lesions: Mapping[str, int], count: int, seed: int) -> list[frozenset[str]]:
    """Patients in parts of equal size (give or take one), with about as many lesions each.

    Patients in random order, then by falling number of lesions, are dealt round by round; in each round the part with
    the fewest lesions so far comes first.

    Raises:
        InputError: there are fewer patients than parts.
    """
    if len(lesions) < count:
        raise InputError(f"folds={count} needs as many patients, and there are {len(lesions)}; use fewer folds")
    shuffled = np.random.default_rng(seed).permutation(sorted(lesions)).tolist()
    falling = sorted(shuffled, key=lambda patient: -lesions[patient])
    parts: list[list[str]] = [[] for _ in range(count)]
    for start in range(0, len(falling), count):
        waiting = sorted(parts, key=lambda part: sum(lesions[patient] for patient in part))
        for part, patient in zip(waiting, falling[start : start + count], strict=False):
            part.append(patient)
    return [frozenset(part) for part in parts]


def lesions_of(studies: Sequence[Study]) -> dict[str, int]:
    """How many lesions count of each patient."""
    counts = dict.fromkeys((study.patient for study in studies), 0)
    for study in studies:
        counts[study.patient] += sum(not lesion.ignore for lesion in study.lesions)
    return counts


def patient_folds(studies: Sequence[Study], count: int, seed: int) -> FoldPlan:
    """Every patient is tested once; a fold's threshold comes from the findings in all other folds."""
    parts = balanced(lesions_of(studies), count, seed)
    return _crossed({f"fold-{row}": part for row, part in enumerate(parts)})


def _crossed(parts: Mapping[str, frozenset[str]]) -> FoldPlan:
    every = frozenset[str]().union(*parts.values())
    folds = tuple(Fold(name, every - part, part) for name, part in parts.items())
    return FoldPlan(folds, {fold.name: tuple(other for other in folds if other is not fold) for fold in folds})


def folds_digest(folds: Mapping[str, Sequence[str]]) -> str:
    """SHA-256 of a partition: a line `patient<tab>fold` for each patient, sorted."""
    lines = sorted(f"{patient}\t{name}" for name, patients in folds.items() for patient in patients)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def recorded_folds(studies: Sequence[Study], path: Path) -> FoldPlan:
    """The folds that a file fixes, so that results of several groups can stand in one table; as `patient_folds`.

    Patients of the file who are not among the studies are left out.

    Raises:
        InputError: the file breaks the format or its digest, a patient is in no fold or in two, or fewer than two
            folds have a patient.
    """
    content = read_json(path)
    folds = content.get("folds") if isinstance(content, dict) else None
    if not isinstance(folds, dict) or content.get("format") != "spinedet-folds":
        raise InputError(f"{path} is no file of folds (format spinedet-folds, folds: name -> patients)")
    if folds_digest(folds) != content.get("sha256"):
        raise InputError(f"{path}: the folds are not those of its sha256; take the original file")
    of = [patient for patients in folds.values() for patient in patients]
    patients = {study.patient for study in studies}
    lacking, twice = sorted(patients - set(of)), sorted({patient for patient in of if of.count(patient) > 1})
    if lacking or twice:
        wrong = f"{lacking[0]!r} is in none of its folds" if lacking else f"{twice[0]!r} is in two of its folds"
        raise InputError(f"{path}: patient {wrong}; these folds are of other data")
    parts = {name: frozenset(named) & patients for name, named in folds.items()}
    parts = {name: part for name, part in parts.items() if part}
    if len(parts) < 2:
        raise InputError(f"{path}: all patients here are in one of its folds; use folds= instead")
    return _crossed(parts)


def group_folds(studies: Sequence[Study], attribute: str, count: int, seed: int) -> FoldPlan:
    """Each value of a study attribute is tested by a detector of the other values, as external data would be.

    Its threshold comes from `count` folds among the patients of those other values alone.

    Raises:
        InputError: a study lacks the attribute, or all have one value.
    """
    values = {study.patient: study.attributes.get(attribute) for study in studies}
    lacking = sorted(patient for patient, value in values.items() if value is None)
    groups = sorted({str(value) for value in values.values()})
    if lacking or len(groups) < 2:
        reason = f"patient {lacking[0]!r} has none" if lacking else f"all have {groups[0]!r}"
        raise InputError(f"by={attribute}: studies need this attribute with at least two values, and {reason}")
    tested, inner = [], {}
    for group in groups:
        test = frozenset(patient for patient, value in values.items() if str(value) == group)
        rest = [study for study in studies if study.patient not in test]
        fold = Fold(f"{attribute}-{group}", frozenset(study.patient for study in rest), test)
        parts = balanced(lesions_of(rest), count, seed)
        tested.append(fold)
        inner[fold.name] = tuple(
            Fold(f"{fold.name}-inner-{row}", fold.train - part, part) for row, part in enumerate(parts)
        )
    return FoldPlan(tuple(tested), inner)


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What all trainings of a cross-validation have in common.

    Attributes:
        extra: studies that every training learns from as well, never tested on. extra_weight: draws of each of their
            scans in an epoch, on average.
        initial: a detector whose weights are the start.
        root: a finished training is kept there and not done again.
        effort, device: with which folds are tested.
    """

    manifest: Manifest
    plan: FoldPlan
    plane: Plane
    settings: Settings
    criterion: Criterion
    root: Path
    rule: str = "plateau_f1"
    extra: tuple[Study, ...] = ()
    extra_weight: float = 1.0
    initial: PlaneDetector | None = None
    effort: Effort = field(default_factory=lambda: Effort(1))
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def prepared(self) -> Prepared:
        """All scans on the working grid."""
        studies = (*self.manifest.studies, *self.extra)
        return prepare_scans(studies, SPECS[self.plane], self.root / "cache", self.effort.workers)


def run_folds(task: CrossValidation, prepared: Prepared, seed: int) -> Iterator[str]:
    """Train and test what is not there yet of one seed; yields each fold's name when it is finished."""
    for fold in task.plan.every:
        folder = fold_folder(task, fold, seed)
        if not (folder / "fold.json").is_file():
            detector = _train(task, prepared, fold, seed)
            model = Model(f"cross-validation {fold.name}", task.manifest.region, {task.plane: detector})
            save_model(folder / "model", model)
            model = on_device(model, task.device)
            studies = [study for study in task.manifest.studies if study.patient in fold.test]
            predictions = detect_studies(model, studies, 0.01, task.effort)
            write_findings(folder / "findings.json", _findings(task, predictions.studies))
            write_json(folder / "fold.json", {"train": len(fold.train), "test": len(fold.test), **predictions.skipped})
        yield fold.name


def _train(task: CrossValidation, prepared: Prepared, fold: Fold, seed: int) -> PlaneDetector:
    patients = {study.id: study.patient for study in task.manifest.studies}
    extra = {study.id for study in task.extra}
    train = [scan for scan in prepared.scans if scan.study in extra or patients.get(scan.study) in fold.train]
    if not train:
        raise InputError(f"{fold.name} leaves no scan to train on; use more patients")
    tune = [_thinnest(train)]
    plan = PlanePlan(
        spec=SPECS[task.plane],
        categories=task.manifest.categories,
        train=train,
        tune=tune,
        score=_unscored,
        folder=fold_folder(task, fold, seed) / "checkpoints",
        seed=seed,
        initial=task.initial,
        weights=dict.fromkeys(extra, task.extra_weight),
    )
    (detector,) = train_network([plan], task.settings)
    return detector


def train_on_all(task: CrossValidation, prepared: Prepared, seed: int) -> Path:
    """A detector of all patients, with the threshold of all findings out of fold, as a folder that `run=` takes.

    Its trainings have as many steps for each scan as those of the folds. Call it after `run_folds`.
    """
    folder = task.root / "final"
    every = Fold("final", frozenset(study.patient for study in task.manifest.studies), frozenset())
    detector = _train(task, prepared, every, seed)
    found = [study for fold in task.plan.tested for study in _tested(task, fold, seed)]
    read = {study.id for study in found}
    reference = only(task.manifest, (study for study in task.manifest.studies if study.id in read))
    point = choose_operating_point(reference, _findings(task, found), task.criterion, task.rule)
    save_model(folder / "model", Model(task.manifest.name, task.manifest.region, {task.plane: detector}))
    write_operating_point(folder / "operating_point.json", point)
    return folder


def _thinnest(scans: Sequence[Scan]) -> Scan:
    """A scan for the trainer's validation, which chooses nothing here."""
    return min(scans, key=lambda scan: scan.grid.shape[0])


def _unscored(detections: object) -> float:
    return 0.0


def fold_folder(task: CrossValidation, fold: Fold, seed: int) -> Path:
    """Where a fold's training, findings and model lie."""
    return task.root / f"seed-{seed}" / fold.name


def _findings(task: CrossValidation, studies: Sequence[StudyFindings]) -> Findings:
    return Findings(model={"name": "cross-validation", "planes": [task.plane.value]}, studies=tuple(studies))


def pooled(task: CrossValidation, seed: int) -> Findings:
    """The findings of all tested folds of one seed, each fold's scores mapped so that its threshold is one half.

    They are written to `pooled.json` in the seed's folder. Each fold's folder gets its operating point and the manifest
    of its patients, so that `run=` takes it.
    """
    studies: list[StudyFindings] = []
    thresholds = {}
    for fold in task.plan.tested:
        point, folder = _operating_point(task, fold, seed), fold_folder(task, fold, seed)
        write_operating_point(folder / "operating_point.json", point)
        held_out = (study for study in task.manifest.studies if study.patient in fold.test)
        write_manifest(folder / HELD_OUT, only(task.manifest, held_out))
        # Of the category that is tested.
        threshold = thresholds[fold.name] = next(iter(point.values.values()))
        studies += [at_common_threshold(study, threshold) for study in _tested(task, fold, seed)]
    write_json(task.root / f"seed-{seed}" / "thresholds.json", thresholds)
    findings = _findings(task, studies)
    write_findings(task.root / f"seed-{seed}" / POOLED, findings)
    return findings


def _tested(task: CrossValidation, fold: Fold, seed: int) -> tuple[StudyFindings, ...]:
    return read_findings(fold_folder(task, fold, seed) / "findings.json").studies


def _operating_point(task: CrossValidation, fold: Fold, seed: int) -> OperatingPoint:
    """From the findings in the inner folds."""
    studies = [study for inner in task.plan.inner[fold.name] for study in _tested(task, inner, seed)]
    read = {study.id for study in studies}
    reference = only(task.manifest, (study for study in task.manifest.studies if study.id in read))
    return choose_operating_point(reference, _findings(task, studies), task.criterion, task.rule)


def at_common_threshold(study: StudyFindings, threshold: float) -> StudyFindings:
    """Scores p as p to the power that takes the threshold to `COMMON_THRESHOLD`: the order stays, and 0 and 1 do."""
    power = np.log(COMMON_THRESHOLD) / np.log(np.clip(threshold, 1e-6, _SURE))
    found = (
        finding.model_copy(update={"score": float(np.clip(finding.score, 0, 1) ** power)}) for finding in study.findings
    )
    return study.model_copy(update={"findings": tuple(found)})


def thresholds_of(task: CrossValidation, seed: int) -> dict[str, float]:
    """Each tested fold's threshold, before scores were mapped."""
    return dict(read_json(task.root / f"seed-{seed}" / "thresholds.json"))
