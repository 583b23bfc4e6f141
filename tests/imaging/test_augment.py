"""Boxes go where the lesion goes; everything else changes intensities only."""

import dataclasses

import pytest
import torch
from omegaconf import OmegaConf
from torch import Generator, Tensor

from spinedet.core.errors import InputError
from spinedet.imaging.augment import _Bend, _map_boxes, _Placement, _unbend, _warp, augment, crop, slab
from spinedet.imaging.planes import AXIAL, SAGITTAL, PlaneSpec
from spinedet.imaging.settings import AugmentConfig

SHAPE = (12, 80, 64)
OFF = AugmentConfig(**{f.name: 0.0 for f in dataclasses.fields(AugmentConfig) if f.name.endswith("_probability")})
BOX = torch.tensor([[3.0, 20, 30, 7, 34, 48]])
NO_BOXES = torch.zeros(0, 6)


def only(**changes: float) -> AugmentConfig:
    return dataclasses.replace(OFF, **changes)


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def scene() -> Tensor:
    """(1, *SHAPE), smooth tissue above air at -1."""
    image = torch.rand(1, *SHAPE, generator=seeded(0))
    image[:, :, :, :4] = -1.0
    return image


def ellipsoid(box: Tensor) -> Tensor:
    """(1, *SHAPE): 1 where a voxel's centre is in the ellipsoid inscribed in the box."""
    low, high = box[:3], box[3:]
    axes = torch.meshgrid(*(torch.arange(n) + 0.5 for n in SHAPE), indexing="ij")
    offset = (torch.stack(axes, dim=-1) - (low + high) / 2) / ((high - low) / 2)
    return (offset.square().sum(dim=-1) <= 1).float()[None]


def bounds(mask: Tensor) -> Tensor:
    index = mask[0].nonzero()
    return torch.cat([index.amin(dim=0), index.amax(dim=0) + 1]).float()


@pytest.mark.parametrize("spec", [SAGITTAL, AXIAL], ids=["sagittal", "axial"])
def test_the_flip_swaps_left_and_right(spec: PlaneSpec) -> None:
    mask = torch.zeros(1, *SHAPE)
    mask[:, 3:7, 20:34, 30:48] = 1
    image, boxes = augment(mask, BOX, spec, only(flip_probability=1.0), seeded(0))
    assert torch.equal(boxes[0], bounds(image > 0.5))
    axis = spec.left_right_axis
    expected = BOX.clone()
    expected[0, axis], expected[0, 3 + axis] = SHAPE[axis] - BOX[0, 3 + axis], SHAPE[axis] - BOX[0, axis]
    assert torch.equal(boxes, expected)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("spec", [SAGITTAL, AXIAL, dataclasses.replace(SAGITTAL, spacing=(4.0, 1.2, 1.8))])
def test_boxes_follow_the_lesion_through_flip_and_affine(spec: PlaneSpec, seed: int) -> None:
    config = only(flip_probability=0.5, affine_probability=1.0, rotation_degrees=30.0)
    image, boxes = augment(ellipsoid(BOX[0]), BOX, spec, config, seeded(seed))
    assert (boxes[0] - bounds(image > 0.5)).abs().max() < 1.0
    assert boxes[0, 3] - boxes[0, 0] == 4, "the slice axis is never scaled"


def test_a_shift_moves_pixels_and_boxes_by_the_same_millimetres() -> None:
    still = {"rotation_degrees": 0.0, "log_scale": 0.0, "log_anisotropy": 0.0, "shear": 0.0}
    config = only(affine_probability=1.0, translation_mm=16.0, **still)
    image, boxes = augment(ellipsoid(BOX[0]), BOX, SAGITTAL, config, seeded(4))
    shift = boxes - BOX
    assert shift[0, 1] == pytest.approx(float(shift[0, 4]), abs=1e-4)
    assert 0 < shift.abs().max() <= 16.0 / 1.6
    assert (boxes[0] - bounds(image > 0.5)).abs().max() < 1.0


