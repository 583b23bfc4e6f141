"""Draw the sheets of simulated radiographs in docs/images, each picture with what it shows above it.

python -m benchmarks.generate.draw_radiographs docs/images
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spinedet.simulation.radiograph.cohort import draw_radiograph_study
from spinedet.simulation.radiograph.settings import RadiographCohort
from spinedet.simulation.radiograph.tasks import DrawnRadiographs

GAP, BAND, FONT = 4, 22, 14
# Pixels of the drawing that vertebrae are cut from, and the side of a cut.
FINE, SIDE = 840, 220
QUALITY = 72


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet.

    Attributes:
        caption: above it. label, center, number: of the study. image: which of its images.
        vertebra: to cut out and to window by itself; None for the whole image.
    """

    caption: str
    label: str
    center: str
    number: int
    image: int = 0
    vertebra: str | None = None


# File, task, height of whole images, and rows of panels.
SHEETS: dict[str, tuple[str, int, tuple[tuple[Panel, ...], ...]]] = {
    "radiographs-implants.jpg": (
        "implants",
        400,
        (
            (
                Panel("centre A, system A, AP", "A", "A", 5),
                Panel("lateral", "A", "A", 5, 1),
                Panel("centre A, system D, AP", "D", "A", 7),
                Panel("lateral", "D", "A", 7, 1),
            ),
            (
                Panel("centre B, system B, AP", "B", "B", 3),
                Panel("lateral", "B", "B", 3, 1),
                Panel("centre C, system E, AP", "E", "C", 4),
                Panel("lateral", "E", "C", 4, 1),
            ),
        ),
    ),
    "radiographs-fractures.jpg": (
        "fractures",
        420,
        (
            (
                Panel("A: fresh at L2, old at T12 and L1", "fresh", "A", 7),
                Panel("A: fresh at L3, old at L1", "fresh", "A", 5),
                Panel("A: no fracture, plates with dents", "not_fresh", "A", 12),
                Panel("C: fresh at L3", "fresh", "C", 9),
            ),
            (
                Panel("L2, fresh (first patient)", "fresh", "A", 7, vertebra="L2"),
                Panel("L3, fresh (second)", "fresh", "A", 5, vertebra="L3"),
                Panel("L1, old (first)", "fresh", "A", 7, vertebra="L1"),
                Panel("L1, old (second)", "fresh", "A", 5, vertebra="L1"),
                Panel("L3, none (third)", "not_fresh", "A", 12, vertebra="L3"),
                Panel("L3, fresh (fourth)", "fresh", "C", 9, vertebra="L3"),
            ),
        ),
    ),
    "radiographs-scoliosis.jpg": (
        "scoliosis",
        460,
        (
            (
                Panel("plain, AP", "plain", "A", 5),
                Panel("lateral", "plain", "A", 5, 1),
                Panel("brace, AP", "brace", "A", 3),
                Panel("fusion, AP", "fusion", "A", 4),
                Panel("lateral", "fusion", "A", 4, 1),
                Panel("growing rods, AP", "growing", "A", 1),
                Panel("tether, AP", "tether", "A", 9),
            ),
        ),
    ),
}


def sheet(task: str, rows: int, lines: Sequence[Sequence[Panel]]) -> Image.Image:
    """The panels side by side, line under line, each line as wide as the first."""
    strips: list[Image.Image] = []
    for line in lines:
        panels = [_drawn(task, rows, one) for one in line]
        strip = Image.new("L", (sum(one.width + GAP for one in panels), max(one.height for one in panels) + GAP))
        left = 0
        for one in panels:
            strip.paste(one, (left, 0))
            left += one.width + GAP
        if strips:
            width = strips[0].width
            strip = strip.resize((width, round(strip.height * width / strip.width)), Image.Resampling.LANCZOS)
        strips.append(strip)
    whole = Image.new("L", (strips[0].width, sum(one.height for one in strips)))
    top = 0
    for strip in strips:
        whole.paste(strip, (0, top))
        top += strip.height
    return whole


def _drawn(task: str, rows: int, panel: Panel) -> Image.Image:
    """One panel with its caption."""
    pixels = FINE if panel.vertebra else rows
    study = draw_radiograph_study(RadiographCohort(task=task, pixels=pixels), panel.label, panel.center, panel.number)
    grey = _vertebra(study, panel) if panel.vertebra else study.images[panel.image].pixels >> 8
    picture = Image.new("L", (grey.shape[1], grey.shape[0] + BAND))
    picture.paste(Image.fromarray(grey.astype(np.uint8)), (0, BAND))
    ImageDraw.Draw(picture).text((4, 2), panel.caption, fill=255, font=ImageFont.load_default(FONT))
    return picture


def _vertebra(study: DrawnRadiographs, panel: Panel) -> NDArray[np.uint8]:
    """A square around the vertebra, its middle 99 % of grey values spread."""
    image = study.images[panel.image]
    (landmark,) = (one for one in study.landmarks if one.name == panel.vertebra)
    box = image.box(landmark.points)
    if box is None:
        raise ValueError(f"{panel.vertebra} is not on the image")
    rows, columns = image.pixels.shape
    left = int(np.clip((box[0] + box[2] - SIDE) / 2, 0, columns - SIDE))
    top = int(np.clip((box[1] + box[3] - SIDE) / 2, 0, rows - SIDE))
    cut = image.pixels[top : top + SIDE, left : left + SIDE].astype(np.float64)
    low, high = np.percentile(cut, (0.5, 99.5))
    return (255 * np.clip((cut - low) / (high - low), 0, 1)).astype(np.uint8)


def main() -> None:
    """Write every sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    for name, (task, rows, lines) in SHEETS.items():
        sheet(task, rows, lines).save(folder / name, quality=QUALITY, optimize=True)
        print(folder / name)


if __name__ == "__main__":
    main()
