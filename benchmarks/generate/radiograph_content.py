"""Make the small network that tells radiographs of a spine from other images, from simulated and drawn images alone.

    python -m benchmarks.generate.radiograph_content runs/content [--write]

Simulated radiographs of all tasks and centres are the views; drawn hands, limbs, photographs and screenshots, and
slices of simulated MRI, are the rest. All are read as files are. Thumbnails are kept in the folder, so that a second
run only trains. `--write` puts the weights into the package. A few minutes of one core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from spinedet.core.files import write_bytes
from spinedet.core.radiograph import read_radiographs
from spinedet.imaging.radiograph.content import CLASSES, SHIPPED, SIDE, thumbnail
from spinedet.imaging.radiograph.read import prepare, read_radiograph
from spinedet.imaging.radiograph.records import StoredRadiograph
from spinedet.simulation.centers import CENTERS as SCANNERS
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.foreign import KINDS
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.scanner.protocol import Sampling
from spinedet.simulation.study import draw_study

# Studies of each task at each centre, and images of each other kind.
STUDIES = {
    "fractures": {"R": 90, "A": 70, "B": 30, "C": 30},
    "implants": {"R": 24, "A": 10, "B": 10, "C": 10},
    "scoliosis": {"R": 24, "A": 10, "B": 10, "C": 10},
}
FOREIGN_IMAGES, SCANS, SLICES = 240, 24, 5
COARSE = Sampling(coarseness=2.0, coarsest=1.2, positions=1)
SEED, PIXELS = 101, 320
# Thumbnails are kept larger than the network's input, so that parts of them can be cut out.
KEPT = 96
WIDTHS = (12, 24, 32, 48)
EPOCHS, BATCH, RATE = 30, 64, 4e-3

Thumbnails = NDArray[np.float32]


class ContentNetwork(nn.Module):
    """The network of `spinedet.imaging.radiograph.content`, to be trained."""

    def __init__(self) -> None:
        super().__init__()
        pairs = zip((1, *WIDTHS[:-1]), WIDTHS, strict=True)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs)
        self.head = nn.Linear(2 * WIDTHS[-1], len(CLASSES))

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, SIDE, SIDE) in [0, 1]."""
        x = 2 * pixels[:, None] - 1
        for layer in self.layers:
            x = F.relu(layer(x))
        result: Tensor = self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
        return result

    def tensors(self) -> dict[str, Tensor]:
        """As the package reads them."""
        state = {name.removeprefix("layers."): tensor.half().contiguous() for name, tensor in self.state_dict().items()}
        return dict(state)


def views(folder: Path) -> Iterator[tuple[str, Thumbnails]]:
    """Class and thumbnail of simulated radiographs."""
    for task, centers in STUDIES.items():
        groups = [RadiographGroup(center, "train", count) for center, count in centers.items()]
        cohort = RadiographCohort(task, task, groups, seed=SEED, pixels=PIXELS)
        for _, image in read_radiographs(draw_radiographs(cohort, folder / task)).images():
            yield str(image.view), thumbnail(read_radiograph(image.path), KEPT)


def others() -> Iterator[tuple[str, Thumbnails]]:
    """Class and thumbnail of drawn images that are no radiograph of a spine."""
    rng = np.random.default_rng(SEED)
    for kind, drawings in KINDS.items():
        for number in range(FOREIGN_IMAGES):
            picture = drawings[number % len(drawings)](int(rng.integers(110, 300)), rng)
            yield kind, as_read(picture)


def slices() -> Iterator[tuple[str, Thumbnails]]:
    """Class and thumbnail of slices of simulated MRI."""
    for piece in simulated_slices(SCANS, SEED):
        yield "mri", as_read(piece)


def simulated_slices(scans: int, seed: int) -> Iterator[Thumbnails]:
    """Sagittal and axial slices of simulated lumbar and cervical MRI, in [0, 1], as upright pictures."""
    rng = np.random.default_rng(seed)
    for number in range(scans):
        drawn = draw_study(SCANNERS[("R", "A", "B", "I", "II")[number % 5]], 1 + number, seed, sampling=COARSE)
        for stack in drawn.images:
            for place in rng.uniform(0.15, 0.85, SLICES):
                piece = stack[:, :, int(place * stack.shape[2])].T[::-1].astype(np.float32)
                yield np.clip(piece / max(np.percentile(piece, rng.uniform(97, 100)), 1), 0, 1)


