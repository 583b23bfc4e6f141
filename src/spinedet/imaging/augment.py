"""Random but box-safe variations of one prepared volume: placement, contrast, coil, noise, resolution, lost slices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from spinedet.imaging.planes import PlaneSpec
from spinedet.imaging.settings import AugmentConfig

# The coil's shading varies over a third of the body or so: its field is drawn on this few knots.
_BIAS_KNOTS = (3, 4, 4)
# Halving what is left each time brings the strongest bend to a few hundredths of a pixel.
_INVERSION_STEPS = 8
_POINTS_ON_OUTLINE = 32


@dataclass(frozen=True, eq=False)
class Crop:
    """A block cut from an example.

    Attributes:
        image: (1, D, H, W), of the wanted shape.
        boxes: (m, 6) voxel edges of the crop, clipped to it.
        kept: (n,) bool, which of the example's boxes these are: all that reach into the crop.
        ignore: (m,) bool, boxes of which too little is left to require them: their centre or half of them is outside.
    """

    image: Tensor
    boxes: Tensor
    kept: Tensor
    ignore: Tensor


@dataclass(frozen=True)
class _RandomDraws:
    """Random numbers from one generator, drawn on its device."""

    generator: Generator

    def chance(self, probability: float) -> bool:
        return self.number() < probability

    def number(self) -> float:
        return float(torch.rand((), generator=self.generator, device=self.generator.device))

    def within(self, limit: float) -> float:
        """Uniform in (-limit, limit)."""
        return limit * (2 * self.number() - 1)

    def all_within(self, limit: float, *shape: int) -> Tensor:
        """Each uniform in (-limit, limit)."""
        return limit * (2 * torch.rand(shape, generator=self.generator, device=self.generator.device) - 1)

    def below(self, count: int) -> int:
        return min(int(self.number() * count), count - 1)

    def normal(self, *shape: int, like: Tensor) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.generator.device).to(like)


def augment(
    image: Tensor, boxes: Tensor, spec: PlaneSpec, config: AugmentConfig, generator: Generator
) -> tuple[Tensor, Tensor]:
    """A random variation of one example; the same generator state gives the same one.

    Args:
        image: (1, D, H, W) float32, normalised, in the plane's array order and at its spacing; not changed.
        boxes: (n, 6) voxel edges of that array: low (slice, row, column), high (slice, row, column).
        spec: gives the left-right axis and the pixel size.
        config: probabilities and ranges.
        generator: the source of all randomness.

    Returns:
        Image and boxes of the same shapes; boxes may reach outside the image, `crop` clips them.
    """
    draws = _RandomDraws(generator)
    floor = image.amin()
    signal = image - floor  # air is 0, so that gains, magnitudes and zero padding mean what they do in a scanner
    if draws.chance(config.flip_probability):
        signal, boxes = _flip(signal, boxes, spec.left_right_axis)
    affine = _draw_affine(spec, config, draws) if draws.chance(config.affine_probability) else None
    # Switched off it draws nothing, so that the numbers after it are those of a configuration without an elastic bend.
    bends = config.elastic_probability > 0 and draws.chance(config.elastic_probability)
    bend = _draw_bend(signal.shape, spec, config, draws) if bends else None
    if affine is not None or bend is not None:
        placement = _Placement(*(affine or (torch.eye(2), torch.zeros(2))), bend)
        signal, boxes = _warp(signal, placement), _map_boxes(boxes, placement, signal.shape)
    return _vary_signal(signal, config, draws) + floor, boxes


def slab(image: Tensor, boxes: Tensor, config: AugmentConfig, generator: Generator) -> tuple[Tensor, Tensor]:
    """Some slices of a stack around its boxes, or a single slice repeated; often the image as it is.

    Args:
        image: (1, D, H, W). boxes: (n, 6) voxel edges of it.

    Returns:
        The slab and its boxes, which may reach beyond it.
    """
    draws = _RandomDraws(generator)
    if not config.slab_probability or not draws.chance(config.slab_probability):
        return image, boxes
    count, depth = 1 + draws.below(config.slab_slices), image.shape[1]
    if depth == 1:
        stretch = boxes.new_tensor([count, 1, 1, count, 1, 1])
        return image.expand(-1, count, -1, -1).contiguous(), boxes * stretch
    count = min(count, depth)
    middle = float((boxes[:, 0] + boxes[:, 3]).mean()) / 2 if len(boxes) else depth / 2
    start = min(max(round(middle - count / 2 + draws.within(1.0)), 0), depth - count)
    moved = boxes - boxes.new_tensor([start, 0, 0, start, 0, 0])
    # A slab narrower than a disc shows it as well as it can: what is left of its box counts in full.
    center = (moved[:, 0] + moved[:, 3]) / 2
    shown = (center >= -0.5) & (center <= count + 0.5)
    moved[shown] = torch.where(moved.new_tensor([1, 0, 0, 1, 0, 0]).bool(), moved[shown].clamp(0, count), moved[shown])
    return image[:, start : start + count], moved


def crop(image: Tensor, boxes: Tensor, shape: tuple[int, int, int], generator: Generator) -> Crop:
    """Cut a block of `shape` at random, padding with the image's lowest value where the image is smaller."""
    draws = _RandomDraws(generator)
    # Where the image is larger the block moves inside it, where it is smaller the image moves inside the block.
    spare = [have - want for have, want in zip(image.shape[1:], shape, strict=True)]
    start = [int(math.copysign(draws.below(abs(n) + 1), n)) for n in spare]
    pad = [amount for s, n in zip(reversed(start), reversed(spare), strict=True) for amount in (-s, s - n)]
    return _clip(F.pad(image, pad, value=float(image.amin())), boxes, start)


