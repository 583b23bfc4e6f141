"""Prepared scans, their targets in mm, and the order in which they are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Lesion, Negative
from spinedet.detection.batch import Detections, Structures, Targets
from spinedet.detection.boxes import limits
from spinedet.detection.dataset import (
    Augmented,
    Example,
    TrainingScans,
    TuningScans,
    collate,
    prepare_scans,
    read_prepared,
    read_series,
    structures_on,
    targets_on,
)
from spinedet.detection.postprocess import findings
from spinedet.imaging.planes import AXIAL, SAGITTAL, SCALES
from spinedet.imaging.settings import AugmentConfig
from spinedet.training.samplers import Draw, EpochSampler, Share
from tests.detection.conftest import MakeStudy

CATEGORIES = ("degeneration",)
GRADED_GRID = Grid((10, 40, 50), np.diag([4.0, 1.6, 1.6, 1.0]))


def test_targets_are_mm_from_the_outer_corner() -> None:
    # Voxels of 4 x 2 x 1 mm; a box over voxels 1..2, 3..6, 5..9 covers edges 4-12, 6-14, 5-10 mm.
    grid = Grid((10, 20, 30), np.diag([4.0, 2.0, 1.0, 1.0]))
    box = grid.world(EdgeBox(np.array([1.0, 3, 5]), np.array([3.0, 7, 10])))
    lesion = Lesion(id="1", series="s", category="degeneration", box=box)
    assert targets_on(grid, [lesion], CATEGORIES).boxes.tolist() == [[8, 10, 7.5, 8, 8, 5]]


def test_no_lesion_gives_empty_targets() -> None:
    targets = targets_on(Grid((2, 2, 2), np.eye(4)), [], CATEGORIES)
    assert targets.boxes.shape == (0, 6)


def test_a_prepared_scan_shows_the_lesion_where_its_target_is(make_study: MakeStudy, tmp_path: Path) -> None:
    scan = prepare_scans([make_study("a")], SAGITTAL, tmp_path / "cache", 1).scans[0]
    image, target = scan.image()[0], scan.targets(CATEGORIES).boxes[0]
    spacing = torch.tensor(SAGITTAL.spacing)
    low, high = (
        ((target[:3] - target[3:] / 2) / spacing).round().int(),
        ((target[:3] + target[3:] / 2) / spacing).round().int(),
    )
    inside = image[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
    assert inside.numel() == 15 * 8 * 4
    assert inside.mean() > image.mean() + 2
    assert image.numel() == 40 * 60 * 8


def test_a_neck_is_seen_larger_and_its_findings_come_back_to_size(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study("a").model_copy(update={"region": Region.CERVICAL})
    scan = prepare_scans([study], SAGITTAL, tmp_path / "cache", 1).scans[0]
    lumbar = prepare_scans([make_study("a")], SAGITTAL, tmp_path / "lumbar", 1).scans[0]
    scale = SCALES[Region.CERVICAL]
    assert scan.grid.spacing == pytest.approx(scale * np.array(SAGITTAL.spacing))
    target, plain = (one.targets(CATEGORIES).boxes for one in (scan, lumbar))
    assert target[0, 3:] * scale == pytest.approx(plain[0, 3:])
    found = findings(Detections(target, torch.ones(1, 1)).scaled(scan.scale), scan.grid, "s", CATEGORIES, 0.5)
    assert found[0].box.center == pytest.approx(study.lesions[0].box.center, abs=1e-4)
    assert found[0].box.size == pytest.approx(study.lesions[0].box.size, abs=1e-4)


def test_a_broken_study_is_skipped_with_its_reason(make_study: MakeStudy, tmp_path: Path) -> None:
    good, bad = make_study("good"), make_study("bad")
    bad.series[0].path.write_bytes(b"no image")
    prepared = prepare_scans([bad, good], SAGITTAL, tmp_path / "cache", 2)
    assert [scan.study for scan in prepared.scans] == ["good"]
    assert str(bad.series[0].path) in prepared.skipped["bad"]


def test_an_image_that_was_changed_is_refused(make_study: MakeStudy) -> None:
    study = make_study("a")
    (series,) = study.series
    right, wrong = (series.model_copy(update={"sha256": value}) for value in (sha256(series.path), "0" * 64))
    assert read_series(right).grid.shape == read_series(series).grid.shape
    with pytest.raises(InputError, match="is not the image that the manifest means"):
        read_series(wrong)


def test_a_box_outside_its_image_is_refused(make_study: MakeStudy) -> None:
    study = make_study("a")
    lesion = study.lesions[0]
    away = lesion.model_copy(update={"box": lesion.box.model_copy(update={"center": (500.0, 0.0, 0.0)})})
    with pytest.raises(InputError, match=r"lesion '0' \(study 'a'\) lies outside the image"):
        read_prepared(study.model_copy(update={"lesions": (away,)}), study.series[0], SAGITTAL)


def test_series_of_other_planes_and_weightings_are_left_alone(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study("a")
    t1 = study.model_copy(update={"series": (study.series[0].model_copy(update={"weighting": "T1"}),)})
    assert prepare_scans([study], AXIAL, tmp_path / "cache", 1).scans == ()
    assert prepare_scans([t1], SAGITTAL, tmp_path / "cache", 1).scans == ()


def test_an_epoch_draws_every_scan_once_in_an_order_of_its_own() -> None:
    sampler = EpochSampler(20, 3, Share(2))
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(draw.index for draw in first) == list(range(20))
    assert [d.index for d in first] != [d.index for d in second]
    again = EpochSampler(20, 3, Share(2))
    again.set_epoch(1)
    assert list(again) == second


def test_an_example_is_fixed_by_seed_epoch_and_index(make_study: MakeStudy, tmp_path: Path) -> None:
    scans = prepare_scans([make_study("a")], SAGITTAL, tmp_path / "cache", 1).scans
    examples = TrainingScans(scans, CATEGORIES, Augmented(SAGITTAL, AugmentConfig(), seed=1))
    one, same, other = (examples.request(draw).example() for draw in (Draw(0, 0), Draw(0, 0), Draw(1, 0)))
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1].boxes, same[1].boxes)
    assert not torch.equal(one[0], other[0])
    assert one[0].shape == (1, *SAGITTAL.crop_shape)


def test_tuning_scans_are_whole_and_unchanged(make_study: MakeStudy, tmp_path: Path) -> None:
    scans = prepare_scans([make_study("a")], SAGITTAL, tmp_path / "cache", 1).scans
    batch = collate([TuningScans(scans, CATEGORIES)[0]])
    assert torch.equal(batch.images[0], scans[0].image())
    assert len(batch.targets[0].boxes) == 1


def test_structures_are_lesions_and_negatives_with_their_grades() -> None:
    grid = Grid((10, 20, 30), np.diag([4.0, 2.0, 1.0, 1.0]))
    first, second, third = (
        grid.world(EdgeBox(np.array([1.0, 3 + n, 5]), np.array([3.0, 4 + n, 10]))) for n in range(3)
    )
    lesions = [
        Lesion(id="1", series="s", category="bulge", box=first, attributes={"pfirrmann": 4, "herniation": 3.5}),
        Lesion(id="2", series="s", category="stenosis", box=first, attributes={"bulging": 1}),
        Lesion(id="3", series="s", category="bulge", box=second, ignore=True),
    ]
    sound = Negative(series="s", box=third, attributes={"pfirrmann": "2", "narrowing": 0, "bulging": None})
    found = structures_on(grid, lesions, [sound], ("bulge", "stenosis"))
    assert found.lesion.tolist() == [[1, 1], [0, 0], [0, 0]]
    assert found.ignore.tolist() == [False, True, False]
    assert found.boxes[0].tolist() == [8, 7, 7.5, 8, 2, 5]
    # Pfirrmann, bulging, herniation (a reach of 3.5 mm is present), narrowing.
    assert found.grades[0].tolist()[:3] == [4, 1, 1]
    assert found.grades[2].isnan().tolist()[1:] == [True, True, False]


def test_thin_images_are_thickened_with_what_reaches_their_last_slice() -> None:
    boxes = torch.tensor([[4.0, 20, 20, 8, 10, 10], [2.0, 40, 20, 4, 10, 10]])
    flags = torch.zeros(2, dtype=torch.bool)
    structures = Structures(boxes, torch.ones(2, 1), flags, torch.ones(2, 4))
    targets = Targets(boxes, torch.zeros(2, dtype=torch.long), flags, structures=structures)
    image = torch.randn(1, 2, 8, 8)
    nothing = Targets(boxes[:0], torch.zeros(0, dtype=torch.long), flags[:0])
    thick = Example(torch.randn(1, 5, 8, 8), nothing, Plane.SAGITTAL, 4.0)
    batch = collate([Example(image, targets, Plane.SAGITTAL, 4.0), thick])
    assert batch.images.shape == (2, 1, 5, 8, 8)
    assert batch.depths == (2, 5)
    assert torch.equal(batch.images[0, 0, 2:], image[0, 1:].expand(3, 8, 8))
    # The first box fills both slices of 4 mm, so all five; the second ends within the first slice.
    for found in (batch.targets[0].boxes, batch.targets[0].structures.boxes):
        assert found[:, [0, 3]].tolist() == [[10.0, 20.0], [2.0, 4.0]]
    alone = collate([Example(image[:, :1], targets, Plane.SAGITTAL, 4.0)])
    assert alone.images.shape[2] == 3


def lesion_told(attributes: dict[str, Any]) -> Lesion:
    box = GRADED_GRID.world(EdgeBox(np.array([1.0, 3, 5]), np.array([3.0, 7, 10])))
    return Lesion(id="1", series="s", category="d", box=box, attributes=attributes)


def test_targets_take_numbers_and_leave_all_else_unknown() -> None:
    told: list[Any] = [{"severity": 2}, {"severity": 1.5}, {}, {"severity": None}, {"severity": "mild"}]
    read = targets_on(GRADED_GRID, [lesion_told(one) for one in (*told, {"severity": True})], ("d",)).severity
    assert read[:2].tolist() == [2, 1.5]
    assert read[2:].isnan().all()


def test_a_crop_keeps_the_grades_of_the_lesions_it_shows() -> None:
    places = torch.tensor([[20.0, 40.0 + 60 * row, 60, 20, 10, 20] for row in range(6)])
    three = torch.arange(6)
    whole = Targets(places, three * 0, three < 0, severity=three + 0.0)
    seen = Augmented(SAGITTAL, AugmentConfig(), seed=0)(torch.randn(1, 10, 260, 100), whole, Draw(0, 0)).targets
    assert 0 < len(seen.severity) < 6
    low, _ = limits(seen.boxes)
    # Whatever was turned, stretched and cut, lesions further down have the higher grades.
    assert seen.severity[low[:, 1].argsort()].tolist() == sorted(seen.severity.tolist())