def as_read(picture: Thumbnails) -> Thumbnails:
    """The thumbnail of a picture, read as a file without tags is."""
    return thumbnail(prepare(StoredRadiograph(picture), "picture"), KEPT)


def gathered(folder: Path) -> tuple[Tensor, Tensor]:
    """Thumbnails (n, KEPT, KEPT) in [0, 1] and classes (n,)."""
    parts = {"views": views(folder), "others": others(), "slices": slices()}
    pictures, rows = zip(*(_kept(folder / f"{name}.npz", found) for name, found in parts.items()), strict=True)
    return torch.cat(pictures), torch.cat(rows)


def _kept(path: Path, found: Iterator[tuple[str, Thumbnails]]) -> tuple[Tensor, Tensor]:
    """From the file, which is written first where it is missing."""
    if not path.is_file():
        names, pictures = zip(*found, strict=True)
        grey = np.rint(255 * np.stack(pictures)).astype(np.uint8)
        np.savez_compressed(path, pictures=grey, rows=np.array([CLASSES.index(name) for name in names]))
    with np.load(path) as content:
        return torch.from_numpy(content["pictures"].astype(np.float32) / 255), torch.from_numpy(content["rows"])


def varied(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Parts of the thumbnails, turned, mirrored, of other contrast, blurred and noisy; (n, SIDE, SIDE)."""
    count = len(pictures)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=random)

    angle, zoom = uniform(-0.15, 0.15), uniform(0.62, 1.06)
    side = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    free = (1 - zoom).clamp_min(0)
    across, down = uniform(-1, 1) * free, uniform(-1, 1) * free
    rows = (side * zoom * angle.cos(), -zoom * angle.sin(), across, side * zoom * angle.sin(), zoom * angle.cos(), down)
    grid = F.affine_grid(torch.stack(rows, 1).reshape(-1, 2, 3), [count, 1, 2 * SIDE, 2 * SIDE], align_corners=False)
    moved = F.avg_pool2d(F.grid_sample(narrowed(pictures, random)[:, None], grid, align_corners=False), 2)
    blurred = F.avg_pool2d(F.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    soft = uniform(-0.5, 1)[:, None, None, None].clamp_min(0)
    mixed = ((1 - soft) * moved + soft * blurred).clamp(0, 1)
    bent = mixed ** torch.exp(uniform(-0.7, 0.7))[:, None, None, None]
    gain, offset = uniform(0.7, 1.15)[:, None, None, None], uniform(-0.1, 0.15)[:, None, None, None]
    noise = torch.randn(bent.shape, generator=random) * uniform(0, 0.04)[:, None, None, None]
    return (gain * bent + offset + noise).clamp(0, 1)[:, 0]


def narrowed(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Some of the thumbnails without their left and right parts: radiographs of a spine are often stored so."""
    count, side = len(pictures), pictures.shape[-1]
    half = torch.where(torch.rand(count, generator=random) < 0.4, torch.rand(count, generator=random), 1.0)
    half = 0.12 + 0.38 * half
    middle = 0.5 + (torch.rand(count, generator=random) - 0.5) * 0.2
    places = ((torch.arange(side) + 0.5) / side - middle[:, None]).abs()
    inside = (places <= half[:, None]) | (half[:, None] >= 0.5)
    return pictures * inside[:, None]


def train(pictures: Tensor, rows: Tensor, epochs: int = EPOCHS) -> ContentNetwork:
    """The network after `epochs` passes; classes weigh alike."""
    torch.manual_seed(SEED)
    random = torch.Generator().manual_seed(SEED)
    network = ContentNetwork()
    weights = 1 / torch.bincount(rows, minlength=len(CLASSES)).float()
    loss_of = nn.CrossEntropyLoss(weights / weights.mean(), label_smoothing=0.02)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.02)
    steps = epochs * math.ceil(len(rows) / BATCH)
    schedule: Any = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows), generator=random).split(BATCH):
            loss = loss_of(network(varied(pictures[chosen], random)), rows[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true", help="put the weights into the package")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    network = train(*gathered(chosen.folder))
    content = save(network.tensors())
    write_bytes(chosen.folder / SHIPPED.name, content)
    if chosen.write:
        write_bytes(SHIPPED, content)
    print(f"{len(content)} bytes, {sum(p.numel() for p in network.parameters()):,} parameters")


if __name__ == "__main__":
    main()
