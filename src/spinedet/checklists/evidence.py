"""What a folder of results holds that a checklist can be answered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spinedet.core.errors import InputError
from spinedet.core.files import read_json, read_text, sha256
from spinedet.core.types import TrainedOn
from spinedet.runs.known_results import with_known_results
from spinedet.runs.provenance import RunRecord, read_run_record
from spinedet.scoring import OperatingPoint, Scores, read_operating_point, read_scores
from spinedet.scoring.classification.records import FORMAT as LABELS
from spinedet.scoring.classification.records import LabelScores, read_label_scores
from spinedet.scoring.operating_point import FORMAT as POINT
from spinedet.scoring.participants import Participants
from spinedet.scoring.records import FORMAT as SCORES

SHIPPED = "shipped"
_WEIGHTS = Path(__file__).parents[1] / "weights"
_STUDY_STEPS = "steps"
# Of detectors, and of classifications of radiographs.
_WEIGHT_FILES = ("weights.safetensors", "model.safetensors")


@dataclass(frozen=True, eq=False)
class Evidence:
    """The artefacts of one result; what is absent is None or empty.

    Attributes:
        name: of the result, without a path. root: its folder. shipped: whether it is the package's own weights.
        scores: of a detector's test. labels: of a classification of radiographs. run: of the command that made it.
        config: resolved settings, values as text. model: `model.json`. weights_sha256: of the weights file.
        skipped: reason by study. trained_on: what the weights were trained on. plan: result of a registered analysis.
        hashes: SHA-256 of the files that answers are written for.
    """

    name: str
    root: Path
    shipped: bool = False
    scores: Scores | None = None
    labels: LabelScores | None = None
    run: RunRecord | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    point: OperatingPoint | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    trained_on: TrainedOn | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def tested(self) -> tuple[Participants, ...]:
        """Who was tested."""
        return self.scores.participants if self.scores else ()

    @property
    def developed(self) -> tuple[Participants, ...]:
        """Who was trained and tuned on, where the run records it."""
        known = self.run.participants if self.run else ()
        return tuple(one for one in known if one.split != "test")

    @property
    def simulated(self) -> str:
        """The sentence that every answer about simulated data carries; empty where all are patients."""
        lines = []
        scored = self.scores or self.labels
        notes = scored.notes if scored else ()
        if any(one.simulated for one in self.tested) or any("drawn by software" in note for note in notes):
            lines.append("Tested on simulated data: phantoms drawn by software, no patients.")
        if self.trained_on is not None and self.trained_on.phantoms:
            also = f" and on images of {self.trained_on.patients} patients" if self.trained_on.patients else ""
            lines.append(f"Trained on {self.trained_on.phantoms} simulated studies (phantoms){also}.")
        elif any(one.simulated for one in self.developed):
            lines.append("Trained on simulated data (phantoms).")
        return " ".join(lines)


def read_evidence(path: str) -> Evidence:
    """What a run, an evaluation, a scored findings file, a study's folder or the shipped weights state.

    Raises:
        InputError: the folder holds no result, or a file is damaged.
    """
    root = _result_folder(Path(path)) if path != SHIPPED else _WEIGHTS
    is_labels = _format(root / "scores.json") == LABELS
    scores = read_scores(root / "scores.json") if (root / "scores.json").is_file() and not is_labels else None
    labels = read_label_scores(root / "scores.json") if is_labels else None
    run = read_run_record(root / "run.json") if (root / "run.json").is_file() else None
    model, weights, trained_on = _model(root)
    point = root / "operating_point.json"
    if scores is None and labels is None and run is None and not model:
        raise InputError(f"run={path} holds no run.json, scores.json or model/; pass a run, an evaluation or a score")
    known = trained_on or (scores.trained_on if scores else None) or (run.trained_on if run else None)
    return Evidence(
        name=SHIPPED if path == SHIPPED else root.name,
        root=root,
        shipped=path == SHIPPED,
        scores=scores,
        labels=labels,
        run=run,
        config=_yaml(root / "config.yaml"),
        point=read_operating_point(point) if _format(point) == POINT else None,
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
    files = {"run_sha256": "run.json", "scores_sha256": "scores.json"}
    found = {key: sha256(root / name) for key, name in files.items() if (root / name).is_file()}
    return found or ({"weights_sha256": weights} if weights else {})


def _result_folder(root: Path) -> Path:
    """The folder itself; of a study the step that has tested the most patients."""
    if not root.is_dir():
        raise InputError(f"run={root} is no folder; pass a run, an evaluation, a score, a study, or shipped")
    if any((root / name).exists() for name in ("scores.json", "run.json", "model")):
        return root
    steps = sorted((root / _STUDY_STEPS if (root / _STUDY_STEPS).is_dir() else root).glob("*/scores.json"))
    tested = [file.parent for file in steps if (file.parent / "run.json").is_file()] or [one.parent for one in steps]
    if not tested:
        raise InputError(f"run={root} holds no result: no scores.json in it or one folder below")
    # The first step of a study trains on its source region and tests at all centres.
    return max(tested, key=lambda folder: ((folder / "model").is_dir(), _patients(folder), folder.name))


def _patients(folder: Path) -> int:
    """How many a step has tested; a classification counts as none beside detectors."""
    path = folder / "scores.json"
    return read_scores(path).group().n.patients if _format(path) == SCORES else 0


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


def _yaml(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    raw = yaml.load(read_text(path), Loader=yaml.BaseLoader)  # noqa: S506  # makes strings, lists and mappings only
    return raw if isinstance(raw, dict) else {}


def _mapping(path: Path) -> Mapping[str, Any]:
    raw = read_json(path) if path.is_file() else {}
    return raw if isinstance(raw, dict) else {}
