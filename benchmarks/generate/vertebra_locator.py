"""Make the small network that finds vertebrae on lateral radiographs, from simulated radiographs alone.

    python -m benchmarks.generate.vertebra_locator runs/vertebrae [--write] [--test 24]

Lateral radiographs of the tasks fractures and implants of all centres, mostly of the randomised one, teach it where the
middles of vertebral bodies lie. Squares are kept in the folder, so that a second run only trains. `--write` puts the
weights into the package. `--test` studies of each centre and a seed of their own measure it: error in mm at the
detector, bodies found and findings that are none, with intervals from resampled patients. About five minutes of one
core for the training, and two to draw and read.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from spinedet.core.files import write_bytes
from spinedet.core.radiograph import LATERAL, Radiograph, read_radiographs
from spinedet.imaging.radiograph.read import Declared, read_radiograph
from spinedet.imaging.radiograph.records import RadiographImage
from spinedet.imaging.radiograph.square import square
from spinedet.imaging.radiograph.vertebrae import (
    CELL,
    LAYERS,
    OUTPUTS,
    SHIPPED,
    SIDE,
    VertebraLocator,
    shipped_vertebra_locator,
)
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup

STUDIES = {
    "fractures": {"R": 90, "A": 70, "B": 30, "C": 30},
    "implants": {"R": 24, "A": 10, "B": 10, "C": 10},
}
SEED, TEST_SEED, PIXELS = 101, 202, 320
WIDTHS = (16, 24, 24, 24, 24, 24, 24, 24)
EPOCHS, BATCH, RATE = 40, 12, 3e-3
MOST = 16  # bodies of an image
CELLS = SIDE // CELL
# A body that the image's edge cuts by more than this share of its usual width is neither taught nor tested.
EDGE = 1.0

Bodies = NDArray[np.float32]


class LocatorNetwork(nn.Module):
    """The network of `spinedet.imaging.radiograph.vertebrae`, to be trained."""

    def __init__(self) -> None:
        super().__init__()
        pairs = zip((1, *WIDTHS[:-1]), WIDTHS, LAYERS, strict=True)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=stride, padding=dilation, dilation=dilation) for a, b, (stride, dilation) in pairs
        )
        self.head = nn.Conv2d(WIDTHS[-1], OUTPUTS, 1)
        nn.init.constant_(self.head.bias[:1], -4.0)

    def forward(self, pixels: Tensor) -> Tensor:
        """Cells (N, OUTPUTS, cells, cells) of images (N, SIDE, SIDE) in [0, 1]."""
        x = 2 * pixels[:, None] - 1
        for layer in self.layers:
            y = F.relu(layer(x))
            x = x + y if y.shape == x.shape else y
        result: Tensor = self.head(x)
        return result

    def tensors(self) -> dict[str, Tensor]:
        """As the package reads them."""
        state = {name.removeprefix("layers."): tensor.half() for name, tensor in self.state_dict().items()}
        state["head.weight"] = state["head.weight"][:, :, 0, 0]
        return {name: tensor.contiguous() for name, tensor in state.items()}


def laterals(folder: Path, studies: dict[str, dict[str, int]], seed: int) -> Iterator[tuple[str, Radiograph]]:
    """Patient and image of simulated lateral radiographs."""
    for task, centers in studies.items():
        groups = [RadiographGroup(center, "train", count) for center, count in centers.items()]
        cohort = RadiographCohort(task, task, groups, seed=seed, pixels=PIXELS)
        for study, image in read_radiographs(draw_radiographs(cohort, folder / task)).images():
            if image.view == LATERAL.name:
                yield study.patient, image


def bodies_of(image: Radiograph, read: RadiographImage) -> Bodies:
    """(n, 3): middle x, y and height of the bodies that lie wholly in the exposed field, pixels of the image."""
    x0, y0, x1, y1 = read.field.box
    found = []
    for place in image.places:
        a, b, c, d = read.flip_box(place.box)
        inside = a > x0 + EDGE and b > y0 + EDGE and c < x1 - EDGE and d < y1 - EDGE
        if inside and place.name[0] in "CTL":
            found.append(((a + c) / 2, (b + d) / 2, d - b))
    return np.array(found, np.float32).reshape(-1, 3)


def gathered(folder: Path) -> tuple[Tensor, Tensor]:
    """Squares (n, SIDE, SIDE) and bodies (n, MOST, 3) in their pixels, NaN where there are fewer."""
    kept = folder / "squares.npz"
    if not kept.is_file():
        pictures, bodies = [], []
        for _, image in laterals(folder, STUDIES, SEED):
            read = read_radiograph(image.path, Declared(image.mm))
            cut = square(read.pixels, read.field.box, SIDE)
            known = bodies_of(image, read)[:MOST]
            rows = np.full((MOST, 3), np.nan, np.float32)
            rows[: len(known)] = (known - (*cut.origin, 0)) * cut.zoom
            pictures.append(np.rint(255 * cut.pixels.astype(np.float32)).astype(np.uint8))
            bodies.append(rows)
        np.savez_compressed(kept, pictures=np.stack(pictures), bodies=np.stack(bodies))
    with np.load(kept) as content:
        return torch.from_numpy(content["pictures"].astype(np.float32) / 255), torch.from_numpy(content["bodies"])


def varied(pictures: Tensor, bodies: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images moved, turned, scaled and mirrored with their bodies, of other contrast, blurred and noisy."""
    count = len(pictures)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=random)

    angle, zoom = uniform(-0.2, 0.2), torch.exp(uniform(-0.3, 0.3))
    side = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    turn = torch.stack([side * cosine, -sine, side * sine, cosine], 1).reshape(-1, 2, 2)
    shift = torch.stack([uniform(-0.25, 0.25), uniform(-0.25, 0.25)], 1)
    grid = F.affine_grid(torch.cat([turn, shift[:, :, None]], 2), [count, 1, SIDE, SIDE], align_corners=False)
    moved = F.grid_sample(pictures[:, None], grid, align_corners=False)
    blurred = F.avg_pool2d(F.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    soft = uniform(-1, 1)[:, None, None, None].clamp_min(0)
    bent = ((1 - soft) * moved + soft * blurred).clamp(0, 1) ** torch.exp(uniform(-0.6, 0.6))[:, None, None, None]
    noise = torch.randn(bent.shape, generator=random) * uniform(0, 0.04)[:, None, None, None]
    result = (bent * uniform(0.7, 1.1)[:, None, None, None] + noise).clamp(0, 1)[:, 0]
    # The grid maps the new image to the old one; bodies go the other way.
    places = 2 * bodies[..., :2] / SIDE - 1 - shift[:, None]
    places = (torch.linalg.inv(turn)[:, None] @ places[..., None])[..., 0]
    return result, torch.cat([(places + 1) * SIDE / 2, bodies[..., 2:] / zoom[:, None, None]], 2)


def targets(bodies: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For every cell: 1 in those of a middle, 0 elsewhere, -1 around a middle, which does not count; the values
    (N, 3, cells, cells) to predict, and where they are known."""
    count = len(bodies)
    heat = torch.zeros(count, CELLS, CELLS)
    values, known = torch.zeros(count, 3, CELLS, CELLS), torch.zeros(count, CELLS, CELLS)
    at = bodies / CELL
    for reach in (1, 0):
        for image, body in torch.nonzero(torch.isfinite(at[..., 0])).tolist():
            x, y, height = at[image, body].tolist()
            column, row = math.floor(x), math.floor(y)
            if not (0 <= column < CELLS and 0 <= row < CELLS):
                continue
            for r in range(max(row - reach, 0), min(row + reach + 1, CELLS)):
                for c in range(max(column - reach, 0), min(column + reach + 1, CELLS)):
                    heat[image, r, c] = -1 if reach else 1
                    values[image, :, r, c] = torch.tensor([x - c - 0.5, y - r - 0.5, math.log(height / 2)])
                    known[image, r, c] = 1
    return heat, values, known


def loss_of(cells: Tensor, bodies: Tensor) -> Tensor:
    """Focal loss of the middles (Lin et al. 2017, arXiv:1708.02002), and absolute errors beside them."""
    heat, values, known = targets(bodies)
    wanted = heat.clamp_min(0)
    plain = F.binary_cross_entropy_with_logits(cells[:, 0], wanted, reduction="none")
    missed = torch.exp(-plain)
    focal = (plain * (1 - missed) ** 2 * torch.where(wanted > 0, 4.0, 1.0) * (heat >= 0)).sum()
    errors = (F.smooth_l1_loss(cells[:, 1:], values, reduction="none", beta=0.2) * known[:, None]).sum()
    number = wanted.sum().clamp_min(1)
    return focal / number + errors / (9 * number)


def train(pictures: Tensor, bodies: Tensor, epochs: int = EPOCHS) -> LocatorNetwork:
    """The network after `epochs` passes."""
    torch.manual_seed(SEED)
    random = torch.Generator().manual_seed(SEED)
    network = LocatorNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01)
    steps = epochs * math.ceil(len(pictures) / BATCH)
    schedule: Any = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(pictures), generator=random).split(BATCH):
            images, known = varied(pictures[chosen], bodies[chosen], random)
            loss = loss_of(network(images), known)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        print(f"epoch {epoch + 1}: loss {total / len(pictures):.3f}", flush=True)
    return network.eval()


@dataclass(frozen=True)
class Located:
    """Of one image: the bodies, the distance from each to the finding that is nearest, mm, and false findings."""

    patient: str
    errors: tuple[float, ...]
    found: tuple[bool, ...]
    false: int


def test(folder: Path, locate: VertebraLocator, studies: dict[str, int]) -> None:
    """Measure on phantoms of another seed, by centre."""
    for center, count in studies.items():
        results = []
        for patient, image in laterals(folder / f"test-{center}", {"fractures": {center: count}}, TEST_SEED):
            read = read_radiograph(image.path, Declared(image.mm))
            results.append(compared(patient, image, read, locate))
        print(f"centre {center}: {summary(results)}", flush=True)


def compared(patient: str, image: Radiograph, read: RadiographImage, locate: VertebraLocator) -> Located:
    """A finding is right within half of a body's height of its middle; bodies that the edge cuts do not count."""
    bodies = bodies_of(image, read)
    everything = np.array([read.flip_box(place.box) for place in image.places], np.float32).reshape(-1, 4)
    middles = np.array([one.middle for one in locate(read)], np.float32).reshape(-1, 2)
    away = np.hypot(*(middles[:, None] - bodies[None, :, :2]).transpose(2, 0, 1)) if len(middles) else np.empty((0, 0))
    nearest = away.min(0) if len(middles) else np.full(len(bodies), np.inf)
    right = nearest <= bodies[:, 2] / 2
    mm = image.mm or 1.0
    x, y = middles[:, :1], middles[:, 1:]
    at_any = (x >= everything[:, 0]) & (x < everything[:, 2]) & (y >= everything[:, 1]) & (y < everything[:, 3])
    errors = tuple(float(distance * mm) for distance in nearest[right])
    return Located(patient, errors, tuple(bool(one) for one in right), int((~at_any.any(1)).sum()))


def summary(results: Sequence[Located]) -> str:
    """Median and 90th percentile of the error, bodies found, false findings of an image, with 95 % intervals."""
    random = np.random.default_rng(0)

    def numbers(chosen: Sequence[Located]) -> list[float]:
        errors = [error for one in chosen for error in one.errors]
        found = [right for one in chosen for right in one.found]
        false = sum(one.false for one in chosen) / len(chosen)
        return [float(np.median(errors)), float(np.percentile(errors, 90)), float(np.mean(found)), false]

    drawn = [numbers([results[i] for i in random.integers(0, len(results), len(results))]) for _ in range(1000)]
    limits = np.percentile(np.array(drawn), (2.5, 97.5), axis=0).T
    names = ("median error mm", "90th percentile mm", "found", "false per image")
    parts = [
        f"{name} {value:.2f} ({low:.2f} to {high:.2f})"
        for name, value, (low, high) in zip(names, numbers(results), limits, strict=True)
    ]
    return f"{len(results)} images, {sum(len(one.found) for one in results)} bodies: {', '.join(parts)}"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true", help="train, and put the weights into the package")
    parser.add_argument("--test", type=int, default=0, metavar="STUDIES", help="measure the weights of the package")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if chosen.write:
        network = train(*gathered(chosen.folder))
        content = save(network.tensors())
        write_bytes(SHIPPED, content)
        print(f"{len(content)} bytes, {sum(p.numel() for p in network.parameters()):,} parameters")
    if chosen.test:
        test(chosen.folder, shipped_vertebra_locator(), dict.fromkeys("ABCR", chosen.test))


if __name__ == "__main__":
    main()
