"""What `input=` names: an image, a folder of images or of DICOM, or a manifest, as studies to read one at a time."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from spinedet.core.anatomy import Plane, Region
from spinedet.core.files import sha256
from spinedet.core.streaming import stream_studies, survey
from spinedet.core.types import FiniteJson, Series, Study
from spinedet.detection.dataset import read_series
from spinedet.imaging.dicom import StudySelection
from spinedet.imaging.image_files import SUFFIXES, image_sha256
from spinedet.imaging.input_checks import DeclaredMetadata, declared_in_dicom, declared_in_name
from spinedet.imaging.settings import SelectionRules
from spinedet.imaging.volume import ImageSource, Volume, index_images

# Only series that a manifest calls T2 are read.
_T2_BY_MANIFEST = DeclaredMetadata("T2", None, "manifest")


@dataclass(frozen=True, eq=False)
class SeriesSource:
    """One series that can be read.

    Attributes:
        files: that hold it, DICOM slices in the order of the volume. plane: None to infer it from the geometry.
        declared: the metadata that accompany the image. known_sha256: of the image, where a manifest names it.
    """

    id: str
    read: Callable[[], Volume]
    files: tuple[Path, ...]
    plane: Plane | None
    declared: DeclaredMetadata
    known_sha256: str | None = None

    def digest(self) -> str:
        """Hex SHA-256 of the image: of its file or folder, or of its DICOM files in the order of the slices."""
        if self.known_sha256 is not None:
            return self.known_sha256
        if len(self.files) == 1:
            return image_sha256(self.files[0])
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(file.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class StudySource:
    """One examination with the series to predict for; `attributes` are those of its manifest."""

    id: str
    series: tuple[SeriesSource, ...]
    attributes: Mapping[str, FiniteJson] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageInput:
    """The studies of an input.

    Attributes:
        studies: gives them one at a time, anew at each call. count: how many they are.
        identity: a digest by which a job that goes on knows its input again.
        region: of the spine, where a manifest names it.
        choices: how series were selected from DICOM. left_out: path below the input and reason of what is not read.
    """

    studies: Callable[[], Iterator[StudySource]]
    count: int
    identity: str
    region: Region | None = None
    choices: tuple[StudySelection, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


def open_input(path: Path, rules: SelectionRules, plane: Plane | None = None) -> ImageInput:
    """The studies of an image file, a folder, or a manifest (`*.json`).

    Args:
        rules: how series are selected from DICOM. plane: of all images; inferred for each when None. A manifest names
            its own.

    Raises:
        InputError: there is no such path, it holds no image, or the manifest is faulty.
    """
    if path.suffix == ".json":
        manifest, studies_named = survey(path)
        studies = partial(_manifest_studies, path, manifest.region)
        return ImageInput(studies, studies_named, sha256(path), manifest.region)
    index = index_images(path, rules)
    grouped: dict[str, list[SeriesSource]] = {}
    for study, series in _named(index.images, plane):
        grouped.setdefault(study, []).append(series)
    found = tuple(StudySource(study, tuple(series)) for study, series in grouped.items())
    left_out = {os.path.relpath(file, path): reason for file, reason in index.left_out.items()}
    return ImageInput(lambda: iter(found), len(found), _identity(found, path), None, index.choices, left_out)


def _manifest_studies(path: Path, region: Region) -> Iterator[StudySource]:
    for study in stream_studies(path, region):
        yield StudySource(study.id, tuple(_of_manifest(series) for series in _usable(study)), study.attributes)


def _usable(study: Study) -> Iterator[Series]:
    yield from (series for series in study.series if study.excluded is None and series.weighting == "T2")


def _of_manifest(series: Series) -> SeriesSource:
    read = partial(read_series, series)
    return SeriesSource(series.id, read, (series.path,), series.plane, _T2_BY_MANIFEST, series.sha256)


def _named(images: tuple[ImageSource, ...], plane: Plane | None) -> Iterator[tuple[str, SeriesSource]]:
    """Study id and series of each image, no two of them alike."""
    uses = Counter((image.study, image.id) for image in images)
    taken: set[tuple[str, str]] = set()
    for image in images:
        study, series = _text(image.study), _text(image.id)
        if image.block is None and uses[image.study, image.id] > 1:
            study = series = _distinct(series, image.path, taken)
        taken.add((study, series))
        files = tuple(dict.fromkeys(piece.path for piece in image.block.slices)) if image.block else (image.path,)
        declared = declared_in_dicom(image.block) if image.block else declared_in_name(image.path.name)
        yield study, SeriesSource(series, image.read, files, plane or image.plane, declared)


def _distinct(name: str, path: Path, taken: set[tuple[str, str]]) -> str:
    """`name` of a file that shares it with others: with its ending, and a number where that is shared too."""
    full = name + next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), "")
    choices = (full if number == 1 else f"{full}-{number}" for number in count(1))
    return next(choice for choice in choices if (choice, choice) not in taken)


def _text(name: str) -> str:
    """A file's name as text that can be written as UTF-8, whatever bytes the file system has for it."""
    return os.fsencode(name).decode("utf-8", "replace")


def _identity(studies: tuple[StudySource, ...], path: Path) -> str:
    """Digest of file names and sizes: reading every voxel to know the input again would double the work."""
    root = path if path.is_dir() else path.parent
    digest = hashlib.sha256()
    for file in sorted({file for study in studies for series in study.series for file in series.files}):
        digest.update(repr((os.path.relpath(file, root), file.stat().st_size)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
