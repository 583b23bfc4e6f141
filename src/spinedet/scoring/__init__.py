"""Scoring of any detector's findings: exact, with intervals, without torch."""

from spinedet.scoring.compare import Comparison, Contender, compare, read_comparison, write_comparison
from spinedet.scoring.evaluate import Examination, ScoreSettings, examine, report, score
from spinedet.scoring.matching.cohort import Selection
from spinedet.scoring.matching.criteria import CRITERIA, CenterCriterion, Criterion, DistanceCriterion, IouCriterion
from spinedet.scoring.operating_point import (
    OperatingPoint,
    Rule,
    choose_operating_point,
    max_f1,
    read_operating_point,
    write_operating_point,
)
from spinedet.scoring.records import Estimate, Group, Scores, read_scores, write_scores
from spinedet.scoring.statistics.bootstrap import BootstrapSettings
from spinedet.scoring.thresholds import Threshold

__all__ = [
    "CRITERIA",
    "BootstrapSettings",
    "CenterCriterion",
    "Comparison",
    "Contender",
    "Criterion",
    "DistanceCriterion",
    "Estimate",
    "Examination",
    "Group",
    "IouCriterion",
    "OperatingPoint",
    "Rule",
    "ScoreSettings",
    "Scores",
    "Selection",
    "Threshold",
    "choose_operating_point",
    "compare",
    "examine",
    "max_f1",
    "read_comparison",
    "read_operating_point",
    "read_scores",
    "report",
    "score",
    "write_comparison",
    "write_operating_point",
    "write_scores",
]
