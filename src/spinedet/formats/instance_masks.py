"""Instance masks as nnDetection keeps them, and class masks as nnU-Net does: every instance a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.files import read_json, refuse_repeats
from spinedet.core.types import Box, Effect, Lesion, Origin, Series, Split, Study
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, reading_of, separate
from spinedet.formats.annotated_images import known_region
from spinedet.formats.mask_boxes import label_boxes, read_mask, refuse_other_grid
from spinedet.imaging.planes import plane_of
from spinedet.imaging.volume import Volume, read_volume

_SPLITS = {"Tr": Split.TRAIN, "Ts": Split.TEST}
_IGNORE = "ignore"
_ENDINGS = (".nii.gz", ".nii", ".mha", ".nrrd")


@dataclass
class MasksConfig:
    """What a mask's voxels make.

    Attributes:
        modality: the image whose number (`_0000`) is taken.
        min_voxels: connected parts of a class mask with fewer voxels are boxes to ignore, and listed.
        region: of the spine.
    """

    name: str = "masks"
    modality: int = 0
    min_voxels: int = 8
    region: str = "lumbar"

    def __post_init__(self) -> None:
        known_region(self.region)
        if self.min_voxels < 1 or not 0 <= self.modality <= 9999:
            raise InputError("source.min_voxels must be at least 1 and source.modality between 0 and 9999")


@dataclass(frozen=True)
class _Pair:
    """An image with its mask; `instances` maps the mask's numbers to classes, None when they are classes."""

    id: str
    image: Path
    mask: Path
    instances: Mapping[int, str] | None
    split: Split


def open_masks(root: Path, config: MasksConfig) -> Dataset:
    """A folder with dataset.json and imagesTr, labelsTr (imagesTs, labelsTs), below raw_splitted_data or directly.

    With `labelsTr/<case>.json` beside a mask its numbers are instances (nnDetection); without, they are classes, and
    every connected part is an instance (nnU-Net). A region, which unites several numbers, is a category; parts with the
    label `ignore` are boxes to ignore.

    Raises:
        InputError: no dataset.json with labels, or no mask.
    """
    classes = _classes(root / "dataset.json")
    folder = next((f for f in (root / "raw_splitted_data", root) if (f / "labelsTr").is_dir()), None)
    if folder is None:
        raise InputError(f"{root} has no folder labelsTr; root= is the folder that holds dataset.json")
    masks = [(part, m) for part in _SPLITS for m in sorted((folder / f"labels{part}").glob("*")) if _ending(m)]
    refuse_repeats((_case(mask) for _, mask in masks), str(folder), "case")
    return Dataset(
        name=root.name,
        region=known_region(config.region),
        categories=tuple(classes.labels),
        cases=tuple(Case(_case(mask), partial(_read, folder, part, mask, classes, config)) for part, mask in masks),
        rule=asdict(config) | {"box": "edges of the instance's mask"},
        unused=tuple(_without_mask(folder, {_case(mask) for _, mask in masks}, config)),
    )


def _without_mask(folder: Path, cases: set[str], config: MasksConfig) -> Iterator[Unused]:
    """Images without a mask: they are left out, as they may not have been annotated."""
    for part in _SPLITS:
        for image in sorted((folder / f"images{part}").glob(f"*_{config.modality:04d}.*")):
            if _case(image).removesuffix(f"_{config.modality:04d}") not in cases:
                yield Unused(image.relative_to(folder).as_posix(), "an image without a mask", Effect.NONE)


@dataclass(frozen=True)
class _Classes:
    """The labels of dataset.json.

    Attributes:
        labels: the mask's numbers of each category; several where a category is a region (nnU-Net).
        ignore: the number that marks voxels to ignore (nnU-Net), or None.
    """

    labels: Mapping[str, tuple[int, ...]]
    ignore: int | None

    def of_instance(self, number: int) -> str:
        """The category of a class number of nnDetection.

        Raises:
            KeyError: there is none.
        """
        return {numbers[0]: name for name, numbers in self.labels.items() if len(numbers) == 1}[number]


def _classes(path: Path) -> _Classes:
    """Categories without the background; nnU-Net 2 writes names first, all others numbers first.

    Raises:
        InputError: there are no labels, or one is neither a number nor a list of numbers (a region).
    """
    content: Any = read_json(path)
    try:
        labels = dict(content["labels"].items())
        by_number = all(str(key).isdecimal() for key in labels)
        pairs = [(str(value), [int(key)]) for key, value in labels.items()] if by_number else _by_name(labels)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(
            f"{path} must map class numbers to names, or names to numbers or lists of numbers, under labels"
        ) from None
    refuse_repeats((name for name, _ in pairs), str(path), "label")
    named = {name: tuple(numbers) for name, numbers in pairs if name.lower() not in ("background", _IGNORE)}
    ignored = [numbers for name, numbers in pairs if name.lower() == _IGNORE]
    if any(len(numbers) != 1 for numbers in ignored):
        raise InputError(f"{path}: the label {_IGNORE!r} must be one number, not a region")
    return _Classes(named, ignored[0][0] if ignored else None)


