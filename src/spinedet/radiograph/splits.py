"""Which studies of a cohort of radiographs train, tune and test, and the cohort's digest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.radiograph import RadiographManifest, RadiographStudy, Task, phantom_note
from spinedet.core.types import Split
from spinedet.runs.provenance import RadiographParticipants


@dataclass(frozen=True, slots=True)
class Parted:
    """Studies by the part they play."""

    train: tuple[RadiographStudy, ...]
    tune: tuple[RadiographStudy, ...]
    test: tuple[RadiographStudy, ...]

    @property
    def centers(self) -> tuple[str, ...]:
        """Of the studies that a model is developed on."""
        return tuple(sorted({study.center for study in (*self.train, *self.tune)}))

    @property
    def record(self) -> dict[str, list[str]]:
        """Ids of studies by part."""
        return {name: [study.id for study in getattr(self, name)] for name in ("train", "tune", "test")}


def part_studies(manifest: RadiographManifest, shares: tuple[float, float], seed: int) -> Parted:
    """By the manifest's splits, or by patient where it has none.

    Args:
        shares: of the patients, to tune and to test on, where the manifest has no splits.

    Raises:
        InputError: some studies have a split and some have none, or a part for training or tuning is empty.
    """
    used = [study for study in manifest.studies if study.used]
    without = [study for study in used if study.split is None]
    if without and len(without) < len(used):
        raise InputError(
            f"{manifest.name}: study {without[0].id!r} has no split and others have one; give all of them one, or none"
        )
    split = _by_patient(used, shares, seed) if without else {study.id: study.split for study in used}
    parts = {one: tuple(study for study in used if split[study.id] is one) for one in Split}
    for one in (Split.TRAIN, Split.TUNE):
        if not parts[one]:
            raise InputError(f"{manifest.name}: no study has the split {one.value!r}; give some studies this split")
    return Parted(parts[Split.TRAIN], parts[Split.TUNE], parts[Split.TEST])


def _by_patient(studies: list[RadiographStudy], shares: tuple[float, float], seed: int) -> dict[str, Split]:
    """All studies of a patient play one part, whatever their order in the manifest."""
    patients = sorted({study.patient for study in studies})
    order = np.random.default_rng(seed).permutation(len(patients))
    tune, test = (round(share * len(patients)) for share in shares)
    part = {
        patients[row]: Split.TUNE if place < tune else Split.TEST if place < tune + test else Split.TRAIN
        for place, row in enumerate(order.tolist())
    }
    return {study.id: part[study.patient] for study in studies}


def radiograph_participants(
    parts: Mapping[str, Sequence[RadiographStudy]], task: Task
) -> tuple[RadiographParticipants, ...]:
    """Patients, studies and images of each centre, by the name of the part that they play."""
    return tuple(
        _participants(name, center, [study for study in studies if study.center == center], task)
        for name, studies in parts.items()
        for center in sorted({study.center for study in studies})
    )


def _participants(split: str, center: str, studies: list[RadiographStudy], task: Task) -> RadiographParticipants:
    labels = [study.label_of(image, task) for study in studies for image in study.used]
    return RadiographParticipants(
        split=split,
        center=center,
        simulated=bool(phantom_note(studies)),
        patients=len({study.patient for study in studies}),
        studies=len(studies),
        images=len(labels),
        labels=dict(sorted(Counter(label for label in labels if label is not None).items())),
        unlabelled=labels.count(None),
    )


def cohort_digest(manifest: RadiographManifest) -> str:
    """A digest of ids, splits, labels and images: the same data gives the same digest wherever it lies."""
    digest = hashlib.sha256(manifest.task.model_dump_json().encode())
    for study in sorted(manifest.studies, key=lambda one: one.id):
        lean = study.model_copy(update={"images": tuple(i.model_copy(update={"path": ""}) for i in study.images)})
        digest.update(lean.model_dump_json().encode())
    return digest.hexdigest()
