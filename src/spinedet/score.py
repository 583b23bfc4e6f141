"""`python -m spinedet.score reference=MANIFEST findings=FINDINGS`: score any detector's findings."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.formats.detector_findings import ImportSettings
from spinedet.formats.score_exports import EXPORTS
from spinedet.scoring import (
    CRITERIA,
    BootstrapSettings,
)


@dataclass
class ScoreConfig(CommonConfig):
    """What is scored, and how.

    Attributes:
        reference: one manifest, or several in brackets. findings: a detector's file in the format that `read` names.
        compare: two findings files instead of one. threshold: one frozen threshold; without it and without an operating
            point every finding counts. operating_point: a file of frozen thresholds, one for each detector.
        criterion: what counts as a hit. split: train, tune or test; all studies when null. planes: sagittal, axial; all
            when null. allow_missing: studies without findings count as not read.
        by: further groups, such as vendor or center*vendor. strata: kinds of lesions that recall is given for.
        size_edges: volumes in ml that divide lesions into size classes. secondary: further IoU thresholds of the AP,
            listed beside it. internal: the centre that the others are compared with.
        half_width: plan a test from these data as a pilot: patients needed for intervals of F1, recall and sensitivity
            at one false positive per scan that reach so far to either side, such as 0.05.
        froc: step or linear, between points of the curve. coco_compat: AP as pycocotools interpolates it.
        bootstrap: intervals. read: format and conventions of the findings file.
        export: csv, coco or picai files of the matched findings. pages: figures, tables and scores.html as well.
    """

    reference: Any = MISSING
    findings: str | None = None
    compare: list[str] = field(default_factory=list)
    criterion: Any = MISSING
    threshold: Any = None
    operating_point: Any = None
    split: str | None = None
    planes: list[str] | None = None
    allow_missing: bool = False
    by: list[str] = field(default_factory=list)
    strata: list[str] | None = None
    size_edges: list[float] = field(default_factory=list)
    secondary: list[float] = field(default_factory=lambda: [0.1, 0.25, 0.5])
    internal: str | None = None
    half_width: float | None = None
    froc: str = "step"
    coco_compat: bool = False
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    read: ImportSettings = field(default_factory=ImportSettings)
    export: list[str] = field(default_factory=list)
    pages: bool = True

    def __post_init__(self) -> None:
        if self.split not in (None, *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use train, tune or test, or leave it out for all studies")
        if (self.findings is None) == (not self.compare) or len(self.compare) not in (0, 2):
            raise InputError("pass findings=FILE to score one detector, or compare=[A.json,B.json] to compare two")
        if self.half_width is not None and not 0 < self.half_width < 0.5:
            raise InputError(f"half_width={self.half_width}: use a number between 0 and 0.5, such as 0.05")
        unknown = sorted(set(self.export) - set(EXPORTS))
        if unknown:
            raise InputError(f"export={unknown}: use some of {sorted(EXPORTS)}")


class _CallableModule(ModuleType):
    """`spinedet.score` is this command's module and, called, the function of the Python interface."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`spinedet.api.score`."""
        return import_module("spinedet.api").score(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule


def main() -> None:
    """Entry point."""
    register(ScoreConfig, "score", {"criterion": CRITERIA})
    run_command("score", "spinedet.commands.score:score")


if __name__ == "__main__":
    run_as_script("score")
