"""Predictions made earlier, put together again from a findings file and the images that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spinedet.core.errors import InputError
from spinedet.core.types import StudyFindings
from spinedet.imaging.input_checks import checks_of
from spinedet.imaging.planes import plane_of
from spinedet.pipelines.image_sources import ImageInput, SeriesSource
from spinedet.pipelines.prediction import SeriesPrediction, StudyPrediction
from spinedet.runs.provenance import ModelIdentity


@dataclass(frozen=True)
class KeptPredictions:
    """The studies of a findings file, to be joined with their images.

    Attributes:
        images: the series of the input by the SHA-256 of each.
    """

    model: ModelIdentity
    studies: tuple[StudyFindings, ...]
    images: Mapping[str, SeriesSource]

    def of(self, study: StudyFindings) -> StudyPrediction:
        """The prediction of one study with its voxels.

        Raises:
            InputError: an image is not in the input or cannot be read, or the file does not say which they are.
        """
        if not study.images:
            raise InputError(f"{study.id}: findings= does not say by their SHA-256 which images were read")
        series = tuple(self._series(study, name, digest) for name, digest in study.images.items())
        return StudyPrediction(study.id, self.model, series, {}, naming=study.naming)

    def _series(self, study: StudyFindings, name: str, digest: str) -> SeriesPrediction:
        source = self.images.get(digest)
        if source is None:
            raise InputError(
                f"{study.id}: the images of series {name} are not in input=; give the folder that was read"
            )
        volume = source.read()
        eligibility: Any = (study.eligibility or {}).get(name, {})
        return SeriesPrediction(
            study=study.id,
            series=name,
            plane=source.plane or plane_of(volume.grid),
            files=source.files,
            sha256=digest,
            volume=volume,
            checks=checks_of(eligibility),
            candidates=tuple(one for one in study.findings if one.series == name),
            min_score=float("-inf"),
        )


def by_digest(images: ImageInput) -> Iterator[tuple[str, SeriesSource]]:
    """Every series of an input with the SHA-256 of its image."""
    for study in images.studies():
        for series in study.series:
            yield series.digest(), series
