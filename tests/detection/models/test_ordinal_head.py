"""Ordered chances of grades, and networks with and without a head for them."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.detection.batch import Batch
from spinedet.detection.model_files import Model, PlaneDetector, load_model, save_model
from spinedet.detection.models.ordinal_head import SeverityHead, expected_grade
from spinedet.detection.settings import DenseConfig
from spinedet.runs.run_folder import SHIPPED, open_run

from .test_detectors import CARD, GRADING, SHAPE, config_of, lesions, seeded


def test_chances_are_ordered_and_their_sum_is_the_expected_grade() -> None:
    head = SeverityHead(channels=2, highest=3)
    assert head.cuts.tolist() == [-2, 0, 2]
    middle = head(torch.zeros(1, 2))
    assert expected_grade(middle).item() == pytest.approx(1.5)  # .88 + .5 + .12
    head.weight.data[:] = torch.tensor([[1.0, -1.0]])
    surer = head(torch.tensor([[5.0, 1.0]]))
    assert surer.tolist() == [[6, 4, 2]]
    assert (surer.diff() < 0).all()


@pytest.mark.parametrize("variant", GRADING)
def test_without_a_known_grade_the_term_is_nothing(variant: str) -> None:
    unknown = replace(lesions(2), severity=torch.full((2,), math.nan))
    detector = seeded(variant)
    images = torch.randn(2, 1, *SHAPE)
    for pair in ((unknown, unknown), (lesions(0), lesions(0))):
        term = detector.losses(Batch(images, pair, Plane.SAGITTAL))["dense/severity"]
        term.backward()
        assert term.item() == 0


def test_no_model_has_fewer_than_no_grades() -> None:
    with pytest.raises(InputError, match=r"model\.severity=-1"):
        DenseConfig(severity=-1)


@pytest.mark.parametrize("variant", GRADING)
def test_all_else_begins_and_answers_as_without_grades(variant: str) -> None:
    plain, graded = seeded(variant.split()[0]), seeded(variant)
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


def test_the_number_of_grades_is_stored(tmp_path: Path) -> None:
    config = config_of("dense that grades")
    part = PlaneDetector(config, CARD, seeded("dense that grades").eval())
    save_model(tmp_path, Model("small", Region.LUMBAR, {Plane.SAGITTAL: part}))
    again = load_model(tmp_path).detectors[Plane.SAGITTAL]
    image = torch.randn(1, 1, *SHAPE)
    one, two = part.network.detect(image)[0], again.network.detect(image)[0]
    assert asdict(again.config)["severity"] == 3
    assert torch.equal(one.severity, two.severity)  # type: ignore[arg-type]  # this network grades
