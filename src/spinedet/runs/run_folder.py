"""A run's folder: what it holds, what made it, and how a finished one is opened again."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from spinedet import __version__
from spinedet.cli.console import console
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.files import check_writable, claim_folder, lock_folder, read_json, sha256, write_json, write_text
from spinedet.core.types import FiniteJson, TrainedOn
from spinedet.detection.model_files import DESCRIPTION, WEIGHTS, Model, load_model
from spinedet.levels.parameters import LevelParameters, read_levels
from spinedet.scoring import OperatingPoint, read_operating_point

# Free disk that a training run asks for before it starts: checkpoints, prepared scans and phantoms of a small cohort.
ROOM_NEEDED = 512 << 20
# What may differ between a run and its continuation: where it runs and how long, not what it is.
MAY_CHANGE = frozenset(
    {"out", "resume", "workers", "trainer.loader_workers"}
    | {
        f"trainer.{name}"
        for name in ("max_epochs", "max_time", "accelerator", "devices", "num_nodes", "checkpoint_minutes")
    }
)
LIBRARIES = ("torch", "monai", "pytorch-lightning", "hydra-core", "numpy", "scipy", "nibabel", "SimpleITK", "pydicom")


@dataclass(frozen=True)
class RunFolder:
    """Names of what a finished run holds."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def record(self) -> Path:
        return self.root / "run.json"

    @property
    def splits(self) -> Path:
        return self.root / "splits.json"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def operating_point(self) -> Path:
        return self.root / "operating_point.json"

    @property
    def findings(self) -> Path:
        return self.root / "findings.json"

    @property
    def scores(self) -> Path:
        return self.root / "scores.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def finished(self) -> bool:
        """Whether a training came to its end here; `run.json` is what it writes last."""
        return self.report.is_file() and self.record.is_file()


