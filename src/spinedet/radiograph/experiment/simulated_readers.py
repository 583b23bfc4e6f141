"""Readings of simulated readers: right by chance as often as they are said to be."""

from __future__ import annotations

import numpy as np

from spinedet.core.radiograph import RadiographManifest
from spinedet.core.radiograph.readings import READER, ImageReading, Readings, StudyReading
from spinedet.radiograph.experiment.sizes import SimulatedReaderConfig


def simulate_reader(manifest: RadiographManifest, config: SimulatedReaderConfig, seed: int) -> Readings:
    """Readings of every image of a manifest whose task has a finding; the same for a seed and name."""
    task = manifest.task
    finding = task.positive or ""
    clear = next(label for label in task.labels if label != finding)
    rng = np.random.default_rng([seed, *config.name.encode()])
    studies = []
    for study in manifest.studies:
        images = []
        for image in study.used:
            positive = study.label_of(image, task) == finding
            right = rng.random() < (config.sensitivity if positive else config.specificity)
            images.append(ImageReading(id=image.id, view=image.view, label=finding if positive == right else clear))
        studies.append(StudyReading(id=study.id, images=tuple(images)))
    return Readings(model={"name": config.name, "kind": READER, "simulated": True}, studies=tuple(studies))
