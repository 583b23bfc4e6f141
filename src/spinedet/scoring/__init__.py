"""Scoring of any detector's findings: exact, with intervals, without torch."""

from spinedet.scoring.bootstrap import BootstrapSettings
from spinedet.scoring.cohort import Selection
from spinedet.scoring.compare import Comparison, Contender, compare, read_comparison, write_comparison
from spinedet.scoring.criteria import CRITERIA, CenterCriterion, Criterion, DistanceCriterion, IouCriterion
from spinedet.scoring.imports import ImportSettings, import_findings
from spinedet.scoring.operating import (
    OperatingPoint,
    Rule,
    Threshold,
    choose_operating_point,
    max_f1,
    read_operating_point,
    write_operating_point,
)
from spinedet.scoring.scorer import Examination, ScoreSettings, examine, report, score
from spinedet.scoring.scores import Estimate, Group, Scores, read_scores, write_scores

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
    "ImportSettings",
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
    "import_findings",
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
