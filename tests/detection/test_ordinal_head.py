"""Grades of severity from the manifest to the loss, and from the network to the findings."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Lesion
from spinedet.detection.assignment import Match
from spinedet.detection.batch import Batch, Detections, Targets, concatenate
from spinedet.detection.box_fusion import weighted_box_fusion
from spinedet.detection.boxes import limits
from spinedet.detection.dataset import Augmented, targets_on
from spinedet.detection.losses import WEIGHT_SEVERITY, MatchedPredictions, Prediction, batch_losses
from spinedet.detection.model_files import Model, PlaneDetector, load_model, save_model
from spinedet.detection.models import Detector, build
from spinedet.detection.models.dense_detector import Tokens
from spinedet.detection.models.ordinal_head import SeverityHead, expected_grade
from spinedet.detection.models.transformer import Map
from spinedet.detection.postprocess import findings
from spinedet.detection.settings import DenseConfig
from spinedet.detection.trainer import copy_matching_weights, train_plane
from spinedet.imaging.planes import SAGITTAL
from spinedet.imaging.settings import AugmentConfig
from spinedet.runs.run_folder import SHIPPED, open_run
from spinedet.training.samplers import Draw

from .conftest import MakeStudy
from .test_detectors import CARD, SHAPE, config_of, lesions
from .tiny import plan, settings

GRID = Grid((10, 40, 50), np.diag([4.0, 1.6, 1.6, 1.0]))
BOX = torch.tensor([[20.0, 30.0, 30.0, 8.0, 8.0, 8.0]])
GRADING = ["set that grades", "dense that grades"]


def targets(*severity: float) -> Targets:
    count = len(severity)
    labels, ignore = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.bool)
    return Targets(BOX.repeat(count, 1), labels, ignore, torch.tensor(severity))


def lesion_told(attributes: dict[str, Any]) -> Lesion:
    box = GRID.world(EdgeBox(np.array([1.0, 3, 5]), np.array([3.0, 7, 10])))
    return Lesion(id="1", series="s", category="d", box=box, attributes=attributes)


def network(variant: str) -> Detector:
    torch.manual_seed(0)
    return build(config_of(variant), CARD)


# From the manifest to the loss


def test_targets_take_numbers_and_leave_all_else_unknown() -> None:
    told: list[Any] = [{"severity": 2}, {"severity": 1.5}, {}, {"severity": None}, {"severity": "mild"}]
    read = targets_on(GRID, [lesion_told(one) for one in (*told, {"severity": True})], ("d",)).severity
    assert read[:2].tolist() == [2, 1.5]
    assert read[2:].isnan().all()


def test_targets_keep_grades_with_their_lesions() -> None:
    ignoring = replace(targets(1.0, 2.0, 3.0), ignore=torch.tensor([False, True, False]))
    assert ignoring.certain.severity.tolist() == [1, 3]
    assert ignoring.scaled(0.5).to("cpu").severity.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="flags and grades"):
        replace(ignoring, severity=torch.zeros(2))


def test_a_crop_keeps_the_grades_of_the_lesions_it_shows() -> None:
    places = torch.tensor([[20.0, 40.0 + 60 * row, 60, 20, 10, 20] for row in range(6)])
    three = torch.arange(6)
    whole = Targets(places, three * 0, three < 0, severity=three + 0.0)
    seen = Augmented(SAGITTAL, AugmentConfig(), seed=0)(torch.randn(1, 10, 260, 100), whole, Draw(0, 0)).targets
    assert 0 < len(seen.severity) < 6
    low, _ = limits(seen.boxes)
    # Whatever was turned, stretched and cut, lesions further down have the higher grades.
    assert seen.severity[low[:, 1].argsort()].tolist() == sorted(seen.severity.tolist())


def test_chances_are_ordered_and_their_sum_is_the_expected_grade() -> None:
    head = SeverityHead(channels=2, highest=3)
    assert head.cuts.tolist() == [-2, 0, 2]
    middle = head(torch.zeros(1, 2))
    assert expected_grade(middle).item() == pytest.approx(1.5)  # .88 + .5 + .12
    head.weight.data[:] = torch.tensor([[1.0, -1.0]])
    surer = head(torch.tensor([[5.0, 1.0]]))
    assert surer.tolist() == [[6, 4, 2]]
    assert (surer.diff() < 0).all()


def test_the_term_is_the_cross_entropy_of_being_above_each_grade() -> None:
    logits = torch.tensor([[3.0, -1.0], [0.0, 0.0], [9.0, 9.0]])
    match = Match(torch.tensor([0, 1]), torch.tensor([1, 0]))
    answer = MatchedPredictions(Prediction(BOX.repeat(3, 1), torch.zeros(3, 1), logits), targets(math.nan, 1.0), match)
    # The first prediction answers for the lesion of grade 1, above 0 and not above 1; of the other nothing is known.
    wanted = math.log1p(math.exp(-3)) + math.log1p(math.exp(-1))
    losses = batch_losses({"dense": [answer]})
    assert losses["dense/severity"].item() == pytest.approx(WEIGHT_SEVERITY * wanted, rel=1e-5)


def test_a_grade_between_two_is_its_own_best_answer() -> None:
    logits = torch.tensor([[20.0, 0.0]], requires_grad=True)
    match = Match(torch.tensor([0]), torch.tensor([0]))
    batch_losses({"p": [MatchedPredictions(Prediction(BOX, torch.zeros(1, 1), logits), targets(1.5), match)]})[
        "p/severity"
    ].backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6
    assert expected_grade(logits).item() == pytest.approx(1.5)


@pytest.mark.parametrize("variant", GRADING)
def test_without_a_known_grade_the_term_is_nothing(variant: str) -> None:
    unknown = replace(lesions(2), severity=torch.full((2,), math.nan))
    detector = network(variant)
    images = torch.randn(2, 1, *SHAPE)
    for pair in ((unknown, unknown), (lesions(0), lesions(0))):
        term = detector.losses(Batch(images, pair, Plane.SAGITTAL))["dense/severity"]
        term.backward()
        assert term.item() == 0


@pytest.mark.parametrize("told", ["mild", 4, -1, True])
def test_a_grade_that_the_model_does_not_know_is_refused(told: Any, make_study: MakeStudy, tmp_path: Path) -> None:
    first, *others = (make_study(name) for name in "abc")
    bad = first.lesions[0].model_copy(update={"attributes": {"severity": told}})
    made = plan([first.model_copy(update={"lesions": (bad,)}), *others], tmp_path)
    words = settings()
    graded = replace(words, model=replace(words.model, severity=3))
    with pytest.raises(InputError, match=r"study 'a', lesion '0', attributes\.severity: .* is no grade from 0 to 3"):
        train_plane(made, graded)


def test_no_model_has_fewer_than_no_grades() -> None:
    with pytest.raises(InputError, match=r"model\.severity=-1"):
        DenseConfig(severity=-1)


# What is not asked for is not there


@pytest.mark.parametrize("variant", GRADING)
def test_all_else_begins_and_answers_as_without_grades(variant: str) -> None:
    plain, graded = network(variant.split()[0]), network(variant)
    own, more = plain.state_dict(), graded.state_dict()
    assert set(more) - set(own) == {"dense.severity.weight", "dense.severity.cuts"}
    assert all(torch.equal(more[name], tensor) for name, tensor in own.items())
    images = torch.randn(1, 1, *SHAPE)
    batch = Batch(images, (lesions(2),), Plane.SAGITTAL)
    for each in (plain, graded):
        torch.manual_seed(2)  # denoising draws
        losses = each.losses(batch)
        if each is plain:
            first = losses
    assert set(losses) - set(first) == {"dense/severity"}
    assert all(torch.equal(losses[name], term) for name, term in first.items())
    one, two = (each.eval().detect(images)[0] for each in (plain, graded))
    assert torch.equal(one.boxes, two.boxes)
    assert torch.equal(one.scores, two.scores)
    assert one.severity is None
    assert two.severity is not None
    assert two.severity.shape == (len(two.boxes),)


def test_the_shipped_weights_know_nothing_of_grades() -> None:
    for detector in open_run(SHIPPED).model.detectors.values():
        assert not any("severity" in name for name in detector.network.state_dict())
        assert detector.network.detect(torch.randn(1, 1, *SHAPE))[0].severity is None


@pytest.mark.parametrize("variant", GRADING)
def test_weights_pass_between_models_with_and_without_grades(variant: str) -> None:
    plain, graded = network(variant.split()[0]), network(variant)
    assert copy_matching_weights(graded, plain).fresh == ("dense.severity.weight", "dense.severity.cuts")
    assert copy_matching_weights(plain, graded).fresh == ()


def test_the_number_of_grades_is_stored(tmp_path: Path) -> None:
    config = config_of("dense that grades")
    part = PlaneDetector(config, CARD, network("dense that grades").eval())
    save_model(tmp_path, Model("small", Region.LUMBAR, {Plane.SAGITTAL: part}))
    again = load_model(tmp_path).detectors[Plane.SAGITTAL]
    image = torch.randn(1, 1, *SHAPE)
    one, two = part.network.detect(image)[0], again.network.detect(image)[0]
    assert asdict(again.config)["severity"] == 3
    assert torch.equal(one.severity, two.severity)  # type: ignore[arg-type]  # this network grades


# From the network to the findings


def test_a_box_is_graded_by_the_tokens_that_lie_nearest_in_its_own_measure() -> None:
    # Two tokens within the box, one as near in mm, but beyond its thin side.
    positions = torch.tensor([[20.0, 30, 30], [20, 30, 40], [28, 30, 30]])
    logits = torch.tensor([[[2.0], [0.0], [-9.0]]])
    nothing = Map(torch.zeros(1, 1, 1, 1, 1), torch.ones(3), torch.zeros(3))
    tokens = Tokens(torch.zeros(1, 3, 1), BOX.repeat(3, 1)[None], torch.zeros(1, 3, 1), positions, nothing, logits)
    grades = tokens.grades(0, torch.tensor([[20.0, 30, 30, 4, 20, 40]]), 2)
    assert grades is not None
    assert grades.tolist() == pytest.approx([1 / (1 + math.exp(-1))])


def test_several_looks_grade_by_their_scores_and_strangers_to_grades_say_nothing() -> None:
    first = Detections(BOX, torch.tensor([[0.9]]), torch.tensor([1.0]))
    second = Detections(BOX, torch.tensor([[0.3]]), torch.tensor([3.0]))
    silent = Detections(BOX, torch.tensor([[0.6]]))
    both, one, none = (
        weighted_box_fusion(looks).severity for looks in ([first, second], [first, silent], [silent, silent])
    )
    assert both is not None
    assert one is not None
    assert both.tolist() == pytest.approx([(0.9 * 1 + 0.3 * 3) / 1.2])
    assert one.tolist() == pytest.approx([1.0])
    assert none is None
    away = replace(silent, boxes=BOX + 20)
    apart = weighted_box_fusion([first, away]).severity
    assert apart is not None
    assert apart.isnan().tolist() == [False, True]


def test_detections_keep_grades_with_their_boxes() -> None:
    every = concatenate([Detections(BOX, torch.ones(1, 1), torch.tensor([2.0])), Detections(BOX, torch.zeros(1, 1))])
    chosen = every.scaled(2).cpu().select(torch.tensor([True, False]))
    assert chosen.severity is not None
    assert chosen.severity.tolist() == [2]


def test_a_finding_tells_its_grade_only_where_there_is_one() -> None:
    two = Detections(BOX.repeat(2, 1), torch.tensor([[0.9], [0.8]]), torch.tensor([2.25, math.nan]))
    graded, unknown = findings(two, GRID, "s", ("d",), 0.1)
    (plain,) = findings(Detections(BOX, torch.tensor([[0.8]])), GRID, "s", ("d",), 0.1)
    assert graded.severity == 2.25
    assert json.loads(graded.model_dump_json())["severity"] == 2.25
    assert unknown.severity is None
    assert plain.model_dump_json() == unknown.model_dump_json()
    assert "severity" not in plain.model_dump(mode="json")
