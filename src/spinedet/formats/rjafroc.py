"""The spreadsheet that RJafroc reads, so that a statistician can repeat a reader study in R."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from string import ascii_uppercase
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from spinedet.core.files import write_bytes
from spinedet.scoring.matching.greedy import ABSORBED
from spinedet.scoring.reader_study.effects import AIDED, PROGRAM, UNAIDED, MeasuredReading, Reading
from spinedet.scoring.reader_study.figures_of_merit import RatedEntries
from spinedet.scoring.reader_study.study import MatchedReading

Cell = str | float | int
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_TP = ("ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating")
_FP = ("ReaderID", "ModalityID", "CaseID", "FP_Rating")


def write_rjafroc(path: Path, readings: Sequence[MatchedReading]) -> None:
    """Write the sheets TP, FP and TRUTH in RJafroc's current format.

    A case is a patient, numbered from 1 in the order of their ids, which stay out of the file; ratings are scores.
    The program is a modality of its own with the same score for every reader.
    """
    _write(path, {"TP": _hits(readings), "FP": _false(readings), "TRUTH": _truth(readings)})


def write_rjafroc_roc(path: Path, readings: Sequence[MeasuredReading]) -> None:
    """The same sheets for cases that are rated as a whole: one rating of each reader for each case (paradigm ROC).

    Ratings are as in `RatedEntries`; no answer is written one beyond the highest or lowest of all.
    """
    rated = [(one.who, one.figure) for one in readings if isinstance(one.figure, RatedEntries)]
    people = [who for who, _ in rated]
    finite = np.concatenate([figure.rating[np.isfinite(figure.rating)] for _, figure in rated])
    lowest, highest = (float(finite.min()) - 1, float(finite.max()) + 1) if len(finite) else (-1.0, 1.0)
    rows: dict[bool, list[tuple[Cell, ...]]] = {True: [], False: []}
    for reader, modality, at in _cells(people):
        figure = rated[at][1]
        ratings = np.clip(figure.rating, lowest, highest).tolist()
        for case, (rating, ill) in enumerate(zip(ratings, figure.diseased.tolist(), strict=True), 1):
            rows[ill].append((reader, modality, case, 1, rating) if ill else (reader, modality, case, rating))
    truth: list[tuple[Cell, ...]] = [
        (case, int(ill), int(ill), *_every(people)) for case, ill in enumerate(rated[0][1].diseased.tolist(), 1)
    ]
    sheets = {"TP": [_TP, *rows[True]], "FP": [_FP, *rows[False]], "TRUTH": _with_paradigm(truth, "ROC")}
    _write(path, sheets)


def _write(path: Path, sheets: Mapping[str, Iterable[Sequence[Cell]]]) -> None:
    stream = BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, text in _parts(sheets):
            # A fixed date: the same study gives the same bytes.
            archive.writestr(ZipInfo(name, (1980, 1, 1, 0, 0, 0)), _HEAD + text, ZIP_DEFLATED)
    write_bytes(path, stream.getvalue())


def _readers(people: Sequence[Reading]) -> list[str]:
    names = dict.fromkeys(one.reader for one in people if one.condition != PROGRAM)
    return list(names) or [PROGRAM]


def _modalities(people: Sequence[Reading]) -> list[str]:
    there = {one.condition for one in people}
    return [name for name in (UNAIDED, AIDED, PROGRAM) if name in there]


def _cells(people: Sequence[Reading]) -> Iterator[tuple[str, str, int]]:
    """(reader, modality) by their numbers with the row of the reading of each."""
    readers, modalities = _readers(people), _modalities(people)
    for at, one in enumerate(people):
        shared = one.condition == PROGRAM
        for row, name in enumerate(readers):
            if shared or name == one.reader:
                yield str(row), str(modalities.index(one.condition)), at


def _every(people: Sequence[Reading]) -> tuple[str, str]:
    """All readers and all modalities, as the truth lists them for a case."""
    readers, modalities = (",".join(map(str, range(len(names)))) for names in (_readers(people), _modalities(people)))
    return readers, modalities


def _who(readings: Sequence[MatchedReading]) -> list[Reading]:
    return [one.measured.who for one in readings]


def _hits(readings: Sequence[MatchedReading]) -> Iterator[Sequence[Cell]]:
    yield _TP
    for reader, modality, at in _cells(_who(readings)):
        one = readings[at]
        cohort, matches = one.matched.cohort, one.matched.matches
        for case, lesion, row in _lesions(one):
            if (mark := int(matches.finding[row])) >= 0:
                yield (reader, modality, case, lesion, float(cohort.marks.score[mark]))


def _false(readings: Sequence[MatchedReading]) -> Iterator[Sequence[Cell]]:
    yield _FP
    for reader, modality, at in _cells(_who(readings)):
        one = readings[at]
        cohort, lesion = one.matched.cohort, one.matched.matches.lesion
        only_ignored = _touched(one) - {case for case, _, _ in _lesions(one)}
        for mark in np.flatnonzero((lesion < 0) & (lesion != ABSORBED)).tolist():
            case = int(cohort.scans.patient[cohort.marks.scan[mark]]) + 1
            if case not in only_ignored:
                yield (reader, modality, case, float(cohort.marks.score[mark]))


def _truth(readings: Sequence[MatchedReading]) -> Iterator[Sequence[Cell]]:
    one = readings[0]
    who, how = _every(_who(readings))
    listed = list(_lesions(one))
    counts = Counter(case for case, _, _ in listed)
    touched = _touched(one)
    rows: list[tuple[Cell, ...]] = [
        (case, 0, 0, who, how) for case in range(1, len(one.matched.cohort.patients) + 1) if case not in touched
    ]
    rows += [(case, lesion, 1 / counts[case], who, how) for case, lesion, _ in listed]
    yield from _with_paradigm(rows, "FROC")


def _with_paradigm(rows: Sequence[tuple[Cell, ...]], paradigm: str) -> Iterator[Sequence[Cell]]:
    """The truth under its head; the paradigm and the design stand in the first two rows of their column."""
    yield ("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm")
    for row, extra in zip(rows, [paradigm, "FCTRL", *[""] * len(rows)], strict=False):
        yield (*row, extra) if extra else row


def _touched(one: MatchedReading) -> set[int]:
    """Cases with any lesion; those whose lesions are all to be ignored are no cases of RJafroc."""
    cohort = one.matched.cohort
    return set((cohort.scans.patient[cohort.lesions.scan] + 1).tolist())


def _lesions(one: MatchedReading) -> Iterator[tuple[int, int, int]]:
    """Case and number of each lesion that counts, both from 1, by case, with its row in the cohort."""
    cohort = one.matched.cohort
    rows = np.flatnonzero(~cohort.lesions.ignore)
    cases = cohort.scans.patient[cohort.lesions.scan[rows]] + 1
    number: dict[int, int] = {}
    for at in np.argsort(cases, kind="stable").tolist():
        case = int(cases[at])
        number[case] = number.get(case, 0) + 1
        yield case, number[case], int(rows[at])


def _parts(sheets: Mapping[str, Iterable[Sequence[Cell]]]) -> Iterator[tuple[str, str]]:
    """The parts of an Office Open XML workbook (ECMA-376) with text stored in the cells."""
    numbers = range(1, len(sheets) + 1)
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>' for n in numbers
    )
    yield (
        "[Content_Types].xml",
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>{overrides}</Types>',
    )
    yield "_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")])
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    yield "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
    yield "xl/_rels/workbook.xml.rels", _relations([("worksheet", f"worksheets/sheet{n}.xml") for n in numbers])
    for number, rows in enumerate(sheets.values(), 1):
        body = "".join(_row(at, row) for at, row in enumerate(rows, 1))
        yield (
            f"xl/worksheets/sheet{number}.xml",
            f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>',
        )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _row(number: int, cells: Sequence[Cell]) -> str:
    each = "".join(_cell(f"{letter}{number}", value) for letter, value in zip(ascii_uppercase, cells, strict=False))
    return f'<row r="{number}">{each}</row>'


def _cell(place: str, value: Cell) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value!r}</v></c>'
