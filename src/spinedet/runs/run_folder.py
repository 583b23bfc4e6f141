"""A run's folder: what it holds, and how a finished one is opened again."""

from __future__ import annotations

from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from spinedet import __version__
from spinedet.cli.console import console
from spinedet.core.errors import InputError
from spinedet.core.files import check_writable, claim_folder, lock_folder, sha256, write_text
from spinedet.core.types import InitialWeights, TrainedOn
from spinedet.detection.model_files import DESCRIPTION, WEIGHTS, Model, load_model
from spinedet.levels.parameters import LevelParameters, read_levels
from spinedet.runs.known_results import with_known_results
from spinedet.runs.provenance import ModelIdentity, RunRecord, SplitIds, read_run_record
from spinedet.scoring import OperatingPoint, read_operating_point

# Free disk that a training run needs before it starts: checkpoints, prepared scans and phantoms of a small cohort.
ROOM_NEEDED = 512 << 20
# What may differ between a run and its continuation: where it runs and how long, not what it is.
MAY_CHANGE = frozenset(
    {"out", "resume", "workers", "trainer.loader_workers"}
    | {
        f"trainer.{name}"
        for name in ("max_epochs", "max_steps", "max_time", "accelerator", "devices", "num_nodes", "checkpoint_minutes")
    }
)


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
class FinishedRun:
    """A trained model with the operating point that was fixed for it.

    Attributes:
        developed: ids of the studies that it was trained or tuned on, where recorded. internal_centers: theirs.
        weights_sha256: of the weights file; of every run of an ensemble, its own first.
        trained_on: None when unknown. levels: parameters that name levels; None leaves these unresolved.
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

    @property
    def as_initial(self) -> InitialWeights:
        """What a training that begins with these weights records of them."""
        known = self.trained_on.known if self.trained_on else None
        return InitialWeights(name=self.model.name, weights_sha256=next(iter(self.weights_sha256), None), known=known)

    def developed_on(self, study: str) -> bool:
        """Whether the run is known to have been trained or tuned on the study of this id."""
        return study in self.developed or self.operating_point.chosen_on.holds(study)


def identify(model: Model, folder: Path, point: OperatingPoint) -> ModelIdentity:
    """The identity of a model that was saved in `folder`."""
    digest = sha256(folder / WEIGHTS)
    return ModelIdentity(model.name, model.region, __version__, (digest,), point, model.trained_on)


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
        if (root / "archive.json").is_file():
            state = "holds what a run found, not the run itself; pass the run that was applied"
        raise InputError(f"run={path} {state} (it has no model/{DESCRIPTION})")
    places = (root / "operating_point.json", folder / "operating_point.json", folder.parent / "operating_point.json")
    frozen = next((place for place in places if place.is_file()), None)
    if frozen is None:
        raise InputError(f"run={path} has no operating_point.json; copy it from the run beside the model")
    # A copied model folder has no record; its operating point still knows the tuning studies.
    kept = RunFolder(root).record
    record = read_run_record(kept) if kept.is_file() else RunRecord()
    splits = record.splits or SplitIds()
    developed = frozenset((*splits.train, *splits.tune))
    model = load_model(folder)
    digest = sha256(folder / WEIGHTS)
    point = read_operating_point(frozen)
    trained_on = with_known_results(model.trained_on, folder, digest)
    return FinishedRun(model, point, developed, record.internal_centers, (digest,), trained_on, read_levels(folder))


def claim_run(folder: Path, resume: bool) -> RunFolder:
    """A new run's folder, or with `resume` the one that holds its unfinished run.

    Raises:
        InputError: the folder belongs to something else, is being written to, cannot be written, or its disk is
            nearly full.
    """
    run = RunFolder(folder)
    if resume and run.config.is_file():
        check_writable(folder, ROOM_NEEDED)
        console.print(f"going on in {folder}")
    else:
        claim_folder(folder, ROOM_NEEDED)
        console.print(f"writing to {folder}")
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
    """The value of a dotted key in the run's config; None when the run begins now."""
    return OmegaConf.select(OmegaConf.load(run.config), key) if run.config.is_file() else None


def _defaults(config: Any, prefix: str = "") -> dict[str, Any]:
    """The defaults of these dataclasses, by dotted key."""
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
