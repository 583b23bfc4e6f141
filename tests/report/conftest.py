"""Two centres, four studies, drawn by hand; every number about them can be checked on paper.

Boxes are cubes of 10 mm around (0, 0, place). At the threshold of 0.5:

            sagittal                               axial
a1 (A)      2 lesions, both hit                    1 lesion, hit
a2 (A)      1 lesion, hit; 1 false positive        no lesion, a finding of 0.3
b1 (B)      2 lesions, 1 hit, 1 hit at 0.4         1 lesion, no finding
b2 (B)      no lesion, 1 false positive            1 lesion, hit; 1 to be ignored, with a finding
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.anatomy import Region
from spinedet.core.geometry import Grid
from spinedet.core.types import Findings, Manifest
from spinedet.imaging.volume import Volume, write_volume
from spinedet.report.evaluation_page import Page
from spinedet.report.scored_cases import ScoredCases, match_again
from spinedet.scoring import BootstrapSettings, Scores, ScoreSettings, score

Places = tuple[list[float], list[tuple[float, float]]]
GRIDS = {"sag": ((8, 32, 64), (4.0, 2.0, 2.0)), "ax": ((32, 32, 32), (2.0, 2.0, 4.0))}


@dataclass
class Drawn:
    """A cohort in the making."""

    studies: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    categories: tuple[str, ...] = ("degeneration",)

    def study(self, name: str, center: str, sag: Places, ax: Places, **about: Any) -> Drawn:
        """Lesions by place, findings by place and score, in both planes; `ignore` names places on axial scans."""
        ignore = about.pop("ignore", [])
        lesions = [_lesion("sag", place) for place in sag[0]]
        lesions += [{**_lesion("ax", place), "ignore": place in ignore} for place in ax[0]]
        series = [{"id": "sag", "plane": "sagittal"}, {"id": "ax", "plane": "axial"}]
        paths = [{**one, "path": f"/secret/{name}/{one['id']}.nii.gz"} for one in series]
        about = {"id": name, "patient": f"patient-{name}", "center": center, "split": "test", **about}
        self.studies.append({**about, "series": paths, "lesions": lesions})
        found = [_finding("sag", *one) for one in sag[1]] + [_finding("ax", *one) for one in ax[1]]
        self.findings.append({"id": about["id"], "findings": found})
        return self

    @property
    def manifest(self) -> Manifest:
        content = {"name": "drawn", "region": "lumbar", "categories": self.categories, "studies": self.studies}
        return Manifest.model_validate_json(json.dumps(content))

    @property
    def found(self) -> Findings:
        return Findings.model_validate_json(json.dumps({"model": {"name": "hand"}, "studies": self.findings}))

    def scores(self, samples: int = 50, threshold: float = 0.5, internal_centers: tuple[str, ...] = ()) -> Scores:
        bootstrap = BootstrapSettings(samples=samples)
        settings = ScoreSettings(threshold=threshold, bootstrap=bootstrap, internal_centers=internal_centers)
        return score(self.manifest, self.found, settings)

    def evidence(self, samples: int = 50) -> ScoredCases:
        return match_again(self.manifest, self.found, self.scores(samples))

    def page(self, internal_centers: tuple[str, ...] = (), **about: Any) -> Page:
        scores = self.scores(internal_centers=internal_centers)
        cases = match_again(self.manifest, self.found, scores)
        return Page("A test", scores, cases, Region.LUMBAR, internal_centers=internal_centers, **about)


def _box(place: float) -> dict[str, Any]:
    return {"center": [0.0, 0.0, place], "size": [10.0, 10.0, 10.0]}


def _lesion(series: str, place: float) -> dict[str, Any]:
    about = {"category": "degeneration", "level": "L4/L5" if place else "L5/S1"}
    return {"id": f"{series}{place:g}", "series": series, "box": _box(place), **about}


def _finding(series: str, place: float, score: float) -> dict[str, Any]:
    return {"series": series, "category": "degeneration", "score": score, "box": _box(place)}


@pytest.fixture
def draw() -> Callable[..., Drawn]:
    """An empty cohort to draw into."""
    return Drawn


@pytest.fixture
def four() -> Drawn:
    """The cohort of this file's table."""
    drawn = Drawn()
    drawn.study("a1", "A", ([0, 30], [(0, 0.9), (30, 0.8)]), ([0], [(0, 0.9)]))
    drawn.study("a2", "A", ([0], [(0, 0.7), (50, 0.6)]), ([], [(50, 0.3)]))
    drawn.study("b1", "B", ([0, 30], [(0, 0.9), (30, 0.4)]), ([0], []))
    drawn.study("b2", "B", ([], [(0, 0.95)]), ([0, 30], [(0, 0.55), (30, 0.9)]), ignore=[30])
    return drawn


@pytest.fixture
def pictured(four: Drawn, tmp_path: Path) -> Drawn:
    """The same cohort with an image for every series."""
    rng = np.random.default_rng(0)
    for study in four.studies:
        for series in study["series"]:
            shape, spacing = GRIDS[series["id"]]
            affine = np.diag([*spacing, 1.0])
            affine[:3, 3] = -np.array(shape) * spacing / 2
            path = tmp_path / "hidden folder" / f"{study['id']}-{series['id']}.nii.gz"
            write_volume(path, Volume(rng.normal(100, 20, shape).astype(np.float32), Grid(shape, affine)))
            series["path"] = str(path)
    return four
