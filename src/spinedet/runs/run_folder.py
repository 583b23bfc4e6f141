"""How a finished run is opened again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spinedet import __version__
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.types import InitialWeights, TrainedOn
from spinedet.detection.model_files import DESCRIPTION, WEIGHTS, Model, load_model
from spinedet.levels.parameters import FILE as LEVELS
from spinedet.levels.parameters import LevelParameters, read_levels
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.known_results import FILE as KNOWN_RESULTS
from spinedet.runs.known_results import with_known_results
from spinedet.runs.provenance import ModelIdentity, RunRecord, SplitIds, read_run_record
from spinedet.scoring import OperatingPoint, read_operating_point


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


@dataclass(frozen=True)
class RunFiles:
    """Where the parts of a finished run lie: the folder of the model, and the frozen operating point."""

    root: Path
    model: Path
    operating_point: Path

    @property
    def needed(self) -> tuple[Path, ...]:
        """All that `run=` needs in one folder."""
        optional = (self.model / name for name in (LEVELS, KNOWN_RESULTS))
        return (
            self.model / DESCRIPTION,
            self.model / WEIGHTS,
            self.operating_point,
            *(file for file in optional if file.is_file()),
        )


def locate_run(path: str) -> RunFiles:
    """The files of a run folder, a copied `model` folder with its operating point, or the `shipped` weights.

    Raises:
        InputError: the path is no run, or the run did not finish.
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
    return RunFiles(root, folder, frozen)


def open_run(path: str) -> FinishedRun:
    """Open a run folder, a copied `model` folder with its operating point in it or beside it, or the `shipped` weights.

    Raises:
        InputError: the path is no run, the run did not finish, or a file is damaged.
    """
    files = locate_run(path)
    root, folder, frozen = files.root, files.model, files.operating_point
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
