from __future__ import annotations

import pytest

from spinedet.report.example_cases import choose_cases
from spinedet.report.sentences import (
    case_in_words,
    centers_in_words,
    cohort_in_words,
    plane_in_words,
    threshold_in_words,
    thresholds_of,
)
from spinedet.scoring import IouCriterion, ScoreSettings, choose_operating_point, score


def test_who_was_tested(four) -> None:
    assert cohort_in_words(four.scores(), 0) == (
        "4 studies of 4 patients from centres A and B, with 8 scans and 8 reference lesions; "
        "2 scans without any lesion."
    )
    assert cohort_in_words(four.scores(), 1).endswith("1 further study could not be read and count nowhere.")


def test_one_plane_with_its_drop(four) -> None:
    sites = [one for one in four.scores(0, internal_centers=("A",)).center_gaps if one.plane == "sagittal"]
    assert plane_in_words(four.scores(samples=0), "sagittal", sites) == (
        "the detector found 4 of 5 lesions in 4 scans, with 2 false positives (0.50 per scan): "
        "F1 0.727 (no interval). At the internal centre A F1 is 0.857 (no interval), at the external centre B 0.500 "
        "(no interval): a difference of −0.357."
    )


def test_one_plane_without_a_comparison_has_the_interval(four) -> None:
    group = four.scores().group(plane="sagittal")
    words = plane_in_words(four.scores(), "sagittal", ())
    assert words.endswith(f"F1 0.727 (95% interval {group.f1.low:.3f} to {group.f1.high:.3f}).")


def test_where_the_threshold_comes_from(four) -> None:
    assert threshold_in_words(four.scores()) == "score ≥ 0.5 counts."
    point = choose_operating_point(four.manifest, four.found, IouCriterion(), "max_f1")
    frozen = score(four.manifest, four.found, ScoreSettings(operating_point=point))
    assert threshold_in_words(frozen).startswith("Chosen once, on a tuning split of 4 studies, by the rule max_f1;")
    # Sagittal: F1 of scores >= 0.4 is 10/12, of >= 0.7 it is 8/10; axial: 0.55 gives 4/5.
    assert thresholds_of(frozen, frozen.group(plane="sagittal")) == [0.4]
    assert thresholds_of(frozen, frozen.group(plane="axial", center="B")) == [0.55]
    assert thresholds_of(score(four.manifest, four.found), frozen.group(plane="axial")) == []


def test_a_case_in_words(draw) -> None:
    drawn = draw().study("a", "A", ([0, 30, 60], [(0, 0.9), (30, 0.4), (90, 0.8)]), ([], []))
    assert case_in_words(choose_cases(drawn.evidence(), 1)[0]) == (
        "3 reference lesions, 1 found (L5/S1: score 0.90, 3D IoU 1.00), 2 missed (L4/L5: hit only below the threshold, "
        "0.40; L4/L5: no finding of any score hits it). 1 false positive (score 0.80)."
    )


def test_a_scan_without_lesions_in_words(draw) -> None:
    drawn = draw().study("a", "A", ([], []), ([], []))
    assert case_in_words(choose_cases(drawn.evidence(), 1)[0]) == "0 reference lesions. 0 false positives."


def test_ignored_lesions_in_words(draw) -> None:
    drawn = draw().study("a", "A", ([], []), ([0, 30], [(30, 0.9)]), ignore=[30])
    assert case_in_words(choose_cases(drawn.evidence(), 1)[0]).endswith(
        "1 lesion to be ignored, with 1 finding that count as neither."
    )


@pytest.mark.parametrize(("names", "words"), [(["A"], "centre A"), (["A", "B"], "centres A and B")])
def test_centres_in_words(names, words) -> None:
    assert centers_in_words(names) == words
