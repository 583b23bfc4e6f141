from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.report.example_cases import choose_cases

NOTHING: tuple[list, list] = ([], [])


def told(cases) -> list[tuple[str, str, str]]:
    return [(case.title, case.series.plane.value, case.study.id) for case in cases]


def test_rules_and_planes_take_turns_over_different_studies(draw) -> None:
    hit, miss, alarm = ([0], [(0, 0.9)]), ([0], []), ([], [(0, 0.9)])
    drawn = draw().study("hit", "A", hit, hit).study("miss", "A", NOTHING, miss)
    drawn.study("alarm", "A", alarm, NOTHING).study("free", "A", NOTHING, NOTHING)
    assert told(choose_cases(drawn.evidence(), 6)) == [
        ("Typical", "sagittal", "hit"),
        ("Missed lesions", "axial", "miss"),
        ("False positive", "sagittal", "alarm"),
        ("No lesion", "axial", "free"),
    ]


def test_no_more_cases_than_asked_for(four) -> None:
    assert len(choose_cases(four.evidence(), 2)) == 2
    assert choose_cases(four.evidence(), 0) == ()


def test_the_most_missed_lesions_come_first_then_the_larger(draw) -> None:
    drawn = draw().study("one", "A", NOTHING, ([0], [])).study("two", "A", NOTHING, ([0, 30], []))
    drawn.study("also one", "A", NOTHING, ([0], []))
    drawn.studies[2]["lesions"][0]["box"]["size"] = [20.0, 10.0, 10.0]
    missing = [case.study.id for case in choose_cases(drawn.evidence(), 3) if case.title == "Missed lesions"]
    assert missing[0] == "two"
    # The middle of three scans, none with a hit, went to the typical one; the larger of the others is next.
    board = [case.study.id for case in choose_cases(drawn.evidence(), 3)]
    assert sorted(board) == ["also one", "one", "two"]


def test_the_surest_false_positive_comes_first(draw) -> None:
    drawn = draw()
    for name, value in (("low", 0.6), ("high", 0.95), ("middle", 0.7), ("below the threshold", 0.3)):
        drawn.study(name, "A", ([], [(0, value)]), NOTHING)
    first = next(case for case in choose_cases(drawn.evidence(), 4) if case.title == "False positive")
    assert first.study.id == "high"
    assert first.rule.startswith("of the 3 sagittal scans with a false positive")


def test_the_typical_scan_is_the_middle_one_by_f1(draw) -> None:
    drawn = draw().study("all", "A", ([0, 30], [(0, 0.9), (30, 0.9)]), NOTHING)
    drawn.study("half", "A", ([0, 30], [(0, 0.9)]), NOTHING).study("none", "A", ([0, 30], []), NOTHING)
    assert told(choose_cases(drawn.evidence(), 1)) == [("Typical", "sagittal", "half")]


def test_every_lesion_of_a_case_is_hit_or_missed(four) -> None:
    cases = choose_cases(four.evidence(), 4)
    assert len(cases) == 4
    for case in cases:
        theirs = [one.id for one in case.study.lesions if one.series == case.series.id and not one.ignore]
        assert sorted(theirs) == sorted(one.lesion.id for one in (*case.hits, *case.missed))


def test_a_miss_knows_the_finding_below_the_threshold(draw) -> None:
    drawn = draw().study("a", "A", ([0, 30], [(0, 0.9), (30, 0.4)]), NOTHING)
    case = choose_cases(drawn.evidence(), 1)[0]
    assert [(hit.lesion.id, hit.finding.score, hit.overlap) for hit in case.hits] == [("sag0", 0.9, pytest.approx(1))]
    assert [(miss.lesion.id, miss.score) for miss in case.missed] == [("sag30", 0.4)]
    assert case.false == ()


def test_a_finding_on_a_lesion_to_be_ignored_is_no_false_positive(draw) -> None:
    drawn = draw().study("a", "A", NOTHING, ([0, 30], [(0, 0.55), (30, 0.9), (60, 0.8)]), ignore=[30])
    case = choose_cases(drawn.evidence(), 1)[0]
    assert [finding.score for finding in case.absorbed] == [0.9]
    assert [finding.score for finding in case.false] == [0.8]
    assert [lesion.id for lesion in case.ignored] == ["ax30"]


def test_a_scan_with_only_ignored_lesions_is_not_lesion_free(draw) -> None:
    drawn = draw().study("a", "A", ([0], []), ([0], []), ignore=[0])
    assert all(case.title != "No lesion" for case in choose_cases(drawn.evidence(), 6))


def test_studies_are_named_by_a_hash(four) -> None:
    names = {case.study.id: case.name for case in choose_cases(four.evidence(), 4)}
    assert names["a1"] == "f55ff16f"  # printf a1 | sha256sum | cut -c1-8


def test_an_image_that_cannot_be_read_leaves_no_picture(four) -> None:
    assert [case.picture for case in choose_cases(four.evidence(), 4)] == [None] * 4


def test_pictures_are_png(pictured) -> None:
    for case in choose_cases(pictured.evidence(), 2):
        assert case.picture.startswith(b"\x89PNG")
        assert Path(case.series.path).exists()
