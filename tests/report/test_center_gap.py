from __future__ import annotations

import pytest

from spinedet.scoring.records import CenterGap


def gaps(drawn, internal: tuple[str, ...], samples: int = 50) -> dict[str, tuple[CenterGap, ...]]:
    """What the scores say of the centres, by plane."""
    found: dict[str, tuple[CenterGap, ...]] = {}
    for one in drawn.scores(samples, internal_centers=internal).center_gaps:
        found[one.plane] = (*found.get(one.plane, ()), one)
    return found


def test_external_minus_internal(four) -> None:
    inside, outside = gaps(four, ("A",))["sagittal"]
    assert (inside.centers, inside.internal, inside.scans, inside.lesions) == (("A",), True, 2, 3)
    assert inside.f1.value == pytest.approx(6 / 7)  # 3 hits, 1 false positive, 3 lesions
    assert inside.change == {}
    assert (outside.centers, outside.internal, outside.scans, outside.lesions) == (("B",), False, 2, 2)
    assert outside.f1.value == pytest.approx(1 / 2)  # 1 hit, 1 false positive, 2 lesions
    assert outside.change["f1"].value == pytest.approx(1 / 2 - 6 / 7)
    assert outside.change["recall"].value == pytest.approx(1 / 2 - 1)
    assert outside.change["precision"].value == pytest.approx(1 / 2 - 3 / 4)


def test_the_f1_is_the_one_of_the_scores(four) -> None:
    scores = four.scores()
    for plane, sites in gaps(four, ("A",)).items():
        assert [site.f1 for site in sites] == [scores.group(plane=plane, center=name).f1 for name in ("A", "B")]


def test_the_interval_holds_the_difference(four) -> None:
    change = gaps(four, ("A",), samples=400)["sagittal"][1].change["f1"]
    assert change.low <= change.value <= change.high
    assert change.low < change.high


def test_no_replicates_no_interval(four) -> None:
    change = gaps(four, ("A",), samples=0)["sagittal"][1].change["f1"]
    assert (change.low, change.high) == (None, None)
    assert change.value is not None


def test_a_side_with_a_single_patient_has_no_interval(four) -> None:
    four.study("c1", "C", ([0], [(0, 0.9)]), ([0], []))
    third = gaps(four, ("A",))["sagittal"][2]
    assert third.change["f1"].value == pytest.approx(1 / 7)
    assert third.change["f1"].low is None


def test_several_external_centres_are_also_taken_together(four) -> None:
    four.study("c1", "C", ([0], [(0, 0.9)]), ([0], []))
    together = gaps(four, ("A",))["sagittal"][-1]
    assert (together.centers, together.lesions) == (("B", "C"), 3)
    assert together.f1.value == pytest.approx(4 / 6)  # 2 hits, 1 false positive, 3 lesions


def test_what_is_undefined_on_one_side_has_no_difference(four) -> None:
    four.study("c1", "C", ([0], []), ([], [])).study("c2", "C", ([0], []), ([], []))
    third = gaps(four, ("A",))["sagittal"][2]
    assert third.change["precision"].value is None
    assert third.change["precision"].reason == "no finding at or above the threshold"


@pytest.mark.parametrize("internal", [(), ("A", "B"), ("elsewhere",)])
def test_one_kind_of_centre_alone_is_no_comparison(four, internal) -> None:
    assert gaps(four, internal) == {}
