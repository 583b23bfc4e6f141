"""Numbers with intervals stay what they were when counts were summed as floats, replicate by replicate.

`python tests/scoring/test_golden.py` prints the numbers of the installed state.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.types import Findings, Manifest
from spinedet.scoring import BootstrapSettings, ScoreSettings, score

GOLDEN = Path(__file__).parent / "golden_scores.json"
CATEGORIES = ("bulge", "modic")
STUDIES, FINDINGS = 60, 12


def cohort() -> tuple[Manifest, Findings]:
    """Patients of two centres with up to two studies of two planes; findings near lesions and anywhere."""
    rng = np.random.default_rng(7)
    studies, found = [], []
    for row in range(STUDIES):
        lesions: list[dict[str, Any]] = []
        findings: list[dict[str, Any]] = []
        for name in ("sag", "ax"):
            for _ in range(int(rng.poisson(2))):
                box = _box(rng.uniform(0, 80, 3), rng.uniform(6, 20, 3))
                kind = CATEGORIES[int(rng.random() < 0.3)]
                about = {"series": name, "category": kind, "level": None}
                ignore = bool(rng.random() < 0.1)
                lesions.append({"id": str(len(lesions)), **about, "box": box, "ignore": ignore})
                near = _box(np.add(box["center"], rng.normal(0, 3, 3)), box["size"])
                findings.append({**about, "score": round(float(rng.beta(3, 2)), 2), "box": near})
            for _ in range(FINDINGS):
                box = _box(rng.uniform(0, 80, 3), rng.uniform(6, 20, 3))
                about = {"series": name, "category": CATEGORIES[int(rng.random() < 0.5)], "level": None}
                findings.append({**about, "score": round(float(rng.beta(1, 4)), 2), "box": box})
        series = [{"id": s, "plane": p, "path": f"{row}{s}"} for s, p in (("sag", "sagittal"), ("ax", "axial"))]
        study = {"id": f"s{row}", "patient": f"p{row * 2 // 3}", "center": "AB"[row * 2 // 3 % 2]}
        studies.append({**study, "series": series, "lesions": lesions})
        found.append({"id": f"s{row}", "findings": findings})
    reference = {"name": "golden", "region": "lumbar", "categories": CATEGORIES, "studies": studies}
    says = {"model": {"name": "drawn"}, "studies": found}
    return Manifest.model_validate_json(json.dumps(reference)), Findings.model_validate_json(json.dumps(says))


def _box(center: Any, size: Any) -> dict[str, list[float]]:
    return {"center": np.round(center, 3).tolist(), "size": np.round(size, 3).tolist()}


def numbers() -> list[float]:
    """Every number of the scores, in order; without those that name a seed or a version."""
    settings = ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=301))
    record = score(*cohort(), settings).model_dump(mode="json")
    return [value for key in ("groups", "forests", "calibration") for value in _flat(record[key])]


def _flat(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        return [one for part in (value.values() if isinstance(value, dict) else value) for one in _flat(part)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_every_number_is_what_it_was() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert len(golden) > 1000
    # The same bits on one machine; libraries of other versions may sum in another order.
    assert numbers() == pytest.approx(golden, rel=1e-12, abs=1e-15)


if __name__ == "__main__":
    print(json.dumps(numbers()))
