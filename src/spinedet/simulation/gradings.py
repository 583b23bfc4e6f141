"""The real table of gradings that the prevalence model is fitted to, and how close its draws come to it."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.simulation.prevalence import FINDINGS, LEVELS, Prevalence, draw_findings, level_group

# One entry per disc: `patient`, `level` (row of LEVELS), `grade` and 0/1 per finding.
Columns: TypeAlias = Mapping[str, NDArray[np.floating]]

_COLUMNS = {
    "narrowing": "Disc narrowing",
    "bulging": "Disc bulging",
    "herniation": "Disc herniation",
    "modic": "Modic",
    "upper_plate": "UP endplate",
    "lower_plate": "LOW endplate",
    "slip": "Spondylolisthesis",
}
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Marginal:
    """Share of discs with a finding at one level: observed with its 95 % interval (Wilson), and drawn."""

    finding: str
    level: str
    observed: float
    low: float
    high: float
    drawn: float

    @property
    def inside(self) -> bool:
        """Whether the drawn share lies inside the interval."""
        return self.low <= self.drawn <= self.high


def read_gradings(folder: Path) -> Columns:
    """SPIDER's `radiological_gradings.csv` in a folder; discs above T11/T12 go with T11/T12.

    Raises:
        InputError: there is no such file, or a column is missing.
    """
    path = folder / "radiological_gradings.csv"
    try:
        with path.open(encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if 1 <= int(row["IVD label"]) <= 9]
        return {
            "patient": np.array([float(row["Patient"]) for row in rows]),
            "level": np.array([float(min(int(row["IVD label"]), len(LEVELS)) - 1) for row in rows]),
            "grade": np.array([float(row["Pfirrman grade"]) for row in rows]),
            "modic_type": np.array([float(row["Modic"]) for row in rows]),
            **{name: np.array([float(int(row[column]) > 0) for row in rows]) for name, column in _COLUMNS.items()},
        }
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no table of SPIDER's gradings ({error}); set SPINEDET_REAL_DATA") from None


def draw_gradings(model: Prevalence, patients: int, seed: int) -> Columns:
    """The model's own table."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[float]] = defaultdict(list)
    for patient in range(patients):
        for level, found in draw_findings(model, model.draw_age(rng), LEVELS, rng).items():
            columns["patient"].append(patient)
            columns["level"].append(level_group(level))
            columns["grade"].append(found.grade)
            for name in FINDINGS:
                columns[name].append(getattr(found, name) > 0)
    return {name: np.array(values, float) for name, values in columns.items()}


def compare_gradings(real: Columns, drawn: Columns) -> tuple[Marginal, ...]:
    """Every finding at every level."""
    tests: dict[str, Callable[[Columns], NDArray[np.bool_]]] = {
        "Pfirrmann >= 4": lambda table: table["grade"] >= 4,
        "Pfirrmann <= 2": lambda table: table["grade"] <= 2,
    }
    for name in FINDINGS:
        tests[name] = lambda table, name=name: table[name] > 0  # type: ignore[misc]
    marginals = []
    for name, test in tests.items():
        for row, level in enumerate(LEVELS):
            seen = test(real)[real["level"] == row]
            share = float(test(drawn)[drawn["level"] == row].mean())
            marginals.append(Marginal(name, level, float(seen.mean()), *wilson(int(seen.sum()), len(seen)), share))
    return tuple(marginals)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson, JASA 22:209, 1927)."""
    share, square = hits / count, _Z95 * _Z95
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    half = _Z95 / (1 + square / count) * spread
    return middle - half, middle + half
