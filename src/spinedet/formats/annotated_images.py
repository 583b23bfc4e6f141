"""Images with boxes drawn on them, whatever the file format: each becomes a series of a study, each box a lesion."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from spinedet.core.anatomy import Plane, Region, parse_level
from spinedet.core.errors import InputError
from spinedet.core.files import refuse_repeats
from spinedet.core.geometry import EdgeBox, Grid, inside
from spinedet.core.types import Box, Effect, FiniteJson, Lesion, Origin, Series, Split, Study
from spinedet.formats.annotated_dataset import Case, Reading, Unused, reading_of, separate
from spinedet.imaging.image_files import SUFFIXES
from spinedet.imaging.planes import plane_of
from spinedet.imaging.volume import read_volume


@dataclass(frozen=True, slots=True)
class Annotation:
    """One box as a file gives it: in RAS mm, or on the voxel edges of its image.

    Attributes:
        where: the row or entry of the file, for messages.
        level: as the file writes it.
        attributes: further fields of the file.
    """

    where: str
    category: str
    place: Box | EdgeBox
    level: str | None = None
    ignore: bool = False
    attributes: Mapping[str, FiniteJson] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One image, where it belongs, and the boxes on it; `plane` follows from the geometry when None."""

    path: Path
    study: str
    series: str
    patient: str
    center: str
    annotations: tuple[Annotation, ...]
    split: Split | None = None
    plane: Plane | None = None
    weighting: str = "T2"
    unused: tuple[Unused, ...] = ()


def stem_of(path: Path) -> str:
    """The file's name without any ending that images have."""
    suffix = next((s for s in SUFFIXES if path.name.lower().endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]


def default_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each image whose file gives none: its stem, with its folder where two images share the stem.

    Raises:
        InputError: two images have the same name and the same folder name.
    """
    shared = {stem for stem, count in Counter(stem_of(path) for path in set(paths)).items() if count > 1}
    names = {p: f"{p.parent.name}-{stem_of(p)}" if stem_of(p) in shared else stem_of(p) for p in dict.fromkeys(paths)}
    refuse_repeats(names.values(), "the images", "default study")
    return names


def known_region(name: str) -> Region:
    """The region a setting names.

    Raises:
        InputError: there is no such region.
    """
    try:
        return Region(name)
    except ValueError:
        raise InputError(f"source.region={name}: use lumbar or cervical") from None


def cases_of(images: Iterable[AnnotatedImage], origin: Origin) -> tuple[Case, ...]:
    """The studies of the images, in order of first appearance."""
    studies: dict[str, list[AnnotatedImage]] = defaultdict(list)
    for image in images:
        studies[image.study].append(image)
    return tuple(Case(name, partial(_read, tuple(group), origin)) for name, group in studies.items())


def categories_in(images: Iterable[AnnotatedImage]) -> tuple[str, ...]:
    """Every category that occurs, sorted."""
    return tuple(sorted({each.category for image in images for each in image.annotations}))


def _read(images: tuple[AnnotatedImage, ...], origin: Origin) -> Reading:
    first = images[0]
    for name in ("patient", "center", "split"):
        if any(getattr(image, name) != getattr(first, name) for image in images):
            raise InputError(f"its images name more than one {name}; give the study one")
    refuse_repeats((image.series for image in images), f"study {first.study!r}", "series")
    grids = [read_volume(image.path).grid for image in images]
    lesions, unused = separate(
        made
        for image, grid in zip(images, grids, strict=True)
        for number, annotation in enumerate(image.annotations, start=1)
        for made in _lesions(image, number, annotation, grid, origin)
    )
    study = Study(
        id=first.study,
        patient=first.patient,
        center=first.center,
        split=first.split,
        series=tuple(_series(image, grid) for image, grid in zip(images, grids, strict=True)),
        lesions=lesions,
    )
    return reading_of(study, (*(each for image in images for each in image.unused), *unused))


def _series(image: AnnotatedImage, grid: Grid) -> Series:
    plane = image.plane or plane_of(grid)
    return Series(id=image.series, plane=plane, weighting=image.weighting, path=image.path.absolute())


def _lesions(
    image: AnnotatedImage, number: int, note: Annotation, grid: Grid, origin: Origin
) -> Iterator[Lesion | Unused]:
    """The lesion, one to ignore with the reason where its level is unknown, or why its box cannot be used."""
    box = note.place
    if isinstance(box, EdgeBox):
        if not (box.high > box.low).all():
            yield Unused(note.where, "the box has no size along some axis")
            return
        box = grid.world(box)
    if not inside(box, grid):
        yield Unused(
            note.where,
            "the box reaches out of its image; check that its numbers are in the frame (source.frame) and from the "
            "corner or centre (source.anchor of a table) that they are taken for",
        )
        return
    level = parse_level(note.level) if note.level else None
    if note.level and level is None:
        reason = f"unknown level {note.level!r}; write discs as L4/L5, vertebrae as L4"
        yield Unused(note.where, reason, Effect.IGNORED)
    yield Lesion(
        id=f"{image.series}-{number}",
        series=image.series,
        category=note.category,
        level=level,
        box=box,
        origin=origin,
        ignore=note.ignore or (level is None and bool(note.level)),
        attributes=dict(note.attributes),
    )
