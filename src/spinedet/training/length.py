"""The length of a training in optimisation steps, as a run records it."""

from __future__ import annotations

from pathlib import Path

from spinedet.core.files import read_json, validate, write_json
from spinedet.core.types import Record

# The file beside a training's checkpoints that records its length.
_FILE = "length.json"


class TrainingLength(Record):
    """How long one network was trained.

    Attributes:
        steps: optimisation steps taken. planned: those of its budget; None where the budget was time.
        stopped_by_time: a limit of time ended it before its planned steps, so its results depend on the machine.
    """

    steps: int
    planned: int | None = None
    stopped_by_time: bool = False

    def notes(self, name: str) -> tuple[str, ...]:
        """What a reader must know before the results of the training of this name."""
        if not self.stopped_by_time:
            return ()
        return (
            f"The training {name} was stopped by trainer.max_time after {self.steps} of {self.planned} steps, so its "
            "results depend on the speed of the machine.",
        )


def write_length(folder: Path, length: TrainingLength) -> None:
    """Record it beside the checkpoints of `folder`."""
    write_json(folder / _FILE, length.model_dump(mode="json"))


def has_length(folder: Path) -> bool:
    """Whether the training whose checkpoints lie in `folder` has come to its end; earlier versions recorded nothing."""
    return (folder / _FILE).is_file()


def read_length(folder: Path) -> TrainingLength:
    """How long the training was whose checkpoints lie in `folder`.

    Raises:
        InputError: it has not come to its end.
    """
    return validate(folder / _FILE, TrainingLength, read_json(folder / _FILE))
