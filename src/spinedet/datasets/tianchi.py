"""Tianchi "Spark Digital Body" spinal disease data: points on one sagittal T2 slice, coded v1 to v5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pydantic import Field
from pydicom import dcmread

from spinedet.core.anatomy import LEVELS, Region
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, refuse_repeats, validate
from spinedet.core.folder_walk import list_files
from spinedet.core.types import Box, Effect, Lesion, Name, Negative, Origin, Record, Series, Study
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, reading_of, separate
from spinedet.formats.dicom_slices import Stack, folder_of, point_box, read_stacks
from spinedet.imaging.dicom.records import Pseudonyms

DISC_CODES = {"v2": "bulge", "v3": "protrusion", "v4": "extrusion", "v5": "schmorl"}
_NORMAL = "v1"
_SERIES = "sagittal"


class Tag(Record):
    """What a point stands for; a disc may hold several codes (`v3,v5`), an empty code means v1."""

    identification: Name
    disc: str | None = None
    vertebra: str | None = None


class TianchiPoint(Record):
    """A place in the stored pixel grid, column and row."""

    coord: tuple[float, float] = Field(strict=False)
    tag: Tag


class PointList(Record):
    """The points of one annotator."""

    point: tuple[TianchiPoint, ...]


class Annotation(Record):
    """One annotator's work on one image."""

    data: PointList


class AnnotatedSlice(Record):
    """The image that was annotated."""

    series: str = Field(alias="seriesUid")
    instance: str = Field(alias="instanceUid")
    annotation: tuple[Annotation, ...]


class AnnotatedStudy(Record):
    """A study of the annotation file."""

    study: str = Field(alias="studyUid")
    data: tuple[AnnotatedSlice, ...]


class AnnotationFile(Record):
    """The annotation file, which is a list, under a name."""

    studies: tuple[AnnotatedStudy, ...]


_Found: TypeAlias = Lesion | Negative


