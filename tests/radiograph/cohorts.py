"""Small cohorts of hand-made images whose label can be seen: a bright plate at a height that depends on it."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.core.radiograph import (
    AP,
    LATERAL,
    OTHER,
    Radiograph,
    RadiographManifest,
    RadiographStudy,
    Task,
    write_radiographs,
)
from spinedet.core.types import Split
from tests.imaging.radiograph.films import Film, film, save

PLATES = Task(name="plates", labels=("high", "low"), views=(AP.name, LATERAL.name))
FRACTURES = Task(name="fractures", labels=("none", "fresh"), views=(LATERAL.name,), positive="fresh")
# Rows and columns of the plate, by label; `other` has one across.
_PLACES = {
    "high": (slice(60, 100), slice(130, 160)),
    "none": (slice(60, 100), slice(130, 160)),
    "low": (slice(200, 240), slice(130, 160)),
    "fresh": (slice(200, 240), slice(130, 160)),
    OTHER: (slice(150, 160), slice(40, 250)),
}


def plated(label: str, view: str, seed: int) -> Film:
    """An image of a view with the plate of a label; laterals are darker at one side."""
    made = film(seed=seed)
    rows, columns = _PLACES[label]
    made[rows, columns] = 1.0
    return made * np.linspace(0.5, 1, made.shape[1], dtype=np.float32) if view == LATERAL.name else made


def cohort(folder: Path, task: Task, split: dict[str, int], center: str = "A", **more: Any) -> Path:
    """Write so many studies of each split, labels in turn, a fifth of those to test `other`; gives the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    studies = []
    for part, count in split.items():
        for number in range(count):
            name = f"{center}-{part}-{number}"
            other = part != "train" and number % 5 == 4 and task.positive is None
            label = OTHER if other else task.labels[number % len(task.labels)]
            images = []
            for view in task.views:
                seed = zlib.crc32(name.encode()) % 10000
                path = save(folder / f"{name}-{view}.png", plated(label, view, seed))
                images.append(Radiograph(id=view, view=view, path=path))
            studies.append(
                RadiographStudy(
                    id=name, patient=name, center=center, split=Split(part), label=label, images=tuple(images), **more
                )
            )
    manifest = RadiographManifest(name=f"hand-made {center}", task=task, studies=tuple(studies))
    write_radiographs(folder / "radiographs.json", manifest)
    return folder / "radiographs.json"
