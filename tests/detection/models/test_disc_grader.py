"""Crops that are turned with the spine, their order, and what the grader learns and says."""

from __future__ import annotations

import pytest
import torch

from spinedet.detection.batch import Structures
from spinedet.detection.models.base import ModelCard
from spinedet.detection.models.disc_grader import CROP, PITCH, CropReader, DiscGrader, directions, ordered
from spinedet.detection.settings import GraderConfig

CARD = ModelCard(("d",), (4.0, 1.6, 1.6), (4.0, 12.0, 36.0), structures=True, grades=("pfirrmann", "bulging"))
SMALL = GraderConfig(width=4, channels=8, heads=2, dropout=0.0)


def boxes(*centers: tuple[float, float]) -> torch.Tensor:
    return torch.tensor([[2.0, row, column, 4.0, 12.0, 36.0] for row, column in centers]).view(-1, 6)


def test_structures_are_ordered_upwards_and_padded() -> None:
    places = ordered([boxes((40, 80), (120, 80), (80, 80)), boxes((50, 80))], (1, 1))
    assert places.rows[0].tolist() == [1, 2, 0]
    assert places.boxes[0, :, 1].tolist() == [120, 80, 40]
    assert places.valid.tolist() == [[True, True, True], [True, False, False]]
    # In an axial stack slices run to the head.
    axial = torch.tensor([[8.0, 80, 80, 12, 30, 40], [40.0, 80, 80, 12, 30, 40]])
    assert ordered([axial], (0, -1)).rows.tolist() == [[0, 1]]


def test_directions_follow_the_spine_down() -> None:
    places = ordered([boxes((100, 40), (60, 80), (20, 120)), boxes((50, 80))], (1, 1))
    found = directions(places, (1, 1))
    assert found[0] == pytest.approx(torch.tensor([[0.7071, -0.7071]] * 3), abs=1e-4)
    assert found[1, 0].tolist() == [1.0, 0.0]


def test_a_turned_crop_shows_the_disc_level() -> None:
    # A bright band of slope 1 through the middle of the picture; the spine runs across it.
    row, column = torch.meshgrid(torch.arange(100.0), torch.arange(100.0), indexing="ij")
    image = ((row - column).abs() < 4).float().view(1, 1, 1, 100, 100)
    middle, step = 80.0, 20.0
    places = ordered([boxes((middle + step, middle - step), (middle, middle), (middle - step, middle + step))], (1, 1))
    crops = CropReader(CARD)(image, places, torch.tensor([1]), None)
    band = crops.images[0, 1, 1]
    assert band[CROP[0] // 2, 6:-6].min() > 0.9
    # Seven rows of 1.6 mm that a slope of 45 degrees cuts are 7.9 mm across, so many rows of the crop.
    assert band.mean(1).gt(0.5).sum() == pytest.approx(7 * 1.6 * 0.7071 / PITCH, abs=1)
    assert crops.seen[0].tolist() == [[False, True, False]] * 3


def test_slices_that_are_padding_are_not_read() -> None:
    places = ordered([boxes((80, 80)), boxes((80, 80))], (1, 1))
    crops = CropReader(CARD)(torch.randn(2, 1, 3, 100, 100), places, torch.tensor([3, 1]), None)
    assert crops.seen.tolist() == [[[False, True, True]], [[False, True, False]]]


def test_what_is_not_known_is_not_asked() -> None:
    grader = DiscGrader(SMALL, CARD)
    nothing = torch.nan
    structures = Structures(
        boxes((120, 80), (80, 80), (40, 80)),
        torch.tensor([[1.0], [0.0], [1.0]]),
        torch.tensor([False, False, True]),
        torch.tensor([[4.0, 1, nothing, nothing], [nothing, 0, nothing, nothing], [5.0, 1, nothing, nothing]]),
    )
    places = ordered([structures.boxes], (1, 1))
    logits = torch.zeros(1, 3, 6)
    losses = grader.losses(logits, places, [structures])
    told = {name: float(value) for name, value in losses.items()}
    one = pytest.approx(0.6931, abs=1e-3)  # log 2, of one answer; Pfirrmann has four
    assert told == {
        "grader/lesion": one,
        "grader/pfirrmann": pytest.approx(4 * 0.6931, abs=4e-3),
        "grader/bulging": one,
    }
    sure = logits.clone()
    # Grade 4 is above 1, 2 and 3 and not above 4; the ignored structure may say what it likes.
    sure[0, 0] = torch.tensor([20.0, 20, 20, 20, -20, 20])
    sure[0, 1] = torch.tensor([-20.0, 0, 0, 0, 0, -20])
    sure[0, 2] = torch.tensor([-20.0, -20, -20, -20, -20, -20])
    assert sum(float(value) for value in grader.losses(sure, places, [structures]).values()) < 1e-6


def test_grades_are_expected_grades() -> None:
    logits = torch.tensor([[20.0, 20, 20, 0, -20, -20]])
    lesion, grades = DiscGrader(SMALL, CARD).graded(logits)
    assert lesion[0, 0] == pytest.approx(1.0)
    assert grades[0].tolist() == pytest.approx([3.5, 0.0], abs=1e-4)


def test_a_scan_without_structures_teaches_nothing_and_breaks_nothing() -> None:
    torch.manual_seed(0)
    grader = DiscGrader(SMALL, CARD)
    structures = [
        Structures(boxes((80, 80), (40, 80)), torch.ones(2, 1), torch.zeros(2, dtype=torch.bool), torch.ones(2, 4)),
        Structures.empty(1, 4),
    ]
    places = ordered([each.boxes for each in structures], (1, 1))
    logits = grader(torch.randn(2, 1, 1, 100, 100), places, torch.tensor([1, 1]))
    torch.stack(list(grader.losses(logits, places, structures).values())).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in grader.parameters())


def test_views_are_averaged_and_follow_the_box() -> None:
    torch.manual_seed(0)
    grader = DiscGrader(SMALL, CARD).eval()
    image, depths = torch.randn(1, 1, 1, 100, 100), torch.tensor([1])
    places = ordered([boxes((60, 80), (90, 80))], (1, 1))
    plain, mean = grader(image, places, depths), grader.over_views(image, places, depths)
    assert mean.shape == plain.shape
    assert not torch.allclose(mean, plain)
    assert torch.equal(mean, grader.over_views(image, places, depths))
    # On an image without any structure all views are alike.
    flat = torch.zeros_like(image)
    assert torch.allclose(grader.over_views(flat, places, depths), grader(flat, places, depths), atol=1e-6)
