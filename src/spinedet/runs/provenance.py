"""Provenance: which detector made findings, and what a command ran with (`run.json`)."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import Field

from spinedet import __version__
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, validate, write_json
from spinedet.core.types import Findings, FiniteJson, Record, TrainedOn, is_empty, is_none
from spinedet.scoring import OperatingPoint, Threshold
from spinedet.scoring.operating_point import ChosenOn
from spinedet.scoring.participants import Participants
from spinedet.training.length import TrainingLength

FORMAT = "spinedet-run"
LIBRARIES = ("torch", "monai", "pytorch-lightning", "hydra-core", "numpy", "scipy", "nibabel", "SimpleITK", "pydicom")


@dataclass(frozen=True)
class ModelIdentity:
    """Which detector made findings, without the detector.

    Attributes:
        version: of spinedet. weights_sha256: of the weights file; of every run of an ensemble, its own first.
        trained_on: None when it is unknown.
    """

    name: str
    region: Region
    version: str
    weights_sha256: tuple[str, ...]
    operating_point: OperatingPoint
    trained_on: TrainedOn | None = None

    @property
    def record(self) -> dict[str, FiniteJson]:
        """The `model` of a findings file."""
        own, *others = self.weights_sha256
        known: dict[str, FiniteJson] = {"name": self.name, "version": self.version, "weights_sha256": own}
        known["region"] = self.region.value
        if others:
            known["ensemble_weights_sha256"] = list(others)
        return {**known, "operating_point_sha256": self.operating_point.sha256}

    @property
    def statements(self) -> tuple[str, ...]:
        """What every page states of the detector's training; nothing where that is unknown."""
        return self.trained_on.sentences if self.trained_on else ()

    @property
    def thresholds(self) -> dict[str, FiniteJson]:
        """The `operating_point` of a findings file."""
        values: list[FiniteJson] = [
            {"plane": one.plane, "category": one.category, "value": one.value}
            for one in self.operating_point.thresholds
        ]
        return {"sha256": self.operating_point.sha256, "rule": self.operating_point.rule, "thresholds": values}


@dataclass(frozen=True)
class RecordedModel(ModelIdentity):
    """A detector as a findings file describes it; `known` is copied from the file."""

    known: Mapping[str, FiniteJson] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, FiniteJson]:
        """The `model` of the findings file."""
        return dict(self.known)


def recorded_model(findings: Findings, region: Region) -> RecordedModel:
    """The detector that made findings; thresholds are those that the file lists."""
    point = findings.operating_point or {}
    listed: Any = point.get("thresholds", ())
    thresholds = tuple(
        Threshold(plane=one["plane"], category=one["category"], value=float(one["value"])) for one in listed
    )
    unknown = ChosenOn(studies=0, patients=0, study_hashes=(), data_sha256="")
    return RecordedModel(
        name=str(findings.model.get("name", "unknown")),
        region=region,
        version=str(findings.model.get("version", "unknown")),
        weights_sha256=(str(findings.model.get("weights_sha256", "unknown")),),
        operating_point=OperatingPoint(
            rule=str(point.get("rule", "unknown")), criterion={}, thresholds=thresholds, chosen_on=unknown
        ),
        trained_on=findings.trained_on,
        known=findings.model,
    )


def model_facts(model: ModelIdentity) -> dict[str, str]:
    """What a page states of the model that was tested."""
    weights = ", ".join(model.weights_sha256)
    return {
        "Model": f"{model.name}, spinedet {model.version}",
        **({"Weights, SHA-256": weights} if weights else {}),
        **({"Commit": commit} if (commit := checkout_commit()) else {}),
    }


def findings_header(model: ModelIdentity, created: str | None) -> Findings:
    """`findings.json` but for its studies."""
    return Findings(
        model=model.record,
        operating_point=model.thresholds,
        trained_on=model.trained_on,
        created=created,
        studies=(),
    )


class SplitIds(Record):
    """Ids of the studies that a run was trained, tuned and tested on."""

    train: tuple[str, ...] = ()
    tune: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


class RunData(Record):
    """The cohort: its name, a digest of ids, splits, images and lesions, and for a test the ids of its studies."""

    name: str
    sha256: str
    studies: tuple[str, ...] | None = Field(default=None, exclude_if=is_none)


class ReusedWeights(Record):
    """How much of a plane's weights came from the initial run: tensors, their share of all numbers, and new tensors."""

    reused: int
    share: float
    new: tuple[str, ...] = ()


class InitialRun(Record):
    """The run that a training began with."""

    model: str
    operating_point_sha256: str
    planes: dict[str, ReusedWeights] = Field(default_factory=dict)


