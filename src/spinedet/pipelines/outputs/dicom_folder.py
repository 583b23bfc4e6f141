"""`dicom/`, the one folder of results that name the patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spinedet.cli.console import show_labelled
from spinedet.core.errors import InputError
from spinedet.core.file_names import file_name
from spinedet.core.files import write_text
from spinedet.formats.dicom_sources import SourceStack, open_stack, same_study
from spinedet.pipelines.outputs.writer import OutputContext
from spinedet.pipelines.prediction import StudyPrediction, StudyRecord

FOLDER = "dicom"
_REFUSED = "not_written.txt"
_README = """This folder contains patient identifiers: name, ID, birth date and examination, as the images give them.
The documents in it are written by research software; they are no diagnosis, and nobody has verified them.
Send them with: spinedet push out=FOLDER url=http(s)://HOST/dicom-web
"""


def document_folder(out: Path, study: str) -> Path:
    """Where the documents of a study lie."""
    return out / FOLDER / file_name(study)


def explain_folder(out: Path) -> None:
    """Write what the folder is."""
    write_text(out / FOLDER / "README.txt", _README)


def open_stacks(study: StudyPrediction) -> tuple[SourceStack, ...]:
    """The DICOM files of all series of a study.

    Raises:
        InputError: a series is no DICOM, or they are of several examinations.
    """
    stacks = tuple(open_stack(one.files, one.grid, one.series) for one in study.series)
    same_study(stacks)
    return stacks


@contextmanager
def noting_refusals(folder: Path) -> Iterator[None]:
    """Turn a refusal into a note in the study's folder: the other outputs are still written."""
    try:
        yield
    except InputError as error:
        write_text(folder / _REFUSED, f"{error}\n")


def tell_what_is_missing(records: Callable[[], Iterator[StudyRecord]], context: OutputContext) -> None:
    """Say in a line how many studies have no document, and why the first has none."""
    refused = [path for one in records() if (path := document_folder(context.folder, one.id) / _REFUSED).is_file()]
    if refused:
        reason = refused[0].read_text(encoding="utf-8").strip()
        what = f"{len(refused)} studies, see {FOLDER}/*/{_REFUSED}"
        show_labelled(f"no document in {FOLDER}/:", f"{what}; the first: {reason}")
