"""PASCAL VOC XML boxes on DICOM slices, such as LSS-MRI-AISSLab's: boxes of neighbouring slices become one in 3D."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from spinedet.core.anatomy import parse_level
from spinedet.core.errors import InputError
from spinedet.core.folder_walk import list_files
from spinedet.core.geometry import Array, EdgeBox, pairwise_iou
from spinedet.core.types import Box, FiniteJson, Lesion, Negative, Origin, Series, Study
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, reading_of, separate
from spinedet.formats.annotated_images import known_region
from spinedet.formats.csv_tables import number
from spinedet.formats.dicom_slices import Stack, folder_of, read_stacks

_LEVEL = re.compile(r"(?<![A-Z0-9])([CTL]\d{1,2})[-_/ ]?([TLS]\d{1,2}|\d)(?![0-9])", re.IGNORECASE)
_SIDES = {"left": "left", "lfs": "left", "right": "right", "rfs": "right"}
_SEVERITIES = {"normal": 0, "mild": 1, "moderate": 2, "severe": 3}
_DECLARATION = re.compile(rb"""(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][\w.-]*)["'][^>]*\?>""")
# Pixels: boxes drawn to the very edge of a picture may be rounded beyond it.
_OUTSIDE = 1.0
_WORDS = re.compile(r"[^A-Za-z0-9]+")


@dataclass
class VocConfig:
    """How boxes in XML become lesions.

    Attributes:
        category: of every box.
        minimum_severity: boxes with a lower one in their name are sound places; names without one are lesions.
        first_pixel: the number of the first pixel of a row: 1 as VOC says, 0 as some tools write.
        link_iou: boxes of one name on neighbouring slices are one lesion from this 2D IoU on.
        grow_slices: slices that a lesion reaches beyond those with boxes.
        region: of the spine.
    """

    name: str = "voc"
    category: str = "degeneration"
    minimum_severity: int = 1
    first_pixel: int = 1
    link_iou: float = 0.5
    grow_slices: int = 0
    region: str = "lumbar"

    def __post_init__(self) -> None:
        known_region(self.region)
        if self.first_pixel not in (0, 1) or not 0 <= self.link_iou <= 1 or self.grow_slices < 0:
            raise InputError("source.first_pixel must be 0 or 1, link_iou within 0 and 1, grow_slices not negative")


@dataclass(frozen=True, eq=False)
class _Flat:
    """One box of one XML file: pixel edges (column, row), `low` and `high`, and the image's file stem."""

    where: str
    image: str
    name: str
    low: Array
    high: Array


@dataclass(eq=False)
class _Chain:
    """Boxes of one name on slices `first` to `last` of a block, and their hull on pixel edges."""

    name: str
    first: int
    last: int
    newest: _Flat
    low: Array
    high: Array

    def overlap(self, flat: _Flat) -> float:
        """2D IoU of the newest box with another."""
        one, two = self.newest, flat
        return float(pairwise_iou(one.low[None], one.high[None], two.low[None], two.high[None])[0, 0])

    def grow(self, index: int, flat: _Flat) -> None:
        """Take in the box of the next slice."""
        self.last, self.newest = index, flat
        self.low, self.high = np.minimum(self.low, flat.low), np.maximum(self.high, flat.high)


def open_voc(root: Path, links: Path, config: VocConfig) -> Dataset:
    """A folder in which every DICOM slice `<name>.dcm` may have a `<name>.xml`, beside it or elsewhere under `root`.

    Every folder with DICOM files is a study; one without any XML is skipped, as it may not have been annotated.

    Raises:
        InputError: no XML file, or no DICOM file.
    """
    xml: dict[str, list[Path]] = defaultdict(list)
    listing = list_files(root)
    listing.warn()
    for file in listing.files:
        if file.suffix == ".xml":
            xml[file.stem].append(file)
    images = [file for file in listing.files if file.suffix == ".dcm"]
    folders = sorted({file.parent for file in images})
    if not xml or not folders:
        raise InputError(f"{root} holds {len(xml)} XML files and {len(folders)} folders of .dcm files; both are needed")
    stems = {file.stem for file in images}
    strays = [file for stem, files in xml.items() if stem not in stems for file in files]
    return Dataset(
        name=root.name,
        region=known_region(config.region),
        categories=(config.category,),
        cases=tuple(Case(_name(f, root), partial(_read, f, _name(f, root), links, xml, config)) for f in folders),
        rule=asdict(config),
        unused=tuple(
            Unused(f.relative_to(root).as_posix(), f"there is no slice {f.stem}.dcm")
            for f in strays
            if f.parent not in folders
        ),
    )


