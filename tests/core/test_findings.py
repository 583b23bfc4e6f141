"""What a detector says is read whole or refused with the file, the study and the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings, write_findings

Content = dict[str, Any]
Write = Callable[[Content], Path]
NAN = float("nan")


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


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", "spinedet-manifest", 'is no spinedet-findings file: its "format" must be "spinedet-findings"'),
        ("version", 2, "has version 2; this spinedet reads version 1"),
        ("space", "LPS", "has space 'LPS'"),
        ("model", "m", ": model: Input should be an object"),
        ("model", {"lr": NAN}, ": model, lr: Input should hold finite numbers only"),
        ("studies", None, ": studies: Input should be a valid array (found null)"),
        ("extra", [NAN], ": extra: Input should hold finite numbers only"),
    ],
)
def test_refused_heads(said: Content, write: Write, key: str, value: Any, words: str) -> None:
    said[key] = value
    path = write(said)
    with pytest.raises(InputError) as caught:
        read_findings(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("score", NAN, "score: Input should be a finite number (found nan)"),
        ("score", "0.9", "score: Input should be a valid number"),
        ("score", None, "score: Input should be a valid number (found null)"),
        ("series", 3, "series: Input should be a valid string (found 3)"),
        ("category", "", "category: String should have at least 1 character"),
        ("level", "L45", "level: unknown level 'L45'; write discs as 'L4/L5'"),
        ("box", None, "box: Input should be an object"),
        ("box", {"center": [0, 0, 0]}, "box, size: Field required"),
        ("box", {"center": [0, 0, 0], "size": [0, 1, 1]}, "box, size, 0: Input should be greater than 0 (found 0)"),
        ("box", {"center": [0, NAN, 0], "size": [1, 1, 1]}, "box, center, 1: Input should be a finite number"),
        ("note", NAN, "note: Input should hold finite numbers only (found nan)"),
    ],
)
def test_refused_findings(said: Content, write: Write, key: str, value: Any, words: str) -> None:
    said["studies"][0]["findings"].insert(0, dict(said["studies"][0]["findings"][0]))
    said["studies"][0]["findings"][1][key] = value
    path = write(said)
    with pytest.raises(InputError) as caught:
        read_findings(path)
    assert str(caught.value).startswith(f"{path}: study 'A-1', finding number 1, {words}")


def test_a_study_is_said_once(said: Content, write: Write) -> None:
    said["studies"][1]["id"] = "A-1"
    with pytest.raises(InputError, match=r"file0\.json: study id 'A-1' appears more than once"):
        read_findings(write(said))


def test_paths_that_are_no_findings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json does not exist"):
        read_findings(tmp_path / "gone.json")
    with pytest.raises(InputError, match="is a folder where a file is needed"):
        read_findings(tmp_path)
    (tmp_path / "half.json").write_text('{"format": "spinedet-findings", "version": 1, "stud')
    with pytest.raises(InputError, match=r"half\.json is not valid JSON"):
        read_findings(tmp_path / "half.json")
