"""What a detector says is read whole or refused with the file, the study and the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.findings import FindingsTable, read_findings, read_findings_table, tabulate, write_findings
from spinedet.core.types import Findings

Content = dict[str, Any]
Write = Callable[[Content], Path]
Reader = Callable[[Path], Findings | FindingsTable]
NAN = float("nan")
TILTED = [[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]]

both_readers = pytest.mark.parametrize("reader", [read_findings, read_findings_table], ids=["objects", "columns"])


def test_findings_say_what_their_file_says(said: Content, write: Write) -> None:
    findings = read_findings(write(said))
    assert findings.model == {"name": "other"}
    first, second = findings.studies
    assert (first.id, second.id, second.findings) == ("A-1", "A-2", ())
    assert (first.findings[0].series, first.findings[0].category, first.findings[0].score) == ("sag", "bulge", 0.91)
    assert first.findings[0].box.size == (15.0, 11.0, 9.4)


def test_findings_survive_writing(said: Content, write: Write, tmp_path: Path) -> None:
    said["studies"][0]["findings"][0] |= {"above_operating_point": True, "embedding": [0.5, None]}
    said["studies"][0]["seconds"] = 1.5
    said["made"] = "today"
    findings = read_findings(write(said))
    write_findings(tmp_path / "out" / "findings.json", findings)
    written = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert list(written.items())[:3] == [("format", "spinedet-findings"), ("version", 1), ("space", "RAS")]
    assert written["made"] == "today"
    assert written["studies"][0]["seconds"] == 1.5
    assert written["studies"][0]["findings"][0]["above_operating_point"] is True
    assert read_findings(tmp_path / "out" / "findings.json") == findings


@both_readers
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", "spinedet-manifest", 'is no spinedet-findings file: its "format" must be "spinedet-findings"'),
        ("version", 2, "has version 2; this spinedet reads version 1"),
        ("version", True, "has version True; this spinedet reads version 1"),
        ("space", "LPS", "has space 'LPS'"),
        ("model", "m", ": model: Input should be an object"),
        ("model", {"lr": NAN}, ": model, lr: Input should hold finite numbers only"),
        ("studies", None, ": studies: Input should be a valid array (found null)"),
        ("extra", [NAN], ": extra: Input should hold finite numbers only"),
    ],
)
def test_refused_heads(said: Content, write: Write, reader: Reader, key: str, value: Any, words: str) -> None:
    said[key] = value
    path = write(said)
    with pytest.raises(InputError) as caught:
        reader(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


@both_readers
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("score", NAN, "score: Input should be a finite number (found nan)"),
        ("score", "0.9", "score: Input should be a valid number"),
        ("score", None, "score: Input should be a valid number (found null)"),
        ("series", 3, "series: Input should be a valid string (found 3)"),
        ("category", "", "category: String should have at least 1 character"),
        ("severity", NAN, "severity: Input should be a finite number (found nan)"),
        ("level", "L45", "level: unknown level 'L45'; write discs as 'L4/L5'"),
        ("box", None, "box: Input should be an object"),
        ("box", {"center": [0, 0, 0]}, "box, size: Field required"),
        ("box", {"center": [0, 0, 0], "size": [0, 1, 1]}, "box, size, 0: Input should be greater than 0 (found 0)"),
        ("box", {"center": [0, NAN, 0], "size": [1, 1, 1]}, "box, center, 1: Input should be a finite number"),
        ("note", NAN, "note: Input should hold finite numbers only (found nan)"),
    ],
)
def test_refused_findings(said: Content, write: Write, reader: Reader, key: str, value: Any, words: str) -> None:
    said["studies"][0]["findings"].insert(0, dict(said["studies"][0]["findings"][0]))
    said["studies"][0]["findings"][1][key] = value
    path = write(said)
    with pytest.raises(InputError) as caught:
        reader(path)
    assert str(caught.value).startswith(f"{path}: study 'A-1', finding number 1, {words}")


@both_readers
def test_a_study_is_said_once(said: Content, write: Write, reader: Reader) -> None:
    said["studies"][1]["id"] = "A-1"
    with pytest.raises(InputError, match=r"file0\.json: study id 'A-1' appears more than once"):
        reader(write(said))


@both_readers
def test_paths_that_are_no_findings(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(InputError, match=r"gone\.json does not exist"):
        reader(tmp_path / "gone.json")
    with pytest.raises(InputError, match="is a folder where a file is needed"):
        reader(tmp_path)
    (tmp_path / "half.json").write_text('{"format": "spinedet-findings", "version": 1, "stud')
    with pytest.raises(InputError, match=r"half\.json is not valid JSON"):
        reader(tmp_path / "half.json")


# --- columns ---


def test_columns_by_hand(said: Content, write: Write) -> None:
    first = said["studies"][0]["findings"]
    first.append({"series": "ax", "category": "modic", "score": 1, "level": "L5/S1"})
    first[1]["box"] = {"center": [1, 2, 3], "size": [4, 5, 6], "axes": TILTED}
    said["studies"].append({"id": "A-3", "findings": [dict(first[0], score=-2.5)]})
    table = read_findings_table(write(said))
    assert table.model == {"name": "other"}
    assert table.studies == ("A-1", "A-2", "A-3")
    assert table.study.tolist() == [0, 0, 2]
    assert table.score.tolist() == [0.91, 1.0, -2.5]
    assert [table.series_names[row] for row in table.series] == ["sag", "ax", "sag"]
    assert [table.category_names[row] for row in table.category] == ["bulge", "modic", "bulge"]
    assert table.level.tolist() == [-1, 0, -1]
    assert table.level_names == ("L5/S1",)
    assert table.center.tolist() == [[1.0, -31.6, 110.0], [1, 2, 3], [1.0, -31.6, 110.0]]
    assert table.size.tolist() == [[15, 11, 9.4], [4, 5, 6], [15, 11, 9.4]]
    assert table.frame.tolist() == [0, 1, 0]
    assert table.frames.tolist() == [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], TILTED]
    assert len(table) == 3


@pytest.mark.parametrize("studies", [[], [{"id": "A-1", "findings": []}], [{"id": "A-1"}]])
def test_columns_of_no_finding(said: Content, write: Write, studies: list[Content]) -> None:
    said["studies"] = studies
    table = read_findings_table(write(said))
    assert len(table) == 0
    assert table.studies == tuple(study["id"] for study in studies)
    assert table.center.shape == table.size.shape == (0, 3)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"note": "NaN in words"},
        {"findings": [1], "id": "x"},
        {"box": {"center": [0, 0, 0], "size": [1, 1, 1], "axes": TILTED, "reader": {"id": "R", "findings": []}}},
        {"severity": 2},
        {"severity": None},
        {"severity": "mild"},
        {"severity": -0.5},
        {"severity": {"of": "another"}},
    ],
    ids=["plain", "words", "nested", "axes", "severity", "null", "other words", "no grade", "another's"],
)
def test_columns_hold_what_the_objects_hold(said: Content, write: Write, change: Content) -> None:
    said["studies"][0]["findings"][0] |= change
    path = write(said)
    quick, slow = read_findings_table(path), tabulate(read_findings(path))
    for name in set(FindingsTable.__slots__) - {"source"}:
        left, right = getattr(quick, name), getattr(slow, name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)  # an unknown severity is NaN in both
        else:
            assert left == right


@both_readers
@pytest.mark.parametrize("axes", [[["1", 0, 0], [0, 1, 0], [0, 0, 1]], [[True, 0, 0], [0, 1, 0], [0, 0, 1]]])
def test_axes_are_numbers_even_when_they_read_as_a_known_frame(
    said: Content, write: Write, reader: Reader, axes: Any
) -> None:
    said["studies"][0]["findings"][0]["box"]["axes"] = axes
    with pytest.raises(InputError, match=r"study 'A-1', finding number 0, box, axes, 0, 0: .*valid number"):
        reader(write(said))


@both_readers
def test_numbers_beyond_the_largest_are_not_finite(said: Content, tmp_path: Path, reader: Reader) -> None:
    path = tmp_path / "findings.json"
    path.write_text(json.dumps(said).replace("0.91", "1e999"))
    with pytest.raises(InputError, match=r"study 'A-1', finding number 0, score: .*finite.*found inf"):
        reader(path)
