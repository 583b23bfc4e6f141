"""Reading and writing a detector's findings (`spinedet-findings`), as objects or as columns."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import LEVELS
from spinedet.core.files import (
    check_header,
    file_header,
    parse_json,
    read_bytes,
    read_record,
    refuse_repeats,
    validate,
    write_json,
    write_pieces,
)
from spinedet.core.types import RAS_AXES, Axes, Box, Findings, StudyFindings, TrainedOn, is_number

FORMAT = "spinedet-findings"
_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True, eq=False)
class FindingsTable:
    """The same content as `Findings` in columns, one row per finding in file order: a million rows are seven arrays.

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
    series: NDArray[np.int32]
    category: NDArray[np.int32]
    level: NDArray[np.int32]
    likeliest: NDArray[np.int32]
    level_probability: NDArray[np.float64]
    score: NDArray[np.float64]
    severity: NDArray[np.float64]
    center: NDArray[np.float64]
    size: NDArray[np.float64]
    frame: NDArray[np.int32]
    frames: NDArray[np.float64]
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


def read_findings_table(path: Path) -> FindingsTable:
    """Read one findings file into columns without keeping an object per finding.

    Each study is folded into columns while the JSON parser is still running. A file with a study that does not plainly
    fit goes to `read_findings`, so that one function decides on the format.

    Raises:
        InputError: as `read_findings`.
    """
    names = _Names()

    def fold(item: dict[str, Any]) -> Any:
        return (_fold(item, names) or item) if "findings" in item else item

    content = read_bytes(path)
    raw = parse_json(path, content, fold)
    check_header(path, raw, FORMAT)
    studies, model = raw.get("studies"), raw.get("model")
    plain = isinstance(studies, list) and all(isinstance(part, _Part) for part in studies)
    if not plain or not isinstance(model, dict) or b"NaN" in content or b"Infinity" in content:
        return tabulate(read_findings(path), str(path))
    refuse_repeats((part.id for part in studies), str(path), "study")
    table = _assemble(str(path), model, studies, names)
    return replace(table, trained_on=_trained_on(path, raw.get("trained_on")))


def _trained_on(path: Path, raw: Any) -> TrainedOn | None:
    return None if raw is None else validate(path, TrainedOn, raw)


def tabulate(findings: Findings, source: str = "findings") -> FindingsTable:
    """The columns of findings that are already in memory."""
    names = _Names()
    table = _assemble(source, dict(findings.model), [_part(study, names) for study in findings.studies], names)
    return replace(table, trained_on=findings.trained_on)


