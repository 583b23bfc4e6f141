"""The findings of some studies in small columns, from parsed JSON or from records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import LEVELS
from spinedet.core.types import RAS_AXES, Axes, Box, StudyFindings, is_number

Floats = NDArray[np.float64]
Codes = NDArray[np.signedinteger[Any]]
_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Rows (..., n) of `names`, which are distinct and in order of appearance; -1 is none."""

    row: Codes
    names: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StudyColumns:
    """Findings of some studies, one row each; see `FindingsTable`.

    Attributes:
        ids: of the studies. counts: (s,) findings of each.
        level: (2, n), the level and that of the likeliest naming.
        severity, level_probability: (n,), None where no finding has one.
        center, size: (n, 3) mm.
    """

    ids: tuple[str, ...]
    counts: NDArray[np.int32]
    series: Coded
    category: Coded
    level: Coded
    frame: Coded
    level_probability: Floats | None
    severity: Floats | None
    score: Floats
    center: Floats
    size: Floats


def columns_of_json(studies: Sequence[Any]) -> StudyColumns | None:
    """The columns of parsed studies, or None where one of them is not plain: records then decide what is wrong."""
    try:
        return _plain_columns(studies)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _plain_columns(studies: Sequence[Any]) -> StudyColumns:
    ids = [study["id"] for study in studies]
    lists = [study["findings"] for study in studies]
    findings = list(chain.from_iterable(lists))
    boxes = [finding["box"] for finding in findings]
    scores = [finding["score"] for finding in findings]
    vectors = [[box["center"] for box in boxes], [box["size"] for box in boxes]]
    _require(not set(map(type, lists)) - {list} and not set(map(type, chain(findings, boxes))) - {dict})
    _require(not set(map(type, chain(*vectors))) - {list} and not set(map(len, chain(*vectors))) - {3})
    _require(not set(map(type, chain(scores, *chain(*vectors)))) - _NUMBERS)
    score, center, size = _floats(scores), *(_floats(chain.from_iterable(rows)).reshape(-1, 3) for rows in vectors)
    _require(all(np.isfinite(column).all() for column in (score, center, size)) and bool((size > 0).all()))
    namings = [finding.get("naming") for finding in findings]
    severities = [finding.get("severity") for finding in findings]
    return StudyColumns(
        ids=tuple(_texts(ids)),
        counts=_counts(lists),
        series=_coded(_texts([finding["series"] for finding in findings])),
        category=_coded(_texts([finding["category"] for finding in findings])),
        level=_levels(_known([finding.get("level") for finding in findings]), namings),
        frame=_frames(_coded([_frame(box["axes"]) if "axes" in box else RAS_AXES for box in boxes])),
        level_probability=_floats(map(_probability, namings)) if any(namings) else None,
        severity=None if set(severities) <= {None} else _floats(map(_graded, severities)),
        score=score,
        center=center,
        size=size,
    )


def columns_of_records(studies: Sequence[StudyFindings]) -> StudyColumns:
    """The columns of findings that are already in memory."""
    found = [one for study in studies for one in study.findings]
    return StudyColumns(
        ids=tuple(study.id for study in studies),
        counts=_counts([study.findings for study in studies]),
        series=_coded([one.series for one in found]),
        category=_coded([one.category for one in found]),
        level=_levels([one.level for one in found], [one.naming for one in found]),
        frame=_coded([one.box.axes for one in found]),
        level_probability=_floats(_probability(one.naming) for one in found),
        severity=_floats(_graded(one.severity) for one in found),
        score=_floats(one.score for one in found),
        center=_floats(chain.from_iterable(one.box.center for one in found)).reshape(-1, 3),
        size=_floats(chain.from_iterable(one.box.size for one in found)).reshape(-1, 3),
    )


