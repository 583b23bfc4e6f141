"""The smallest valid manifest and findings, as fresh JSON content that a test may spoil."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Content = dict[str, Any]
Write = Callable[[Content], Path]


def study(name: str, patient: str, split: str | None = "train", center: str = "A") -> Content:
    return {
        "id": name,
        "patient": patient,
        "center": center,
        "split": split,
        "attributes": {"sex": "F", "age": 61},
        "series": [{"id": "sag", "plane": "sagittal", "weighting": "T2", "path": f"{name}/sag.nii.gz"}],
        "lesions": [
            {
                "id": "1",
                "series": "sag",
                "category": "bulge",
                "level": "L4/L5",
                "box": {"center": [1.5, -32.0, 110.4], "size": [14, 11.5, 9]},
                "origin": "manual",
            }
        ],
        "excluded": None,
    }


@pytest.fixture
def reference() -> Content:
    return {
        "format": "spinedet-manifest",
        "version": 1,
        "space": "RAS",
        "name": "two",
        "region": "lumbar",
        "categories": ["bulge", "modic"],
        "studies": [study("A-1", "p1"), study("A-2", "p2", split="test")],
    }


@pytest.fixture
def said() -> Content:
    finding = {
        "series": "sag",
        "category": "bulge",
        "score": 0.91,
        "level": None,
        "box": {"center": [1.0, -31.6, 110.0], "size": [15, 11, 9.4]},
    }
    return {
        "format": "spinedet-findings",
        "version": 1,
        "space": "RAS",
        "model": {"name": "other"},
        "studies": [{"id": "A-1", "findings": [finding]}, {"id": "A-2", "findings": []}],
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write content (NaN and all) to a numbered file of the test's own folder."""
    written: list[Path] = []

    def to_file(content: Content) -> Path:
        path = tmp_path / f"file{len(written)}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        written.append(path)
        return path

    return to_file
