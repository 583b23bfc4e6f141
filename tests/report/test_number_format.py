from __future__ import annotations

import pytest

from spinedet.report.number_format import DASH, Shown, counted, in_words, listed, p_value, percent, plain, shown, signed
from spinedet.scoring import Estimate


def test_a_value_with_its_interval() -> None:
    assert shown(Estimate(value=0.9144, low=0.8712, high=0.9478)) == Shown("0.914", "0.871–0.948")
    assert shown(Estimate(value=1.5, low=0.75, high=2.125), digits=2) == Shown("1.50", "0.75–2.12")


def test_an_undefined_value_is_a_dash_with_its_reason() -> None:
    assert shown(Estimate(reason="no lesion")) == Shown(DASH, remark="no lesion")
    assert shown(Estimate()) == Shown(DASH, remark="undefined")


def test_a_value_without_interval_says_so() -> None:
    assert shown(Estimate(value=0.5)) == Shown("0.500", remark="no interval")
    assert shown(Estimate(value=0.5, reason="no replicate is defined")).remark == "no replicate is defined"


def test_intervals_that_say_little_are_marked() -> None:
    assert shown(Estimate(value=1, low=1, high=1, degenerate=True)).interval == "1.000–1.000†"
    assert shown(Estimate(value=0.5, low=0, high=1, undefined_replicates=3)).interval == "0.000–1.000‡"


def test_differences_have_a_sign_and_no_dash_between_their_limits() -> None:
    assert signed(Estimate(value=-0.25, low=-0.5, high=0.125)) == Shown("−0.250", "−0.500 to 0.125")
    assert signed(Estimate(value=0.25)).value == "+0.250"
    assert signed(Estimate(value=-0.0001)).value == "0.000"
    assert signed(Estimate(value=0.0001)).value == "0.000"
    assert signed(Estimate(reason="no")).value == DASH


def test_a_number_has_a_true_minus_and_no_negative_zero() -> None:
    assert plain(-1.25, 1) == "−1.2"
    assert plain(-0.0004) == "0.000"


def test_a_small_p_value_is_a_bound_and_no_zero() -> None:
    assert [p_value(p) for p in (0.0, 0.0004, 0.0005, 0.04, 1.0)] == ["< 0.001", "< 0.001", "0.001", "0.040", "1.000"]
    assert [p_value(p, 4) for p in (0.00004, 0.0004)] == ["< 0.0001", "0.0004"]


def test_in_words() -> None:
    assert in_words(Estimate(value=0.9, low=0.8, high=0.95), 0.95) == "0.900 (95% interval 0.800 to 0.950)"
    assert in_words(Estimate(reason="no lesion"), 0.95) == "undefined (no lesion)"
    assert in_words(Estimate(value=0.9), 0.95) == "0.900 (no interval)"
    same = Estimate(value=1, low=1, high=1, degenerate=True)
    assert in_words(same, 0.95) == "1.000 (no interval: every resample gave this value)"
    assert percent(0.975) == "97.5%"


@pytest.mark.parametrize(
    ("number", "thing", "words"),
    [(1, "scan", "1 scan"), (0, "scan", "0 scans"), (1234, "lesion", "1,234 lesions"), (2, "study", "2 studies")],
)
def test_counting(number: int, thing: str, words: str) -> None:
    assert counted(number, thing) == words


def test_listing() -> None:
    assert [listed(words) for words in ([], ["A"], ["A", "B"], ["A", "B", "C"])] == ["", "A", "A and B", "A, B and C"]
