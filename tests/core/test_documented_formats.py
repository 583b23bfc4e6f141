"""What docs/formats.md shows can be copied."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Box

DOCUMENT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


def shown(tmp_path: Path, name: str) -> Path:
    """The one example of this format, as a file."""
    examples: list[Any] = [json.loads(block) for block in blocks("json")]
    [example] = [example for example in examples if example.get("format") == name]
    path = tmp_path / "example.json"
    path.write_text(json.dumps(example))
    return path


def test_the_manifest_shown_is_valid(tmp_path: Path) -> None:
    manifest = read_manifest(shown(tmp_path, "spinedet-manifest"))
    assert [study.id for study in manifest.studies] == ["B-017"]


def test_the_findings_shown_are_valid(tmp_path: Path) -> None:
    findings = read_findings(shown(tmp_path, "spinedet-findings"))
    assert [len(study.findings) for study in findings.studies] == [1, 0]


def test_the_digest_of_the_splits_shown_is_theirs(tmp_path: Path) -> None:
    content = json.loads(shown(tmp_path, "spinedet-splits").read_text())
    text = json.dumps(content["studies"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == content["sha256"]


def test_the_box_shown_is_valid() -> None:
    [example] = [block for block in blocks("json") if block.startswith('{"center"')]
    assert Box.model_validate_json(example).size == (40.0, 12.0, 8.0)


def test_the_code_shown_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = blocks("python")
    exec(code, {})  # noqa: S102 - the document is ours
    # Voxel 10 of 4 mm is centred at 40; edges 80 to 104 and 60 to 78 of 0.5 mm at (92 - 0.5) / 2 and (69 - 0.5) / 2.
    assert capsys.readouterr().out == "(40.0, 45.75, 34.25) (4.0, 12.0, 9.0)\n"
    assert "# (40.0, 45.75, 34.25) (4.0, 12.0, 9.0)" in code
