"""Boxes drawn in 3D Slicer: ROI markups (`*.mrk.json`) beside their images, oriented, in LPS or RAS."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.core.anatomy import LEVELS
from spinedet.core.colors import REFERENCE_COLOR, rgb
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of, read_json, write_json, write_text
from spinedet.core.folder_walk import list_files
from spinedet.core.geometry import LPS
from spinedet.core.types import ORTHONORMAL_TOLERANCE, Box, Effect, Lesion, Origin
from spinedet.formats.annotated_dataset import Dataset, Unused, separate
from spinedet.formats.annotated_images import AnnotatedImage, Annotation, cases_of, categories_in, known_region, stem_of
from spinedet.formats.box_frames import centered
from spinedet.formats.manifest_export import Outgoing, link_image
from spinedet.imaging.image_files import SUFFIXES

ENDING = ".mrk.json"
# Slicer names new boxes R, R_1, R_2 or ROI: names that give no category.
_UNNAMED = ("", "R", "ROI")
IGNORE = "ignore"
_NUMBERED = re.compile(r"[_-]\d+$")
# The score at the end of the names that `predict outputs=[slicer]` gives.
_SCORED = re.compile(r" \d?\.\d+$")


@dataclass
class SlicerConfig:
    """The content of a markup's name.

    Attributes:
        category: of boxes whose name gives none. A name such as `bulge L4-L5` gives category and level, and the word
            `ignore` in it makes the box one to ignore.
        region: of the spine.
    """

    name: str = "slicer"
    category: str = "degeneration"
    region: str = "lumbar"

    def __post_init__(self) -> None:
        known_region(self.region)


def open_slicer(root: Path, config: SlicerConfig) -> Dataset:
    """A folder of images with their markups beside them: files whose names begin with the image's, or any file when
    the image is its folder's only one.

    Every folder below `root` that holds images is a study; images directly in `root` are studies of their own. An
    image without markups is left out, as it may not have been annotated; markups without boxes say that it was.

    Raises:
        InputError: there is no markups file, or one of them is no markups file.
    """
    listing = list_files(root)
    listing.warn()
    files = [file for file in listing.files if file.name.endswith(ENDING)]
    if not files:
        raise InputError(f"{root} holds no markups ({ENDING}); save the ROIs of 3D Slicer beside their images")
    images = [file for file in listing.files if file.name.lower().endswith(SUFFIXES)]
    markups: dict[Path, list[Path]] = {image: [] for image in images}
    unused: list[Unused] = []
    for file in files:
        image = _image_of(file, [image for image in images if image.parent == file.parent])
        if image:
            markups[image].append(file)
        else:
            unused.append(Unused(file.relative_to(root).as_posix(), "its name begins with that of no image beside it"))
    unused += [
        Unused(i.relative_to(root).as_posix(), "an image without markups", Effect.NONE)
        for i, m in markups.items()
        if not m
    ]
    annotated = [_annotated(root, image, marks, config) for image, marks in markups.items() if marks]
    return Dataset(
        name=root.name,
        region=known_region(config.region),
        categories=categories_in(annotated) or (config.category,),
        cases=cases_of(annotated, Origin.MANUAL),
        rule=asdict(config),
        unused=tuple(unused),
    )


def _image_of(file: Path, beside: list[Path]) -> Path | None:
    """The image whose name the markups' name begins with, the longest of several, else the only one there."""
    fits = [image for image in beside if file.name.startswith(stem_of(image))]
    return max(fits, key=lambda image: len(stem_of(image))) if fits else beside[0] if len(beside) == 1 else None


def _annotated(root: Path, image: Path, markups: list[Path], config: SlicerConfig) -> AnnotatedImage:
    annotations, unused = separate(
        made for file in markups for made in _boxes(file, file.relative_to(root).as_posix(), config)
    )
    folder = image.parent.relative_to(root)
    study = "-".join(folder.parts) or stem_of(image)
    return AnnotatedImage(
        path=image,
        study=study,
        series=stem_of(image),
        patient=study,
        center="own",
        annotations=annotations,
        unused=unused,
    )


def _boxes(file: Path, name: str, config: SlicerConfig) -> Iterator[Annotation | Unused]:
    """The boxes of one markups file.

    Raises:
        InputError: it is no markups file.
    """
    content: Any = read_json(file)
    if not isinstance(content, dict) or not isinstance(content.get("markups"), list):
        raise InputError(f"{file} is no markups file of 3D Slicer: it has no list of markups")
    for number, markup in enumerate(content["markups"], start=1):
        where = f"{name}, markup {number}"
        if not isinstance(markup, dict):
            yield Unused(where, "no object with type, center and size")
            continue
        if markup.get("type") != "ROI" or markup.get("roiType", "Box") not in ("Box", "BoundingBox"):
            yield Unused(where, f"a {markup.get('roiType', markup.get('type'))}, not a box (ROI)")
            continue
        try:
            yield _box(where, markup, file, config)
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:
            yield Unused(where, f"not a box with center, size and orientation ({error})")


