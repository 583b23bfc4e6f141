"""Scans on the working grid: prepared once into a cache on disk, augmented anew each time they are drawn."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.files import naming
from spinedet.core.geometry import Grid, inside
from spinedet.core.grades import SCALES
from spinedet.core.types import Box, FiniteJson, Lesion, Negative, Series, Study
from spinedet.detection.batch import Batch, Structures, Targets
from spinedet.detection.boxes import limits
from spinedet.imaging.augment import augment, crop, slab
from spinedet.imaging.image_files import matches_sha256
from spinedet.imaging.planes import PlaneSpec
from spinedet.imaging.resample import prepare
from spinedet.imaging.settings import AugmentConfig
from spinedet.imaging.volume import Volume, read_volume
from spinedet.training.samplers import Draw, generator

# Boxes may reach this far beyond the image: annotators round, and partial volume blurs the border.
OUTSIDE_TOLERANCE_MM = 5.0
# Networks see no image with fewer slices: their kernels reach over three.
LEAST_SLICES = 3
_ROUNDING_MM = 1e-2


# Called with how many are done and how many there are.
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Progress that is not shown."""


@dataclass(frozen=True, eq=False)
class Scan:
    """One prepared series: its place in the study, its working grid, and where its voxels are cached.

    Attributes:
        checksum: CRC-32 of the cached file. prepare: makes the voxels anew from the series' own image.
        scale: mm in the patient for one working mm.
    """

    study: str
    series: str
    plane: Plane
    grid: Grid
    file: Path
    lesions: tuple[Lesion, ...]
    checksum: int
    prepare: Callable[[], Volume]
    scale: float = 1.0
    negatives: tuple[Negative, ...] = ()

    def image(self) -> Tensor:
        """Normalised voxels, float32 (1, slices, rows, columns); a cached file that was damaged is made anew.

        Raises:
            InputError: the cached file is damaged and the series' own image is not what it was.
        """
        content = b""
        with suppress(OSError):
            content = self.file.read_bytes()
        if zlib.crc32(content) != self.checksum:
            content = self._restored()
        return torch.from_numpy(np.load(io.BytesIO(content)).astype(np.float32))[None]

    def _restored(self) -> bytes:
        warnings.warn(f"the cached copy {self.file.name} of {self.series} was damaged; it is made anew", stacklevel=3)
        remedy = "restore it and go on with resume=true: the last checkpoint is sound"
        try:
            content = _packed(self.prepare())
        except InputError as error:
            raise InputError(f"{error} (while training; {remedy})") from None
        if zlib.crc32(content) != self.checksum:
            raise InputError(f"the image of {self.study}/{self.series} was changed while training; {remedy}")
        with suppress(OSError):  # what was read is good, wherever it can be kept
            self.file.write_bytes(content)
        return content

    def targets(self, categories: Sequence[str]) -> Targets:
        """The lesions and structures as boxes in working mm from the working grid's outer corner."""
        lesions = targets_on(self.grid, self.lesions, categories)
        structures = structures_on(self.grid, self.lesions, self.negatives, categories)
        return replace(lesions, structures=structures).scaled(1 / self.scale)


@dataclass(frozen=True)
class Prepared:
    """Scans that are ready, and studies that could not be read with the reason for each."""

    scans: tuple[Scan, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)


def targets_on(grid: Grid, lesions: Iterable[Lesion], categories: Sequence[str]) -> Targets:
    """Lesions as model targets on a working grid, in the patient's mm."""
    known = list(lesions)
    return Targets(
        _boxes_on(grid, [lesion.box for lesion in known]),
        torch.tensor([categories.index(lesion.category) for lesion in known], dtype=torch.long),
        torch.tensor([lesion.ignore for lesion in known], dtype=torch.bool),
        torch.tensor([lesion.severity for lesion in known], dtype=torch.float32),
    )


def structures_on(
    grid: Grid, lesions: Iterable[Lesion], negatives: Iterable[Negative], categories: Sequence[str]
) -> Structures:
    """All assessed places on a working grid, in the patient's mm; lesions of one box are one place."""
    places: dict[Box, list[Lesion]] = {}
    for lesion in lesions:
        places.setdefault(lesion.box, []).append(lesion)
    sound = list(negatives)
    rows = torch.zeros(len(places) + len(sound), len(categories))
    for row, found in zip(rows, places.values(), strict=False):
        row[[categories.index(lesion.category) for lesion in found if not lesion.ignore]] = 1
    ignore = [all(lesion.ignore for lesion in found) for found in places.values()] + [False] * len(sound)
    graded = [_grades([lesion.attributes for lesion in found]) for found in places.values()]
    graded += [_grades([negative.attributes]) for negative in sound]
    boxes = _boxes_on(grid, [*places, *(negative.box for negative in sound)])
    grades = torch.tensor(graded, dtype=torch.float32).view(-1, len(SCALES))
    return Structures(boxes, rows, torch.tensor(ignore, dtype=torch.bool), grades)