def test_a_turn_by_90_degrees_swaps_sides_in_mm() -> None:
    """Half turns and more are no augmentation, but show by hand that turning is rigid in mm."""
    pixel = torch.tensor([1.0, 2.0])
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]]) * pixel / pixel[:, None]
    # 80 x 64 pixels of 1 x 2 mm; the box is 20 x 20 mm in the plane, its centre 10 mm right of the middle.
    box = torch.tensor([[0.0, 30, 32, 1, 50, 42]])
    mapped = _map_boxes(box, _Placement(turn, torch.zeros(2)), torch.Size((1, 1, 80, 64)))
    # Turned: 10 mm above the middle (rows), still 20 x 20 mm: rows 40 - 10 -+ 10, columns 32 -+ 5.
    assert mapped[0].tolist() == pytest.approx([0, 20, 27, 1, 40, 37])


def test_turning_does_not_inflate_boxes() -> None:
    angle = torch.tensor(torch.pi / 4)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    box = torch.tensor([[0.0, 30, 22, 1, 50, 42]])
    mapped = _map_boxes(box, _Placement(turn, torch.zeros(2)), torch.Size((1, 1, 80, 64)))
    assert mapped[0].tolist() == pytest.approx(box[0].tolist(), abs=1e-4), "a circle turned is the same circle"


STEP = torch.tensor([20.0, 16.0])


def bend_of(*displacement: float) -> _Bend:
    """Every knot displaced alike: a shift."""
    return _Bend(torch.tensor(displacement).expand(7, 7, 2), STEP)


def folding_most(limit: float) -> _Bend:
    """Knots at the limit, signed so that rows and columns together change fastest just beside the middle knot."""
    sign = torch.ones(7, 7)
    sign[3:] *= -1
    sign[:, 3:] *= -1
    sign[2:5, 2:5] = torch.tensor([[1.0, 1, 1], [1, 1, -1], [1, -1, -1]])
    return _Bend(limit * STEP * torch.stack([sign, sign], dim=-1), STEP)


