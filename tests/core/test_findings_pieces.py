"""A findings file read in pieces, by any number of processes, is the file read in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core import findings as reading
from spinedet.core import findings_pieces as pieces
from spinedet.core.errors import InputError
from spinedet.core.findings import FindingsTable, read_findings, read_findings_table, tabulate

Content = dict[str, Any]
HEAD = {"format": "spinedet-findings", "version": 1, "space": "RAS", "model": {"name": "other"}}
TILTED = [[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> list[pieces.Piece]:
    """Pieces of a study or two; those that were read as pieces."""
    monkeypatch.setattr(pieces, "_PIECE", 700)
    monkeypatch.setattr(pieces, "_LAST", 200)
    monkeypatch.setattr(reading, "_LEAST_PIECES", 2)
    taken: list[pieces.Piece] = []

    def read(piece: pieces.Piece) -> Any:
        taken.append(piece)
        return original(piece)

    original = reading.read_piece
    monkeypatch.setattr(reading, "read_piece", read)
    return taken


def _finding(rng: np.random.Generator, **more: Any) -> Content:
    box = {"center": rng.uniform(-100, 100, 3).round(3).tolist(), "size": rng.uniform(5, 20, 3).tolist()}
    series, score = str(rng.choice(["sag", "ax"])), float(rng.random())
    return {"series": series, "category": "bulge", "score": score, "level": None, "box": box, **more}


def _studies() -> list[Content]:
    rng = np.random.default_rng(0)
    studies = [{"id": f"A-{row}", "findings": [_finding(rng) for _ in range(row % 4)]} for row in range(24)]
    studies[3]["findings"][0] |= {"level": "L4/L5", "severity": 2, "category": "modic"}
    studies[9]["findings"][0] |= {"naming": {"likeliest": "L5/S1", "probability": 0.75}, "level": "L3/L4"}
    studies[9]["findings"][0]["box"]["axes"] = TILTED
    studies[14]["findings"][0]["box"]["axes"] = [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]
    studies[21]["findings"][0]["box"]["axes"] = TILTED
    studies[21]["images"] = {"sag": "sha:1"}
    return studies


def _assert_same(first: FindingsTable, second: FindingsTable) -> None:
    names = {"series": "series_names", "category": "category_names", "level": "level_names", "likeliest": "level_names"}
    for name in FindingsTable.__slots__:
        left, right = getattr(first, name), getattr(second, name)
        if name in names:  # levels are numbered piece by piece
            left, right = ([*getattr(t, names[name]), None] for t in (first, second))
            assert [left[row] for row in getattr(first, name)] == [right[row] for row in getattr(second, name)]
        elif isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        elif name != "level_names":
            assert left == right


@pytest.mark.parametrize("indent", [None, 1])
def test_pieces_are_the_whole(tmp_path: Path, small_pieces: list[pieces.Piece], indent: int | None) -> None:
    path = tmp_path / "findings.json"
    path.write_text(json.dumps({**HEAD, "studies": _studies(), "created": "2026-01-01"}, indent=indent))
    table = read_findings_table(path)
    assert len(small_pieces) > 5
    _assert_same(table, tabulate(read_findings(path), str(path)))
    # One byte a finding for each code: there are few names.
    assert {table.series.dtype, table.category.dtype, table.level.dtype, table.frame.dtype} == {np.dtype(np.int8)}


def test_the_table_does_not_depend_on_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_PIECE", 700)
    monkeypatch.setattr(pieces, "_LAST", 200)
    monkeypatch.setattr(reading, "_LEAST_PIECES", 2)
    path = tmp_path / "findings.json"
    path.write_text(json.dumps({**HEAD, "studies": _studies()}))
    alone, together = read_findings_table(path), read_findings_table(path, workers=2)
    _assert_same(alone, together)
    assert alone.level_names == together.level_names
    assert alone.level_names


def _with(change: Content, studies: list[Content]) -> Content:
    return {**HEAD, **change, "studies": studies}


@pytest.mark.parametrize(
    "write",
    [
        lambda s: _with({"note": 'a "studies": [ in words'}, s),
        lambda s: _with({"model": {"name": "m", "studies": [{"id": "inner"}]}}, s),
        lambda s: {"studies": s, **HEAD},
        lambda s: {**_with({}, s), "operating_point": {"studies": [{"id": "x"}], "at": [[1, 2], [3]]}},
        lambda s: _with({}, [{"findings": one["findings"], "id": one["id"]} for one in s]),
        lambda s: _with({}, [{"id": o["id"], "findings": [{"id": 1, **f} for f in o["findings"]]} for o in s]),
        lambda s: _with({}, [{**one, "remark": 'closed ]}, {"id": or not'} for one in s]),
        lambda s: _with({}, [{**one, "notes": [{"id": "1"}, {"id": "2"}]} for one in s]),
        lambda s: _with({}, [{**one, "at": "12:30"} for one in s]),
        lambda s: _with({}, s[:1]),
        lambda s: _with({}, []),
    ],
    ids=["words", "model", "first", "after", "order", "ids", "brackets", "objects", "colons", "one", "none"],
)
def test_however_a_file_is_laid_out(tmp_path: Path, small_pieces: list[pieces.Piece], write: Any) -> None:
    path = tmp_path / "findings.json"
    path.write_text(json.dumps(write(_studies())))
    _assert_same(read_findings_table(path), tabulate(read_findings(path), str(path)))


def test_another_encoding(tmp_path: Path, small_pieces: list[pieces.Piece]) -> None:
    path = tmp_path / "findings.json"
    path.write_text(json.dumps({**HEAD, "studies": _studies()}), encoding="utf-16")
    assert read_findings_table(path).studies == tuple(study["id"] for study in _studies())


@pytest.mark.parametrize(
    ("text", "other", "words"),
    [
        ('"id": "A-5"', '"id": "A-5", "id": "A-6"', "the key 'id' appears more than once"),
        ('"id": "A-5"', '"id": "A-4"', "study id 'A-4' appears more than once"),
        ('"id": "A-5"', '"id": ""', "id: String should have at least 1 character"),
        ('"id": "A-5"', '"id": "A-5", "x": [NaN]', "study 'A-5', x: Input should hold finite numbers only"),
        ('"category": "modic"', '"category": 7', "study 'A-3', finding number 0, category: .*valid string"),
        ('"size": [', '"size": [0, ', "box, size: .*3 items"),
        ("]}]}", "]}]", "is not valid JSON"),
        ("]}]}", "]}]}, 1", "is not valid JSON"),
        ('"space": "RAS"', '"space": "LPS"', "has space 'LPS'"),
    ],
)
def test_faults_are_found_in_any_piece(
    tmp_path: Path, small_pieces: list[pieces.Piece], text: str, other: str, words: str
) -> None:
    path = tmp_path / "findings.json"
    content = json.dumps({**HEAD, "studies": _studies()})
    assert text in content
    path.write_text(other.join(content.rsplit(text, 1)))
    with pytest.raises(InputError, match=words) as caught:
        read_findings_table(path)
    assert str(path) in str(caught.value)