def _by_name(labels: Mapping[str, Any]) -> list[tuple[str, list[int]]]:
    """Numbers by name; lists of numbers are nnU-Net's regions.

    Raises:
        ValueError: a label is no number.
    """
    pairs = [(name, value if isinstance(value, list) else [value]) for name, value in labels.items()]
    if not all(numbers and all(type(number) is int and number >= 0 for number in numbers) for _, numbers in pairs):
        raise ValueError(labels)
    return pairs


def _ending(path: Path) -> str:
    return next((ending for ending in _ENDINGS if path.name.endswith(ending)), "")


def _case(mask: Path) -> str:
    return mask.name[: -len(_ending(mask))]


def _read(folder: Path, part: str, mask: Path, classes: _Classes, config: MasksConfig) -> Reading:
    name = _case(mask)
    pair = _Pair(
        id=name,
        image=folder / f"images{part}" / f"{name}_{config.modality:04d}{_ending(mask)}",
        mask=mask,
        instances=_instances(mask.with_name(f"{name}.json"), classes),
        split=_SPLITS[part],
    )
    image, labels = read_volume(pair.image), read_mask(mask)
    try:
        refuse_other_grid(labels.grid, image.grid)
        found = _lesions(pair, labels, classes, config) if pair.instances is None else _of_instances(pair, labels)
        lesions, unused = separate(found)
    except InputError as error:
        raise InputError(f"{mask}: {error}") from None
    series = Series(id="image", plane=plane_of(image.grid), path=pair.image.absolute())
    study = Study(id=name, patient=name, center="own", split=pair.split, series=(series,), lesions=lesions)
    return reading_of(study, unused)


def _instances(path: Path, classes: _Classes) -> dict[int, str] | None:
    if not path.exists():
        return None
    content: Any = read_json(path)
    try:
        return {int(number): classes.of_instance(int(label)) for number, label in content["instances"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path} must map instance numbers to classes of dataset.json under instances") from None


def _of_instances(pair: _Pair, mask: Volume) -> Iterator[Lesion | Unused]:
    """One lesion for each number of the mask."""
    boxes, classes = label_boxes(mask), pair.instances or {}
    for number in sorted({*boxes, *classes}):
        where = f"{pair.mask.name}, instance {number}"
        if number not in classes:
            yield Unused(where, "the JSON file beside the mask gives it no class")
        elif number not in boxes:
            yield Unused(where, "the mask has no voxel of it")
        else:
            yield _lesion(str(number), classes[number], boxes[number])


def _lesions(pair: _Pair, mask: Volume, classes: _Classes, config: MasksConfig) -> Iterator[Lesion | Unused]:
    """Connected parts of each class or region, by faces, edges and corners; those to ignore, in every category."""
    known = {number for numbers in classes.labels.values() for number in numbers} | {classes.ignore}
    for label in label_boxes(mask):
        if label not in known:
            yield Unused(f"{pair.mask.name}, label {label}", "dataset.json names no such class")
    for category, numbers in classes.labels.items():
        name = "+".join(map(str, numbers))
        foreground = [number for number in numbers if number]  # 0 is always the background of a class mask
        for part, box, voxels in _parts(mask, foreground):
            small = voxels < config.min_voxels
            if small:
                reason = f"{voxels} voxels, under source.min_voxels"
                yield Unused(f"{pair.mask.name}, label {name}, part {part}", reason, Effect.IGNORED)
            yield _lesion(f"{name}-{part}", category, box, ignore=small)
    if classes.ignore is not None:
        for part, box, _ in _parts(mask, (classes.ignore,)):
            for category in classes.labels:
                yield _lesion(f"{classes.ignore}-{part}-{category}", category, box, ignore=True)


def _parts(mask: Volume, labels: Sequence[int]) -> Iterator[tuple[int, Box, int]]:
    """Number, box and voxels of each connected part of the union of these labels."""
    from scipy import ndimage  # only where it is used: `--help` would wait for it

    parts, _ = ndimage.label(np.isin(mask.array, labels), np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    for number, box in label_boxes(Volume(parts.astype(np.float32), mask.grid)).items():
        yield number, box, int(sizes[number])


def _lesion(number: str, category: str, box: Box, *, ignore: bool = False) -> Lesion:
    return Lesion(id=number, series="image", category=category, box=box, origin=Origin.MASK, ignore=ignore)