class _Names:
    """Strings and frames by their number, in order of appearance."""

    def __init__(self) -> None:
        self.series: dict[str, int] = {}
        self.category: dict[str, int] = {}
        self.level: dict[str | None, int] = {None: -1}
        self.frame: dict[Axes, int] = {RAS_AXES: 0}


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns of one study."""

    id: str
    series: array[int]
    category: array[int]
    level: array[int]
    likeliest: array[int]
    level_probability: array[float]
    score: array[float]
    severity: array[float]
    center: array[float]
    size: array[float]
    frame: array[int]


def _fold(item: dict[str, Any], names: _Names) -> _Part | None:
    """The study's columns, or None when it is no plain study."""
    try:
        if not (isinstance(item["id"], str) and item["id"]):
            return None
        findings = item["findings"]
        boxes = [finding["box"] for finding in findings]
        scores = [finding["score"] for finding in findings]
        centers = [box["center"] for box in boxes]
        sizes = [box["size"] for box in boxes]
        if not _plain(findings, boxes, scores, (*centers, *sizes)):
            return None
        return _Part(
            item["id"],
            array("i", [_named(names.series, finding["series"]) for finding in findings]),
            array("i", [_named(names.category, finding["category"]) for finding in findings]),
            array("i", [_leveled(names, finding.get("level")) for finding in findings]),
            array("i", [_likeliest(names, finding.get("naming")) for finding in findings]),
            array("d", [_probability(finding.get("naming")) for finding in findings]),
            array("d", scores),
            array("d", [_graded(finding.get("severity")) for finding in findings]),
            array("d", chain.from_iterable(centers)),
            array("d", chain.from_iterable(sizes)),
            array("i", [_framed(names, box["axes"]) if "axes" in box else 0 for box in boxes]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _plain(findings: Any, boxes: list[Any], scores: list[Any], vectors: tuple[Any, ...]) -> bool:
    """Whether the study is a list of objects with finite numbers, three to a vector, and sizes above zero."""
    if not isinstance(findings, list) or set(map(type, chain(findings, boxes))) - {dict}:
        return False
    if set(map(type, vectors)) - {list} or set(map(len, vectors)) - {3}:
        return False
    flat = list(chain.from_iterable(vectors))
    sizes = flat[3 * len(boxes) :]
    return (
        not set(map(type, chain(scores, flat))) - _NUMBERS
        and all(map(isfinite, chain(scores, flat)))
        and min(sizes, default=1) > 0
    )


def _named(known: dict[str, int], name: Any) -> int:
    if not (isinstance(name, str) and name):
        raise ValueError(name)
    return known.setdefault(name, len(known))


def _leveled(names: _Names, level: Any) -> int:
    if level is not None and level not in LEVELS:
        raise ValueError(level)
    return names.level.setdefault(level, len(names.level) - 1)


def _likeliest(names: _Names, naming: Any) -> int:
    """Values of another type are another detector's own and are read as absent."""
    level = naming.get("likeliest") if isinstance(naming, dict) else None
    return _leveled(names, level) if isinstance(level, str) and level in LEVELS else -1


def _probability(naming: Any) -> float:
    """Likewise."""
    value = naming.get("probability") if isinstance(naming, dict) else None
    return float(value) if is_number(value) and 0 <= value <= 1 else nan


def _graded(severity: Any) -> float:
    if severity is None:
        return nan
    if type(severity) not in _NUMBERS or not 0 <= severity < inf:
        raise ValueError(severity)
    return float(severity)


def _framed(names: _Names, axes: Any) -> int:
    if set(map(type, chain.from_iterable(axes))) - _NUMBERS:
        raise ValueError(axes)
    first, second, third = (tuple(map(float, row)) for row in axes)
    frame: Any = (first, second, third)
    if frame not in names.frame:
        Box.model_validate_json(json.dumps({"center": [0, 0, 0], "size": [1, 1, 1], "axes": axes}))
        names.frame[frame] = len(names.frame)
    return names.frame[frame]


def _part(study: StudyFindings, names: _Names) -> _Part:
    found = study.findings
    return _Part(
        study.id,
        array("i", [_named(names.series, one.series) for one in found]),
        array("i", [_named(names.category, one.category) for one in found]),
        array("i", [_leveled(names, one.level) for one in found]),
        array("i", [_likeliest(names, one.naming) for one in found]),
        array("d", [_probability(one.naming) for one in found]),
        array("d", [one.score for one in found]),
        array("d", [_graded(one.severity) for one in found]),
        array("d", chain.from_iterable(one.box.center for one in found)),
        array("d", chain.from_iterable(one.box.size for one in found)),
        array("i", [names.frame.setdefault(one.box.axes, len(names.frame)) for one in found]),
    )


def _assemble(source: str, model: dict[str, Any], parts: Sequence[_Part], names: _Names) -> FindingsTable:
    def whole(column: str, dtype: type) -> NDArray[Any]:
        joined = b"".join(getattr(part, column).tobytes() for part in parts)
        return np.frombuffer(joined, dtype=dtype)

    counts = [len(part.score) for part in parts]
    return FindingsTable(
        source=source,
        model=model,
        studies=tuple(part.id for part in parts),
        study=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        series=whole("series", np.int32),
        category=whole("category", np.int32),
        level=whole("level", np.int32),
        likeliest=whole("likeliest", np.int32),
        level_probability=whole("level_probability", np.float64),
        score=whole("score", np.float64),
        severity=whole("severity", np.float64),
        center=whole("center", np.float64).reshape(-1, 3),
        size=whole("size", np.float64).reshape(-1, 3),
        frame=whole("frame", np.int32),
        frames=np.array(list(names.frame)),
        series_names=tuple(names.series),
        category_names=tuple(names.category),
        level_names=tuple(name for name in names.level if name is not None),
    )
