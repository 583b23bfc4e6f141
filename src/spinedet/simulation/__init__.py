"""A scanner we draw: phantom patients, their T2-weighted series and a reference standard that is exact."""

from spinedet.simulation.anatomy.degeneration import Wear
from spinedet.simulation.annotators import Habits
from spinedet.simulation.centers import (
    CENTERS,
    CenterConfig,
    ImagingConfig,
    StackConfig,
)
from spinedet.simulation.cohort import CohortConfig, GroupConfig, draw_cohort, holds_cohort
from spinedet.simulation.reference_standard import Convention
from spinedet.simulation.scanner.protocol import Sampling
from spinedet.simulation.shipped_cohorts import DEMO, RANDOMISED, SHIPPED, SMOKE, YI2023, YI2023_CERVICAL
from spinedet.simulation.study import DrawnStudy, draw_study

__all__ = [
    "CENTERS",
    "DEMO",
    "RANDOMISED",
    "SHIPPED",
    "SMOKE",
    "YI2023",
    "YI2023_CERVICAL",
    "CenterConfig",
    "CohortConfig",
    "Convention",
    "DrawnStudy",
    "GroupConfig",
    "Habits",
    "ImagingConfig",
    "Sampling",
    "StackConfig",
    "Wear",
    "draw_cohort",
    "draw_study",
    "holds_cohort",
]
