"""The frozen operating point of a classification: thresholds, temperatures and rejection, chosen on tuning images."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat

from spinedet.core.files import file_header, read_record, write_text
from spinedet.core.types import FiniteJson, Record, is_none

FORMAT = "spinedet-label-operating-point"


class PartPoint(Record):
    """What is frozen for one network of a run.

    Attributes:
        part: its name. images, patients: of the tuning split that have a label.
        temperature: by which logits are divided; 1 where the tuning images cannot say.
        threshold: of the finding's score, in a task that has one; an image is positive from it on.
        sensitivity, specificity: on the tuning images, at the threshold. reason: why it is not what the rule asks for.
        novelty_limit: above it an image is rejected; None rejects none, and novelty_reason says why.
        novelty_auroc: known tuning images against those of none of the labels.
    """

    part: str
    images: int
    patients: int
    temperature: FiniteFloat = 1.0
    threshold: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    sensitivity: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    specificity: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    reason: str | None = Field(default=None, exclude_if=is_none)
    novelty_limit: FiniteFloat | None = None
    novelty_auroc: FiniteFloat | None = None
    novelty_reason: str | None = Field(default=None, exclude_if=is_none)


class LabelOperatingPoint(Record):
    """What is frozen for a run; `chosen_on` are hashes of the ids of the tuning studies."""

    task: dict[str, FiniteJson]
    rule: str | None = None
    parts: tuple[PartPoint, ...]
    chosen_on: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Hex digest of the file that `write_label_operating_point` writes."""
        return hashlib.sha256(_text(self).encode()).hexdigest()

    def of(self, part: str) -> PartPoint:
        """What is frozen for one network.

        Raises:
            KeyError: there is no such network.
        """
        for one in self.parts:
            if one.part == part:
                return one
        raise KeyError(part)


def read_label_operating_point(path: Path) -> LabelOperatingPoint:
    """Read `operating_point.json` of a classification.

    Raises:
        InputError: the file breaks the format.
    """
    return read_record(path, LabelOperatingPoint, FORMAT, space=None)


def write_label_operating_point(path: Path, point: LabelOperatingPoint) -> None:
    """Write it atomically."""
    write_text(path, _text(point))


def _text(point: LabelOperatingPoint) -> str:
    content: dict[str, Any] = {**file_header(FORMAT, space=None), **point.model_dump(mode="json")}
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
