"""How an output is written: study by study while the voxels are in memory, and once at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.pipelines.outputs import EXTRAS, OUTPUTS
from spinedet.pipelines.outputs.settings import FhirSettings, ReportSettings
from spinedet.pipelines.prediction import StudyPrediction, StudyRecord
from spinedet.pipelines.reader_corrections import Correction
from spinedet.runs.provenance import ModelIdentity


@dataclass(frozen=True)
class OutputContext:
    """Where outputs go.

    Attributes:
        folder: the command's `out=`. model: of the predictions.
        pictures: whether pictures are drawn. report, fhir: settings of DICOM reports and of FHIR resources.
        corrections: of readers, by study id. previous: the output folder with the versions that they replace.
    """

    folder: Path
    model: ModelIdentity
    pictures: bool = True
    report: ReportSettings = field(default_factory=ReportSettings)
    fhir: FhirSettings = field(default_factory=FhirSettings)
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    previous: Path | None = None


def _no_study(study: StudyPrediction, context: OutputContext) -> None:
    """Write nothing."""


def _no_summary(records: Callable[[], Iterator[StudyRecord]], context: OutputContext) -> None:
    """Write nothing."""


@dataclass(frozen=True)
class Output:
    """One kind of output.

    Attributes:
        write_study: writes the files of one study, anew when a job that was killed goes on with it; several jobs may
            write different studies at once.
        write_summary: writes what covers all studies, once, when the last one is done; `records` gives them in the
            order of the input, from the start at each call.
        shown: the file to name on the terminal, relative to `out=`.
    """

    shown: str
    write_study: Callable[[StudyPrediction, OutputContext], None] = _no_study
    write_summary: Callable[[Callable[[], Iterator[StudyRecord]], OutputContext], None] = _no_summary


def load_outputs(names: Sequence[str]) -> tuple[Output, ...]:
    """The outputs of these names, each imported with what it needs.

    Raises:
        InputError: a library of one is not installed; names the extra that installs it.
    """
    return tuple(_load(name) for name in names)


def _load(name: str) -> Output:
    try:
        output: Output = import_module(OUTPUTS[name]).OUTPUT
    except ModuleNotFoundError as error:
        if name not in EXTRAS:
            raise
        extra = EXTRAS[name]
        raise InputError(f"outputs={name} needs {error.name}; install it: pip install 'spinedet[{extra}]'") from None
    return output