def _name(folder: Path, root: Path) -> str:
    return "-".join(folder.relative_to(root).parts) or root.name


def _read(folder: Path, name: str, links: Path, xml: Mapping[str, list[Path]], config: VocConfig) -> Reading:
    """One study: every series that has a box, its boxes linked through the slices.

    Raises:
        InputError: no slice of the folder has an XML file.
    """
    stacks = [(stack, plane) for stack in read_stacks(folder) if (plane := stack.plane) is not None]
    files = {f.stem: _file_of(f, xml) for stack, _ in stacks for f in stack.files if f.stem in xml}
    series: list[Series] = []
    lesions: list[Lesion] = []
    negatives: list[Negative] = []
    unused = list(_without_slice(folder, files, xml))
    for stack, plane in stacks:
        mine = [(file.stem, files[file.stem]) for file in stack.files if file.stem in files]
        if not mine:
            continue
        flats, faults = separate(flat for stem, file in sorted(mine) for flat in _boxes(file, stem, stack, config))
        unused += faults
        number = f"series-{len(series) + 1}"
        series.append(Series(id=number, plane=plane, path=folder_of(stack, links / name / number).absolute()))
        for place in (_place(chain, stack, config) for chain in _chains(stack, flats, config)):
            if place.severity is not None and place.severity < config.minimum_severity:
                negatives.append(place.negative(number))
            else:
                lesions.append(place.lesion(str(len(lesions) + 1), number, config.category))
    if not series:
        raise InputError(f"{folder} has no series with XML files for its slices")
    study = Study(
        id=name,
        patient=name,
        center="own",
        series=tuple(series),
        lesions=tuple(lesions),
        negatives=tuple(negatives),
    )
    return reading_of(study, unused)


def _without_slice(folder: Path, used: Mapping[str, Path], xml: Mapping[str, list[Path]]) -> Iterator[Unused]:
    """XML files of this study whose slice is missing, or is in no sagittal or axial volume."""
    stems = {file.stem for file in folder.glob("*.dcm")}
    for stem, files in sorted(xml.items()):
        if stem in stems and stem not in used:
            yield Unused(f"{stem}.xml", f"{stem}.dcm is part of no sagittal or axial volume")
        elif stem not in stems and any(file.parent == folder for file in files):
            yield Unused(f"{stem}.xml", f"there is no slice {stem}.dcm")


def _file_of(image: Path, xml: Mapping[str, list[Path]]) -> Path:
    """The XML file of a slice: that in the nearest folder when the name occurs more than once."""
    return max(xml[image.stem], key=lambda file: len(set(file.parts) & set(image.parts)))


def _boxes(file: Path, stem: str, stack: Stack, config: VocConfig) -> Iterator[_Flat | Unused]:
    """The boxes of one XML file on the pixel edges of its slice, or why they cannot be used."""
    try:
        tree = read_xml(file)
        scale = _scale(tree, stack.grid.shape[:2])
    except ValueError as error:
        yield Unused(file.name, str(error))
        return
    for count, item in enumerate(tree.iter("object"), start=1):
        where = f"{file.name}, object {count}"
        numbers = [number(item.findtext(f"bndbox/{key}") or "") for key in ("xmin", "ymin", "xmax", "ymax")]
        if None in numbers:
            yield Unused(where, "its bndbox lacks xmin, ymin, xmax or ymax as a number")
            continue
        left, top, right, bottom = (float(value or 0) for value in numbers)
        # VOC's corners are pixels that belong to the box; the outer edge of the last one is one further.
        low, high = np.array([left, top]) - config.first_pixel, np.array([right, bottom]) + 1 - config.first_pixel
        low, high = low * scale, high * scale
        if (high <= low).any():
            yield Unused(where, "its bndbox has no size")
        elif (low < -_OUTSIDE).any() or (high > np.array(stack.grid.shape[:2]) + _OUTSIDE).any():
            yield Unused(where, "its bndbox reaches out of the slice")
        else:
            yield _Flat(where, stem, item.findtext("name") or "", low, high)


