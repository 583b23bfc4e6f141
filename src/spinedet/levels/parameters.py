"""The fitted parameters of the anchor: `levels.json` beside the weights that they were fitted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field, FiniteFloat

from spinedet.core.errors import InputError
from spinedet.core.files import file_header, read_record, sha256, write_json
from spinedet.core.geometry import Array
from spinedet.core.types import FiniteJson, Record
from spinedet.levels.anchor import WIDTH

FORMAT = "spinedet-levels"
FILE = "levels.json"
_DIGITS = 6


class LevelParameters(Record):
    """What names a chain.

    Attributes:
        name: of the fit, for `naming.by`. weights_sha256: of the weights whose candidates it was fitted on.
        threshold: probability from which a chain is named; validated: whether it was chosen on enough patients.
        weights: of the conditional logit (`anchor.WIDTH`).
        fitted_on: cohorts, patients and seed. evidence: how well it named patients that it was not fitted on.
    """

    name: str
    weights_sha256: str
    threshold: FiniteFloat
    validated: bool
    weights: tuple[FiniteFloat, ...] = Field(min_length=WIDTH, max_length=WIDTH)
    fitted_on: dict[str, FiniteJson]
    evidence: dict[str, FiniteJson]

    @property
    def logit(self) -> Array:
        """The weights as an array (WIDTH,)."""
        return np.array(self.weights)


def read_levels(model: Path) -> LevelParameters | None:
    """The parameters beside a model's `weights.safetensors`; None where there are none.

    Raises:
        InputError: the file is damaged, or was fitted for other weights.
    """
    path, weights = model / FILE, model / "weights.safetensors"
    if not path.is_file():
        return None
    found = read_record(path, LevelParameters, FORMAT)
    if weights.is_file() and sha256(weights) != found.weights_sha256:
        raise InputError(
            f"{path} was fitted for other weights than {weights.name} beside it; fit it again with "
            "benchmarks/generate/levels.py, or remove it to leave levels unresolved"
        )
    return found


def write_levels(path: Path, parameters: LevelParameters) -> None:
    """Write the file atomically."""
    content = parameters.model_dump(mode="json")
    content["weights"] = [round(value, _DIGITS) for value in content["weights"]]
    write_json(path, {**file_header(FORMAT), **content})
