"""A baseline without pixels: logistic regression on age, sex, pixel size and size of the file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spinedet.core.radiograph import Radiograph, RadiographManifest, RadiographStudy
from spinedet.core.radiograph.readings import ImageReading, Readings, StudyReading
from spinedet.core.types import Split
from spinedet.radiograph.models.frozen import LogisticHead, fit_logistic

NAME = "metadata-alone"
_PENALTY = 1.0

Item = tuple[RadiographStudy, Radiograph]


def read_metadata(manifest: RadiographManifest) -> Readings:
    """Fitted to the split `train`, the readings of the split `test`; views apart."""
    task = manifest.task
    found: dict[str, list[ImageReading]] = {s.id: [] for s in manifest.studies if s.split is Split.TEST and s.used}
    for view in task.views:
        labels = task.labels_of(view)
        items = [(study, image) for study, image in manifest.images() if image.view == view]
        train = [(s, i) for s, i in items if s.split is Split.TRAIN and s.label_of(i, task) in labels]
        test = [(s, i) for s, i in items if s.id in found]
        if not train or not test:
            continue
        rows = torch.tensor([labels.index(study.label_of(image, task) or "") for study, image in train])
        head = LogisticHead(_features(train).shape[1], len(labels))
        fit_logistic(head, _features(train), rows, torch.ones(len(labels)), _PENALTY)
        with torch.no_grad():
            table = head(_features(test)).softmax(1).double().tolist()
        for (study, image), row in zip(test, table, strict=True):
            scores = dict(zip(labels, row, strict=True))
            label = max(scores, key=lambda one: scores[one])
            found[study.id].append(ImageReading(id=image.id, view=view, label=label, scores=scores))
    studies = tuple(StudyReading(id=name, images=tuple(images)) for name, images in found.items())
    return Readings(model={"name": NAME, "kind": "baseline"}, studies=studies)


def _features(items: Sequence[Item]) -> Tensor:
    """(n, 4); what is not known is 0."""
    rows = [
        (
            _number(study.attributes.get("age")),
            float(study.attributes.get("sex") == "F"),
            image.mm or 0.0,
            float(image.path.stat().st_size),
        )
        for study, image in items
    ]
    return torch.tensor(rows)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
