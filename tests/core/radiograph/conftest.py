"""The smallest valid manifest of radiographs, as fresh JSON content that a test may spoil."""

from __future__ import annotations

import pytest

from tests.core.conftest import Content, Write

__all__ = ["Content", "Write"]


def study(name: str, patient: str, split: str | None = "train", center: str = "A") -> Content:
    return {
        "id": name,
        "patient": patient,
        "center": center,
        "split": split,
        "attributes": {"sex": "F", "age": 61},
        "label": "C",
        "images": [
            {"id": "ap", "view": "ap", "path": f"{name}/ap.dcm", "sha256": None},
            {"id": "lat", "view": "lateral", "path": f"{name}/lat.png", "mm": 0.14, "truth": [10, 20, 30.5, 60]},
        ],
        "excluded": None,
    }


@pytest.fixture
def reference() -> Content:
    return {
        "format": "spinedet-radiographs",
        "version": 1,
        "name": "two",
        "task": {"name": "implants", "labels": ["A", "B", "C"], "views": ["ap", "lateral"], "positive": None},
        "studies": [study("A-1", "p1"), study("A-2", "p2", split="test")],
    }
