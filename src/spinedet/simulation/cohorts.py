"""The cohorts that ship with the package."""

from __future__ import annotations

from spinedet.simulation.cohort import CohortConfig, GroupConfig

DEMO = CohortConfig(
    name="phantom-demo",
    groups=[
        GroupConfig("A", "train", 52),
        GroupConfig("A", "tune", 12),
        GroupConfig("A", "test", 16),
        GroupConfig("B", "test", 14),
        GroupConfig("C", "test", 14),
    ],
    coarseness=1.4,
)

SMOKE = CohortConfig(
    name="phantom-smoke",
    groups=[GroupConfig("A", "train", 3), GroupConfig("A", "tune", 1), GroupConfig("A", "test", 1)],
    coarseness=3.0,
    coarsest=1.9,
)
