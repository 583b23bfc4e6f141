"""COCO-style JSON with boxes in three dimensions: `bbox` is [x, y, z, width, height, depth]."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import Field

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, validate
from spinedet.core.types import Box, FiniteJson, Level, Name, Origin, Record, Split
from spinedet.formats.annotated_dataset import Dataset, Unused, told_apart
from spinedet.formats.annotated_images import AnnotatedImage, Annotation, cases_of, known_region, stem_of
from spinedet.formats.box_frames import box_from, known_frame

Id: TypeAlias = int | str


class CocoImage(Record):
    """One volume; everything after `file_name` is this project's and optional."""

    id: Id
    file_name: Name
    study: str | None = None
    series: str | None = None
    patient: str | None = None
    center: str | None = None
    split: Split | None = None
    plane: Plane | None = None
    weighting: Name = "T2"


class CocoCategory(Record):
    """A kind of finding."""

    id: Id
    name: Name


class CocoAnnotation(Record):
    """One box: `bbox` is its lower corner and its lengths; `box`, when present, is the same in RAS mm, exactly."""

    id: Id
    image_id: Id
    category_id: Id
    bbox: tuple[float, ...] = Field(strict=False)
    box: Box | None = None
    level: Level = None
    ignore: bool | int = False
    iscrowd: bool | int = False
    attributes: dict[str, FiniteJson] = Field(default_factory=dict)


class CocoFile(Record):
    """A COCO file of volumes."""

    images: tuple[CocoImage, ...]
    categories: tuple[CocoCategory, ...]
    annotations: tuple[CocoAnnotation, ...]
    info: dict[str, FiniteJson] = Field(default_factory=dict)


@dataclass
class CocoConfig:
    """How the numbers of `bbox` are meant.

    Attributes:
        frame: voxel (edges along the image's stored axes, half-open), or ras or lps (mm). What the file says under
            info.frame goes before it.
        images: the folder that file names start from; that of the JSON file when null.
        region: of the spine.
    """

    name: str = "coco"
    frame: str = "voxel"
    images: str | None = None
    region: str = "lumbar"

    def __post_init__(self) -> None:
        known_frame(self.frame)
        known_region(self.region)


def open_coco(root: Path, config: CocoConfig) -> Dataset:
    """A COCO-style JSON file; an image without annotations is one on which nothing was found.

    Raises:
        InputError: no such file, or it is no COCO file; the message names the field.
    """
    raw: Any = read_json(root)
    if not isinstance(raw, dict):
        raise InputError(f"{root} is no COCO file: it must hold images, categories and annotations")
    content = validate(root, CocoFile, raw)
    frame = known_frame(str(content.info.get("frame", config.frame)))
    names = {category.id: category.name for category in content.categories}
    boxes: dict[Id, list[CocoAnnotation]] = defaultdict(list)
    for annotation in content.annotations:
        boxes[annotation.image_id].append(annotation)
    known = {image.id for image in content.images}
    strays = [
        Unused(f"annotation {a.id}", f"there is no image {a.image_id}")
        for a in content.annotations
        if a.image_id not in known
    ]
    folder = Path(config.images) if config.images else root.parent
    return Dataset(
        name=str(content.info.get("description") or root.stem),
        region=known_region(str(content.info.get("region", config.region))),
        categories=tuple(names.values()),
        cases=cases_of(
            [_image(image, folder, boxes[image.id], names, frame) for image in content.images], Origin.MANUAL
        ),
        rule=asdict(config) | {"frame": frame},
        unused=tuple(strays),
    )


def _image(
    image: CocoImage, folder: Path, boxes: list[CocoAnnotation], names: dict[Id, str], frame: str
) -> AnnotatedImage:
    annotations, unused = told_apart(_annotation(annotation, names, frame) for annotation in boxes)
    stem = stem_of(Path(image.file_name))
    study = image.study or stem
    return AnnotatedImage(
        path=folder / image.file_name,
        study=study,
        series=image.series or stem,
        patient=image.patient or study,
        center=image.center or "own",
        annotations=annotations,
        split=image.split,
        plane=image.plane,
        weighting=image.weighting,
        unused=unused,
    )


def _annotation(one: CocoAnnotation, names: dict[Id, str], frame: str) -> Annotation | Unused:
    """The box of an annotation, or why it is none."""
    where = f"annotation {one.id}"
    if one.category_id not in names:
        return Unused(where, f"there is no category {one.category_id}")
    if len(one.bbox) != 6:
        return Unused(where, f"bbox has {len(one.bbox)} numbers; [x, y, z, width, height, depth] is needed")
    try:
        place = one.box or box_from(one.bbox[:3], one.bbox[3:], frame)
    except ValueError as error:
        return Unused(where, str(error))
    ignore = bool(one.ignore) or bool(one.iscrowd)
    return Annotation(where, names[one.category_id], place, one.level, ignore, one.attributes)