@pytest.mark.parametrize("affine", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spec", [SAGITTAL, AXIAL, dataclasses.replace(SAGITTAL, spacing=(4.0, 1.2, 1.8))])
def test_boxes_follow_the_lesion_through_a_bend(spec: PlaneSpec, seed: int, affine: float) -> None:
    config = only(affine_probability=affine, elastic_probability=1.0, elastic_mm=12.0)
    mask = ellipsoid(BOX[0])
    image, boxes = augment(mask, BOX, spec, config, seeded(seed))
    assert (image - mask).abs().max() > 0.5
    assert (boxes[0] - bounds(image > 0.5)).abs().max() < 1.0
    assert boxes[0, [0, 3]].tolist() == [3, 7], "slices bend alike"


def test_a_bend_by_the_same_everywhere_is_a_shift() -> None:
    placement = _Placement(torch.eye(2), torch.zeros(2), bend_of(3.0, -2.0))
    assert _map_boxes(BOX, placement, torch.Size((1, *SHAPE)))[0].tolist() == pytest.approx([3, 17, 32, 7, 31, 50])
    assert torch.allclose(_warp(scene(), placement)[..., :-3, 2:], scene()[..., 3:, :-2], atol=1e-4)


def test_bend_and_affine_are_sampled_once() -> None:
    """Half a pixel there and back: sampled twice it would be blurred."""
    placement = _Placement(torch.eye(2), torch.full((2,), 0.5), bend_of(0.5, 0.5))
    assert torch.allclose(_warp(scene(), placement), scene(), atol=1e-4)
    assert torch.allclose(_map_boxes(BOX, placement, torch.Size((1, *SHAPE))), BOX, atol=1e-4)


def test_the_strongest_bend_neither_folds_nor_defeats_its_inversion() -> None:
    bend, places = (
        folding_most(0.25),
        torch.meshgrid(torch.arange(0, 80, 0.25), torch.arange(0, 64, 0.25), indexing="ij"),
    )
    points = torch.stack(places, dim=-1).reshape(-1, 2)

    def change(axis: int) -> Tensor:
        step = torch.eye(2)[axis] * 0.01
        return (bend.at(points + step) - bend.at(points - step)) / 0.02

    down, across = change(0), change(1)
    in_steps = torch.stack([down[:, 0], across[:, 0] * STEP[1] / STEP[0]]).abs().sum(0)
    assert 0.45 < in_steps.max() < 0.25 * 2.0464 + 1e-3, "as steep as it gets"
    assert ((1 + down[:, 0]) * (1 + across[:, 1]) - down[:, 1] * across[:, 0]).min() > 0
    found = _unbend(points, bend)
    assert (found + bend.at(found) - points).abs().max() < 0.03


def test_a_bend_that_would_fold_is_refused() -> None:
    with pytest.raises(InputError, match=r"elastic_mm=13\.0 must be from 0 to a quarter"):
        AugmentConfig(elastic_mm=13.0)


def test_an_elastic_bend_that_is_off_throws_no_dice() -> None:
    used, same = seeded(0), seeded(0)
    augment(scene(), BOX, SAGITTAL, OFF, used)
    for _ in range(8):  # the other variations
        torch.rand((), generator=same)
    assert torch.equal(used.get_state(), same.get_state())


def test_nothing_switched_on_changes_nothing() -> None:
    image, boxes = augment(scene(), BOX, SAGITTAL, OFF, seeded(0))
    assert torch.allclose(image, scene(), atol=1e-6)
    assert torch.equal(boxes, BOX)


@pytest.mark.parametrize("name", ["contrast", "bias", "noise", "blur", "slice_drop", "slice_gain"])
def test_looks_change_and_boxes_do_not(name: str) -> None:
    before = scene()
    image, boxes = augment(before, BOX, SAGITTAL, only(**{f"{name}_probability": 1.0}), seeded(1))
    assert torch.equal(boxes, BOX)
    assert image.shape == before.shape
    assert image.dtype == torch.float32
    assert torch.isfinite(image).all()
    assert (image - before).abs().mean() > 1e-3
    assert torch.equal(before, scene()), "the example itself is left as it is"


def test_contrast_never_inverts() -> None:
    ramp = torch.linspace(-1, 3, 2 * 8 * 8).reshape(1, 2, 8, 8)
    for seed in range(20):
        image, _ = augment(ramp, NO_BOXES, SAGITTAL, only(contrast_probability=1.0), seeded(seed))
        assert (image.flatten().diff() >= 0).all()


def test_bias_and_gains_leave_air_alone() -> None:
    config = only(bias_probability=1.0, slice_gain_probability=1.0)
    image, _ = augment(scene(), NO_BOXES, SAGITTAL, config, seeded(2))
    assert torch.allclose(image[..., :4], torch.tensor(-1.0))


def test_noise_only_adds_signal_to_air() -> None:
    image, _ = augment(scene(), NO_BOXES, SAGITTAL, only(noise_probability=1.0), seeded(3))
    assert (image[..., :4] >= -1).all(), "magnitudes are not negative"


def test_a_dropped_slice_is_its_neighbours_mean() -> None:
    before = scene()
    image, _ = augment(before, NO_BOXES, SAGITTAL, only(slice_drop_probability=1.0), seeded(5))
    changed = [k for k in range(SHAPE[0]) if not torch.allclose(image[0, k], before[0, k], atol=1e-6)]
    assert len(changed) == 1
    k = changed[0]
    assert torch.allclose(image[0, k], (before[0, max(k - 1, 0)] + before[0, min(k + 1, 11)]) / 2, atol=1e-6)


def test_blur_keeps_the_mean_of_each_slice() -> None:
    before = scene()
    image, _ = augment(before, NO_BOXES, SAGITTAL, only(blur_probability=1.0), seeded(6))
    assert torch.allclose(image.mean(dim=(2, 3)), before.mean(dim=(2, 3)), atol=0.02)
    assert image[..., 4:].std() < before[..., 4:].std()


def test_one_seed_is_one_variation() -> None:
    first, second, other = (augment(scene(), BOX, SAGITTAL, AugmentConfig(), seeded(s)) for s in (7, 7, 8))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])


