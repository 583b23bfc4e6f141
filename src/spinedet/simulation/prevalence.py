"""How often, at which level and together with what discs degenerate: a model fitted to real gradings."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

# Levels with parameters of their own; those above share the last.
LEVELS = ("L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2", "T12/L1", "T11/T12")
# In the order in which they are drawn: each may depend on those before it.
# The cervical order is that of Nakashima et al., Spine 40:392 (2015): C5/C6 first, then C4/C5 and C6/C7; for want of a
# table of cervical gradings the numbers are those of lumbar levels.
_NEAREST = {
    "L5/L6": 1,
    "L6/S1": 0,
    "C5/C6": 1,
    "C6/C7": 2,
    "C4/C5": 2,
    "C3/C4": 3,
    "C2/C3": 5,
    "C7/T1": 4,
}
FINDINGS = (
    "narrowing",
    "bulging",
    "herniation",
    "modic",
    "upper_plate",
    "lower_plate",
    "slip",
)


@dataclass(frozen=True, slots=True)
class Findings:
    """A radiologist's grades of one disc: Pfirrmann grade 1 to 5, Modic type 0 to 3, the rest 0 or 1."""

    grade: int
    narrowing: int = 0
    bulging: int = 0
    herniation: int = 0
    modic: int = 0
    upper_plate: int = 0
    lower_plate: int = 0
    slip: int = 0

    @property
    def degenerated(self) -> bool:
        """The rule that makes a disc of SPIDER a lesion."""
        return bool(self.bulging or self.herniation or self.grade >= 4)


@dataclass(frozen=True, slots=True)
class Prevalence:
    """Parameters of the model; see `benchmarks/generate/fit_prevalence.py`.

    Attributes:
        patient_share: part of the variance of a disc's wear that its patient explains.
        age_correlation: correlation of the patient's part with age.
        age_mean, age_deviation: of the patients, years.
        cuts: (levels, 4) wear at which the grade rises.
        findings: log-odds of each finding by grade, level and earlier findings.
        modic_types: shares of the types 1 to 3 among Modic changes.
    """

    patient_share: float
    age_correlation: float
    age_mean: float
    age_deviation: float
    cuts: list[list[float]]
    findings: dict[str, dict[str, list[float]]]
    modic_types: list[float]

    def draw_age(self, rng: np.random.Generator) -> int:
        """Age of a patient who is referred, years."""
        return int(min(max(round(rng.normal(self.age_mean, self.age_deviation)), 18), 92))


@cache
def fitted() -> Prevalence:
    """The parameters that ship with the package."""
    text = resources.files("spinedet.simulation").joinpath("prevalence.json").read_text("utf-8")
    return Prevalence(**json.loads(text))


def level_group(level: str) -> int:
    """Row of a level in the parameters; levels outside the table go with a row that wears alike."""
    if level in LEVELS:
        return LEVELS.index(level)
    return _NEAREST.get(level, len(LEVELS) - 1)


def draw_findings(
    model: Prevalence,
    age: int,
    levels: Sequence[str],
    rng: np.random.Generator,
    shift: float = 0.0,
) -> dict[str, Findings]:
    """Findings at every level of one patient; `shift` degenerates all discs more (+) or less (-), in deviations."""
    years = (age - model.age_mean) / model.age_deviation
    own = model.age_correlation * years + math.sqrt(1 - model.age_correlation**2) * rng.standard_normal()
    found = {}
    for level in levels:
        row = level_group(level)
        rest = math.sqrt(1 - model.patient_share) * rng.standard_normal()
        wear = math.sqrt(model.patient_share) * own + rest + shift
        grade = 1 + sum(wear > cut for cut in model.cuts[row])
        found[level] = _findings(model, row, grade, rng)
    return found


def _findings(model: Prevalence, row: int, grade: int, rng: np.random.Generator) -> Findings:
    drawn: dict[str, int] = {}
    for name in FINDINGS:
        odds = model.findings[name]
        logit = odds["grade"][grade - 1] + odds["level"][row]
        logit += sum(weight * value for weight, value in zip(odds["earlier"], drawn.values(), strict=True))
        drawn[name] = int(rng.random() < 1 / (1 + math.exp(-logit)))
    if drawn["modic"]:
        drawn["modic"] = 1 + int(np.searchsorted(np.cumsum(model.modic_types)[:2], rng.random()))
    return Findings(grade, **drawn)
