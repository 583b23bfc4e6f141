"""Inference of a stored model on volumes and studies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import torch

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.types import Finding, Study, StudyFindings
from spinedet.detection.dataset import LEAST_SLICES, Progress, no_progress, read_prepared, series_of, thickened
from spinedet.detection.device import fast_precision
from spinedet.detection.model_files import Model
from spinedet.detection.postprocess import findings
from spinedet.detection.test_time_augmentation import detect_augmented
from spinedet.detection.worker_pool import worker_processes
from spinedet.imaging.planes import PlaneSpec
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


@dataclass(frozen=True, eq=False)
class WorkingSeries:
    """One series with its voxels on the working grid of its plane (see `imaging.prepare`), of whatever region."""

    id: str
    plane: Plane
    volume: Volume

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the image that the network sees."""
        slices, rows, columns = self.volume.array.shape
        return max(slices, LEAST_SLICES), rows, columns


def detect_series(
    model: Model, several: Sequence[WorkingSeries], min_score: float, batch: int = 1
) -> list[tuple[Finding, ...] | str]:
    """Findings of each series, or the reason why it cannot be predicted: it is too large for the memory.

    Series of one plane and shape are predicted `batch` at a time, on the device where the model's networks are. On a
    CPU scores and boxes are those of one at a time to 1e-4 and 1e-2 mm.
    """
    alike: dict[tuple[Plane, tuple[int, int, int]], list[int]] = {}
    for number, one in enumerate(several):
        alike.setdefault((one.plane, one.shape), []).append(number)
    found: list[tuple[Finding, ...] | str] = [()] * len(several)
    for numbers in alike.values():
        for start in range(0, len(numbers), batch):
            together = numbers[start : start + batch]
            results = _within_memory(model, [several[number] for number in together], min_score)
            for number, result in zip(together, results, strict=True):
                found[number] = result
    return found


def _within_memory(model: Model, alike: Sequence[WorkingSeries], min_score: float) -> list[tuple[Finding, ...] | str]:
    """As `_detect`; one by one where the memory does not hold all at once."""
    try:
        return list(_detect(model, alike, min_score))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error) and "out of memory" not in str(error):
            raise
    torch.cuda.empty_cache()  # does nothing where no GPU was used
    if len(alike) > 1:
        return [result for one in alike for result in _within_memory(model, [one], min_score)]
    return [f"{alike[0].id} is too large for the memory of this machine; resample the image"]


def _detect(model: Model, alike: Sequence[WorkingSeries], min_score: float) -> list[tuple[Finding, ...]]:
    """Findings of series of one plane and shape, all at once."""
    plane = alike[0].plane
    detector = model.detectors[plane]
    device, card = next(detector.network.parameters(), torch.empty(0)).device, detector.card
    images = torch.stack([thickened(torch.from_numpy(one.volume.array)[None]) for one in alike])
    images = images.contiguous(memory_format=torch.channels_last_3d).to(device)
    with torch.inference_mode(), fast_precision(device):
        predictions = detect_augmented(
            (detector.network, *detector.others), images, detector.spec(plane), model.augmentation
        )
    return [
        findings(
            found.scaled(float(one.volume.grid.spacing[0]) / card.spacing[0]),
            one.volume.grid,
            one.id,
            card.categories,
            min_score,
            card.grades,
        )
        for one, found in zip(alike, predictions, strict=True)
    ]


def detect_native_volume(
    model: Model, volume: Volume, plane: Plane, series: str, min_score: float
) -> tuple[Finding, ...]:
    """Findings of one volume of the model's region as it was read.

    Raises:
        InputError: it is too large for the memory.
    """
    working = prepare(volume, model.detectors[plane].spec(plane).of(model.region))
    (found,) = detect_series(model, [WorkingSeries(series, plane, working)], min_score)
    if isinstance(found, str):
        raise InputError(found)
    return found


@dataclass(frozen=True, slots=True)
class Effort:
    """With what studies are predicted: `workers` processes, `batch` series at once."""

    workers: int
    batch: int = 1


def detect_studies(
    model: Model,
    studies: Sequence[Study],
    min_score: float,
    effort: Effort,
    progress: Progress = no_progress,
) -> CohortFindings:
    """Findings in every T2 series of the model's planes; a study that cannot be read is skipped whole."""
    read: list[StudyFindings] = []
    skipped: dict[str, str] = {}
    for done, (study, found) in enumerate(detect_each(model, studies, min_score, effort), start=1):
        if isinstance(found, str):
            skipped[study.id] = found
        else:
            read.append(found)
        progress(done, len(studies))
    return CohortFindings(tuple(read), skipped)


def detect_each(
    model: Model, studies: Sequence[Study], min_score: float, effort: Effort
) -> Iterator[tuple[Study, StudyFindings | str]]:
    """Each study with its findings, or with the reason why it cannot be read or predicted."""
    specs = tuple(detector.spec(plane) for plane, detector in model.detectors.items())
    if by_study(model, effort.batch):
        whole = partial(_detect_study, model, specs, min_score)
        with worker_processes(effort.workers, len(studies), __name__, (whole,)) as (detected,):
            yield from zip(studies, detected(studies), strict=True)
        return
    reading, ahead = partial(_read, specs), window(effort.batch)
    with worker_processes(effort.workers, len(studies), __name__, (reading,), ahead) as (ordered,):
        read = zip(studies, ordered(studies), strict=True)
        while group := list(islice(read, window(effort.batch))):
            yield from _detect_group(model, group, min_score, effort.batch)


def by_study(model: Model, batch: int) -> bool:
    """Whether every study is predicted by itself and on the CPU, so that any process can do it."""
    devices = (next(one.network.parameters(), torch.empty(0)).device for one in model.detectors.values())
    return batch == 1 and all(device.type == "cpu" for device in devices)


def _detect_study(model: Model, specs: Sequence[PlaneSpec], min_score: float, study: Study) -> StudyFindings | str:
    """One study's findings, or the reason why it cannot be read or predicted."""
    ((_, found),) = _detect_group(model, [(study, _read(specs, study))], min_score, 1)
    return found


def _detect_group(
    model: Model, group: Sequence[tuple[Study, list[WorkingSeries] | str]], min_score: float, batch: int
) -> Iterator[tuple[Study, StudyFindings | str]]:
    """Each study with its findings or the reason why there are none; series of one shape are predicted together."""
    every = [one for _, series in group if not isinstance(series, str) for one in series]
    found = iter(detect_series(model, every, min_score, batch))
    for study, series in group:
        yield study, series if isinstance(series, str) else _of_study(study, list(islice(found, len(series))))


def window(batch: int) -> int:
    """How many studies are gathered so that series of one shape meet: none waits for another when `batch` is 1."""
    return 1 if batch == 1 else 2 * batch


def _of_study(study: Study, found: Sequence[tuple[Finding, ...] | str]) -> StudyFindings | str:
    every: list[Finding] = []
    for each in found:
        if isinstance(each, str):
            return each
        every += each
    return StudyFindings(id=study.id, findings=tuple(every))


def _read(specs: Sequence[PlaneSpec], study: Study) -> list[WorkingSeries] | str:
    """The study's series, or the reason why one cannot be read."""
    try:
        return [
            WorkingSeries(series.id, spec.plane, read_prepared(study, series, spec))
            for spec in specs
            for series in series_of(study, spec)
        ]
    except InputError as error:
        return str(error)
