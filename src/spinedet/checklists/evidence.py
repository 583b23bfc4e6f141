"""What a folder of results holds that a checklist can be answered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinedet.checklists.found import CONFIG, CROSSED, HELD_OUT, RUN, SCORES
from spinedet.checklists.sweeps import Sweep, best_of_sweep, config_as_text, sweep_around
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, sha256
from spinedet.core.manifest import read_manifest
from spinedet.core.types import TrainedOn
from spinedet.runs.known_results import with_known_results
from spinedet.runs.provenance import RunRecord, read_run_record
from spinedet.scoring import OperatingPoint, Scores, read_operating_point, read_scores
from spinedet.scoring.classification.operating_point import FORMAT as LABEL_POINT
from spinedet.scoring.classification.operating_point import LabelOperatingPoint, read_label_operating_point
from spinedet.scoring.classification.records import FORMAT as LABELS
from spinedet.scoring.classification.records import LabelScores, read_label_scores
from spinedet.scoring.cross_validated import CrossValidationResults, crossed_over, read_cross_validation
from spinedet.scoring.operating_point import FORMAT as POINT
from spinedet.scoring.participants import Participants
from spinedet.scoring.records import FORMAT as DETECTION

SHIPPED = "shipped"
_WEIGHTS = Path(__file__).parents[1] / "weights"
_STUDY_STEPS, _STUDY_PLAN = "steps", "steps.json"
# The source of weights that ship for networks of radiographs, as runs record it.
PHANTOM_WEIGHTS = "phantoms"
# The run of a cross-validation that was trained on all patients.
_FINAL = "final"
# Of detectors, and of classifications of radiographs.
_WEIGHT_FILES = ("weights.safetensors", "model.safetensors")


@dataclass(frozen=True, eq=False)
class Evidence:
    """The artefacts of one result; what is absent is None or empty.

    Attributes:
        name: of the result, without a path. root: its folder. shipped: whether it is the package's own weights.
        scores: of a detector's test. labels: of a classification of radiographs. crossed: of a cross-validation.
        held_out: the patients of a fold, beside its model. run: of the command that made it.
        sweep: the runs of the sweep that a training belongs to.
        config: resolved settings, values as text. model: `model.json`. weights_sha256: of the weights file.
        skipped: reason by study. trained_on: what the weights were trained on. plan: result of a registered analysis.
        hashes: SHA-256 of the files that answers are written for.
    """

    name: str
    root: Path
    shipped: bool = False
    scores: Scores | None = None
    labels: LabelScores | None = None
    crossed: CrossValidationResults | None = None
    held_out: tuple[Participants, ...] = ()
    sweep: Sweep | None = None
    run: RunRecord | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    point: OperatingPoint | None = None
    label_point: LabelOperatingPoint | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    trained_on: TrainedOn | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def tested(self) -> tuple[Participants, ...]:
        """Who was tested, or was held out from a fold."""
        if self.crossed:
            return self.crossed.participants
        return self.scores.participants if self.scores else self.held_out

    @property
    def results(self) -> str:
        """The file that states who was tested, and what was found."""
        return CROSSED if self.crossed else SCORES if self.scores or self.labels else HELD_OUT

    @property
    def ours(self) -> bool:
        """Whether a run or a model states that it is a detector of this program; findings alone may be of any other."""
        return self.run is not None or bool(self.model)

    @property
    def results_known(self) -> bool:
        """Whether there is the result of a test of a detector."""
        return self.scores is not None or self.crossed is not None

    @property
    def developed(self) -> tuple[Participants, ...]:
        """Who was trained and tuned on, where the run records it."""
        known = self.run.participants if self.run else ()
        return tuple(one for one in known if one.split != "test")

    @property
    def simulated(self) -> str:
        """The sentence that every answer about simulated data carries; empty where all are patients."""
        lines = []
        scored = self.scores or self.labels or self.crossed
        notes = scored.notes if scored else ()
        films = self.run.radiographs if self.run else ()
        tested = any(one.simulated for one in self.tested) or any(one.simulated for one in films if one.split == "test")
        if tested or any("drawn by software" in note for note in notes):
            lines.append("Tested on simulated data: phantoms drawn by software, no patients.")
        if self.trained_on is not None and self.trained_on.phantoms:
            also = f" and on images of {self.trained_on.patients} patients" if self.trained_on.patients else ""
            lines.append(f"Trained on {self.trained_on.phantoms} simulated studies (phantoms){also}.")
        elif any(one.simulated for one in self.developed) or any(one.simulated for one in films if one.split != "test"):
            lines.append("Trained on simulated data (phantoms).")
        if self.run and any(one.source == PHANTOM_WEIGHTS for one in self.run.pretrained.values()):
            lines.append("The initial weights were taught on simulated radiographs.")
        return " ".join(lines)


def read_evidence(path: str) -> Evidence:
    """What a run, an evaluation, a scored findings file, the folder of a study, a sweep or a cross-validation, one fold
    of it, or the shipped weights state.

    Raises:
        InputError: the folder holds no result, or a file is damaged.
    """
    root = _result_folder(Path(path)) if path != SHIPPED else _WEIGHTS
    kind = _format(root / SCORES)
    scores = read_scores(root / SCORES) if kind and kind != LABELS else None
    labels = read_label_scores(root / SCORES) if kind == LABELS else None
    crossed = _crossed(root) if (root / CROSSED).is_file() else None
    run = read_run_record(root / RUN) if (root / RUN).is_file() else None
    home = _model_folder(root, crossed)
    model, digest, trained_on = _model(home)
    # Those of one fold stand for no result.
    weights = None if crossed and home.name != _FINAL else digest
    point = root / "operating_point.json"
    if not (scores or labels or crossed or run or model):
        raise InputError(
            f"run={path} holds no run.json, scores.json, crossvalidation.json or model/; pass a run, an evaluation, a "
            "score or a cross-validation"
        )
    known = trained_on or (scores.trained_on if scores else None) or (run.trained_on if run else None)
    return Evidence(
        name=SHIPPED if path == SHIPPED else root.name,
        root=root,
        shipped=path == SHIPPED,
        scores=scores,
        labels=labels,
        crossed=crossed,
        held_out=_held_out(root / HELD_OUT, model),
        sweep=sweep_around(root),
        run=run,
        config=config_as_text(root / CONFIG) or _settings(root / "settings.json"),
        point=read_operating_point(point) if _format(point) == POINT else None,
        label_point=read_label_operating_point(point) if _format(point) == LABEL_POINT else None,
        model=model,
        weights_sha256=weights or (run.weights_sha256 if run else None),
        skipped=_skipped(root / "skipped.json"),
        trained_on=known,
        plan=_mapping(root / "plan_result.json"),
        hashes=_hashes(root, weights),
    )


def _format(path: Path) -> str | None:
    """What a file says it is; None where there is none."""
    return str(_mapping(path).get("format")) if path.is_file() else None


def _hashes(root: Path, weights: str | None) -> dict[str, str]:
    files = {"run_sha256": RUN, "scores_sha256": CROSSED if (root / CROSSED).is_file() else SCORES}
    found = {key: sha256(root / name) for key, name in files.items() if (root / name).is_file()}
    return found or ({"weights_sha256": weights} if weights else {})


def _result_folder(root: Path) -> Path:
    """The folder itself; of a sweep its best run; of a study its first training."""
    if not root.is_dir():
        raise InputError(f"run={root} is no folder; pass a run, an evaluation, a score, a study, or shipped")
    if any((root / name).exists() for name in (SCORES, CROSSED, "model", "model.json")):
        return root
    found = best_of_sweep(root) or _first_training(root)
    if found is None and not (root / RUN).is_file():
        raise InputError(f"run={root} holds no result: no scores.json in it or one folder below")
    return found or root


def _first_training(root: Path) -> Path | None:
    """The step of a study that its plan names first; without a plan the training that tested the most patients."""
    home = root / _STUDY_STEPS if (root / _STUDY_STEPS).is_dir() else root
    steps = sorted(file.parent for file in home.glob(f"*/{SCORES}"))
    planned = read_json(root / _STUDY_PLAN) if (root / _STUDY_PLAN).is_file() else []
    named = [one["step"] for one in planned if isinstance(one, dict) and isinstance(one.get("step"), dict)]
    order = [home / str(step.get("name")) for step in named]
    if first := next((one for one in order if one in steps and (one / "model").is_dir()), None):
        return first
    return min(steps, key=lambda one: (not (one / "model").is_dir(), -_patients(one), one.name), default=None)


def _patients(folder: Path) -> int:
    """How many a step has tested; a classification counts as none beside detectors."""
    path = folder / SCORES
    return read_scores(path).group().n.patients if _format(path) == DETECTION else 0


def _crossed(root: Path) -> CrossValidationResults:
    """With the participants that earlier versions left to the folds."""
    record = read_cross_validation(root / CROSSED)
    if record.participants:
        return record
    held_out = [_fold(root, record, name) / HELD_OUT for name in record.folds]
    studies = [study for file in held_out if file.is_file() for study in read_manifest(file).studies]
    plane = record.plane or _settings(root / "settings.json").get("plane")
    return record.model_copy(update={"participants": crossed_over(studies, [plane] if plane else ())})


def _held_out(path: Path, model: Mapping[str, Any]) -> tuple[Participants, ...]:
    """The patients of a fold, in the planes that its model reads."""
    planes = model.get("planes")
    known = list(planes) if isinstance(planes, dict) else []
    return crossed_over(read_manifest(path).studies, known) if path.is_file() else ()


def _fold(root: Path, record: CrossValidationResults, name: str) -> Path:
    """The folder of a fold of the first seed."""
    return root / f"seed-{next(iter(record.thresholds))}" / name


def _model_folder(root: Path, crossed: CrossValidationResults | None) -> Path:
    """Of a cross-validation the run on all patients, or else the first fold, whose network is like all others."""
    if crossed is None:
        return root
    final = root / _FINAL
    return final if (final / "model").is_dir() else _fold(root, crossed, next(iter(crossed.folds)))


def _model(root: Path) -> tuple[Mapping[str, Any], str | None, TrainedOn | None]:
    folder = next((one for one in (root / "model", root) if (one / "model.json").is_file()), None)
    if folder is None:
        return {}, None, None
    raw = read_json(folder / "model.json")
    weights = next((one for one in (folder / name for name in _WEIGHT_FILES) if one.is_file()), None)
    digest = sha256(weights) if weights else None
    stated = raw.get("trained_on")
    known = TrainedOn.model_validate(stated, strict=False) if stated else None
    return raw, digest, with_known_results(known, folder, digest or "") if known else None


def _skipped(path: Path) -> Mapping[str, str]:
    """Reason by study of the list that commands write."""
    raw = read_json(path) if path.is_file() else []
    rows = [one for one in raw if isinstance(one, dict)] if isinstance(raw, list) else []
    return {str(one.get("study")): str(one.get("reason")) for one in rows}


def _settings(path: Path) -> Mapping[str, Any]:
    """What a cross-validation of an earlier version recorded, values as text."""
    return {key: "null" if value is None else str(value) for key, value in _mapping(path).items()}


def _mapping(path: Path) -> Mapping[str, Any]:
    raw = read_json(path) if path.is_file() else {}
    return raw if isinstance(raw, dict) else {}
