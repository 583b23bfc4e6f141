"""Scoring of any detector's findings: exact, with intervals, without torch."""

from spinedet.scoring.bootstrap import BootstrapSettings
from spinedet.scoring.cohort import Selection
from spinedet.scoring.criteria import CRITERIA, CenterCriterion, Criterion, DistanceCriterion, IouCriterion
from spinedet.scoring.operating import (
    OperatingPoint,
    Rule,
    Threshold,
    choose_operating_point,
    max_f1,
    read_operating_point,
    write_operating_point,
)
from spinedet.scoring.scorer import ScoreSettings, score
from spinedet.scoring.scores import Estimate, Group, Scores, read_scores, write_scores

__all__ = [
    "CRITERIA",
    "BootstrapSettings",
    "CenterCriterion",
    "Criterion",
    "DistanceCriterion",
    "Estimate",
    "Group",
    "IouCriterion",
    "OperatingPoint",
    "Rule",
    "ScoreSettings",
    "Scores",
    "Selection",
    "Threshold",
    "choose_operating_point",
    "max_f1",
    "read_operating_point",
    "read_scores",
    "score",
    "write_operating_point",
    "write_scores",
]
