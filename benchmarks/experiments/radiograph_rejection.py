"""How many simulated radiographs are rejected, and how many images of other things are not.

    python -m benchmarks.experiments.radiograph_rejection --studies 16 --images 60 [--folder mri=FOLDER ...]

Simulated radiographs of every task and centre of a seed that taught nothing are read as files are; so are drawn images
and slices of simulated MRI, and the pictures in folders of one's own. The share rejected for its content, with the
exact 95 % interval; the classes that were named; and other rejections (polarity, exposures ...).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from scipy.stats import binomtest

from benchmarks.generate.radiograph_content import simulated_slices
from spinedet.core.errors import InputError
from spinedet.core.radiograph import VIEWS, read_radiographs
from spinedet.imaging.radiograph.checks import Expected, check_radiograph
from spinedet.imaging.radiograph.content import shipped_content_classifier
from spinedet.imaging.radiograph.read import prepare, read_radiograph
from spinedet.imaging.radiograph.records import RadiographImage, StoredRadiograph
from spinedet.imaging.suitability import Suitability
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.foreign import KINDS
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup

SEED = 202
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass
class Counted:
    """What became of the images of one kind."""

    images: int = 0
    foreign: int = 0
    seen: Counter[str] | None = None
    other: Counter[str] | None = None

    def add(self, image: RadiographImage | None) -> None:
        """Count one image; None for one that cannot be read."""
        self.images += 1
        self.seen, self.other = self.seen or Counter(), self.other or Counter()
        if image is None:
            self.other["unreadable"] += 1
            return
        estimate = shipped_content_classifier()(image)
        checks = check_radiograph(image, Expected(tuple(VIEWS)), estimate)
        rejected = [check.question for check in checks if check.suitability is Suitability.REJECTED]
        self.foreign += "content" in rejected
        self.seen[estimate.name or estimate.shown] += 1
        self.other.update(question for question in rejected if question != "content")

    def __str__(self) -> str:
        limits = binomtest(self.foreign, self.images).proportion_ci(method="exact")
        also = f"; also {dict(self.other)}" if self.other else ""
        return (
            f"{self.foreign} of {self.images} rejected for the content ({limits.low:.3f} to {limits.high:.3f}): "
            f"{dict(self.seen or {})}{also}"
        )


def simulated(folder: Path, studies: int, pixels: int) -> Iterator[tuple[str, RadiographImage]]:
    """Radiographs by task and centre."""
    for task in ("fractures", "implants", "scoliosis"):
        for center in "ABCR":
            cohort = RadiographCohort(task, task, [RadiographGroup(center, "test", studies)], SEED, pixels)
            for _, image in read_radiographs(draw_radiographs(cohort, folder / f"{task}-{center}")).images():
                yield f"{task}, centre {center}", read_radiograph(image.path)


def drawn(images: int) -> Iterator[tuple[str, RadiographImage]]:
    """What is no radiograph of a spine."""
    rng = np.random.default_rng(SEED)
    for kind, drawings in KINDS.items():
        for number in range(images):
            picture = drawings[number % len(drawings)](int(rng.integers(200, 500)), rng)
            yield f"drawn: {kind}", prepare(StoredRadiograph(picture), kind)
    for piece in simulated_slices(max(1, images // 10), SEED):
        yield "simulated: mri", prepare(StoredRadiograph(piece), "slice")


def pictures(folder: Path) -> Iterator[RadiographImage | None]:
    """Every picture below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES:
            with Image.open(path) as picture:
                grey = picture.mode in ("L", "I;16", "I", "F")
                pixels = None if grey else np.asarray(picture.convert("L"), np.float32) / 255
            try:
                # A photograph in colour is rejected for its colours alone: its grey values are what is tested here.
                yield read_radiograph(path) if pixels is None else prepare(StoredRadiograph(pixels), path.name)
            except InputError:
                yield None


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=16, help="of each task and centre; 0 for none")
    parser.add_argument("--images", type=int, default=60, help="drawn ones of each kind; 0 for none")
    parser.add_argument("--pixels", type=int, default=320)
    parser.add_argument("--folder", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--keep", type=Path, help="folder for the simulated radiographs")
    chosen = parser.parse_args()
    found: dict[str, Counted] = {}
    with TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        if chosen.studies:
            for name, image in simulated(folder, chosen.studies, chosen.pixels):
                found.setdefault(name, Counted()).add(image)
    if chosen.images:
        for name, image in drawn(chosen.images):
            found.setdefault(name, Counted()).add(image)
    for named in chosen.folder:
        name, _, place = named.partition("=")
        for read in pictures(Path(place)):
            found.setdefault(f"folder: {name}", Counted()).add(read)
    for name, counted in found.items():
        print(f"{name}: {counted}")


if __name__ == "__main__":
    main()
