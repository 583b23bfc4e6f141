from __future__ import annotations

import numpy as np
import pytest

from spinedet.report.scored_cases import match_again
from spinedet.scoring import IouCriterion, ScoreSettings, choose_operating_point, score


def test_planes_parts_and_curves(four) -> None:
    evidence = four.evidence()
    assert evidence.planes == ("sagittal", "axial")
    part = evidence.part("sagittal", ["A"])
    assert int(part.lesions_per_patient.sum()) == 3
    steps = evidence.operating_points(part)
    assert steps.score.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert steps.tp.tolist() == [1, 2, 3, 3]
    assert steps.fp.tolist() == [0, 0, 0, 1]


def test_a_given_threshold_holds_for_every_plane(four) -> None:
    evidence = four.evidence()
    assert evidence.limits == {("sagittal", "degeneration"): 0.5, ("axial", "degeneration"): 0.5}
    scores = [finding.score for finding in evidence.findings]
    assert evidence.examination.reached.tolist() == [value >= 0.5 for value in scores]


def test_without_a_threshold_every_finding_counts(four) -> None:
    evidence = match_again(four.manifest, four.found, score(four.manifest, four.found))
    assert evidence.examination.reached.all()


def test_frozen_thresholds_are_taken_from_the_scores(four) -> None:
    point = choose_operating_point(four.manifest, four.found, IouCriterion(iou=0.25))
    scores = score(four.manifest, four.found, ScoreSettings(operating_point=point))
    evidence = match_again(four.manifest, four.found, scores)
    assert evidence.limits == dict(point.values)
    assert evidence.examination.matched.criterion == IouCriterion(iou=0.25)


def test_replicates_are_those_of_the_scores(four) -> None:
    again = four.evidence(samples=20).examination.weights
    assert again.shape == (4, 20)
    np.testing.assert_array_equal(again, four.evidence(samples=20).examination.weights)


def test_other_findings_are_refused(four, draw) -> None:
    scores = four.scores()
    fewer = four.found.model_copy(
        update={"studies": tuple(s.model_copy(update={"findings": ()}) for s in four.found.studies)}
    )
    with pytest.raises(ValueError, match="must be those that its scores are of"):
        match_again(four.manifest, fewer, scores)
