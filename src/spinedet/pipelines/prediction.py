"""The result of prediction for one series and one study, with everything that an output may need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from spinedet.core.anatomy import Plane
from spinedet.core.file_names import file_name
from spinedet.core.geometry import Grid
from spinedet.core.types import Finding, FiniteJson, Name, Record, StudyFindings
from spinedet.detection.cross_plane_fusion import SeriesFindings, fuse
from spinedet.imaging.input_checks import as_record
from spinedet.imaging.suitability import InputCheck
from spinedet.imaging.volume import Volume
from spinedet.runs.provenance import ModelIdentity


@dataclass(frozen=True, eq=False)
class SeriesPrediction:
    """The detector's result for one series.

    Attributes:
        study, series: ids. files: of the image, DICOM slices in the order of the volume. sha256: of the image.
        volume: the voxels as they were read, on the series' own grid.
        checks: whether the image is one that the detector is made for.
        candidates: every box of the detector, whatever its score, highest score first, marked as above the operating
            point or not; at most `detection.postprocess.MOST_FINDINGS`. min_score: of those that are findings.
    """

    study: str
    series: str
    plane: Plane
    files: tuple[Path, ...]
    sha256: str
    volume: Volume
    checks: tuple[InputCheck, ...]
    candidates: tuple[Finding, ...]
    min_score: float

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return self.volume.grid

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The candidates that `findings.json` lists."""
        return tuple(one for one in self.candidates if one.score >= self.min_score)

    @property
    def above(self) -> tuple[Finding, ...]:
        """The findings above the operating point."""
        return tuple(one for one in self.findings if one.above_operating_point)

    @property
    def path(self) -> str:
        """Study and series as a relative path without an ending, safe whatever the ids hold."""
        study = file_name(self.study)
        return study if self.series == self.study else f"{study}/{file_name(self.series)}"


@dataclass(frozen=True, eq=False)
class StudyPrediction:
    """The detector's results for one study.

    Attributes:
        series: those that were read. skipped: reason by id of the series that could not be used.
        attributes: of the study in its manifest. naming: of the levels, by sagittal series; None before that step.
    """

    id: str
    model: ModelIdentity
    series: tuple[SeriesPrediction, ...]
    skipped: dict[str, str]
    attributes: Mapping[str, FiniteJson] = field(default_factory=dict)
    naming: dict[str, FiniteJson] | None = None

    @property
    def findings(self) -> StudyFindings:
        """Its entry of `findings.json`; where it has several series, with the findings of all of them fused."""
        fused = None
        if len(self.series) > 1:
            fused = fuse([SeriesFindings(one.series, one.plane, one.grid, one.findings) for one in self.series])
        eligibility: dict[str, FiniteJson] = {one.series: as_record(one.checks) for one in self.series}
        return StudyFindings(
            id=self.id,
            findings=tuple(finding for one in self.series for finding in one.findings),
            fused=fused,
            eligibility=eligibility,
            images={one.series: one.sha256 for one in self.series},
            naming=self.naming,
        )


# Gives findings their level (and `ordinal`, `naming`) from all candidates of a study, in place of the default.
AssignLevels: TypeAlias = Callable[[StudyPrediction], StudyPrediction]


def keep_levels(study: StudyPrediction) -> StudyPrediction:
    """Assign nothing: findings keep the level that the detector gave them."""
    return study


class SeriesRecord(Record):
    """What the summary lists of a series.

    Attributes:
        above: the number of findings above the operating point. best: the highest score of these.
        suitability: overall result of the input checks. concerns: each check that is not ok.
        path: `SeriesPrediction.path`.
    """

    series: Name
    plane: Name
    above: int
    best: float | None
    suitability: Name
    concerns: tuple[str, ...]
    path: Name


class StudyRecord(Record):
    """What the journal keeps of a study; `findings` is None when no series of it could be read."""

    id: Name
    findings: StudyFindings | None
    series: tuple[SeriesRecord, ...]
    skipped: dict[str, str]
