"""Prediction for studies: their series are read, predicted together where they are of one shape, and named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from spinedet.cli.console import show_notes
from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.types import Finding, FiniteJson
from spinedet.detection.inference import WorkingSeries, detect_series, window
from spinedet.imaging.input_checks import check_input, describe_concerns
from spinedet.imaging.planes import PlaneSpec, plane_of
from spinedet.imaging.resample import prepare
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import InputCheck, Suitability, overall_suitability
from spinedet.imaging.volume import Volume
from spinedet.pipelines.image_sources import SeriesSource, StudySource
from spinedet.pipelines.prediction import (
    AssignLevels,
    SeriesPrediction,
    SeriesRecord,
    StudyPrediction,
    StudyRecord,
    keep_levels,
)
from spinedet.runs.run_folder import FinishedRun


@dataclass(frozen=True)
class Predictor:
    """A run with the settings under which it predicts.

    Attributes:
        limits: of the input checks. min_score: candidates below it are not listed.
        assign_levels: the step between the candidates and the outputs in which levels are assigned.
        batch: series of one shape that are predicted at once.
    """

    run: FinishedRun
    limits: EligibilityLimits
    min_score: float
    assign_levels: AssignLevels = keep_levels
    batch: int = 1

    @property
    def reader(self) -> Reader:
        """What another process needs to know to read for this predictor: all but the networks."""
        model = self.run.model
        return Reader(model.region, {p: d.spec(p) for p, d in model.detectors.items()}, self.limits)


@dataclass(frozen=True)
class Reader:
    """How series are read for a model of this region; `specs` are those of the planes that it has a detector for."""

    region: Region
    specs: Mapping[Plane, PlaneSpec]
    limits: EligibilityLimits


@dataclass(frozen=True, eq=False)
class ReadSeries:
    """A series that was read and can be predicted.

    Attributes:
        files, sha256, volume, checks: as in `SeriesPrediction`. working: the voxels on the plane's working grid.
    """

    files: tuple[Path, ...]
    sha256: str
    volume: Volume
    checks: tuple[InputCheck, ...]
    working: WorkingSeries


@dataclass(frozen=True, eq=False)
class ReadStudy:
    """A study with the series that can be predicted; `skipped` is the reason by id of the others."""

    id: str
    attributes: Mapping[str, FiniteJson]
    series: tuple[ReadSeries, ...]
    skipped: dict[str, str]


def predict_study(predictor: Predictor, source: StudySource) -> StudyPrediction:
    """Predict for every series of a study; one that cannot be used is skipped with the reason."""
    (study,) = predict_studies(predictor, [read_study(predictor.reader, source)])
    return with_levels(predictor.assign_levels, study)


def read_study(reader: Reader, source: StudySource) -> ReadStudy:
    """Read, check and prepare every series of a study."""
    read: list[ReadSeries] = []
    skipped: dict[str, str] = {}
    for series in source.series:
        try:
            read.append(_read_series(reader, series))
        except InputError as error:
            skipped[series.id] = str(error)
    return ReadStudy(source.id, source.attributes, tuple(read), skipped)


def predict_studies(predictor: Predictor, studies: Iterable[ReadStudy]) -> Iterator[StudyPrediction]:
    """Predict for studies in their order, series of several studies at once; no levels are assigned yet."""
    left = iter(studies)
    while group := list(islice(left, window(predictor.batch))):
        working = [series.working for study in group for series in study.series]
        found = iter(detect_series(predictor.run.model, working, 0.0, predictor.batch))
        for study in group:
            yield _predicted(predictor, study, list(islice(found, len(study.series))))


def _predicted(predictor: Predictor, study: ReadStudy, found: list[tuple[Finding, ...] | str]) -> StudyPrediction:
    predictions: list[SeriesPrediction] = []
    skipped = dict(study.skipped)
    for one, boxes in zip(study.series, found, strict=True):
        if isinstance(boxes, str):
            skipped[one.working.id] = boxes
            continue
        prediction = SeriesPrediction(
            study=study.id,
            series=one.working.id,
            plane=one.working.plane,
            files=one.files,
            sha256=one.sha256,
            volume=one.volume,
            checks=one.checks,
            candidates=_marked(predictor.run, one.working.plane, boxes),
            min_score=predictor.min_score,
        )
        predictions.append(prediction)
    return StudyPrediction(study.id, predictor.run.identity, tuple(predictions), skipped, study.attributes)


def with_levels(assign_levels: AssignLevels, study: StudyPrediction) -> StudyPrediction:
    """The study with levels assigned; without its series where a point for L5 or C2 lies elsewhere."""
    try:
        return assign_levels(study) if study.series else study
    except InputError as error:
        skipped = study.skipped | {series.series: str(error) for series in study.series}
        return replace(study, series=(), skipped=skipped)


def _read_series(reader: Reader, source: SeriesSource) -> ReadSeries:
    """One series, ready for the network.

    Raises:
        InputError: the image cannot be used or is not eligible, or there is no detector for its plane.
    """
    volume = _read(source)
    plane = source.plane or plane_of(volume.grid)
    checks = check_input(volume, plane, source.declared, reader.region, reader.limits)
    _refuse_ineligible(source.id, checks, reader.limits)
    if plane not in reader.specs:
        raise InputError(f"{source.id} is {plane.value} and the run has no {plane.value} detector; set plane= or run=")
    working = prepare(volume, reader.specs[plane].of(reader.region))
    return ReadSeries(source.files, source.digest(), volume, checks, WorkingSeries(source.id, plane, working))


def _read(source: SeriesSource) -> Volume:
    """The image; whatever a damaged file raises ends this series alone, not the job.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return source.read()
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{source.id} is too large for the memory of this machine; resample the image") from None
    except Exception as error:  # readers of third parties raise what they like on damaged files
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{source.id} cannot be read ({reason}); export the image again") from error


def _refuse_ineligible(series: str, checks: tuple[InputCheck, ...], limits: EligibilityLimits) -> None:
    if limits.gate and overall_suitability(checks) is Suitability.REJECTED:
        raise InputError(
            f"{series} is not eligible: {'; '.join(describe_concerns(checks))} (eligibility.gate=false reads it)"
        )


def _marked(run: FinishedRun, plane: Plane, boxes: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Every box of the detector, marked as above the operating point or not."""
    thresholds = run.operating_point.values
    return tuple(
        one.model_copy(update={"above_operating_point": one.score >= thresholds[plane.value, one.category]})
        for one in boxes
    )


def record_of(study: StudyPrediction) -> StudyRecord:
    """What the journal keeps of a study."""
    return StudyRecord(
        id=study.id,
        findings=study.findings if study.series else None,
        series=tuple(map(_series_record, study.series)),
        skipped=study.skipped,
    )


def _series_record(one: SeriesPrediction) -> SeriesRecord:
    return SeriesRecord(
        series=one.series,
        plane=one.plane.value,
        above=len(one.above),
        best=max((finding.score for finding in one.above), default=None),
        suitability=overall_suitability(one.checks).value,
        concerns=tuple(describe_concerns(one.checks)),
        path=one.path,
    )


def in_region(run: FinishedRun, region: Region | None) -> FinishedRun:
    """The run, applied to images of this region; as it is when None. Warns where it was trained on another."""
    if region is None or region is run.model.region:
        return run
    show_notes([f"this run was trained on the {run.model.region.value} spine"])
    return replace(run, model=replace(run.model, region=region))
