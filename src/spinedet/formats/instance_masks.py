"""Instance masks as nnDetection keeps them, and class masks as nnU-Net does: every instance a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.files import read_json
from spinedet.core.types import Box, Lesion, Origin, Series, Split, Study
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, told_apart
from spinedet.formats.annotated_images import known_region
from spinedet.formats.mask_boxes import label_boxes, read_mask, refuse_other_grid
from spinedet.imaging.planes import plane_of
from spinedet.imaging.volume import Volume, read_volume

_SPLITS = {"Tr": Split.TRAIN, "Ts": Split.TEST}
_ENDINGS = (".nii.gz", ".nii", ".mha", ".nrrd")


@dataclass
class MasksConfig:
    """What a mask's voxels make.

    Attributes:
        modality: the image whose number (`_0000`) is taken.
        min_voxels: connected parts of a class mask with fewer voxels are listed, not used.
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
    every connected part is an instance (nnU-Net).

    Raises:
        InputError: no dataset.json with labels, or no mask.
    """
    classes = _classes(root / "dataset.json")
    folder = next((f for f in (root / "raw_splitted_data", root) if (f / "labelsTr").is_dir()), None)
    if folder is None:
        raise InputError(f"{root} has no folder labelsTr; root= is the folder that holds dataset.json")
    masks = [(part, m) for part in _SPLITS for m in sorted((folder / f"labels{part}").glob("*")) if _ending(m)]
    return Dataset(
        name=root.name,
        region=known_region(config.region),
        categories=tuple(classes.values()),
        cases=tuple(Case(_case(mask), partial(_read, folder, part, mask, classes, config)) for part, mask in masks),
        rule=asdict(config) | {"box": "edges of the instance's mask"},
    )


def _classes(path: Path) -> dict[int, str]:
    """Class names by number without the background; nnU-Net 2 writes names first, all others numbers first."""
    content: Any = read_json(path)
    labels = content.get("labels") if isinstance(content, dict) else None
    try:
        pairs = [(key, value) if str(key).isdecimal() else (value, key) for key, value in labels.items()]  # type: ignore[union-attr]
        return {int(number): str(name) for number, name in pairs if str(name).lower() != "background"}
    except (AttributeError, TypeError, ValueError):
        raise InputError(f"{path} must map class numbers to names under labels") from None


def _ending(path: Path) -> str:
    return next((ending for ending in _ENDINGS if path.name.endswith(ending)), "")


def _case(mask: Path) -> str:
    return mask.name[: -len(_ending(mask))]


def _read(folder: Path, part: str, mask: Path, classes: Mapping[int, str], config: MasksConfig) -> Reading:
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
        lesions, unused = told_apart(_lesions(pair, labels, classes, config))
    except InputError as error:
        raise InputError(f"{mask}: {error}") from None
    series = Series(id="image", plane=plane_of(image.grid), path=pair.image.absolute())
    study = Study(id=name, patient=name, center="own", split=pair.split, series=(series,), lesions=lesions)
    return Reading(study, unused)


def _instances(path: Path, classes: Mapping[int, str]) -> dict[int, str] | None:
    if not path.exists():
        return None
    content: Any = read_json(path)
    try:
        return {int(number): classes[int(label)] for number, label in content["instances"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path} must map instance numbers to classes of dataset.json under instances") from None


def _lesions(pair: _Pair, mask: Volume, classes: Mapping[int, str], config: MasksConfig) -> Iterator[Lesion | Unused]:
    boxes = label_boxes(mask)
    if pair.instances is None:
        yield from _parts(pair, mask, boxes, classes, config)
        return
    for number in sorted({*boxes, *pair.instances}):
        where = f"{pair.mask.name}, instance {number}"
        if number not in pair.instances:
            yield Unused(where, "the JSON file beside the mask gives it no class")
        elif number not in boxes:
            yield Unused(where, "the mask has no voxel of it")
        else:
            yield _lesion(str(number), pair.instances[number], boxes[number])


def _parts(
    pair: _Pair, mask: Volume, boxes: Mapping[int, Box], classes: Mapping[int, str], config: MasksConfig
) -> Iterator[Lesion | Unused]:
    """Connected parts of each class, by faces, edges and corners."""
    from scipy import ndimage  # only where it is used: `--help` would wait for it

    for label in boxes:
        where = f"{pair.mask.name}, label {label}"
        if label not in classes:
            yield Unused(where, "dataset.json names no such class")
            continue
        parts, _ = ndimage.label(mask.array == label, np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel())
        for number, box in label_boxes(Volume(parts.astype(np.float32), mask.grid)).items():
            if sizes[number] < config.min_voxels:
                yield Unused(f"{where}, part {number}", f"{sizes[number]} voxels, under source.min_voxels")
            else:
                yield _lesion(f"{label}-{number}", classes[label], box)


def _lesion(number: str, category: str, box: Box) -> Lesion:
    return Lesion(id=number, series="image", category=category, box=box, origin=Origin.MASK)
