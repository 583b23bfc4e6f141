"""Tianchi "Spark Digital Body" spinal disease data: points on one sagittal T2 slice, coded v1 to v5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pydantic import Field

from spinedet.conversion.dataset import Case, Dataset, Reading, Unused, told_apart
from spinedet.conversion.slices import Block, PlacedSlice, blocks_of, by_series, folder_of, point_box, read_slices
from spinedet.core.anatomy import LEVELS, Region
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, validate
from spinedet.core.types import Box, FiniteJson, Lesion, Name, Origin, Record, Series, Study

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


_Found: TypeAlias = Lesion | FiniteJson


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
    studies = {study.study: study for study in validate(path, AnnotationFile, {"studies": read_json(path)}).studies}
    folders = sorted((f for f in root.rglob("study*") if f.is_dir()), key=lambda f: (len(f.name), f.as_posix()))
    if not folders:
        raise InputError(f"{root} holds no folder study<N>; root= is the folder of the images and the annotation file")
    return Dataset(
        name="Tianchi-spine",
        region=Region.LUMBAR,
        categories=config.categories,
        cases=tuple(Case(f.name, partial(_read, f, links / f.name, studies, config)) for f in folders),
        rule=asdict(config) | {"box": "a fixed size around the point: IoU tells of centres only"},
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
    slices = read_slices(folder)
    annotated = next((studies[piece.study] for piece in slices if piece.study in studies), None)
    if annotated is None:
        raise InputError(f"{folder} holds no image of a study in the annotation file")
    image = annotated.data[0]
    piece = next((piece for piece in slices if piece.instance == image.instance), None)
    if piece is None:
        raise InputError(f"{folder} does not hold the image that was annotated; copy the study again")
    block = _block(by_series(slices)[piece.series], piece, folder)
    points = [
        point
        for each in annotated.data
        if each.instance == piece.instance
        for a in each.annotation
        for point in a.data.point
    ]
    found, unused = told_apart(made for n, p in enumerate(points, 1) for made in _made(n, p, piece, block, config))
    if block.plane is None:
        raise InputError(f"{folder}: the annotated series is coronal; spinedet reads sagittal and axial series")
    series = Series(id=_SERIES, plane=block.plane, path=folder_of(block, links).absolute())
    study = Study(
        id=f"Tianchi-{folder.name}",
        patient=f"Tianchi-{folder.name}",
        center="Tianchi",
        series=(series,),
        lesions=tuple(each for each in found if isinstance(each, Lesion)),
        negatives=[each for each in found if not isinstance(each, Lesion)],
    )
    return Reading(study, unused)


def _block(slices: list[PlacedSlice], piece: PlacedSlice, folder: Path) -> Block:
    """The volume that a slice belongs to.

    Raises:
        InputError: it stands alone.
    """
    for block in blocks_of(slices):
        if any(one.path == piece.path for one in block.slices):
            return block
    raise InputError(f"{folder}: the annotated image stands alone; its series has no second slice beside it")


def _made(
    number: int, point: TianchiPoint, piece: PlacedSlice, block: Block, config: TianchiConfig
) -> Iterator[_Found | Unused]:
    """What one point gives: lesions, a disc found sound, or why it is neither."""
    tag, where = point.tag, f"point {number} ({point.tag.identification})"
    level = tag.identification.replace("-", "/")
    if "/" not in level:
        return  # a vertebra; 81 % of them carry v2, which tells little
    if level not in LEVELS or not piece.holds(*point.coord):
        yield Unused(where, "no such disc" if level not in LEVELS else "the point lies outside its image")
        return
    codes = [code.strip() for code in tag.disc.split(",")] if tag.disc else [_NORMAL]
    unknown = [code for code in codes if code not in (*DISC_CODES, _NORMAL)]
    box = point_box(piece.point(*point.coord), config.disc_mm, block.axes)
    attributes: dict[str, FiniteJson] = {"codes": ",".join(codes)}
    if unknown:
        yield Unused(where, f"unknown code {unknown[0]!r}")
    elif tag.disc is None:
        for category in config.categories:
            yield _lesion(f"{number}-{category}", category, level, box, {}, ignore=True)
    elif not config.categories_of(codes):
        yield {"series": _SERIES, "level": level, "box": box.model_dump(mode="json"), "attributes": attributes}
    else:
        for category in config.categories_of(codes):
            yield _lesion(f"{number}-{category}", category, level, box, attributes)


def _lesion(
    name: str, category: str, level: str, box: Box, attributes: dict[str, FiniteJson], *, ignore: bool = False
) -> Lesion:
    return Lesion(
        id=name,
        series=_SERIES,
        category=category,
        level=level,
        box=box,
        origin=Origin.POINT,
        ignore=ignore,
        attributes=attributes,
    )
