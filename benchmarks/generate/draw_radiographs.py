"""Draw the pictures of simulated radiographs in docs/images.

python -m benchmarks.generate.draw_radiographs docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from spinedet.simulation.radiograph.cohort import draw_radiograph_study
from spinedet.simulation.radiograph.settings import RadiographCohort

# File, task, height of the images, and rows of studies: label, centre, number, index of the images shown.
Shown = tuple[str, str, int, tuple[int, ...]]
SHEETS: dict[str, tuple[str, int, tuple[tuple[Shown, ...], ...]]] = {
    "radiographs-implants.png": (
        "implants",
        400,
        (
            (("A", "A", 5, (0, 1)), ("D", "A", 7, (0, 1))),
            (("B", "B", 3, (0, 1)), ("E", "C", 4, (0, 1))),
        ),
    ),
    "radiographs-fractures.png": (
        "fractures",
        420,
        ((("fresh", "A", 7, (0,)), ("fresh", "A", 5, (0,)), ("not_fresh", "A", 12, (0,)), ("fresh", "C", 9, (0,))),),
    ),
    "radiographs-scoliosis.png": (
        "scoliosis",
        460,
        (
            (
                ("plain", "A", 5, (0, 1)),
                ("brace", "A", 3, (0,)),
                ("fusion", "A", 4, (0, 1)),
                ("growing", "A", 1, (0,)),
                ("tether", "A", 9, (0,)),
            ),
        ),
    ),
}


def sheet(task: str, rows: int, lines: tuple[tuple[Shown, ...], ...]) -> Image.Image:
    """The studies side by side, line under line."""
    strips = []
    for line in lines:
        pictures = []
        for label, center, number, indices in line:
            drawn = draw_radiograph_study(RadiographCohort(task=task, pixels=rows), label, center, number)
            pictures += [drawn.images[index].pixels >> 8 for index in indices]
        strips.append(np.hstack([np.pad(picture, ((0, 4), (0, 4))) for picture in pictures]))
    width = max(strip.shape[1] for strip in strips)
    whole = np.vstack([np.pad(strip, ((0, 0), (0, width - strip.shape[1]))) for strip in strips])
    return Image.fromarray(whole.astype(np.uint8))


def main() -> None:
    """Write every sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    for name, (task, rows, lines) in SHEETS.items():
        sheet(task, rows, lines).save(folder / name, optimize=True)
        print(folder / name)


if __name__ == "__main__":
    main()