def _scale(tree: ElementTree.Element, shape: tuple[int, ...]) -> float:
    """Slice pixels per pixel of the picture that was annotated, whose size the file may give.

    Raises:
        ValueError: that picture has another form than the slice, so that the place of its boxes is unknown.
    """
    size = [number(tree.findtext(f"size/{key}") or "") for key in ("width", "height")]
    width, height = (value or 0.0 for value in size)
    if width <= 0 or height <= 0:  # some tools write 0 when they do not know it
        return 1.0
    factors = shape[0] / width, shape[1] / height
    # Enlarged pictures are whole pixels wide and high: their sides may be off by one.
    if abs(factors[0] * height - shape[1]) > max(1.0, factors[0]):
        raise ValueError(
            f"its size is {width:g} x {height:g} pixels and the slice has {shape[0]} x {shape[1]}; annotate the slice"
        )
    return factors[0]


def read_xml(file: Path) -> ElementTree.Element:
    """The root of an XML file in any encoding that Python knows.

    Raises:
        ValueError: it cannot be read, or is no XML.
    """
    try:
        content = file.read_bytes()
        declared = _DECLARATION.match(content)
        if declared is None:
            return ElementTree.fromstring(content)  # noqa: S314
        # Files that declare GB2312 or GBK often use characters of their superset.
        name = declared[1].decode().lower()
        text = content[declared.end() :].decode("gb18030" if name in ("gb2312", "gbk") else name)
        return ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, OSError, LookupError, UnicodeError) as error:
        raise ValueError(f"no readable XML ({error})") from None


def _chains(stack: Stack, flats: Iterable[_Flat], config: VocConfig) -> list[_Chain]:
    """Boxes of one name that overlap from slice to slice, as one each."""
    by_image: dict[str, list[_Flat]] = defaultdict(list)
    for flat in flats:
        by_image[flat.image].append(flat)
    chains: list[_Chain] = []
    for index, file in enumerate(stack.files):
        before = [chain for chain in chains if chain.last == index - 1]
        for flat in by_image[file.stem]:
            overlaps = [c.overlap(flat) if c.name == flat.name and c.last < index else -1.0 for c in before]
            if overlaps and max(overlaps) >= config.link_iou:
                before[int(np.argmax(overlaps))].grow(index, flat)
            else:
                chains.append(_Chain(flat.name, index, index, flat, flat.low, flat.high))
    return chains


@dataclass(frozen=True)
class _Place:
    """A box in the patient with the content of its name."""

    box: Box
    level: str | None
    attributes: dict[str, FiniteJson] = field(default_factory=dict)

    @property
    def severity(self) -> int | None:
        """By its name."""
        severity = self.attributes.get("severity")
        return severity if isinstance(severity, int) else None

    def negative(self, series: str) -> Negative:
        """As a place that was assessed and found sound."""
        return Negative(series=series, level=self.level, box=self.box, attributes=self.attributes)

    def lesion(self, name: str, series: str, category: str) -> Lesion:
        return Lesion(
            id=name,
            series=series,
            category=category,
            level=self.level,
            box=self.box,
            origin=Origin.MANUAL,
            attributes=self.attributes,
        )


def _place(chain: _Chain, stack: Stack, config: VocConfig) -> _Place:
    """The chain's hull on pixel edges, from the lower edge of its first slice to the upper edge of its last."""
    first = max(chain.first - config.grow_slices, 0)
    last = min(chain.last + config.grow_slices, len(stack.files) - 1)
    level, attributes = meaning_of(chain.name)
    edges = EdgeBox(np.array([*chain.low, float(first)]), np.array([*chain.high, float(last + 1)]))
    return _Place(stack.grid.world(edges), level, attributes)


def meaning_of(name: str) -> tuple[str | None, dict[str, FiniteJson]]:
    """Level, side and severity from a class name such as `L4-L5_LFS_Moderate`, `RFS_L5-S1_3` or `left L45`."""
    attributes: dict[str, FiniteJson] = {"name": name} if name else {}
    found = _LEVEL.search(name)
    level = parse_level(found[0]) if found else None
    rest = name[: found.start()] + " " + name[found.end() :] if found else name
    for word in _WORDS.split(rest.lower()):
        if word in _SIDES:
            attributes["side"] = _SIDES[word]
        elif word in _SEVERITIES:
            attributes["severity"] = _SEVERITIES[word]
        elif word in ("0", "1", "2", "3"):
            attributes["severity"] = int(word)
    return level, attributes