class JoinedColumns:
    """The columns of several parts as one; a part is copied when it is appended, so that no two are held.

    Attributes:
        ids: of the studies. counts: (s,) findings of each.
        series, category, level, likeliest, frame: (n,) rows of `names[...]`, level and likeliest of those of `level`.
        severity, level_probability: (n,), NaN where there is none.
        score: (n,). center, size: (n, 3) mm.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.counts = np.empty(0, np.int32)
        self._known: dict[str, dict[Any, int]] = {"series": {}, "category": {}, "level": {}, "frame": {RAS_AXES: 0}}
        self.series, self.category, self.level, self.likeliest, self.frame = (np.empty(0, np.int8) for _ in range(5))
        self.score, self.center, self.size = np.empty(0), np.empty((0, 3)), np.empty((0, 3))
        self.severity = self.level_probability = np.broadcast_to(np.float64(nan), 0)

    def append(self, part: StudyColumns) -> None:
        """Take over a part."""
        self.severity = self._appended_or_nan(self.severity, part.severity, len(part.score))
        self.level_probability = self._appended_or_nan(self.level_probability, part.level_probability, len(part.score))
        self.ids += part.ids
        self.counts = _appended(self.counts, part.counts)
        self.series = _appended(self.series, self._recoded("series", part.series))
        self.category = _appended(self.category, self._recoded("category", part.category))
        self.frame = _appended(self.frame, self._recoded("frame", part.frame))
        level, likeliest = self._recoded("level", part.level)
        self.level, self.likeliest = _appended(self.level, level), _appended(self.likeliest, likeliest)
        self.score = _appended(self.score, part.score)
        self.center, self.size = _appended(self.center, part.center), _appended(self.size, part.size)

    def names(self, column: str) -> tuple[Any, ...]:
        """What the rows of a column stand for: distinct, in order of appearance; the first frame is RAS."""
        return tuple(self._known[column])

    def _recoded(self, column: str, part: Coded) -> Codes:
        known = self._known[column]
        codes = [known.setdefault(name, len(known)) for name in part.names]
        return _narrow(np.array([*codes, -1], dtype=np.int32), len(known))[part.row]

    def _appended_or_nan(self, column: Floats, part: Floats | None, count: int) -> Floats:
        """One number in memory as long as no part has such a column."""
        if part is None and not column.strides[0]:
            return np.broadcast_to(np.float64(nan), len(column) + count)
        return _appended(column if column.strides[0] else column.copy(), np.full(count, nan) if part is None else part)


def _appended(column: NDArray[Any], part: NDArray[Any]) -> NDArray[Any]:
    """A column of its own memory with more rows behind; a large one is moved without being copied."""
    column = column.astype(np.promote_types(column.dtype, part.dtype), copy=False)
    held = len(column)
    column.resize((held + len(part), *column.shape[1:]), refcheck=False)
    column[held:] = part
    return column


def _require(fits: bool) -> None:
    if not fits:
        raise ValueError


def _floats(values: Iterable[Any]) -> Floats:
    return np.fromiter(values, dtype=np.float64)


def _counts(lists: Sequence[Sequence[Any]]) -> NDArray[np.int32]:
    return np.fromiter(map(len, lists), dtype=np.int32, count=len(lists))


def _narrow(rows: NDArray[np.signedinteger[Any]], names: int) -> Codes:
    """In the fewest bytes that hold numbers of so many names."""
    return rows.astype(np.int8 if names < 1 << 7 else np.int16 if names < 1 << 15 else np.int32, copy=False)


def _coded(values: Sequence[Any]) -> Coded:
    """None gets no name."""
    names: Mapping[Any, Any] = dict.fromkeys(values)
    codes = {name: row for row, name in enumerate(name for name in names if name is not None)}
    if len(codes) == len(names) == 1:
        return Coded(np.zeros(len(values), np.int8), tuple(codes))
    rows = np.fromiter(map({**codes, None: -1}.__getitem__, values), dtype=np.int32, count=len(values))
    return Coded(_narrow(rows, len(codes)), tuple(codes))


def _texts(names: list[Any]) -> list[Any]:
    _require(not set(map(type, names)) - {str} and "" not in names)
    return names


def _known(levels: list[Any]) -> list[Any]:
    _require(set(levels) <= LEVELS | {None})
    return levels


def _levels(levels: Sequence[str | None], namings: Sequence[Any]) -> Coded:
    likeliest = map(_likeliest, namings) if any(namings) else [None] * len(namings)
    coded = _coded([*levels, *likeliest])
    return Coded(coded.row.reshape(2, -1), coded.names)


def _likeliest(naming: Any) -> str | None:
    """Values of another type are another detector's own and are read as absent."""
    level = naming.get("likeliest") if isinstance(naming, dict) else None
    return level if isinstance(level, str) and level in LEVELS else None


def _probability(naming: Any) -> float:
    """Likewise."""
    value = naming.get("probability") if isinstance(naming, dict) else None
    return float(value) if is_number(value) and 0 <= value <= 1 else nan


def _graded(severity: Any) -> float:
    if severity is None:
        return nan
    _require(type(severity) in _NUMBERS and 0 <= severity < inf)
    return float(severity)


def _frame(axes: Any) -> Axes:
    _require(not set(map(type, chain.from_iterable(axes))) - _NUMBERS)
    first, second, third = (tuple(map(float, row)) for row in axes)
    frame: Any = (first, second, third)
    return frame


def _frames(frames: Coded) -> Coded:
    for axes in frames.names:
        Box(center=(0.0, 0.0, 0.0), size=(1.0, 1.0, 1.0), axes=axes)
    return frames
