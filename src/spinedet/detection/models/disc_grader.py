"""Grading of structures: a network on crops turned with the spine, then attention among a patient's structures."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spinedet.core.grades import SCALES
from spinedet.detection.batch import Structures
from spinedet.detection.models.base import ModelCard
from spinedet.detection.models.transformer import as_lengths
from spinedet.detection.settings import GraderConfig

# A crop's rows and columns, and the mm between them: a disc with its end plates and the canal behind it.
CROP = (32, 46)
PITCH = 1.4
# Working slices beside the structure's middle that are read too, where the image has them.
SLICES = (-1, 0, 1)
# Structures are numbered upwards from the lowest; those beyond share the last number.
MOST_ORDERS = 12
# How far a reference box is displaced, turned and stretched in training, as a detected one would be.
_SHIFT_MM, _TURN, _LOG_STRETCH = 2.5, math.radians(8), 0.08
_LOG_GAIN, _OFFSET, _NOISE = 0.2, 0.2, 0.15
_ORDER_SHIFT_PROBABILITY = 0.2
# At prediction each structure is read in its own box and in these variations of it: a turn, a shift down and across in
# mm, and a stretch of both axes. The mean is less sure of what hangs on the last millimetre of a box.
VIEWS = ((5.0, 1.5, 1.5, 0.96), (-5.0, -1.5, -1.5, 1.04), (5.0, -1.5, 1.5, 1.04), (-5.0, 1.5, -1.5, 0.96))
# Sizes enter in units of a disc's, mm.
_TYPICAL_SIZE = 20.0


class Places(NamedTuple):
    """Structures of a batch, each scan's from the lowest to the highest and padded to one number.

    `boxes` (b, n, 6) mm, `valid` (b, n) bool, `rows` (b, n) int64: where each stood before; `certain` (b, n) bool:
    those that are surely structures, which others are numbered by and attend to.
    """

    boxes: Tensor
    valid: Tensor
    rows: Tensor
    certain: Tensor


def ordered(boxes: list[Tensor], caudal: tuple[int, int], certain: list[Tensor] | None = None) -> Places:
    """The boxes (n, 6) of each scan in the order of the spine; padding repeats one of them.

    Args:
        caudal: the axis along the spine and its sense, as in `ModelCard`.
        certain: (n,) bool of each scan, which boxes surely hold a structure; all by default.
    """
    axis, sense = caudal
    longest = max(1, max(map(len, boxes)))
    orders = [(-sense * scan[:, axis]).argsort() for scan in boxes]
    rows = torch.stack([F.pad(order, (0, longest - len(order))) for order in orders])
    valid = torch.stack([torch.arange(longest, device=scan.device) < len(scan) for scan in boxes])
    filler = boxes[0].new_ones(1, 6)
    padded = [scan[row] if len(scan) else filler.expand(longest, 6) for scan, row in zip(boxes, rows, strict=True)]
    sure = valid
    if certain is not None:
        known = [scan[row] if len(scan) else row.bool() for scan, row in zip(certain, rows, strict=True)]
        sure = valid & torch.stack(known)
    return Places(torch.stack(padded), valid, rows, sure)


def directions(places: Places, caudal: tuple[int, int]) -> Tensor:
    """Unit vectors (b, n, 2) down the spine in (row, column), from each structure's neighbours.

    Where the spine runs across the plane there is nothing to turn, and rows stay rows.
    """
    down = places.boxes.new_tensor([1.0, 0.0])
    axis, sense = caudal
    if axis == 0:
        return down.expand(*places.valid.shape, 2)
    centers = places.boxes[..., 1:3]
    below = torch.cat([centers[:, :1], centers[:, :-1]], dim=1)
    above = torch.cat([centers[:, 1:], centers[:, -1:]], dim=1)
    last = torch.cat([~places.valid[:, 1:], torch.ones_like(places.valid[:, :1])], dim=1)
    apart = sense * (below - torch.where(last[..., None], centers, above))
    length = apart.norm(dim=-1, keepdim=True)
    return torch.where(length > 1, apart / length.clamp_min(1e-3), down)


class Variation(NamedTuple):
    """The offset of crops from their boxes: `turn` (b, n), `shift` (b, n, 2) mm, `stretch` (b, n, 2)."""

    turn: Tensor
    shift: Tensor
    stretch: Tensor


def _draw_variation(valid: Tensor) -> Variation:
    def within(limit: float, *shape: int) -> Tensor:
        return limit * (2 * torch.rand(shape, device=valid.device) - 1)

    scans, count = valid.shape
    turn = within(_TURN, scans, count)
    stretch = within(_LOG_STRETCH, scans, 1, 2) + within(_LOG_STRETCH / 2, scans, count, 1)
    return Variation(turn, within(_SHIFT_MM, scans, count, 2), stretch.exp())


def _fixed_variation(valid: Tensor, view: tuple[float, float, float, float]) -> Variation:
    """One of `VIEWS` for every structure."""
    turn, down, across, stretch = view
    shape = valid.shape
    shift = torch.tensor([down, across], device=valid.device).expand(*shape, 2)
    turns = torch.full(shape, math.radians(turn), device=valid.device)
    return Variation(turns, shift, torch.full((*shape, 2), stretch, device=valid.device))


class Crops(NamedTuple):
    """Crops (b, n, s, rows, columns) of the slices at and beside each structure, and which of them exist, (b, n, s)."""

    images: Tensor
    seen: Tensor


class CropReader:
    """Reads crops that are turned with the spine, in the frame of a card."""

    def __init__(self, card: ModelCard) -> None:
        self.spacing, self.caudal = card.spacing, card.caudal

    def __call__(self, images: Tensor, places: Places, depths: Tensor, variation: Variation | None) -> Crops:
        """Crops of images (b, 1, slices, rows, columns), of which `depths` (b,) slices are their own."""
        boxes, valid = places.boxes, places.valid
        down, center = directions(places, self.caudal), boxes[..., 1:3]
        steps = [(torch.arange(size, device=boxes.device) - (size - 1) / 2) * PITCH for size in CROP]
        rows, columns = (step.expand(*valid.shape, -1) for step in steps)
        if variation is not None:
            cos, sin = variation.turn.cos(), variation.turn.sin()
            down = torch.stack([down[..., 0] * cos - down[..., 1] * sin, down[..., 0] * sin + down[..., 1] * cos], -1)
            center = center + variation.shift
            rows, columns = rows * variation.stretch[..., :1], columns * variation.stretch[..., 1:]
        across = torch.stack([-down[..., 1], down[..., 0]], dim=-1)
        points = (
            rows[..., :, None, None] * down[..., None, None, :]
            + columns[..., None, :, None] * across[..., None, None, :]
        )
        points = points + center[..., None, None, :]
        beside = boxes.new_tensor(SLICES)
        index = (boxes[..., 0, None] / self.spacing[0] + beside).floor()
        seen = (index >= 0) & (index < depths[:, None, None]) & valid[..., None]
        extent = points.new_tensor(self.spacing[1:]) * as_lengths(images.shape[3:], points)
        flat = (2 * points / extent - 1).flip(-1)[:, :, None].expand(-1, -1, len(SLICES), -1, -1, -1)
        slices = as_lengths(images.shape[2:3], boxes)
        depth = (2 * (torch.minimum(index.clamp_min(0), slices - 1) + 0.5) / slices - 1)[..., None, None, None]
        grid = torch.cat([flat, depth.expand(*flat.shape[:-1], 1)], dim=-1).flatten(1, 2)
        read = F.grid_sample(
            images.float(), grid.flatten(2, 3)[..., None, :], padding_mode="border", align_corners=False
        )
        return Crops(read.view(*seen.shape, *CROP), seen)


class _Block(nn.Module):
    """A residual block of two 3 x 3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        same = inputs == outputs and stride == 1
        project = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if same else project

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, rows, columns) -> (n, outputs, rows, columns) / stride."""
        first, second = self.norms
        return F.relu(second(self.second(F.relu(first(self.first(x))))) + self.shortcut(x))


class DiscGrader(nn.Module):
    """Says of every structure whether it holds a lesion of each category, and its grade on each scale.

    Each slice's crop is read by itself; a structure is the mean of its slices; then structures attend to each other,
    knowing their order. Ordinal scales are read as "above each grade" (Frank and Hall, ECML 2001).
    """

    def __init__(self, config: GraderConfig, card: ModelCard) -> None:
        super().__init__()
        w, c = config.width, config.channels
        self.read = CropReader(card)
        self.scales = [SCALES[name] for name in card.grades]
        self.columns = [list(SCALES).index(name) for name in card.grades]
        stem = (nn.Conv2d(2, w, 5, 2, padding=2, bias=False), nn.BatchNorm2d(w), nn.ReLU(inplace=True))
        self.slices = nn.Sequential(*stem, _Block(w, w, 1), _Block(w, 2 * w, 2), _Block(2 * w, 4 * w, 2))
        self.project, self.size = nn.Linear(8 * w, c), nn.Linear(2, c)
        self.order = nn.Embedding(MOST_ORDERS, c) if config.layers else None
        self.among = nn.ModuleList(
            nn.TransformerEncoderLayer(c, config.heads, 2 * c, config.dropout, batch_first=True, norm_first=True)
            for _ in range(config.layers)
        )
        self.norm, self.dropout = nn.LayerNorm(c), nn.Dropout(config.dropout)
        self.categories = len(card.categories)
        self.answer = nn.Linear(c, self.categories + sum(scale.steps for scale in self.scales))

    def forward(self, images: Tensor, places: Places, depths: Tensor, variation: Variation | None = None) -> Tensor:
        """Logits (b, n, categories and borders of grades) of structures in images (b, 1, slices, rows, columns).

        Args:
            depths: (b,) of how many slices each image has. variation: of the crops; drawn by chance in training.
        """
        with torch.autocast(images.device.type, enabled=images.is_cuda):
            if self.training and variation is None:
                variation = _draw_variation(places.valid)
            crops = self.read(images, places, depths, variation)
            features = self._of_slices(self._normalised(crops, places.certain), crops.seen)
            features = F.relu(features) + self.size(places.boxes[..., 4:] / _TYPICAL_SIZE - 1)
            if self.order is not None:
                features = features + self.order(self._numbers(places.certain))
            known = places.certain
            if not self.training:
                known = known | (places.valid & ~known.any(dim=1, keepdim=True))
            # Attention to nothing is undefined: a scan without structures attends to its padding.
            padding = ~known & known.any(dim=1, keepdim=True)
            for layer in self.among:
                features = layer(features, src_key_padding_mask=padding)
            logits: Tensor = self.answer(self.dropout(self.norm(features))).float()
        return logits

    def over_views(self, images: Tensor, places: Places, depths: Tensor) -> Tensor:
        """As `forward`, the mean over the boxes themselves and `VIEWS` of them."""
        views = [None, *(_fixed_variation(places.valid, view) for view in VIEWS)]
        return torch.stack([self(images, places, depths, view) for view in views]).mean(0)

    def _of_slices(self, crops: Tensor, seen: Tensor) -> Tensor:
        """The mean (b, n, c) of what is read in each structure's slices (b, n, s, 2, rows, columns)."""
        # In training what is not there must not enter the norms; otherwise nothing depends on it, and sizes are fixed.
        read = self.slices(crops[seen] if self.training else crops.flatten(0, 2))
        read = self.project(torch.cat([read.mean((2, 3)), read.amax((2, 3))], dim=1))
        if self.training:
            spread = read.new_zeros(*seen.shape, read.shape[-1])
            spread[seen] = read
        else:
            spread = read.view(*seen.shape, -1) * seen[..., None]
        mean: Tensor = spread.sum(2) / seen.sum(2).clamp_min(1)[..., None]
        return mean

    def _normalised(self, crops: Crops, certain: Tensor) -> Tensor:
        """Crops (b, n, s, 2, rows, columns) by the mean and deviation of the scan's certain crops, and by their own."""
        images, seen = crops.images, (crops.seen & certain[..., None])[..., None, None]
        count = (seen.sum((1, 2, 3, 4)) * math.prod(CROP)).clamp_min(1).view(-1, 1, 1, 1, 1)
        middle = images - (images * seen).sum((1, 2, 3, 4), keepdim=True) / count
        spread = ((middle.square() * seen).sum((1, 2, 3, 4), keepdim=True) / count).sqrt()
        common = middle / spread.clamp_min(1e-3)
        if self.training:
            gain, offset = torch.rand(2, len(images), 1, 1, 1, 1, device=images.device) * 2 - 1
            common = common * (_LOG_GAIN * gain).exp() + _OFFSET * offset
            common = common + _NOISE * torch.rand((), device=images.device) * torch.randn_like(common)
        own = images - images.mean((-1, -2), keepdim=True)
        own = own / images.std((-1, -2), keepdim=True).clamp_min(1e-3)
        return torch.stack([common, own], dim=3)

    def _numbers(self, certain: Tensor) -> Tensor:
        """The number (b, n) of each structure among the certain ones, from 1 at the lowest; in training sometimes as if
        one more were seen, or one less."""
        numbers = certain.cumsum(1) + ~certain
        if self.training:
            moved = torch.rand(len(certain), 1, device=certain.device) < _ORDER_SHIFT_PROBABILITY
            numbers = numbers + moved * torch.randint(-1, 2, (len(certain), 1), device=certain.device)
        return numbers.clamp(0, MOST_ORDERS - 1)

    def losses(self, logits: Tensor, places: Places, structures: list[Structures]) -> dict[str, Tensor]:
        """Cross-entropy of `lesion` and each scale, means over the structures of which the answer is known.

        Args:
            logits: as `forward` gives them for the boxes of the structures.
        """
        wanted = logits.new_full(logits.shape, torch.nan)
        for row, scan in enumerate(structures):
            count = len(scan.boxes)
            wanted[row, :count] = self._wanted(scan)[places.rows[row, :count]]
        known = ~wanted.isnan()
        every = F.binary_cross_entropy_with_logits(logits, wanted.nan_to_num(), reduction="none") * known
        mean = every.sum((0, 1)) / known.sum((0, 1)).clamp_min(1)
        parts = torch.split(mean, [self.categories, *(scale.steps for scale in self.scales)])
        return dict(zip(self._terms, (part.sum() for part in parts), strict=True))

    def no_losses(self) -> dict[str, Tensor]:
        """The terms of a batch without structures: zero, of which every parameter has a gradient."""
        nothing = 0 * torch.stack([parameter.sum() for parameter in self.parameters()]).sum()
        return dict.fromkeys(self._terms, nothing)

    @property
    def _terms(self) -> tuple[str, ...]:
        return tuple(f"grader/{name}" for name in ("lesion", *(scale.name for scale in self.scales)))

    def _wanted(self, scan: Structures) -> Tensor:
        """The targets of each structure, (n, answers), NaN where unknown."""
        parts = [scan.lesion]
        for column, scale in zip(self.columns, self.scales, strict=True):
            grade = scan.grades[:, column, None]
            border = torch.arange(scale.lowest, scale.highest, device=grade.device)
            parts.append(torch.where(grade.isnan(), grade, (grade > border).float()))
        return torch.cat(parts, dim=1).masked_fill(scan.ignore[:, None], torch.nan)

    def graded(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (..., answers) -> the lesions' probabilities (..., categories) and expected grades (..., scales)."""
        answers = [self.categories, *(scale.steps for scale in self.scales)]
        lesion, *borders = torch.split(logits.sigmoid(), answers, dim=-1)
        grades = [scale.lowest + part.sum(-1) for scale, part in zip(self.scales, borders, strict=True)]
        return lesion, torch.stack(grades, dim=-1) if grades else lesion[..., :0]
