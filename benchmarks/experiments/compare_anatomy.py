"""Compare the phantoms' lumbar anatomy with SPIDER's disc and canal masks: spacing, tilt and length of the discs.

    SPINEDET_REAL_DATA=... python -m benchmarks.experiments.compare_anatomy --patients 200

Real values are measured on the middle slice of the 18 T2 SPACE volumes (van der Graaf et al., 2024, CC BY 4.0); the
lengths of real discs include what bulges, so they exceed the bodies that the phantoms are compared by.
"""

from __future__ import annotations

import argparse
import math
import os
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from spinedet.imaging.planes import SAGITTAL, orient
from spinedet.imaging.volume import read_volume
from spinedet.simulation.anatomy.degeneration import DegenerationSettings
from spinedet.simulation.anatomy.lumbar_patient import draw_lumbar

LEVELS = ("L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2", "T12/L1", "T11/T12")
Table = dict[tuple[str, str], list[float]]


def real(folder: Path) -> Table:
    """Measures of real discs by (measure, level)."""
    table: Table = defaultdict(list)
    for path in sorted(folder.glob("*.mha")):
        mask = orient(read_volume(path), SAGITTAL)
        middle, spacing = mask.array[mask.array.shape[0] // 2], mask.grid.spacing[1:]
        centers = {}
        for label, level in enumerate(LEVELS, start=201):
            rows, columns = np.nonzero(middle == label)
            if len(rows) < 80:
                continue
            # Forwards and upwards, mm: rows run to the feet, columns backwards.
            points = np.column_stack([-columns * spacing[1], -rows * spacing[0]])
            centers[level] = points.mean(axis=0)
            axis = np.linalg.svd(points - centers[level], full_matrices=False)[2][0]
            axis = axis * np.sign(axis[0])
            table["tilt", level].append(math.degrees(math.atan2(-axis[1], axis[0])))
            table["length", level].append(float(np.ptp(points @ axis)))
        add_spacing(table, centers)
    return table


def drawn(patients: int) -> Table:
    """The same measures of phantoms without transitional vertebrae."""
    table: Table = defaultdict(list)
    for seed in range(patients):
        discs = {
            disc.level: disc for disc in draw_lumbar(DegenerationSettings(), np.random.default_rng(seed)).spine.discs
        }
        if "L5/S1" not in discs or discs["L5/S1"].stub:
            continue
        for level in LEVELS:
            forwards = discs[level].frame.anterior
            table["tilt", level].append(math.degrees(math.atan2(-forwards[2], forwards[1])))
            table["length", level].append(2 * discs[level].half_depth)
        add_spacing(table, {level: np.asarray(discs[level].frame.center) for level in LEVELS})
    return table


def add_spacing(table: Table, centers: dict[str, np.ndarray]) -> None:
    """Distance of each disc from the next one above."""
    for level, above in pairwise(LEVELS):
        if level in centers and above in centers:
            table["spacing", level].append(float(np.linalg.norm(centers[above] - centers[level])))


def main() -> None:
    """Print both sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=200)
    patients = parser.parse_args().patients
    scans, phantoms = real(Path(os.environ["SPINEDET_REAL_DATA"]) / "spider/masks"), drawn(patients)
    for measure, unit in (("spacing", "mm"), ("tilt", "degrees"), ("length", "mm")):
        for level in LEVELS:
            if (measure, level) in scans:
                one, two = scans[measure, level], phantoms[measure, level]
                words = f"SPIDER {np.mean(one):6.1f} +- {np.std(one):4.1f} (n={len(one):2d})"
                print(f"{measure:8s} {level:8s} {words}   phantom {np.mean(two):6.1f} +- {np.std(two):4.1f} {unit}")


if __name__ == "__main__":
    main()
