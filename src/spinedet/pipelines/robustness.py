"""A detector on degraded copies of its test scans, at the threshold that was frozen before."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.types import Manifest, Series, Study, StudyFindings
from spinedet.detection.inference import CohortFindings, Effort, detect_studies
from spinedet.detection.model_files import Model
from spinedet.imaging.degradations import degrade
from spinedet.imaging.planes import SPECS
from spinedet.imaging.settings import DEGRADATIONS
from spinedet.imaging.volume import read_volume, write_volume
from spinedet.runs.provenance import ModelIdentity, findings_header
from spinedet.scoring import Scores, ScoreSettings, examine, report
from spinedet.scoring.records import DegradationCurve, DegradationPoint

_MIN_SCORE = 0.01  # of the findings that average precision is computed from


def degradation_curves(
    model: tuple[Model, ModelIdentity],
    reference: Manifest,
    scores: Scores,
    settings: ScoreSettings,
    degradations: Mapping[str, Sequence[float]],
) -> tuple[DegradationCurve, ...]:
    """F1 and average precision against strength, by plane; the first point of each curve is the test itself.

    Args:
        model: with its frozen thresholds. reference: the studies that were read. scores: of the test. settings: of it.
        degradations: strengths by name, of `DEGRADATIONS`.
    """
    planes = [str(group.by["plane"]) for group in scores.groups if set(group.by) == {"plane"}]
    points = {(plane, name): [_point(scores, plane, 0.0, 0)] for name in degradations for plane in planes}
    plain = replace(settings, by=(), secondary=(), strata=(), adapt=False, internal_centers=())
    steps = [(name, strength) for name, strengths in degradations.items() for strength in strengths]
    with progress_bar("degrading") as progress:
        for done, (name, strength) in enumerate(steps, 1):
            degraded, skipped = _scored(model, reference, plain, (name, strength))
            if degraded is not None:
                for plane in planes:
                    points[plane, name].append(_point(degraded, plane, strength, skipped))
            progress(done, len(steps))
    return tuple(
        DegradationCurve(plane=plane, degradation=name, unit=DEGRADATIONS[name].unit, points=tuple(found))
        for (plane, name), found in points.items()
    )


def _point(scores: Scores, plane: str, strength: float, skipped: int) -> DegradationPoint:
    group = scores.group(plane=plane)
    return DegradationPoint(strength=strength, f1=group.f1, recall=group.recall, ap=group.ap, skipped=skipped)


def _scored(
    model: tuple[Model, ModelIdentity], reference: Manifest, settings: ScoreSettings, step: tuple[str, float]
) -> tuple[Scores | None, int]:
    """Scores of one step and how many studies could not be read any more; those count as without findings."""
    with TemporaryDirectory(prefix="spinedet-") as folder:
        studies = list(degraded_studies(reference.studies, step, Path(folder)))
        found = detect_studies(model[0], studies, _MIN_SCORE, Effort(workers=1))
    if not found.studies:
        return None, len(found.skipped)
    header = findings_header(model[1], None)
    everything = header.model_copy(update={"studies": _with_silent(found, reference)})
    return report(reference.name, examine(reference, everything, settings)), len(found.skipped)


def _with_silent(found: CohortFindings, reference: Manifest) -> tuple[StudyFindings, ...]:
    there = {study.id: study for study in found.studies}
    return tuple(there.get(study.id) or StudyFindings(id=study.id) for study in reference.studies)


def degraded_studies(studies: Sequence[Study], step: tuple[str, float], folder: Path) -> Iterator[Study]:
    """The studies with copies of their series in `folder`, degraded by a step: a degradation and its strength.

    The draws depend on study, series and degradation alone.
    """
    name, strength = step
    for number, study in enumerate(studies):
        copies: list[Series] = []
        for place, series in enumerate(study.series):
            try:
                volume = read_volume(series.path)
            except InputError:
                copies.append(series)  # is skipped with its reason, as in the test
                continue
            seed = zlib.crc32(f"{study.id}/{series.id}/{name}".encode())
            changed = degrade(volume, SPECS[series.plane], name, strength, np.random.default_rng(seed))
            path = folder / f"{number}-{place}.nii"
            write_volume(path, changed)
            copies.append(series.model_copy(update={"path": path, "sha256": None}))
        yield study.model_copy(update={"series": tuple(copies)})
