"""Prediction for one series and for one study."""

from __future__ import annotations

from dataclasses import dataclass, replace

from spinedet.cli.console import show_notes
from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.types import Finding
from spinedet.detection.inference import detect_native_volume
from spinedet.imaging.input_checks import (
    InputCheck,
    Suitability,
    check_input,
    describe_concerns,
    overall_suitability,
)
from spinedet.imaging.planes import plane_of
from spinedet.imaging.settings import EligibilityLimits
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
    """

    run: FinishedRun
    limits: EligibilityLimits
    min_score: float
    assign_levels: AssignLevels = keep_levels


def predict_study(predictor: Predictor, source: StudySource) -> StudyPrediction:
    """Predict for every series of a study; one that cannot be used is skipped with the reason."""
    predictions: list[SeriesPrediction] = []
    skipped: dict[str, str] = {}
    for series in source.series:
        try:
            predictions.append(predict_series(predictor, source.id, series))
        except InputError as error:
            skipped[series.id] = str(error)
    identity, attributes = predictor.run.identity, source.attributes
    study = StudyPrediction(source.id, identity, tuple(predictions), skipped, attributes)
    try:
        return predictor.assign_levels(study) if predictions else study
    except InputError as error:  # a point for L5 or C2 that lies elsewhere
        skipped |= {series.series: str(error) for series in predictions}
        return StudyPrediction(source.id, identity, (), skipped, attributes)


def predict_series(predictor: Predictor, study: str, source: SeriesSource) -> SeriesPrediction:
    """Predict for one series.

    Raises:
        InputError: the image cannot be used or is not eligible, or the run has no detector for its plane.
    """
    model = predictor.run.model
    volume = _read(source)
    plane = source.plane or plane_of(volume.grid)
    checks = check_input(volume, plane, source.declared, model.region, predictor.limits)
    _refuse_ineligible(source.id, checks, predictor.limits)
    if plane not in model.detectors:
        raise InputError(f"{source.id} is {plane.value} and the run has no {plane.value} detector; set plane= or run=")
    return SeriesPrediction(
        study=study,
        series=source.id,
        plane=plane,
        files=source.files,
        sha256=source.digest(),
        volume=volume,
        checks=checks,
        candidates=_candidates(predictor.run, volume, plane, source),
        min_score=predictor.min_score,
    )


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


def _candidates(run: FinishedRun, volume: Volume, plane: Plane, source: SeriesSource) -> tuple[Finding, ...]:
    """Every box of the detector, marked as above the operating point or not."""
    thresholds = run.operating_point.values
    try:
        boxes = detect_native_volume(run.model, volume, plane, source.id, 0.0)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error) and "out of memory" not in str(error):
            raise
        raise InputError(f"{source.id} is too large for the memory of this machine; resample the image") from None
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