def _grades(attributes: Sequence[Mapping[str, FiniteJson]]) -> list[float]:
    """On each scale the highest that one of a place's annotations gives, NaN where none does."""
    return [max((g for g in map(scale.of, attributes) if g == g), default=math.nan) for scale in SCALES.values()]


def _boxes_on(grid: Grid, boxes: Sequence[Box]) -> Tensor:
    edges = [grid.edges(box) for box in boxes]
    placed = [np.r_[(e.low + e.high) / 2 * grid.spacing, (e.high - e.low) * grid.spacing] for e in edges]
    return torch.tensor(np.array(placed).reshape(-1, 6), dtype=torch.float32)


def series_of(study: Study, spec: PlaneSpec) -> tuple[Series, ...]:
    """The study's T2 series of a plane."""
    return tuple(s for s in study.series if s.plane is spec.plane and s.weighting == "T2")


def read_series(series: Series) -> Volume:
    """The image of a manifest's series.

    Raises:
        InputError: the image cannot be used, or is not the one that the manifest means.
    """
    volume = read_volume(series.path)
    if series.sha256 is not None and not matches_sha256(series.path, series.sha256):
        raise InputError(
            f"{series.path} is not the image that the manifest means: its sha256 differs; restore the file, or correct "
            "the manifest if the image was changed on purpose"
        )
    return volume


def read_prepared(study: Study, series: Series, spec: PlaneSpec) -> Volume:
    """The series on the working grid of its study's region.

    Raises:
        InputError: the image cannot be used, or a lesion's box lies outside it.
    """
    volume = read_series(series)
    for lesion in study.lesions:
        if lesion.series == series.id and not inside(lesion.box, volume.grid, OUTSIDE_TOLERANCE_MM):
            raise InputError(
                f"{series.path}: the box of lesion {lesion.id!r} (study {study.id!r}) lies outside the image; "
                "check that the manifest is in RAS mm and belongs to this image"
            )
    return prepare(volume, spec.of(study.region))


def prepare_scans(
    studies: Sequence[Study], spec: PlaneSpec, cache: Path, workers: int, progress: Progress = no_progress
) -> Prepared:
    """Read every T2 series of one plane into `cache` (float16, so memory stays bounded whatever the cohort).

    A study that cannot be read is skipped and reported, never raised.
    """
    cache.mkdir(parents=True, exist_ok=True)
    jobs = [(study, series) for study in studies for series in series_of(study, spec)]
    scans: list[Scan] = []
    skipped: dict[str, str] = {}
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda job: _cached(job[0], job[1], spec, cache), jobs)
        for done, ((study, _), result) in enumerate(zip(jobs, results, strict=True), start=1):
            if isinstance(result, Scan):
                scans.append(result)
            else:
                skipped[study.id] = result
            progress(done, len(jobs))
    return Prepared(tuple(scans), skipped)


def _cached(study: Study, series: Series, spec: PlaneSpec, cache: Path) -> Scan | str:
    try:
        volume = read_prepared(study, series, spec)
    except InputError as error:
        return str(error)
    name = hashlib.sha256(f"{study.id}\0{series.id}".encode()).hexdigest()[:24]
    file = cache / f"{name}.npy"
    content = _packed(volume)
    with naming(file):
        file.write_bytes(content)
    lesions = tuple(lesion for lesion in study.lesions if lesion.series == series.id)
    return Scan(
        study.id,
        series.id,
        spec.plane,
        volume.grid,
        file,
        lesions,
        checksum=zlib.crc32(content),
        prepare=partial(read_prepared, study, series, spec),
        scale=spec.of(study.region).scale,
        negatives=tuple(negative for negative in study.negatives if negative.series == series.id),
    )


def _packed(volume: Volume) -> bytes:
    content = io.BytesIO()
    np.save(content, volume.array.astype(np.float16))
    return content.getvalue()


class Example(NamedTuple):
    """A scan or a crop of it: an image (1, slices, rows, columns) of one plane, its targets, and mm between slices."""

    image: Tensor
    targets: Targets
    plane: Plane
    pitch: float


