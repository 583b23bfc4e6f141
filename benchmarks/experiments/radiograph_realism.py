"""Compare simulated AP radiographs with public ones: slope of the power spectrum, and fine detail.

    python -m benchmarks.experiments.radiograph_realism --phantoms 40 [--public FOLDER]

Each image is read as the commands read it, resized to 330 rows, and measured in the middle 60 % of its exposed field:
the slope of the radial power spectrum over spatial frequency (log-log, 0.02 to 0.4 cycles per pixel), and the standard
deviation of what is left after subtracting a Gaussian blur of 2 pixels. FOLDER holds public AP radiographs.
Median (10th to 90th percentile); 95 % intervals of the medians by bootstrap, seed 0.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from spinedet.core.errors import InputError
from spinedet.imaging.radiograph.read import read_radiograph
from spinedet.simulation.radiograph.centers import CENTERS
from spinedet.simulation.radiograph.cohort import random_stream
from spinedet.simulation.radiograph.hardware import SYSTEMS
from spinedet.simulation.radiograph.image_files import write_png
from spinedet.simulation.radiograph.lumbar_scenes import LUMBAR_TECHNIQUES, aimed_at, draw_instrumented
from spinedet.simulation.radiograph.room import Room

ROWS = 330


def middle(path: Path) -> np.ndarray:
    """(rows, columns) in [0, 1]: the middle 60 % of the exposed field, of an image of 330 rows."""
    pixels = read_radiograph(path).pixels
    rows, columns = np.nonzero(pixels > 0)
    pixels = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    width = round(pixels.shape[1] * ROWS / pixels.shape[0])
    small = np.array(Image.fromarray(pixels.astype(np.float32)).resize((width, ROWS), Image.Resampling.BOX))
    y, x = ROWS // 5, width // 5
    return small[y : ROWS - y, x : width - x]


def slope(image: np.ndarray) -> float:
    """Exponent of the radial power spectrum."""
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    fy, fx = (np.fft.fftfreq(size) for size in image.shape)
    radius = np.sqrt(fy[:, None] ** 2 + fx**2).ravel()
    edges = np.geomspace(0.02, 0.4, 15)
    bins = np.digitize(radius, edges)
    found = [(np.log(edges[i - 1] * edges[i]) / 2, np.log(power.ravel()[bins == i].mean())) for i in range(1, 15)]
    frequency, logarithm = np.array(found).T
    return float(np.polyfit(frequency, logarithm, 1)[0])


def detail(image: np.ndarray) -> float:
    """Deviation of what a blur of 2 pixels takes away."""
    return float((image - gaussian_filter(image, 2)).std())


def report(name: str, paths: list[Path]) -> None:
    """One line."""
    numbers = []
    for path in paths:
        try:
            numbers.append([measure(middle(path)) for measure in (slope, detail)])
        except InputError as error:
            print(f"left out: {error}")
    values, rng = np.array(numbers), np.random.default_rng(0)
    parts = []
    for column in values.T:
        low, high = np.percentile(column, (10, 90))
        medians = np.median(column[rng.integers(0, len(column), (2000, len(column)))], axis=1)
        a, b = np.percentile(medians, (2.5, 97.5))
        parts.append(f"{np.median(column):.3f} ({low:.3f} to {high:.3f}; median {a:.3f} to {b:.3f})")
    print(f"{name:<10} n={len(values):<4} slope {parts[0]}   detail {parts[1]}")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=40)
    parser.add_argument("--public", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.public:
        report("public", sorted(path for path in given.public.rglob("*") if path.is_file()))
    for center in CENTERS:
        with TemporaryDirectory() as folder:
            paths = [without_metal(center, number, given.seed, Path(folder)) for number in range(given.phantoms)]
            report(f"centre {center}", paths)


def without_metal(center: str, number: int, seed: int, folder: Path) -> Path:
    """A simulated AP radiograph of a lumbar spine without implants: public sets seldom hold any."""
    rng = random_stream(seed, "realism", center, number)
    patient = replace(draw_instrumented(SYSTEMS["A"], CENTERS[center].size, rng).patient, metal=())
    technique = LUMBAR_TECHNIQUES[0]
    image = Room(CENTERS[center], 384).take(
        patient, technique, aimed_at(patient.spine, "L3", technique.ahead, rng), rng
    )
    path = folder / f"{number}.png"
    write_png(path, image, "")
    return path


if __name__ == "__main__":
    main()
