"""The cohorts that ship with the package."""

from __future__ import annotations

from spinedet.core.anatomy import Region
from spinedet.simulation.settings import CohortConfig, GroupConfig

DEMO = CohortConfig(
    name="phantom-demo",
    groups=[
        GroupConfig("A", "train", 52),
        GroupConfig("A", "tune", 16),
        GroupConfig("A", "test", 16),
        GroupConfig("B", "test", 12),
        GroupConfig("C", "test", 12),
    ],
    coarseness=1.4,
    positions=1,
)

# Sized as the cohorts of Yi et al. (2023): centre I to develop and test within, II and III to test without, IV necks.
YI2023 = CohortConfig(
    name="phantom-yi2023",
    groups=[
        GroupConfig("I", "train", 456),
        GroupConfig("I", "test", 134),
        GroupConfig("II", "test", 100),
        GroupConfig("III", "test", 114),
    ],
)

YI2023_CERVICAL = CohortConfig(
    name="phantom-yi2023-cervical",
    region=Region.CERVICAL,
    groups=[GroupConfig("IV", "train", 120), GroupConfig("IV", "test", 80)],
)

# Contrast, geometry and artefacts beyond any hospital's, to train detectors that are to work on real scans; drawn no
# finer than detectors see.
RANDOMISED = CohortConfig(
    name="phantom-randomised",
    groups=[GroupConfig("R", "train", 400), GroupConfig("R", "tune", 40)],
    coarseness=1.4,
    positions=1,
)

SMOKE = CohortConfig(
    name="phantom-smoke",
    groups=[
        GroupConfig("A", "train", 3),
        GroupConfig("A", "tune", 1),
        GroupConfig("A", "test", 1),
    ],
    coarseness=3.0,
    coarsest=1.9,
    positions=1,
)

SHIPPED: dict[str, CohortConfig] = {
    "demo": DEMO,
    "smoke": SMOKE,
    "yi2023": YI2023,
    "yi2023_cervical": YI2023_CERVICAL,
    "randomised": RANDOMISED,
}