def test_a_scan_without_lesions_is_fine() -> None:
    image, boxes = augment(scene(), NO_BOXES, SAGITTAL, AugmentConfig(elastic_probability=1.0), seeded(9))
    cut = crop(image, boxes, (8, 64, 64), seeded(9))
    assert boxes.shape == (0, 6)
    assert cut.boxes.shape == (0, 6)
    assert cut.kept.shape == cut.ignore.shape == (0,)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(8, 64, 48), (16, 96, 80), (12, 64, 80), SHAPE])
def test_a_crop_carries_its_boxes_along(shape: tuple[int, int, int], seed: int) -> None:
    mask = torch.zeros(1, *SHAPE)
    mask[:, 3:7, 20:34, 30:48] = 1
    cut = crop(mask, BOX, shape, seeded(seed))
    assert cut.image.shape == (1, *shape)
    assert bool(cut.kept[0]) == bool(cut.image.any())
    for box in cut.boxes:
        assert torch.equal(box, bounds(cut.image))


def test_padding_looks_like_the_darkest_voxel() -> None:
    cut = crop(scene(), NO_BOXES, (20, 80, 64), seeded(0))
    assert int((cut.image.amax(dim=(0, 2, 3)) == -1).sum()) == 8


def test_a_lesion_cut_to_under_half_is_ignored() -> None:
    image = torch.zeros(1, 1, 20, 20)
    # Rows are cut by one amount at random, the boxes' rows differ: read the start off a marker.
    image[0, 0, :, 0] = torch.arange(20)
    boxes = torch.tensor([[0.0, r, 2, 1, r + 4, 8] for r in range(16)])
    cut = crop(image, boxes, (1, 10, 20), seeded(3))
    start = int(cut.image[0, 0, 0, 0])
    assert 0 < start < 10
    left = [min(r + 4, start + 10) - max(r, start) for r in range(16)]
    assert cut.kept.tolist() == [rows > 0 for rows in left]
    # Half of four rows is enough only when the centre is inside; at the far edge it is just outside.
    expected = [rows < 2 or not start <= r + 2 < start + 10 for r, rows in enumerate(left) if rows > 0]
    assert cut.ignore.tolist() == expected
    assert (cut.boxes[:, 1] >= 0).all()
    assert (cut.boxes[:, 4] <= 10).all()


def test_the_config_is_one_for_hydra() -> None:
    assert OmegaConf.to_object(OmegaConf.structured(AugmentConfig)) == AugmentConfig()


def test_a_stack_becomes_a_slab_around_its_boxes_and_a_slice_several() -> None:
    config = AugmentConfig(slab_probability=1.0, slab_slices=4)
    stack = torch.arange(12.0).view(1, 12, 1, 1).expand(1, 12, 8, 8)
    boxes = torch.tensor([[2.0, 1, 1, 10, 4, 4]])
    for seed in range(20):
        image, moved = slab(stack, boxes, config, seeded(seed))
        count, start = image.shape[1], float(image[0, 0, 0, 0])
        assert 1 <= count <= 4
        # The middle of the box, 6, lies in the slab, which shows as much of the box as it can.
        assert start <= 6 <= start + count
        assert moved[0].tolist() == [0, 1, 1, count, 4, 4]
    image, moved = slab(stack[:, :1], torch.tensor([[0.0, 1, 1, 1, 4, 4]]), config, seeded(0))
    assert moved[0].tolist() == [0, 1, 1, image.shape[1], 4, 4]
    assert slab(stack, boxes, AugmentConfig(), seeded(0))[0] is stack


def test_slabs_need_a_slice() -> None:
    with pytest.raises(InputError, match="slab_slices"):
        AugmentConfig(slab_slices=0)
