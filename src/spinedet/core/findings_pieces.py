"""Files of studies in pieces of whole studies, so that they are read with little memory and by several processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from spinedet.core.errors import InputError
from spinedet.core.files import parse_first_json, parse_json, read_span
from spinedet.core.findings_columns import StudyColumns, columns_of_json
from spinedet.core.garbage import no_garbage_search

_PIECE = 1 << 21  # bytes; its parsed objects take some ten times as much
_LAST = 1 << 16
_HEAD = 1 << 20
_STUDIES = re.compile(rb'"studies"\s*:\s*\[\s*(?=\{\s*("(?:[^"\\]|\\.)*")\s*:)')
_STAND_IN = b'"studies"'


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes from `start` to `stop` of a file: whole studies, separated by commas."""

    path: Path
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What stands before the first study, and the boundary between two studies by the first key of the first one."""

    head: bytes
    boundary: re.Pattern[bytes]


def find_opening(path: Path) -> Opening | None:
    """Where the studies of a file seem to begin; None where it is not written as usual."""
    found = _STUDIES.search(read_span(path, 0, _HEAD))
    if found is None:
        return None
    boundary = re.compile(rb"\}\s*,\s*(?=\{\s*" + re.escape(found[1]) + rb"\s*:)")
    return Opening(found.string[: found.end()], boundary)


def split_studies(path: Path, opening: Opening) -> Iterator[Piece]:
    """Pieces up to the last one, which ends with the file.

    A piece ends where another study seems to begin and as many brackets are closed as opened. Where that is wrong
    (brackets within a text), two pieces are not valid JSON: a series of values that is valid up to a comma and valid
    from there is the same series in one.
    """
    start, size, most = len(opening.head), path.stat().st_size, _PIECE
    while size - start > _LAST:
        content = read_span(path, start, most)
        # What is left last is small, because it is parsed by a slower function that finds the end of the list.
        ends_file = start + len(content) >= size
        cut = _last_boundary(content[: len(content) - _LAST // 2] if ends_file else content, opening.boundary)
        if cut is not None:
            yield Piece(path, start, start + cut[0])
            start, most = start + cut[1], _PIECE
        elif ends_file:
            break
        else:
            most *= 2
    yield Piece(path, start, size)


def _last_boundary(content: bytes, boundary: re.Pattern[bytes]) -> tuple[int, int] | None:
    """End of the last study that ends in `content`, and start of the next."""
    depth = place = 0
    cut = None
    for found in boundary.finditer(content):
        stop = found.start() + 1
        opened, closed = (sum(content.count(one, place, stop) for one in pair) for pair in ((b"{", b"["), (b"}", b"]")))
        depth, place = depth + opened - closed, stop
        if depth == 0:
            cut = stop, found.end()
    return cut


def _usual_keys(studies: list[dict[str, Any]]) -> int:
    """How many keys studies have together whose only objects are findings and boxes: far quicker than `_keys`."""
    findings = [finding for study in studies for finding in study["findings"]]
    boxes = [finding["box"] for finding in findings]
    return sum(map(len, studies)) + sum(map(len, findings)) + sum(map(len, boxes))


def _keys(value: Any) -> int:
    """How many keys all objects within a value have together."""
    if isinstance(value, dict):
        return len(value) + sum(_keys(one) for one in value.values() if isinstance(one, dict | list))
    return sum(_keys(one) for one in value if isinstance(one, dict | list)) if isinstance(value, list) else 0


@no_garbage_search()
def read_piece(piece: Piece) -> StudyColumns | None:
    """The columns of a piece; None where it is no series of plain studies."""
    try:
        return columns_of_json(parse_piece(piece, _usual_keys)[1])
    except InputError:
        return None


@no_garbage_search()
def read_last_piece(piece: Piece, opening: Opening) -> tuple[StudyColumns, dict[str, Any]] | None:
    """The columns of the piece that ends with the file, and the file's content without its studies."""
    parsed = parse_last_piece(piece, opening)
    columns = None if parsed is None else columns_of_json(parsed[0])
    return None if parsed is None or columns is None else (columns, parsed[1])


def parse_piece(piece: Piece, usual_keys: Callable[[list[Any]], int] = _keys) -> tuple[bytes, list[Any]]:
    """A piece as a JSON list, as bytes and parsed.

    Args:
        usual_keys: a quicker count of the keys of usual studies.

    Raises:
        InputError: it is no series of JSON values, or an object has a key twice.
    """
    content = b"[" + read_span(piece.path, piece.start, piece.stop - piece.start) + b"]"
    try:
        studies: list[Any] = from_json(content, allow_inf_nan=False)
        # This parser takes the last of two equal keys; then there are fewer keys than colons.
        colons = content.count(b":")
        if colons != usual_keys(studies) and colons != _keys(studies):
            parse_json(piece.path, content)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{piece.path}: {error}") from None
    return content, studies


def parse_last_piece(piece: Piece, opening: Opening) -> tuple[list[Any], dict[str, Any]] | None:
    """The studies of the piece that ends with the file, and the file's content without its studies."""
    content = b"[" + read_span(piece.path, piece.start, piece.stop - piece.start)
    if any(word in part for word in (b"NaN", b"Infinity") for part in (opening.head, content)):
        return None
    try:
        studies, rest = parse_first_json(piece.path, content)
        raw = parse_json(piece.path, opening.head + _STAND_IN + b"]" + rest)
    except InputError:
        return None
    # Only the list of studies on the highest level is given back under this name.
    if not isinstance(raw, dict) or raw.pop("studies", None) != [_STAND_IN.decode().strip('"')]:
        return None
    return studies, raw