@dataclass(frozen=True)
class Augmented:
    """Random variation of one example and a crop of the plane's field of view, fixed by seed, epoch and index."""

    spec: PlaneSpec
    config: AugmentConfig
    seed: int

    def __call__(self, image: Tensor, targets: Targets, draw: Draw) -> Example:
        """Image (1, slices, rows, columns) and targets -> the crop's image and targets, still in mm."""
        random = generator(self.seed, draw.epoch, draw.index)
        spacing = torch.tensor(self.spec.spacing)
        structures = targets.structures or Structures.empty(0, 0)
        low, high = limits(torch.cat([targets.boxes, structures.boxes]))
        image, edges = slab(image, torch.cat([low / spacing, high / spacing], 1), self.config, random)
        image, edges = augment(image, edges, self.spec, self.config, random)
        slices, rows, columns = self.spec.crop_shape
        # Stacks are padded to the depth of a crop, so that the batches of several processes together are those of one.
        # Single slices and thin slabs stay what they are, and cost what they are worth.
        depth = slices if 2 * image.shape[1] >= slices else image.shape[1]
        cut = crop(image, edges, (depth, rows, columns), random)
        low, high = (cut.boxes.view(-1, 2, 3) * spacing).unbind(1)
        boxes = torch.cat([(low + high) / 2, high - low], dim=1)
        of_lesions, count = cut.kept[: len(targets.boxes)], int(cut.kept[: len(targets.boxes)].sum())
        kept = Targets(
            boxes[:count],
            targets.labels[of_lesions],
            targets.ignore[of_lesions] | cut.ignore[:count],
            targets.severity[of_lesions],
            targets.structures
            and _cut_structures(structures, cut.kept[len(of_lesions) :], boxes[count:], cut.ignore[count:]),
        )
        return Example(cut.image, kept, self.spec.plane, self.spec.spacing[0])


def _cut_structures(structures: Structures, kept: Tensor, boxes: Tensor, ignore: Tensor) -> Structures:
    """Those that are kept, with the boxes that are left of them; what is cut away is ignored."""
    left = structures.select(kept)
    return replace(left, boxes=boxes, ignore=left.ignore | ignore)


@dataclass(frozen=True, eq=False)
class ExampleRequest:
    """All that is needed to make one training example, also in another process."""

    scan: Scan
    categories: Sequence[str]
    augmented: Augmented
    draw: Draw

    def example(self) -> Example:
        """The same one each time.

        Raises:
            InputError: the scan's image cannot be used any more.
        """
        return self.augmented(self.scan.image(), self.scan.targets(self.categories), self.draw)


class TrainingScans:
    """Augmented crops of one plane's training scans."""

    def __init__(self, scans: Sequence[Scan], categories: Sequence[str], augmented: Augmented) -> None:
        self.scans, self.categories, self.augmented = scans, categories, augmented

    def __len__(self) -> int:
        return len(self.scans)

    def request(self, draw: Draw) -> ExampleRequest:
        """The example of this draw."""
        return ExampleRequest(self.scans[draw.index], self.categories, self.augmented, draw)


class SeveralPlanes:
    """Training scans of several planes, numbered one plane after the other."""

    def __init__(self, planes: Sequence[TrainingScans]) -> None:
        self.planes = planes

    def __len__(self) -> int:
        return sum(map(len, self.planes))

    def request(self, draw: Draw) -> ExampleRequest:
        """The example of this draw, which counts the scans of all planes."""
        index = draw.index
        for scans in self.planes:
            if index < len(scans):
                return scans.request(replace(draw, index=index))
            index -= len(scans)
        raise IndexError(draw.index)


class TuningScans(Dataset[Example]):
    """Whole tuning scans as `predict` would see them."""

    def __init__(self, scans: Sequence[Scan], categories: Sequence[str]) -> None:
        self.scans, self.categories = scans, categories

    def __len__(self) -> int:
        return len(self.scans)

    def __getitem__(self, index: int) -> Example:
        scan = self.scans[index]
        return Example(scan.image(), scan.targets(self.categories), scan.plane, scan.grid.spacing[0] / scan.scale)


def collate(examples: Sequence[Example]) -> Batch:
    """Examples of one plane and equal rows and columns as a batch, the thinner ones thickened."""
    depths = tuple(example.image.shape[1] for example in examples)
    most = max(LEAST_SLICES, *depths)
    images = torch.stack([thickened(example.image, most) for example in examples])
    targets = tuple(_continued(example, most) for example in examples)
    return Batch(images, targets, examples[0].plane, None if min(depths) == most else depths)


def thickened(image: Tensor, least: int = LEAST_SLICES) -> Tensor:
    """The image (..., slices, rows, columns) with its last slice repeated until there are `least`.

    Repeated, not padded with a constant: a network's normalisation would learn the constant.
    """
    missing = least - image.shape[-3]
    if missing <= 0:
        return image
    return torch.cat([image, image[..., -1:, :, :].expand(*image.shape[:-3], missing, *image.shape[-2:])], dim=-3)


def _continued(example: Example, slices: int) -> Targets:
    """The targets on the example thickened to so many slices: boxes that reach its last slice go on to the end."""
    end, reach = example.image.shape[1] * example.pitch, slices * example.pitch
    targets, structures = example.targets, example.targets.structures
    if end == reach:
        return targets
    longer = structures and replace(structures, boxes=_reaching(structures.boxes, end, reach))
    return replace(targets, boxes=_reaching(targets.boxes, end, reach), structures=longer)


def _reaching(boxes: Tensor, end: float, reach: float) -> Tensor:
    low, high = limits(boxes)
    on = (high[:, :1] >= end - _ROUNDING_MM) & torch.tensor([True, False, False])
    high = torch.where(on, high.clamp_min(reach), high)
    return torch.cat([(low + high) / 2, high - low], dim=1)
