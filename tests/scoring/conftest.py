"""Hand-drawn cohorts, and the scoring vectors where they are at hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.findings import FindingsTable, tabulate
from spinedet.core.types import Findings, Manifest


@dataclass
class Drawn:
    """A cohort drawn by hand: boxes are cubes of 10 mm named by the place of their centre along R."""

    categories: tuple[str, ...] = ("lesion",)
    studies: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def study(
        self,
        lesions: Sequence[float | dict[str, Any]] = (),
        findings: Sequence[tuple[float, float] | dict[str, Any]] = (),
        **about: Any,
    ) -> Drawn:
        """Add a study of one series: lesions by place, findings by (place, score)."""
        number = len(self.studies)
        study = {
            "id": f"s{number}",
            "patient": f"p{number}",
            "center": "A",
            "split": "test",
            "series": [{"id": "sag", "plane": "sagittal", "path": f"/nowhere/s{number}.nii.gz"}],
            "excluded": None,
            **about,
        }
        study["lesions"] = [
            {"id": str(row), "series": "sag", "category": self.categories[0], **_lesion(one)}
            for row, one in enumerate(lesions)
        ]
        found = [{"series": "sag", "category": self.categories[0], **_finding(one)} for one in findings]
        self.studies.append(study)
        self.findings.append({"id": study["id"], "findings": found})
        return self

    @property
    def manifest(self) -> Manifest:
        content = {"name": "drawn", "region": "lumbar", "categories": self.categories, "studies": self.studies}
        return Manifest.model_validate_json(json.dumps(content))

    @property
    def found(self) -> Findings:
        return Findings.model_validate_json(json.dumps({"model": {"name": "hand"}, "studies": self.findings}))

    @property
    def table(self) -> FindingsTable:
        return tabulate(self.found)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Both files; returns (manifest, findings)."""
        manifest, findings = folder / "manifest.json", folder / "findings.json"
        header = {"version": 1, "space": "RAS"}
        about = {"name": "drawn", "region": "lumbar", "categories": self.categories, "studies": self.studies}
        manifest.write_text(json.dumps({"format": "spinedet-manifest", **header, **about}))
        content = {"format": "spinedet-findings", **header, "model": {"name": "hand"}, "studies": self.findings}
        findings.write_text(json.dumps(content))
        return manifest, findings


def cube(place: float, size: float = 10.0) -> dict[str, Any]:
    """A box of `size` mm whose centre lies at R = place."""
    return {"center": [place, 0.0, 0.0], "size": [size, 10.0, 10.0]}


def _lesion(one: float | dict[str, Any]) -> dict[str, Any]:
    return one if isinstance(one, dict) else {"box": cube(one)}


def _finding(one: tuple[float, float] | dict[str, Any]) -> dict[str, Any]:
    return one if isinstance(one, dict) else {"box": cube(one[0]), "score": one[1]}


@pytest.fixture
def draw() -> Callable[..., Drawn]:
    """An empty cohort to draw into."""
    return Drawn


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of the scoring vectors."""
    root = os.environ.get("SPINEDET_REAL_DATA")
    if not root or not (Path(root) / "scoring").is_dir():
        pytest.skip("set SPINEDET_REAL_DATA to the folder that holds scoring/ to run the scoring vectors")
    return Path(root) / "scoring"