class PretrainedWeights(Record):
    """The weights that a network began with: `phantoms` (shipped) or `file`, its SHA-256, how its tensors matched."""

    source: str
    sha256: str
    matched: str


class RadiographParticipants(Record):
    """The radiographs of one split and centre.

    Attributes:
        simulated: whether a study among them is drawn by software. images: that are not excluded.
        labels: images by label, `other` included. unlabelled: images whose label is not known.
    """

    split: str
    center: str
    simulated: bool
    patients: int
    studies: int
    images: int
    labels: dict[str, int] = Field(default_factory=dict)
    unlabelled: int = 0


class RunRecord(Record):
    """`run.json`: what a command ran with. Runs of earlier versions have fewer keys.

    Attributes:
        internal_centers: of the studies that the model was developed on. excluded: reason by study.
        trainings: length of each network's training. tuning_ap: average precision on the tuning split by plane, which
            no threshold enters. parameters: numbers in each network, by plane or part. participants: of all splits.
        radiographs: the same of a classification of radiographs. pretrained: of each network that began with such.
        weights_sha256: of the weights that were made or tested. sweep_job: number of this run in a multirun, from 0.
        commit: of the checkout, with `+` when files differ from it; None where there is none.
    """

    command: str | None = Field(default=None, exclude_if=is_none)
    seed: int | None = Field(default=None, exclude_if=is_none)
    data: RunData | None = Field(default=None, exclude_if=is_none)
    split: str | None = Field(default=None, exclude_if=is_none)
    center: str | None = Field(default=None, exclude_if=is_none)
    splits: SplitIds | None = Field(default=None, exclude_if=is_none)
    internal_centers: tuple[str, ...] = ()
    excluded: dict[str, str] = Field(default_factory=dict)
    init: InitialRun | None = Field(default=None, exclude_if=is_none)
    pretrained: dict[str, PretrainedWeights] = Field(default_factory=dict)
    trainings: dict[str, TrainingLength] = Field(default_factory=dict)
    tuning_ap: dict[str, float | None] = Field(default_factory=dict)
    parameters: dict[str, int] = Field(default_factory=dict)
    participants: tuple[Participants, ...] = Field(default=(), exclude_if=is_empty)
    radiographs: tuple[RadiographParticipants, ...] = Field(default=(), exclude_if=is_empty)
    weights_sha256: str | None = Field(default=None, exclude_if=is_none)
    sweep_job: int | None = Field(default=None, exclude_if=is_none)
    operating_point_sha256: str | None = Field(default=None, exclude_if=is_none)
    trained_on: TrainedOn | None = Field(default=None, exclude_if=is_none)
    versions: dict[str, str] = Field(default_factory=dict)
    commit: str | None = None
    device: dict[str, FiniteJson] = Field(default_factory=dict)
    wall_seconds: float | None = None
    stage_seconds: dict[str, float] = Field(default_factory=dict)
    peak_memory_mib: int | None = None


def read_run_record(path: Path) -> RunRecord:
    """Read `run.json`.

    Raises:
        InputError: it is missing, or no record of a run.
    """
    raw = read_json(path)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT or raw.get("version") != 1:
        raise InputError(f"{path} is no {FORMAT} file of version 1; restore it from the run")
    return validate(path, RunRecord, {key: value for key, value in raw.items() if key not in ("format", "version")})


class Stopwatch:
    """Wall time of a run and of its stages."""

    def __init__(self) -> None:
        self.start = self.last = time.perf_counter()
        self.stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Book the time since the last lap on `stage`."""
        now = time.perf_counter()
        self.stages[stage] = round(now - self.last, 2)
        self.last = now

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return round(time.perf_counter() - self.start, 2)


def write_run_record(path: Path, watch: Stopwatch, record: RunRecord) -> None:
    """Write `run.json`: the command's own record, with versions, commit, device, time and memory."""
    import torch  # slow to load, and reading a record needs none

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    known = {
        "versions": {"spinedet": __version__, "python": platform.python_version(), **_library_versions()},
        "commit": checkout_commit(),
        "device": {"gpu": gpu, "machine": platform.machine(), "cores": os.cpu_count(), "system": platform.system()},
        "wall_seconds": watch.total,
        "stage_seconds": watch.stages,
        "peak_memory_mib": _peak_memory_mib(),
    }
    content = record.model_copy(update=known).model_dump(mode="json")
    write_json(path, {"format": FORMAT, "version": 1, **content})


def _library_versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def checkout_commit() -> str | None:
    """The checkout's commit, if this is one; `+` when files differ from it."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603  # fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _peak_memory_mib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)
