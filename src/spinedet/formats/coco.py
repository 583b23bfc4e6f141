"""COCO-style JSON with boxes in three dimensions: `bbox` is [x, y, z, width, height, depth]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, refuse_repeats, validate, write_json
from spinedet.core.types import Attributes, Box, FiniteJson, Lesion, Name, Origin, Record, Split, is_number
from spinedet.formats.annotated_dataset import Dataset, Unused, separate
from spinedet.formats.annotated_images import AnnotatedImage, Annotation, cases_of, default_names, known_region, stem_of
from spinedet.formats.box_frames import box_from, known_frame
from spinedet.formats.manifest_export import Outgoing, OutgoingScan, relative

# Tools write ids as numbers or as text; `1` and `"1"` are one id.
Id: TypeAlias = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


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
    bbox: tuple[FiniteJson, ...] = Field(strict=False)
    box: Box | None = None
    level: str | None = None
    ignore: bool | int = False
    iscrowd: bool | int = False
    attributes: Attributes = Field(default_factory=dict)


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

    Where annotations name images that the file does not list, it is unknown on which image their boxes lie: images
    without annotations are excluded then.

    Raises:
        InputError: no such file, or it is no COCO file, or an id or a file name comes twice; the message names it.
    """
    raw: Any = read_json(root)
    if not isinstance(raw, dict):
        raise InputError(f"{root} is no COCO file: it must hold images, categories and annotations")
    content = validate(root, CocoFile, raw)
    for what, ids in (
        ("image", [image.id for image in content.images]),
        ("category", [category.id for category in content.categories]),
        ("annotation", [annotation.id for annotation in content.annotations]),
        ("file_name", [image.file_name for image in content.images]),
    ):
        refuse_repeats(ids, str(root), what)
    frame = known_frame(str(content.info.get("frame", config.frame)))
    known = {image.id for image in content.images}
    strays = [
        Unused(f"annotation {a.id}", f"there is no image {a.image_id}")
        for a in content.annotations
        if a.image_id not in known
    ]
    return Dataset(
        name=str(content.info.get("description") or root.stem),
        region=known_region(str(content.info.get("region", config.region))),
        categories=tuple(dict.fromkeys(category.name for category in content.categories)),
        cases=cases_of(_images(content, Path(config.images or root.parent), frame, len(strays)), Origin.MANUAL),
        rule=asdict(config) | {"frame": frame},
        unused=tuple(strays),
    )


def _images(content: CocoFile, folder: Path, frame: str, strays: int) -> Iterator[AnnotatedImage]:
    """The images with their boxes; `strays` annotations name no image."""
    names = {category.id: category.name for category in content.categories}
    boxes: dict[str, list[CocoAnnotation]] = defaultdict(list)
    for annotation in content.annotations:
        boxes[annotation.image_id].append(annotation)
    studies = default_names([folder / image.file_name for image in content.images if not image.study])
    for image in content.images:
        annotations, unused = separate(_annotation(annotation, names, frame) for annotation in boxes[image.id])
        if strays and not boxes[image.id]:
            reason = f"it has no annotation, and {strays} annotations name no image of the file; correct their image_id"
            unused = (Unused(image.file_name, reason),)
        path = folder / image.file_name
        study = image.study or studies[path]
        yield AnnotatedImage(
            path=path,
            study=study,
            series=image.series or stem_of(path),
            patient=image.patient or study,
            center=image.center or "own",
            annotations=annotations,
            split=image.split,
            plane=image.plane,
            weighting=image.weighting,
            unused=unused,
        )


def _annotation(one: CocoAnnotation, names: Mapping[str, str], frame: str) -> Annotation | Unused:
    """The box of an annotation, or why it is none."""
    where = f"annotation {one.id}"
    if one.category_id not in names:
        return Unused(where, f"there is no category {one.category_id}")
    if len(one.bbox) != 6:
        return Unused(where, f"bbox has {len(one.bbox)} numbers; [x, y, z, width, height, depth] is needed")
    numbers = [float(value) for value in one.bbox if is_number(value)]
    if len(numbers) != 6:
        return Unused(where, "bbox holds something else where numbers are needed")
    try:
        place = one.box or box_from(numbers[:3], numbers[3:], frame)
    except ValueError as error:
        return Unused(where, str(error))
    ignore = bool(one.ignore) or bool(one.iscrowd)
    return Annotation(where, names[one.category_id], place, one.level, ignore, one.attributes)


# --- manifests out ---


def write_coco(out: Outgoing) -> tuple[Unused, ...]:
    """Write `coco.json`, ids from 1; lesions to ignore are crowds.

    `bbox` is [i, j, k, width, height, depth] on voxel edges along the image's stored axes; `box` is the same in RAS
    mm, exactly.
    """
    categories = {name: number for number, name in enumerate(out.manifest.categories, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scan in enumerate(out.scans, start=1):
        images.append(_image_record(number, scan, relative(scan.series.path, out.folder)))
        for lesion in scan.lesions:
            base = {"id": len(annotations) + 1, "image_id": number, "category_id": categories[lesion.category]}
            annotations.append(base | _annotation_record(lesion, scan))
    info = {"description": out.manifest.name, "frame": "voxel", "region": out.manifest.region.value}
    listed = [{"id": number, "name": name} for name, number in categories.items()]
    write_json(
        out.folder / "coco.json", {"info": info, "images": images, "categories": listed, "annotations": annotations}
    )
    return ()


def _image_record(number: int, scan: OutgoingScan, path: str) -> dict[str, Any]:
    width, height, depth = scan.grid.shape
    return {
        "id": number,
        "file_name": path,
        "width": width,
        "height": height,
        "depth": depth,
        "study": scan.study.id,
        "series": scan.series.id,
        "patient": scan.study.patient,
        "center": scan.study.center,
        "split": scan.study.split.value if scan.study.split else None,
        "plane": scan.series.plane.value,
        "weighting": scan.series.weighting,
    }


def _annotation_record(lesion: Lesion, scan: OutgoingScan) -> dict[str, Any]:
    edges = scan.grid.edges(lesion.box)
    size = edges.high - edges.low
    return {
        "bbox": [*edges.low.tolist(), *size.tolist()],
        "area": float(size.prod()),
        "iscrowd": int(lesion.ignore),
        "box": lesion.box.model_dump(mode="json"),
        "level": lesion.level,
        "attributes": lesion.attributes,
    }
