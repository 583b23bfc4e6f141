"""Results of released weights on patients: `known_results.json` beside the weights that they are of."""

from __future__ import annotations

from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.files import read_record
from spinedet.core.types import KnownResults, TrainedOn

FORMAT = "spinedet-known-results"
FILE = "known_results.json"


def with_known_results(trained_on: TrainedOn | None, model: Path, weights_sha256: str) -> TrainedOn | None:
    """What weights were trained on, with their results on patients if the model's folder holds these.

    Raises:
        InputError: the file is damaged, or is of other weights.
    """
    path = model / FILE
    if trained_on is None or not path.is_file():
        return trained_on
    known = read_record(path, KnownResults, FORMAT)
    if known.weights_sha256 != weights_sha256:
        raise InputError(f"{path} states results of other weights than those beside it; write it anew, or remove it")
    return trained_on.model_copy(update={"known": known})
