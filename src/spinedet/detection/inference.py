"""Inference of a stored model on volumes and studies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.types import Finding, Study, StudyFindings
from spinedet.detection.dataset import Progress, no_progress, read_prepared, series_of, thickened
from spinedet.detection.model_files import Model
from spinedet.detection.postprocess import findings
from spinedet.detection.test_time_augmentation import detect_augmented
from spinedet.imaging.resample import prepare
from spinedet.imaging.volume import Volume


@dataclass(frozen=True)
class CohortFindings:
    """Findings of every study that was read, and the reason for each that was not."""

    studies: tuple[StudyFindings, ...]
    skipped: dict[str, str]


def as_ensemble(models: Sequence[Model]) -> Model:
    """The first model, its detectors joined by those of the others.

    Raises:
        InputError: the models find other things, in other planes, or at another spacing.
    """
    first, *others = models
    facts = [{p: (d.card.categories, d.card.spacing) for p, d in model.detectors.items()} for model in models]
    if any(each != facts[0] for each in facts):
        raise InputError("models of an ensemble need the same planes, categories and working spacing")
    joined = {
        plane: replace(detector, others=tuple(other.detectors[plane].network for other in others))
        for plane, detector in first.detectors.items()
    }
    return replace(first, detectors=joined)


def detect_volume(model: Model, plane: Plane, prepared: Volume, series: str, min_score: float) -> tuple[Finding, ...]:
    """Findings of one volume on the plane's working grid (see `imaging.prepare`), of whatever region."""
    detector = model.detectors[plane]
    image = thickened(torch.from_numpy(prepared.array)[None, None])
    image = image.contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        found = detect_augmented((detector.network, *detector.others), image, detector.spec(plane), model.augmentation)
    scale = float(prepared.grid.spacing[0]) / detector.card.spacing[0]
    card = detector.card
    return findings(found.scaled(scale), prepared.grid, series, card.categories, min_score, card.grades)


def detect_native_volume(
    model: Model, volume: Volume, plane: Plane, series: str, min_score: float
) -> tuple[Finding, ...]:
    """Findings of one volume of the model's region as it was read."""
    working = prepare(volume, model.detectors[plane].spec(plane).of(model.region))
    return detect_volume(model, plane, working, series, min_score)


def detect_studies(
    model: Model,
    studies: Sequence[Study],
    min_score: float,
    workers: int,
    progress: Progress = no_progress,
) -> CohortFindings:
    """Findings in every T2 series of the model's planes; a study that cannot be read is skipped whole."""
    read: list[StudyFindings] = []
    skipped: dict[str, str] = {}
    for done, (study, found) in enumerate(detect_each(model, studies, min_score, workers), start=1):
        if isinstance(found, str):
            skipped[study.id] = found
        else:
            read.append(found)
        progress(done, len(studies))
    return CohortFindings(tuple(read), skipped)


def detect_each(
    model: Model, studies: Sequence[Study], min_score: float, workers: int
) -> Iterator[tuple[Study, StudyFindings | str]]:
    """Each study with its findings, or with the reason why it cannot be read."""
    for study, volumes in _read_ahead(model, studies, workers):
        if isinstance(volumes, str):
            yield study, volumes
        else:
            found = (f for (p, s), v in volumes.items() for f in detect_volume(model, p, v, s, min_score))
            yield study, StudyFindings(id=study.id, findings=tuple(found))


Volumes = dict[tuple[Plane, str], Volume]


def _read_ahead(model: Model, studies: Sequence[Study], workers: int) -> Iterator[tuple[Study, Volumes | str]]:
    """Studies with their prepared volumes, or with the reason why they cannot be read; some are read ahead."""
    ahead = max(2, workers)
    with ThreadPoolExecutor(ahead) as pool:
        waiting = [pool.submit(_read, model, study) for study in studies[:ahead]]
        for index, study in enumerate(studies):
            volumes = waiting.pop(0).result()
            if index + ahead < len(studies):
                waiting.append(pool.submit(_read, model, studies[index + ahead]))
            yield study, volumes


def _read(model: Model, study: Study) -> Volumes | str:
    specs = [detector.spec(plane) for plane, detector in model.detectors.items()]
    try:
        return {(spec.plane, s.id): read_prepared(study, s, spec) for spec in specs for s in series_of(study, spec)}
    except InputError as error:
        return str(error)
