"""`python -m spinedet.readers reference=MANIFEST readers=[A,B] model=F`: analyse a reader study."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.formats.detector_findings import ImportSettings
from spinedet.scoring import CRITERIA

EXPORTS = ("rjafroc",)


@dataclass
class ReadersConfig(CommonConfig):
    """Who read what, and what is compared.

    Attributes:
        reference: one manifest, of scans or of radiographs, or several in brackets. readers: findings of each reader
            without the program; a file, or a folder of exports of the reading page; of radiographs readings.json.
            aided: the same readers in the same order, with the program.
        model: findings of the program, or readings of a network. names: of the readers on the page and in readers.json;
            numbers when empty.
        fom: figure of merit: auc, wafroc, f1, sensitivity or specificity; of radiographs auc, accuracy,
            balanced_accuracy, macro_f1, sensitivity or specificity. unit: what a case is, patient or scan; of
            radiographs patient or image.
        threshold: score from which a mark of a reader is a call; every mark when null.
        model_threshold: the same for the program; when null the thresholds in its findings file, else every finding; of
            radiographs its own labels.
        criterion: what counts as a hit. split: train, tune or test; all studies when null. planes: sagittal, axial; all
            when null. confidence: of the intervals.
        read: format and conventions of the findings files.
        order: of the readings, such as random. washout: between the two conditions, such as 4 weeks.
        program_first: whether readers saw the program's findings before their own reading, yes or no. These three are
            printed as given.
        export: rjafroc, a spreadsheet for that package of R. pages: readers.html as well.
    """

    reference: Any = MISSING
    readers: list[str] = field(default_factory=list)
    aided: list[str] = field(default_factory=list)
    model: str | None = None
    names: list[str] = field(default_factory=list)
    fom: str = "auc"
    unit: str = "patient"
    threshold: float | None = None
    model_threshold: float | None = None
    criterion: Any = MISSING
    split: str | None = None
    planes: list[str] | None = None
    confidence: float = 0.95
    read: ImportSettings = field(default_factory=ImportSettings)
    order: str | None = None
    washout: str | None = None
    program_first: str | None = None
    export: list[str] = field(default_factory=list)
    pages: bool = True

    def __post_init__(self) -> None:
        if self.split not in (None, *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use train, tune or test, or leave it out for all studies")
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence={self.confidence}: use a number between 0 and 1, such as 0.95")
        unknown = sorted(set(self.export) - set(EXPORTS))
        if unknown:
            raise InputError(f"export={unknown}: use {', '.join(EXPORTS)}")

    def check_readers(self) -> None:
        """Refuse lists that do not go together.

        Raises:
            InputError: no reader, or not as many aided readings or names.
        """
        if not self.readers:
            raise InputError("readers= is needed: the findings of each reader, in brackets (see --help)")
        for key, given in (("aided", self.aided), ("names", self.names)):
            if given and len(given) != len(self.readers):
                raise InputError(f"{key}= has {len(given)} entries and readers= has {len(self.readers)}; give one each")
        if len(set(self.names)) < len(self.names):
            raise InputError("names= has a name twice; give every reader their own")

    def refuse_for_radiographs(self) -> None:
        """Refuse what readings of radiographs do not have.

        Raises:
            InputError: names the setting.
        """
        if self.threshold is not None:
            raise InputError("threshold= is about marks; a reader of radiographs gives labels, which count as they are")
        if self.planes:
            raise InputError("planes= is about scans; a manifest of radiographs names the views of its task")
        if self.export and (self.fom, self.unit) != ("auc", "patient"):
            raise InputError("export=[rjafroc] holds one rating of each patient; use it with fom=auc and unit=patient")


def main() -> None:
    """Entry point."""
    register(ReadersConfig, "readers", {"criterion": CRITERIA})
    run_command("readers", "spinedet.commands.readers:readers")


if __name__ == "__main__":
    run_as_script("readers")
