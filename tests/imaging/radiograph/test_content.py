"""Images that are no radiograph of a spine are told from those that are, by their pixels alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spinedet.core.radiograph import VIEWS
from spinedet.imaging.radiograph.checks import Expected, check_radiograph
from spinedet.imaging.radiograph.content import CLASSES, FOREIGN, shipped_content_classifier
from spinedet.imaging.radiograph.convolution import convolved
from spinedet.imaging.radiograph.read import prepare, read_radiograph
from spinedet.imaging.radiograph.records import RadiographImage, StoredRadiograph
from spinedet.imaging.suitability import InputCheck, Suitability
from spinedet.simulation.centers import CENTERS as SCANNERS
from spinedet.simulation.radiograph.cohort import draw_radiograph_study
from spinedet.simulation.radiograph.foreign import draw_hand, draw_limb, draw_photograph, draw_screenshot
from spinedet.simulation.radiograph.settings import RadiographCohort
from spinedet.simulation.study import draw_study

from .films import Film, save

BOTH = Expected(tuple(VIEWS))
COUNT = 8


def content(image: RadiographImage, expected: Expected = BOTH) -> list[InputCheck]:
    checks = check_radiograph(image, expected, shipped_content_classifier()(image))
    return [check for check in checks if check.question == "content"]


def drawn(kind: str) -> list[Film]:
    """Images of a kind, of a seed that taught nothing."""
    rng = np.random.default_rng(7)
    if kind == "mri":
        stack = draw_study(SCANNERS["A"], 3, 7).images[0].astype(np.float32)
        middle = stack.shape[2] // 2
        slices = [stack[:, :, middle + offset].T[::-1] for offset in range(-COUNT // 2, COUNT // 2)]
        return [np.clip(piece / np.percentile(piece, 99), 0, 1) for piece in slices]
    draw = {"hand": draw_hand, "limb": draw_limb, "photograph": draw_photograph, "screenshot": draw_screenshot}[kind]
    return [draw(300, rng) for _ in range(COUNT)]


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("kind", ["hand", "limb", "mri", "photograph", "screenshot"])
def test_what_is_no_radiograph_of_a_spine_is_rejected_with_its_kind(tmp_path: Path, kind: str, ending: str) -> None:
    words = FOREIGN["limb" if kind == "hand" else kind]
    found = [content(read_radiograph(save(tmp_path / f"a.{ending}", picture))) for picture in drawn(kind)]
    rejected = [one[0] for one in found if one and one[0].suitability is Suitability.REJECTED]
    assert len(rejected) >= COUNT - 1
    reason = f"the pixels show none of the views (it looks like {words})"
    assert sum(check.reason == reason for check in rejected) >= COUNT - 2


@pytest.mark.parametrize("task", ["implants", "scoliosis", "fractures"])
def test_simulated_radiographs_of_every_centre_stay(task: str) -> None:
    label = {"implants": "B", "scoliosis": "fusion", "fractures": "fresh"}[task]
    cohort = RadiographCohort(task=task, seed=7, pixels=256)
    for center in "ABCR":
        for image in draw_radiograph_study(cohort, label, center, 5).images:
            read = prepare(StoredRadiograph(image.pixels.astype(np.float32)), "drawn")
            assert content(read) == []
            assert shipped_content_classifier()(read).name == image.view.name


def test_a_doubt_instead_where_that_is_wanted() -> None:
    (hand,) = drawn("hand")[:1]
    (check,) = content(prepare(StoredRadiograph(hand), "hand"), Expected(BOTH.views, foreign=Suitability.DOUBTFUL))
    assert check.suitability is Suitability.DOUBTFUL


def test_real_mri_slices(tmp_path: Path) -> None:
    folder = Path(os.environ.get("SPINEDET_REAL_DATA", "absent")) / "midslices"
    if not folder.is_dir():
        pytest.skip("needs the middle slices of SPIDER under SPINEDET_REAL_DATA")
    paths = [*sorted((folder / "t2").glob("*.png"))[:20], *sorted((folder / "t1").glob("*.png"))[:20]]
    assert sum(bool(content(read_radiograph(path))) for path in paths) >= 0.9 * len(paths)


def test_probabilities() -> None:
    share = shipped_content_classifier().probabilities(np.full((64, 64), 0.5, np.float32))
    assert share.shape == (len(CLASSES),)
    assert share.sum() == pytest.approx(1)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 4)])
def test_convolutions_are_those_of_torch(stride: int, dilation: int) -> None:
    rng = np.random.default_rng(0)
    x, kernel, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((3, 16, 16), (5, 3, 3, 3), (5,)))
    theirs = F.conv2d(*map(torch.from_numpy, (x[None], kernel, bias)), stride, dilation, dilation)[0].numpy()
    assert np.abs(convolved(x, kernel, bias, stride, dilation) - theirs).max() < 1e-4
