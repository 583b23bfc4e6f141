"""Networks and readers on the same items, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.evaluate import Resampling
from spinedet.scoring.classification.items import REJECTED, Items
from spinedet.scoring.classification.pairs import (
    Predicted,
    compare_predictions,
    contrast_centers,
    corrected,
    discordance,
)
from spinedet.scoring.classification.records import LabelPair
from spinedet.scoring.classification.rejection import Novel, score_rejection
from spinedet.scoring.statistics.exact import mcnemar_p

LABELS = ("none", "fresh")


def items(reference: list[int], called: list[int], probability: list[float] | None = None) -> Items:
    n = len(reference)
    p = np.full(n, np.nan) if probability is None else np.array(probability)
    return Items(
        labels=LABELS,
        centers=("home", "away"),
        center=(np.arange(n) >= n / 2).astype(np.int64),
        patient=np.arange(n),
        reference=np.array(reference),
        called=np.array(called),
        score=np.stack([1 - p, p], axis=1),
    )


def sampling(one: Items, samples: int = 200) -> Resampling:
    return Resampling.over(one.centers, one.center, BootstrapSettings(samples=samples))


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(3, 11, 0.0574), (0, 0, 1.0), (0, 4, 0.125), (5, 5, 1.0), (0, 6, 2 / 64)],
)
def test_mcnemar(first: int, second: int, p: float) -> None:
    assert mcnemar_p(first, second) == pytest.approx(p, abs=5e-5)
    if first + second:
        from scipy.stats import binomtest

        assert mcnemar_p(first, second) == pytest.approx(binomtest(first, first + second, 0.5).pvalue)


def test_discordant_items_by_hand() -> None:
    reference = [1, 1, 1, 0, 0, 0]
    network, reader = items(reference, [1, 1, 0, 0, 0, 1]), items(reference, [1, 0, 1, 0, 1, REJECTED])
    found = discordance(network, reader, "all", np.ones(6, bool))
    assert (found.first_right, found.second_right, found.first_only, found.second_only) == (4, 3, 2, 1)
    assert found.p == pytest.approx(1.0)


def test_a_network_and_a_reader() -> None:
    reference = [1, 1, 1, 1, 0, 0, 0, 0]
    network = items(reference, [1, 1, 1, 0, 0, 0, 0, 1], [0.9, 0.8, 0.7, 0.4, 0.1, 0.2, 0.3, 0.6])
    reader = items(reference, [1, 1, 0, 0, 0, 0, 1, 1])
    pair = compare_predictions(
        Predicted("senior", reader, reader=True), Predicted("network", network), {}, sampling(network), "fresh"
    )
    assert pair.kind == "a network and a reader"
    assert pair.auc is None
    assert pair.differences["accuracy"].value == pytest.approx(6 / 8 - 4 / 8)
    assert pair.differences["recall of fresh"].value == pytest.approx(3 / 4 - 2 / 4)
    assert [one.among for one in pair.discordance] == ["with fresh", "without fresh", "all"]
    # Both said fresh to 3 items and none to 3; they differ in 2 of 8: kappa (6/8 - 1/2) / (1/2).
    assert pair.kappa.value == pytest.approx(0.5)


def test_two_networks_are_compared_by_delong() -> None:
    reference = [1, 1, 1, 0, 0, 0]
    first = items(reference, [1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.4, 0.2, 0.1])
    second = items(reference, [1, 1, 1, 0, 0, 0], [0.9, 0.3, 0.8, 0.85, 0.1, 0.2])
    pair = compare_predictions(Predicted("a", first), Predicted("b", second), {}, sampling(first), "fresh")
    assert pair.auc is not None
    assert pair.auc.value == pytest.approx(6 / 9 + 1 / 9 - 8 / 9 + 0.0, abs=1e-9)
    assert pair.auc_p is not None


def test_other_items_cannot_be_compared() -> None:
    one = items([1, 0], [1, 0])
    with pytest.raises(ValueError, match="same items"):
        compare_predictions(Predicted("a", one), Predicted("b", items([0, 0], [1, 0])), {}, sampling(one), None)


def _pair(p: tuple[float, float, float], reader: bool) -> LabelPair:
    one = items([1, 0], [1, 0])
    found = compare_predictions(Predicted("a", one), Predicted("b", one, reader), {}, sampling(one), "fresh")
    tests = tuple(test.model_copy(update={"p": q}) for test, q in zip(found.discordance, p, strict=True))
    return found.model_copy(update={"discordance": tests})


def test_holm_over_readers_and_sides() -> None:
    # Two readers x (sensitivity, specificity): .01 x 4, .02 x 3, .03 x 2, .04 x 1, never falling.
    pairs = corrected([_pair((0.01, 0.03, 0.5), True), _pair((0.02, 0.04, 0.5), True)], "fresh")
    found = [[one.p_holm for one in pair.discordance] for pair in pairs]
    assert found[0] == [pytest.approx(0.04), pytest.approx(0.06), None]
    assert found[1] == [pytest.approx(0.06), pytest.approx(0.06), None]


def test_holm_over_pairs_of_networks_takes_accuracy() -> None:
    pairs = corrected([_pair((0.5, 0.5, 0.01), False), _pair((0.5, 0.5, 0.04), False)], "fresh")
    assert [pair.discordance[2].p_holm for pair in pairs] == pytest.approx([0.02, 0.04])
    assert pairs[0].discordance[0].p_holm is None


def test_another_centre_against_the_internal_one() -> None:
    one = items([1, 0, 1, 0, 1, 0, 1, 0], [1, 0, 1, 0, 1, 1, 0, 0])
    found = {contrast.metric: contrast for contrast in contrast_centers(one, {}, "home", sampling(one), "fresh")}
    assert found["accuracy"].difference.value == pytest.approx(-0.5)
    assert found["accuracy"].external == "away"
    assert found["accuracy"].p_holm == found["accuracy"].p
    assert list(contrast_centers(one.at(["home"]), {}, "home", sampling(one), "fresh")) == []


def test_rejection_by_hand() -> None:
    # Four known images, one of them rejected, one answered wrongly; two of none of the labels, one caught.
    reference = np.array([0, 0, 1, 1, REJECTED, REJECTED])
    called = np.array([0, REJECTED, 1, 0, REJECTED, 1])
    novelty = np.array([0.1, 0.6, 0.2, 0.3, 0.9, 0.3])
    images = Novel.of(np.arange(6), reference, called, novelty)
    one = items([0] * 6, [0] * 6)
    found = score_rejection(images, {"view": "ap"}, sampling(one))
    assert (found.known, found.other) == (4, 2)
    # Of 8 pairs the other image is the more novel one in 4 + 2, and once tied.
    assert found.auroc.value == pytest.approx(6.5 / 8)
    assert found.kept.value == pytest.approx(3 / 4)
    assert found.caught.value == pytest.approx(1 / 2)
    assert found.accuracy_of_kept.value == pytest.approx(2 / 3)
    assert found.accuracy_of_all.value == pytest.approx(2 / 4)
    known = score_rejection(images.where(images.known), {}, sampling(one))
    assert known.auroc.value is None
    assert known.caught.reason == "no image of none of the labels"


def test_a_perfect_reader_lies_on_the_corner() -> None:
    """The point of a reader, sensitivity 1 and specificity 1, is on the curve of a perfect network."""
    one = items([1, 0, 1, 0], [1, 0, 1, 0], [0.9, 0.1, 0.8, 0.2])
    network = replace(one, called=one.forced().called)
    pair = compare_predictions(Predicted("r", one, reader=True), Predicted("n", network), {}, sampling(one), "fresh")
    assert all(one.p == 1 for one in pair.discordance)
    assert pair.differences["recall of fresh"].value == 0