@dataclass(frozen=True)
class ModelIdentity:
    """Which detector made findings, without the detector.

    Attributes:
        version: of spinedet. weights_sha256: of the weights file; of every run of an ensemble, its own first.
        trained_on: None when the run does not tell.
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
        if others:
            known["ensemble_weights_sha256"] = list(others)
        return {**known, "operating_point_sha256": self.operating_point.sha256}

    @property
    def thresholds(self) -> dict[str, FiniteJson]:
        """The `operating_point` of a findings file."""
        values: list[FiniteJson] = [
            {"plane": one.plane, "category": one.category, "value": one.value}
            for one in self.operating_point.thresholds
        ]
        return {"sha256": self.operating_point.sha256, "rule": self.operating_point.rule, "thresholds": values}


@dataclass(frozen=True)
class FinishedRun:
    """A trained model with the operating point that was fixed for it.

    Attributes:
        developed: ids of the studies that it was trained or tuned on, where the run tells. internal_centers: theirs.
        weights_sha256: of the weights file; of every run of an ensemble, its own first.
        trained_on: None when the run does not tell. levels: what names spinal levels; None leaves them unresolved.
    """

    model: Model
    operating_point: OperatingPoint
    developed: frozenset[str] = frozenset()
    internal_centers: tuple[str, ...] = ()
    weights_sha256: tuple[str, ...] = ()
    trained_on: TrainedOn | None = None
    levels: LevelParameters | None = None

    @property
    def identity(self) -> ModelIdentity:
        """What outputs state of the detector."""
        model = self.model
        return ModelIdentity(
            model.name, model.region, __version__, self.weights_sha256, self.operating_point, self.trained_on
        )

    def developed_on(self, study: str) -> bool:
        """Whether the run is known to have been trained or tuned on the study of this id."""
        return study in self.developed or self.operating_point.chosen_on.holds(study)


# `run=shipped` names the weights that come with spinedet; how they were made stands beside them.
SHIPPED = "shipped"
_WEIGHTS = Path(__file__).parents[1] / "weights"


def open_run(path: str) -> FinishedRun:
    """Open a run folder, a copied `model` folder with its operating point in it or beside it, or the `shipped` weights.

    Raises:
        InputError: the path is no run, the run did not finish, or a file is damaged.
    """
    root = _WEIGHTS if path == SHIPPED else Path(path)
    folder = next((f for f in (root / "model", root) if (f / DESCRIPTION).is_file()), None)
    if folder is None:
        state = "was not finished; go on with resume=true" if (root / "config.yaml").is_file() else "is no run folder"
        raise InputError(f"run={path} {state} (it has no model/{DESCRIPTION})")
    places = (root / "operating_point.json", folder / "operating_point.json", folder.parent / "operating_point.json")
    frozen = next((place for place in places if place.is_file()), None)
    if frozen is None:
        raise InputError(f"run={path} has no operating_point.json; copy it from the run beside the model")
    # A copied model folder has no record; its operating point still knows the tuning studies.
    record = read_json(root / "run.json") if (root / "run.json").is_file() else {}
    splits = record.get("splits", {})
    developed = frozenset((*splits.get("train", ()), *splits.get("tune", ())))
    internal = tuple(record.get("internal_centers", ()))
    model = load_model(folder)
    digest = sha256(folder / WEIGHTS)
    point = read_operating_point(frozen)
    return FinishedRun(model, point, developed, internal, (digest,), model.trained_on, read_levels(folder))


def claim_run(folder: Path, resume: bool) -> RunFolder:
    """A new run's folder, or with `resume` the one that holds its unfinished run.

    Raises:
        InputError: the folder belongs to something else, is being written to, cannot be written, or its disk is
            nearly full.
    """
    run = RunFolder(folder)
    if resume and run.config.is_file():
        check_writable(folder, ROOM_NEEDED)
        console.print(f"going on in [bold]{folder}[/]")
    else:
        claim_folder(folder, ROOM_NEEDED)
        console.print(f"writing to [bold]{folder}[/]")
    lock_folder(folder)
    return run


def refuse_other_config(run: RunFolder, config: Any) -> None:
    """Refuse to go on with a run under another config than it began with.

    A setting that the run does not know, because an older spinedet began it, was then what it is by default.

    Raises:
        InputError: names the first key that differs.
    """
    if not run.config.is_file():
        return
    before, now = (_flat(OmegaConf.create(text)) for text in (run.config.read_text(), _as_yaml(config)))
    before = _defaults(config) | before
    changed = sorted(key for key in before | now if key not in MAY_CHANGE and before.get(key) != now.get(key))
    if changed:
        key = changed[0]
        raise InputError(
            f"{run.root} began with {key}={before.get(key)} and now has {key}={now.get(key)}; "
            "resume with the same settings, or choose another out="
        )


def began_with(run: RunFolder, key: str) -> Any:
    """What the run's config says under a dotted key; None when the run begins now."""
    return OmegaConf.select(OmegaConf.load(run.config), key) if run.config.is_file() else None


def _defaults(config: Any, prefix: str = "") -> dict[str, Any]:
    """The settings of these dataclasses where nobody says anything, by dotted key."""
    found: dict[str, Any] = {}
    for one in fields(config):
        name, value = prefix + one.name, getattr(config, one.name)
        if is_dataclass(value):
            found |= _defaults(value, f"{name}.")
        elif one.default is not NO_DEFAULT:
            found[name] = one.default
    return found


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Settings by dotted key."""
    content = OmegaConf.to_container(config) if OmegaConf.is_config(config) else config
    if not isinstance(content, dict):
        return {prefix.rstrip("."): content}
    return {key: value for name, part in content.items() for key, value in _flat(part, f"{prefix}{name!s}.").items()}


def write_config(run: RunFolder, config: Any) -> None:
    """The resolved config, as it can be read back."""
    write_text(run.config, _as_yaml(config))


def _as_yaml(config: Any) -> str:
    return OmegaConf.to_yaml(OmegaConf.structured(config))


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


def write_record(run: RunFolder, watch: Stopwatch, facts: dict[str, Any]) -> None:
    """`run.json`: versions, commit, device, time and memory, with the command's own facts."""
    content = {"format": "spinedet-run", "version": 1, **facts, **_environment()}
    content |= {"wall_seconds": watch.total, "stage_seconds": watch.stages, "peak_memory_mib": _peak_memory_mib()}
    write_json(run.record, content)


def _environment() -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "versions": {"spinedet": __version__, "python": platform.python_version(), **_library_versions()},
        "commit": _commit(),
        "device": {"gpu": gpu, "machine": platform.machine(), "cores": os.cpu_count(), "system": platform.system()},
    }


def _library_versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
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