@dataclass
class TianchiConfig:
    """What of the points becomes a lesion, and how large its box is.

    Attributes:
        codes: disc codes that are lesions.
        classes: `one` category, or the `types` apart: then a disc coded v3,v5 gives two lesions.
        disc_mm: the box around a point, left-right, front-back, up-down; SPIDER's disc masks are 39 x 14 mm (median).
        annotations: the JSON file; the only one in the folder when null.
    """

    name: str = "tianchi"
    codes: list[str] = field(default_factory=lambda: ["v2", "v3", "v4", "v5"])
    classes: str = "one"
    disc_mm: list[float] = field(default_factory=lambda: [36.0, 39.0, 14.0])
    annotations: str | None = None

    def __post_init__(self) -> None:
        if not self.codes or set(self.codes) - set(DISC_CODES):
            raise InputError(f"source.codes={self.codes}: use some of {list(DISC_CODES)}")
        if self.classes not in ("one", "types"):
            raise InputError(f"source.classes={self.classes}: use one or types")
        if len(self.disc_mm) != 3 or min(self.disc_mm) <= 0:
            raise InputError("source.disc_mm must be three lengths above 0")

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of the manifest."""
        return tuple(DISC_CODES[code] for code in self.codes) if self.classes == "types" else ("degeneration",)

    def categories_of(self, codes: list[str]) -> list[str]:
        """The categories of the lesions that a disc with these codes gives."""
        found = [DISC_CODES[code] for code in codes if code in self.codes]
        return found if self.classes == "types" else ["degeneration"] * bool(found)


def open_tianchi(root: Path, links: Path, config: TianchiConfig) -> Dataset:
    """A folder with the annotation file and `study<N>/image<M>.dcm`, all series of a study in one folder.

    Each series that is used gets a folder of links in `links`. Only the annotated series goes into the manifest: what
    others show was not written down.

    Raises:
        InputError: no annotation file, more than one, or no study folder.
    """
    path = _annotation_file(root, config)
    listed = validate(path, AnnotationFile, {"studies": read_json(path)}).studies
    refuse_repeats((study.study for study in listed), str(path), "studyUid")
    studies = {study.study: study for study in listed}
    listing = list_files(root)
    listing.warn()
    above = {folder for file in listing.files for folder in file.parents if root in folder.parents}
    folders = sorted((f for f in above if f.name.startswith("study")), key=lambda f: (len(f.name), f.as_posix()))
    if not folders:
        raise InputError(f"{root} holds no folder study<N>; root= is the folder of the images and the annotation file")
    return Dataset(
        name="Tianchi-spine",
        region=Region.LUMBAR,
        categories=config.categories,
        cases=tuple(Case(f.name, partial(_read, f, links / f.name, studies, config)) for f in folders),
        rule=asdict(config) | {"box": "a fixed size around the point: IoU measures centres only"},
    )


def _annotation_file(root: Path, config: TianchiConfig) -> Path:
    if config.annotations:
        return Path(config.annotations)
    files = sorted(root.glob("*.json"))
    if len(files) != 1:
        raise InputError(f"{root} holds {len(files)} JSON files; name the annotation file with source.annotations=")
    return files[0]


def _read(folder: Path, links: Path, studies: Mapping[str, AnnotatedStudy], config: TianchiConfig) -> Reading:
    """One study: the series that was annotated, with a box around every point that is a lesion.

    Raises:
        InputError: no image is annotated, or the one that is cannot be found.
    """
    names = Pseudonyms()
    by_key = {names.of(uid): study for uid, study in studies.items()}
    stacks = read_stacks(folder, names)
    annotated = next((by_key[stack.study] for stack in stacks if stack.study in by_key), None)
    if annotated is None or not annotated.data:
        raise InputError(f"{folder} holds no volume of a study in the annotation file")
    image = annotated.data[0].instance
    place = next((piece for stack in stacks if (piece := _find(stack, image))), None)
    if place is None:
        raise InputError(f"{folder}: the annotated image is missing or stands alone; copy the study again")
    plane = place.stack.plane
    if plane is None:
        raise InputError(f"{folder}: the annotated series is coronal; spinedet reads sagittal and axial series")
    works = [work for each in annotated.data if each.instance == image for work in each.annotation]
    others = [
        Unused(f"annotated image {number}", "only the first annotated image of a study is read")
        for number, each in enumerate(annotated.data, start=1)
        if each.instance != image and any(work.data.point for work in each.annotation)
    ]
    points = enumerate((point for work in works for point in work.data.point), start=1)
    found, unused = separate(made for number, point in points for made in _made(number, point, place, config))
    if not found and not unused:
        others.append(Unused("the annotated image", "no disc of it is annotated"))
    series = Series(id=_SERIES, plane=plane, path=folder_of(place.stack, links).absolute())
    study = Study(
        id=f"Tianchi-{folder.name}",
        patient=f"Tianchi-{folder.name}",
        center="Tianchi",
        series=(series,),
        lesions=tuple(each for each in found if isinstance(each, Lesion)),
        negatives=tuple(each for each in found if isinstance(each, Negative)),
    )
    return reading_of(study, (*unused, *others))


@dataclass(frozen=True)
class _Slice:
    """One slice of a volume."""

    stack: Stack
    index: int


def _find(stack: Stack, instance: str) -> _Slice | None:
    """The slice of a volume that has this SOPInstanceUID."""
    for index, file in enumerate(stack.files):
        header = dcmread(file, stop_before_pixels=True, specific_tags=["SOPInstanceUID"], force=True)
        if header.get("SOPInstanceUID") == instance:
            return _Slice(stack, index)
    return None


@dataclass(frozen=True)
class _Disc:
    """A disc that was coded."""

    level: str | None
    box: Box
    codes: str

    @property
    def negative(self) -> Negative:
        """As a place that was assessed and found sound."""
        return Negative(series=_SERIES, level=self.level, box=self.box, attributes={"codes": self.codes})


def _made(number: int, point: TianchiPoint, place: _Slice, config: TianchiConfig) -> Iterator[_Found | Unused]:
    """What one point gives: lesions, a disc found sound, or why it is neither."""
    tag, where = point.tag, f"point {number} ({point.tag.identification})"
    level = tag.identification.replace("-", "/")
    if "/" not in level:
        return  # a vertebra; 81 % of them carry v2, which is not specific
    center = place.stack.point(*point.coord, place.index)
    box = point_box(center, config.disc_mm, place.stack.grid) if place.stack.holds(*point.coord) else None
    codes = [code.strip() for code in tag.disc.split(",")] if tag.disc else [_NORMAL]
    unknown = [code for code in codes if code not in (*DISC_CODES, _NORMAL)]
    if box is None:
        sound = not unknown and not config.categories_of(codes)
        yield Unused(where, "the point lies outside its image", Effect.NONE if sound else Effect.EXCLUDED)
        return
    disc = _Disc(level if level in LEVELS else None, box, ",".join(codes))
    if disc.level is None or unknown:
        yield Unused(where, f"unknown code {unknown[0]!r}" if disc.level else "no such disc", Effect.IGNORED)
        yield from (_lesion(f"{number}-{category}", category, disc, ignore=True) for category in config.categories)
    elif tag.disc is None:
        yield from (_lesion(f"{number}-{category}", category, disc, ignore=True) for category in config.categories)
    elif not config.categories_of(codes):
        yield disc.negative
    else:
        yield from (_lesion(f"{number}-{category}", category, disc) for category in config.categories_of(codes))


def _lesion(name: str, category: str, disc: _Disc, *, ignore: bool = False) -> Lesion:
    return Lesion(
        id=name,
        series=_SERIES,
        category=category,
        level=disc.level,
        box=disc.box,
        origin=Origin.POINT,
        ignore=ignore,
        attributes={} if ignore else {"codes": disc.codes},
    )