def _box(where: str, markup: dict[str, Any], file: Path, config: SlicerConfig) -> Annotation:
    """`orientation` holds the ROI's axes as the columns of a 3 x 3 matrix, row by row, in the markup's frame."""
    frame = {"LPS": "lps", "RAS": "ras"}[markup.get("coordinateSystem", "LPS")]
    if markup.get("coordinateUnits", "mm") != "mm":
        raise ValueError(f"its units are {markup['coordinateUnits']!r}, not mm")
    axes = np.asarray(markup.get("orientation", np.eye(3)), float).reshape(3, 3).T
    if not np.abs(axes @ axes.T - np.eye(3)).max() <= ORTHONORMAL_TOLERANCE:
        raise ValueError("its orientation is no rotation")
    box = centered(np.asarray(markup["center"], float), np.asarray(markup["size"], float), axes, frame)
    attributes = {"description": text} if (text := markup.get("description")) else {}
    words = _words(str(markup.get("name") or _file_label(file)))
    level = next((word for word in words if word in LEVELS), None)
    label = " ".join(word for word in words if word not in LEVELS and word != IGNORE)
    category = config.category if label in _UNNAMED else label
    return Annotation(where, category, box, level, IGNORE in words, attributes)


def _file_label(file: Path) -> str:
    """What Slicer names a markup after: its file, here without the image's name and a full stop before it."""
    return file.name[: -len(ENDING)].rpartition(".")[2]


def _words(name: str) -> list[str]:
    """The words of a name such as `bulge L4-L5 0.83` but for its score, levels as `L4/L5`, `bulge_2` without number."""
    words = _NUMBERED.sub("", _SCORED.sub("", name)).split()
    return [slashed if (slashed := word.replace("-", "/")) in LEVELS else word for word in words]


# --- manifests out ---

# The name by which Slicer tells the format; it is an identifier, no address.
SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_NO_FILE_NAME = re.compile(r"[/\\\x00-\x1f]")
_LONGEST_LABEL = 60
OPEN = "open_in_slicer.py"


def write_slicer(out: Outgoing) -> tuple[Unused, ...]:
    """Write `<study>/<series>.<category> <level>.mrk.json`, one file per box, beside a link to the image, and a script
    that opens all of them.

    An image without lesions gets a markups file without markups: it says that the image was annotated.
    """
    for scan in out.scans:
        folder, image = out.folder / file_name_of(scan.study.id), file_name_of(scan.series.id)
        link_image(scan, folder, image)
        names: Counter[str] = Counter()
        for lesion in scan.lesions:
            label = _NO_FILE_NAME.sub("-", _label(lesion))[:_LONGEST_LABEL]
            names[label] += 1
            unique = label if names[label] == 1 else f"{label}_{names[label]}"
            markup = {**roi(lesion.box, unique), "display": display(REFERENCE_COLOR)}
            content = {"@schema": SCHEMA, "markups": [markup]}
            write_json(folder / f"{image}.{unique}{ENDING}", content)
        if not scan.lesions:
            write_json(folder / f"{image}.none{ENDING}", {"@schema": SCHEMA, "markups": []})
        write_text(folder / OPEN, open_script())
    return ()


def _label(lesion: Lesion) -> str:
    """The label that Slicer shows, which `convert source=slicer` reads again: `bulge L4-L5`."""
    words = [lesion.category, (lesion.level or "").replace("/", "-"), IGNORE if lesion.ignore else ""]
    return " ".join(word for word in words if word)


def open_script() -> str:
    """The script that opens a folder's images and boxes in 3D Slicer."""
    return (files("spinedet.formats") / OPEN).read_text("utf-8")


def display(color: str, opacity: float = 1.0, *, visible: bool = True) -> dict[str, Any]:
    """How Slicer shows a box: its colour in two and three dimensions, its name beside it, no handles."""
    return {
        "visibility": visible,
        "opacity": round(opacity, 2),
        "color": rgb(color),
        "selectedColor": rgb(color),
        "propertiesLabelVisibility": True,
        "pointLabelsVisibility": False,
        "textScale": 3.0,
        "handlesInteractive": False,
    }


def roi(box: Box, label: str) -> dict[str, Any]:
    """Slicer's ROI in LPS: `orientation` holds the axes as columns, row by row."""
    columns = (np.asarray(box.axes) * LPS).T
    center = (np.asarray(box.center) * LPS).tolist()
    return {
        "type": "ROI",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "roiType": "Box",
        "center": center,
        "orientation": columns.ravel().tolist(),
        "size": list(box.size),
        "insideOut": False,
        "controlPoints": [{"id": "1", "label": label, "position": center}],
    }
