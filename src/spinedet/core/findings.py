"""Reading and writing a detector's findings (`spinedet-findings`), as objects or as columns."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinedet.core.files import (
    check_header,
    file_header,
    read_record,
    refuse_repeats,
    validate,
    write_json,
    write_pieces,
)
from spinedet.core.findings_columns import Codes, Floats, JoinedColumns, columns_of_records
from spinedet.core.findings_pieces import Opening, find_opening, read_last_piece, read_piece, split_studies
from spinedet.core.types import Findings, StudyFindings, TrainedOn

FORMAT = "spinedet-findings"
_LEAST_PIECES = 16  # fewer are parsed before the worker processes have started
_PIECES_AT_ONCE = 4


@dataclass(frozen=True, slots=True, eq=False)
class FindingsTable:
    """The same content as `Findings` in columns, one row per finding in file order, in the fewest bytes that are exact.

    Attributes:
        source: the file, for messages.
        model: the description of the detector. trained_on: what its weights were trained on, None when not in the file.
        studies: ids of the studies that were read, findings or none.
        study: (n,) row of `studies`.
        series, category, level: (n,) row of `series_names`, `category_names`, `level_names`; no level is -1.
        score: (n,) float64.
        likeliest: (n,) row of `level_names`, of the level by the likeliest outcome of the naming, which unresolved
            findings have too; none is -1. level_probability: (n,) float64 of that outcome, NaN where there is none.
        severity: (n,) float64 grades, NaN where there is none.
        center, size: (n, 3) float64 mm, measured along the rows of `frames[frame]`.
        frame: (n,) row of `frames`; row 0 is RAS.
        frames: (k, 3, 3) orthonormal rows.
    """

    source: str
    model: dict[str, Any]
    studies: tuple[str, ...]
    study: NDArray[np.int32]
    series: Codes
    category: Codes
    level: Codes
    likeliest: Codes
    level_probability: Floats
    score: Floats
    severity: Floats
    center: Floats
    size: Floats
    frame: Codes
    frames: Floats
    series_names: tuple[str, ...]
    category_names: tuple[str, ...]
    level_names: tuple[str, ...]
    trained_on: TrainedOn | None = None

    def __len__(self) -> int:
        return len(self.score)


def read_findings(path: Path) -> Findings:
    """Read one findings file.

    Raises:
        InputError: the file breaks the format; the message names file, study and field.
    """
    findings = read_record(path, Findings, FORMAT)
    refuse_repeats((study.id for study in findings.studies), str(path), "study")
    return findings


def findings_digest(study: StudyFindings) -> str:
    """Hex SHA-256 by which a reading knows the findings that it is about."""
    record = study.model_dump(mode="json")
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def write_findings(path: Path, findings: Findings) -> None:
    """Write a findings file atomically."""
    write_json(path, {**file_header(FORMAT), **findings.model_dump(mode="json")})


def stream_findings(path: Path, head: Findings, studies: Iterable[StudyFindings]) -> None:
    """Write a findings file atomically, one study after the other, after all that `head` holds but its studies."""
    header = {**file_header(FORMAT), **head.model_dump(mode="json", exclude={"studies"})}

    def pieces() -> Iterator[bytes]:
        yield _json(header)[:-1] + b', "studies": ['
        for number, study in enumerate(studies):
            yield (b",\n" if number else b"\n") + _json(study.model_dump(mode="json"))
        yield b"\n]}\n"

    write_pieces(path, pieces())


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False, ensure_ascii=False).encode()


def read_findings_table(path: Path, workers: int = 1) -> FindingsTable:
    """Read one findings file into columns, some studies at a time, without keeping an object per finding.

    A file with a study that does not plainly fit goes to `read_findings`, so that one function decides on the format.

    Args:
        workers: processes that parse; a small file is parsed by this one. The table does not depend on them.

    Raises:
        InputError: as `read_findings`.
    """
    opening = find_opening(path)
    plain = _read_pieces(path, opening, workers) if opening else None
    if plain is None:
        return tabulate(read_findings(path), str(path))
    columns, raw = plain
    check_header(path, raw, FORMAT)
    model = raw.get("model")
    if not isinstance(model, dict):
        return tabulate(read_findings(path), str(path))
    refuse_repeats(columns.ids, str(path), "study")
    table = _assemble(str(path), model, columns)
    return replace(table, trained_on=_trained_on(path, raw.get("trained_on")))


def _read_pieces(path: Path, opening: Opening, workers: int) -> tuple[JoinedColumns, dict[str, Any]] | None:
    """The columns of all pieces, and what the file holds beside its studies; None where a piece is not plain."""
    *pieces, last = split_studies(path, opening)
    end = read_last_piece(last, opening)
    if end is None:
        return None
    columns = JoinedColumns()
    with _mapped(workers if len(pieces) >= _LEAST_PIECES else 1) as mapped:
        for part in mapped(read_piece, pieces):
            if part is None:
                return None
            columns.append(part)
    columns.append(end[0])
    return columns, end[1]


@contextmanager
def _mapped(workers: int) -> Iterator[Callable[..., Iterable[Any]]]:
    if workers < 2:
        yield map
        return
    # A fresh interpreter per worker: forking a process that runs threads can hang.
    with ProcessPoolExecutor(workers, get_context("spawn"), _leave_interrupts) as pool:
        try:
            yield partial(pool.map, chunksize=_PIECES_AT_ONCE)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that owns the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _trained_on(path: Path, raw: Any) -> TrainedOn | None:
    return None if raw is None else validate(path, TrainedOn, raw)


def tabulate(findings: Findings, source: str = "findings") -> FindingsTable:
    """The columns of findings that are already in memory."""
    columns = JoinedColumns()
    columns.append(columns_of_records(findings.studies))
    return replace(_assemble(source, dict(findings.model), columns), trained_on=findings.trained_on)


def _assemble(source: str, model: dict[str, Any], columns: JoinedColumns) -> FindingsTable:
    return FindingsTable(
        source=source,
        model=model,
        studies=tuple(columns.ids),
        study=np.repeat(np.arange(len(columns.counts), dtype=np.int32), columns.counts),
        series=columns.series,
        category=columns.category,
        level=columns.level,
        likeliest=columns.likeliest,
        level_probability=columns.level_probability,
        score=columns.score,
        severity=columns.severity,
        center=columns.center,
        size=columns.size,
        frame=columns.frame,
        frames=np.array(columns.names("frame")),
        series_names=columns.names("series"),
        category_names=columns.names("category"),
        level_names=columns.names("level"),
    )
