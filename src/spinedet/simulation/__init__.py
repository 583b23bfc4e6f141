"""A scanner we draw: phantom patients, their T2-weighted series and a reference standard that is exact."""

from spinedet.simulation.centers import CENTERS, CenterConfig, StackConfig
from spinedet.simulation.cohort import CohortConfig, GroupConfig, draw_cohort
from spinedet.simulation.cohorts import DEMO, SMOKE
from spinedet.simulation.study import DrawnStudy, draw_study

__all__ = [
    "CENTERS",
    "DEMO",
    "SMOKE",
    "CenterConfig",
    "CohortConfig",
    "DrawnStudy",
    "GroupConfig",
    "StackConfig",
    "draw_cohort",
    "draw_study",
]
