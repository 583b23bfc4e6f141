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

from spinedet.core.anatomy import LEVELS
from spinedet.core.errors import InputError
from spinedet.core.geometry import Array, EdgeBox, pairwise_iou
from spinedet.core.types import Box, FiniteJson, Lesion, Negative, Origin, Series, Study
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, told_apart
from spinedet.formats.annotated_images import known_region
from spinedet.formats.csv_columns import number
from spinedet.formats.dicom_slices import Stack, folder_of, read_stacks

_LEVEL = re.compile(r"(?<![A-Z0-9])([CTL]\d{1,2})[-_/ ]?([TLS]\d{1,2}|\d)(?![0-9])", re.IGNORECASE)
_SIDES = {"left": "left", "lfs": "left", "right": "right", "rfs": "right"}
_SEVERITIES = {"normal": 0, "mild": 1, "moderate": 2, "severe": 3}
_WORDS = re.compile(r"[^A-Za-z0-9]+")


@dataclass
class VocConfig:
    """How boxes in XML become lesions.

    Attributes:
        category: of every box.
        minimum_severity: boxes whose name says less are places found sound; names without a severity are lesions.
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

    Every folder with DICOM files is a study; one without any XML is skipped, as nobody may have looked at it.

    Raises:
        InputError: no XML file, or no DICOM file.
    """
    xml: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(root.rglob("*.xml")):
        xml[file.stem].append(file)
    folders = sorted({file.parent for file in root.rglob("*.dcm")})
    if not xml or not folders:
        raise InputError(f"{root} holds {len(xml)} XML files and {len(folders)} folders of .dcm files; both are needed")
    return Dataset(
        name=root.name,
        region=known_region(config.region),
        categories=(config.category,),
        cases=tuple(Case(_name(f, root), partial(_read, f, _name(f, root), links, xml, config)) for f in folders),
        rule=asdict(config),
    )


def _name(folder: Path, root: Path) -> str:
    return "-".join(folder.relative_to(root).parts) or root.name


def _read(folder: Path, name: str, links: Path, xml: Mapping[str, list[Path]], config: VocConfig) -> Reading:
    """One study: every series that has a box, its boxes linked through the slices.

    Raises:
        InputError: no slice of the folder has an XML file.
    """
    stacks = [(stack, stack.plane) for stack in read_stacks(folder)]
    files = {f.stem: _file_of(f, xml) for stack, _ in stacks for f in stack.files if f.stem in xml}
    flats, faults = told_apart(flat for stem, file in sorted(files.items()) for flat in _boxes(file, stem, config))
    series: list[Series] = []
    lesions: list[Lesion] = []
    negatives: list[Negative] = []
    for stack, plane in stacks:
        if plane is None or not any(file.stem in files for file in stack.files):
            continue
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
    return Reading(study, faults)


def _file_of(image: Path, xml: Mapping[str, list[Path]]) -> Path:
    """The XML file of a slice: that in the nearest folder when the name occurs more than once."""
    return max(xml[image.stem], key=lambda file: len(set(file.parts) & set(image.parts)))


def _boxes(file: Path, stem: str, config: VocConfig) -> Iterator[_Flat | Unused]:
    try:
        tree = ElementTree.parse(file)  # noqa: S314
    except (ElementTree.ParseError, OSError) as error:
        yield Unused(file.name, f"no readable XML ({error})")
        return
    for count, item in enumerate(tree.iter("object"), start=1):
        where = f"{file.name}, object {count}"
        numbers = [number(item.findtext(f"bndbox/{key}") or "") for key in ("xmin", "ymin", "xmax", "ymax")]
        if None in numbers:
            yield Unused(where, "its bndbox lacks xmin, ymin, xmax or ymax")
            continue
        left, top, right, bottom = (float(value or 0) for value in numbers)
        # VOC's corners are pixels that belong to the box; the outer edge of the last one is one further.
        low, high = np.array([left, top]) - config.first_pixel, np.array([right, bottom]) + 1 - config.first_pixel
        if (high <= low).any():
            yield Unused(where, "its bndbox has no size")
        else:
            yield _Flat(where, stem, item.findtext("name") or "", low, high)


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
    """A box in the patient with what its name says."""

    box: Box
    level: str | None
    attributes: dict[str, FiniteJson] = field(default_factory=dict)

    @property
    def severity(self) -> int | None:
        """As its name says."""
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
    level = _level(found) if found else None
    rest = name[: found.start()] + " " + name[found.end() :] if found else name
    for word in _WORDS.split(rest.lower()):
        if word in _SIDES:
            attributes["side"] = _SIDES[word]
        elif word in _SEVERITIES:
            attributes["severity"] = _SEVERITIES[word]
        elif word in ("0", "1", "2", "3"):
            attributes["severity"] = int(word)
    return level, attributes


def _level(found: re.Match[str]) -> str | None:
    upper, lower = found[1].upper(), found[2].upper()
    name = f"{upper}/{upper[0] + lower if lower.isdecimal() else lower}"
    return name if name in LEVELS else None