def _clip(image: Tensor, boxes: Tensor, start: list[int]) -> Crop:
    """Boxes of the whole image on a block of it that begins at `start`."""
    limits = boxes.new_tensor(image.shape[1:])
    moved = boxes - boxes.new_tensor(start * 2)
    low, high = moved[:, :3], moved[:, 3:]
    center = (low + high) / 2
    inside = ((center >= 0) & (center < limits)).all(dim=1)
    cut_low, cut_high = low.clamp(min=0), torch.minimum(high, limits)
    kept = (cut_high > cut_low).all(dim=1)
    share = ((cut_high - cut_low).clamp(min=0) / (high - low)).prod(dim=1)
    ignore = ~inside | (share < 0.5)
    return Crop(image, torch.cat([cut_low, cut_high], dim=1)[kept], kept, ignore[kept])


def _flip(signal: Tensor, boxes: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    flipped = boxes.clone()
    flipped[:, axis] = signal.shape[1 + axis] - boxes[:, 3 + axis]
    flipped[:, 3 + axis] = signal.shape[1 + axis] - boxes[:, axis]
    return signal.flip(1 + axis), flipped


def _draw_affine(spec: PlaneSpec, config: AugmentConfig, draws: _RandomDraws) -> tuple[Tensor, Tensor]:
    """Forward matrix (2, 2) and shift (2,) in (row, column) pixels about the image's middle; rigid in mm."""
    angle = math.radians(draws.within(config.rotation_degrees))
    rotate = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shear = torch.tensor([[1.0, draws.within(config.shear)], [draws.within(config.shear), 1.0]])
    zoom, stretch = draws.within(config.log_scale), draws.within(config.log_anisotropy)
    scale = torch.tensor([math.exp(zoom + stretch), math.exp(zoom - stretch)])
    pixel = torch.tensor(spec.spacing[1:])
    shift = torch.tensor([draws.within(config.translation_mm), draws.within(config.translation_mm)])
    return (rotate @ shear * scale) * pixel / pixel[:, None], shift / pixel


@dataclass(frozen=True, eq=False)
class _Bend:
    """A smooth displacement of the plane: a cubic B-spline, nothing beyond its knots.

    Attributes:
        knots: (rows, columns, 2) displacement by (row, column) in pixels.
        step: (2,) distance of knots in pixels; the first ones lie one step before the image.
    """

    knots: Tensor
    step: Tensor

    def on_grid(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Displacements (r, c, 2) of all pixels in these rows and columns, voxel edges."""
        down = (self._weights(rows, 0) @ self.knots.flatten(1)).view(-1, *self.knots.shape[1:])
        return self._weights(columns, 1) @ down

    def at(self, points: Tensor) -> Tensor:
        """Displacements (n, 2) of points (n, 2), voxel edges."""
        down = (self._weights(points[:, 0], 0) @ self.knots.flatten(1)).view(-1, *self.knots.shape[1:])
        return (self._weights(points[:, 1], 1)[..., None] * down).sum(dim=1)

    def _weights(self, x: Tensor, axis: int) -> Tensor:
        """(n, knots) of the positions (n,) along one axis."""
        apart = (x[:, None] / self.step[axis] + 1 - torch.arange(self.knots.shape[axis])).abs()
        near, far = 2 / 3 - apart.square() + apart.pow(3) / 2, (2 - apart).clamp(min=0).pow(3) / 6
        return torch.where(apart < 1, near, far)


def _draw_bend(shape: torch.Size, spec: PlaneSpec, config: AugmentConfig, draws: _RandomDraws) -> _Bend:
    """Knots over an image of this shape (1, D, H, W) and one step around it."""
    pixel = torch.tensor(spec.spacing[1:])
    step = config.elastic_spacing_mm / pixel
    rows, columns = (math.ceil(length / float(apart)) + 3 for length, apart in zip(shape[2:], step, strict=True))
    return _Bend(draws.all_within(config.elastic_mm, rows, columns, 2) / pixel, step)


@dataclass(frozen=True, eq=False)
class _Placement:
    """Where the plane's points go: by an affine map about the image's middle, then by undoing a bend.

    The bend is that of the way back, from output to input, which an image is sampled on.

    Attributes:
        forward: (2, 2) and shift: (2,), in (row, column) pixels.
    """

    forward: Tensor
    shift: Tensor
    bend: _Bend | None = None


def _warp(signal: Tensor, placement: _Placement) -> Tensor:
    """The signal carried along the map, every slice alike, sampled once; 0 comes in from outside."""
    # Sampling goes from output to input, in (x, y), with -1 and 1 at the outer edges (align_corners=False).
    inverse = torch.linalg.inv(placement.forward)
    half = torch.tensor([signal.shape[3] / 2, signal.shape[2] / 2])
    linear = inverse.flip(0, 1) * half / half[:, None]
    offset = -(inverse @ placement.shift).flip(0) / half
    theta = torch.cat([linear, offset[:, None]], dim=1)[None].to(signal)
    grid = F.affine_grid(theta, [1, 1, signal.shape[2], signal.shape[3]], align_corners=False)
    if placement.bend is not None:
        bent = placement.bend.on_grid(*(torch.arange(length) + 0.5 for length in signal.shape[2:]))
        grid = grid + ((bent @ inverse.T).flip(-1) / half).to(signal)
    return F.grid_sample(signal, grid, padding_mode="zeros", align_corners=False)


def _map_boxes(boxes: Tensor, placement: _Placement, shape: torch.Size) -> Tensor:
    """Bounds of each box's inscribed ellipsoid after the map.

    Lesions are round: the hull of a rotated box's corners grows with every turn (by 41 % at 45 degrees) while the
    lesion in it does not; the bounds of the mapped ellipsoid stay those of the lesion.
    """
    forward, shift = placement.forward.to(boxes), placement.shift.to(boxes)
    middle = boxes.new_tensor([shape[2] / 2, shape[3] / 2])
    center = (boxes[:, 1:3] + boxes[:, 4:6]) / 2
    half = (boxes[:, 4:6] - boxes[:, 1:3]) / 2
    if placement.bend is not None:
        # Slices bend alike, so the ellipsoid's widest section, an ellipse, bounds it.
        angle = torch.arange(_POINTS_ON_OUTLINE) * (2 * math.pi / _POINTS_ON_OUTLINE)
        outline = center[:, None] + half[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1).to(boxes)
        outline = _unbend((outline - middle) @ forward.T + middle + shift, placement.bend)
        low, high = outline.amin(dim=1), outline.amax(dim=1)
    else:
        center = (center - middle) @ forward.T + middle + shift
        half = (half.square() @ forward.square().T).sqrt()
        low, high = center - half, center + half
    return torch.cat([boxes[:, :1], low, boxes[:, 3:4], high], dim=1)


def _unbend(points: Tensor, bend: _Bend) -> Tensor:
    """The points (..., 2) that the bend carries to these, by fixed-point iteration."""
    wanted = points.reshape(-1, 2)
    found = wanted
    for _ in range(_INVERSION_STEPS):
        found = wanted - bend.at(found)
    return found.reshape(points.shape)


# MONAI has transforms of this kind. They are not used because they draw from NumPy rather than from the generator whose
# state a resumed training restores, RandRicianNoise takes 3.5 times the CPU time, and RandAdjustContrast changes the
# range of a normalised image; the others are as quick (benchmarks/performance/augmentation.py).
def _vary_signal(signal: Tensor, config: AugmentConfig, draws: _RandomDraws) -> Tensor:
    """The same body as another scanner would show it: tissue, coil, resolution, slices, noise, in that order."""
    if draws.chance(config.contrast_probability):
        signal = _recontrast(signal, config, draws)
    if draws.chance(config.bias_probability):
        signal = signal * _bias_field(signal, config.bias_log_gain, draws)
    if draws.chance(config.blur_probability):
        signal = _soften(signal, 1 + (config.blur_factor - 1) * draws.number())
    if draws.chance(config.slice_gain_probability):
        gain = draws.normal(signal.shape[1], like=signal) * config.slice_log_gain / 2
        signal = signal * gain.exp()[:, None, None]
    if draws.chance(config.slice_drop_probability):
        signal = _drop_slice(signal, draws)
    if draws.chance(config.noise_probability):
        signal = _magnitude_noise(signal, config.noise_deviation * draws.number(), draws)
    return signal


def _recontrast(signal: Tensor, config: AugmentConfig, draws: _RandomDraws) -> Tensor:
    """Monotonic, so that bright stays bright: gamma over the range, then gain, then a small lift."""
    gamma, gain = math.exp(draws.within(config.log_gamma)), math.exp(draws.within(config.log_contrast))
    top = signal.amax().clamp(min=1e-6)
    return (signal / top).clamp(min=0).pow(gamma) * (top * gain) + draws.within(config.brightness)


def _bias_field(signal: Tensor, log_gain: float, draws: _RandomDraws) -> Tensor:
    knots = draws.normal(1, 1, *_BIAS_KNOTS, like=signal) * log_gain
    return F.interpolate(knots, size=signal.shape[1:], mode="trilinear", align_corners=True)[0].exp()


def _soften(signal: Tensor, factor: float) -> Tensor:
    """What a matrix coarser by `factor` in the plane would have shown."""
    size = [max(1, round(length / factor)) for length in signal.shape[2:]]
    coarse = F.interpolate(signal, size=size, mode="area")
    return F.interpolate(coarse, size=signal.shape[2:], mode="bilinear", align_corners=False)


def _drop_slice(signal: Tensor, draws: _RandomDraws) -> Tensor:
    """One slice lost and filled in from its neighbours."""
    count = signal.shape[1]
    lost = draws.below(count)
    filled = signal.clone()
    filled[:, lost] = (signal[:, max(lost - 1, 0)] + signal[:, min(lost + 1, count - 1)]) / 2
    return filled


def _magnitude_noise(signal: Tensor, deviation: float, draws: _RandomDraws) -> Tensor:
    """Rician noise: Gaussian in both channels, of which a scanner shows the length."""
    real, imaginary = draws.normal(2, *signal.shape, like=signal) * deviation
    return torch.hypot(signal + real, imaginary)
