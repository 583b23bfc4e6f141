"""Findings of other detectors, brought from their files and box conventions to RAS mm on voxel edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from spinedet.core.anatomy import parse_level
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, validate
from spinedet.core.findings import FindingsTable, read_findings_table, tabulate
from spinedet.core.geometry import LPS, Array, EdgeBox, Grid
from spinedet.core.reference import Reference
from spinedet.core.types import Findings, Manifest, is_number
from spinedet.formats.csv_tables import SURPLUS, read_csv
from spinedet.formats.score_exports import CSV_HEADER, VECTOR

# Columns that a table must have; a row that fills only the first says that the study was read.
_CSV_NEEDED = ("study", "series", "category", "score")
# What nnDetection's files hold, and its shape.
_NNDETECTION = {
    "pred_boxes": (-1, 6),
    "pred_scores": (-1,),
    "pred_labels": (-1,),
    "itk_origin": (3,),
    "itk_spacing": (3,),
    "itk_direction": (3, 3),
}
# How many numbers an array of a shape holds, in words for messages; -1 is any length.
_COUNTS = {1: "only", 3: "three", 6: "six (for each box)", 9: "nine", 16: "sixteen"}
_SLIVER = 0.005  # voxels
# Where low and high corner stand among MONAI's six numbers; the two with a size are handled apart.
_CORNERS = {"xyzxyz": (0, 1, 2, 3, 4, 5), "xxyyzz": (0, 2, 4, 1, 3, 5), "xyxyzz": (0, 1, 4, 2, 3, 5)}
_MODES = (*_CORNERS, "xyzwhd", "cccwhd")


@dataclass
class ImportSettings:
    """How another detector's file is to be read.

    Attributes:
        format: `spinedet`, `csv`, `monai` or `nndetection`.
        mode: MONAI's name of the six numbers of a box: xyzxyz, xxyyzz, xyxyzz, xyzwhd or cccwhd.
        space: MONAI's boxes are in `RAS` or `LPS` mm, or in `voxel` coordinates with the image's affine beside them.
        half_voxel: undo the half voxel by which MONAI's transforms to world coordinates displace boxes; needs the
            affine as well.
    """

    format: str = "spinedet"
    mode: str = "cccwhd"
    space: str | None = None
    half_voxel: bool = False


def import_findings(
    path: Path, manifest: Manifest | Reference, settings: ImportSettings, workers: int = 1
) -> FindingsTable:
    """Read findings in any of the known formats, our own with so many processes.

    Labels that are numbers name the manifest's categories in their order, from 0.

    Raises:
        InputError: the file breaks its format, or tells of images that the manifest does not have.
    """
    match settings.format:
        case "spinedet":
            return read_findings_table(path, workers)
        case "csv":
            return _table(path, "csv", _from_csv(path))
        case "monai":
            return _table(path, "MONAI", _from_monai(path, manifest, settings))
        case "nndetection":
            return _table(path, "nnDetection", _from_nndetection(path, manifest))
    raise InputError(f"format={settings.format!r}: use spinedet, csv, monai or nndetection")


Entry = tuple[str, dict[str, Any] | None]


def _table(path: Path, name: str, entries: Iterable[Entry]) -> FindingsTable:
    """Collect (study, finding) in order of the studies; None marks a study that was read."""
    studies: dict[str, list[dict[str, Any]]] = {}
    for study, finding in entries:
        found = studies.setdefault(study, [])
        if finding is not None:
            found.append(finding)
    raw = {"model": {"name": name}, "studies": [{"id": key, "findings": found} for key, found in studies.items()]}
    return tabulate(validate(path, Findings, raw), str(path))


def _from_csv(path: Path) -> Iterator[Entry]:
    table = read_csv(path)
    missing = [name for name in _CSV_NEEDED if name not in table.columns]
    if missing:
        raise InputError(f"{path}: column {missing[0]!r} is missing; the columns are {', '.join(CSV_HEADER)}")
    for number, row in table.rows:
        if SURPLUS in row:
            raise InputError(f"{path}: line {number} has more cells than columns; quote commas within a cell")
        try:
            yield row["study"], _csv_finding(row) if any(row[name] for name in _CSV_NEEDED[1:]) else None
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(f"{path}: line {number} (study {row['study']!r}) cannot be read: {error}") from None


def _csv_finding(row: Mapping[str, str]) -> dict[str, Any]:
    box: dict[str, Any] = {
        "center": [float(row[f"center_{axis}"]) for axis in VECTOR],
        "size": [float(row[f"size_{axis}"]) for axis in "xyz"],
    }
    if row.get("axis_x_r"):
        box["axes"] = [[float(row[f"axis_{one}_{axis}"]) for axis in VECTOR] for one in "xyz"]
    return {
        "series": row["series"],
        "category": row["category"],
        "score": float(row["score"]),
        "level": (parse_level(level) or level) if (level := row.get("level")) else None,
        "box": box,
    }


def _from_monai(path: Path, manifest: Manifest | Reference, settings: ImportSettings) -> Iterator[Entry]:
    """MONAI's detection results: records with `image`, `box`, `label` and `score` (or `label_scores`)."""
    if settings.mode not in _MODES:
        raise InputError(f"mode={settings.mode!r}: MONAI's box modes are {', '.join(_MODES)}")
    if settings.space not in ("RAS", "LPS", "voxel"):
        raise InputError(f"space={settings.space}: name the space of MONAI's boxes: RAS, LPS or voxel")
    places = _Places(path, manifest)
    for record in _records(path):
        image = str(record.get("image", ""))
        study, series = places.of(image)
        yield study, None
        where = f"{path}: image {image!r}"
        boxes = _numbers(where, "box", record.get("box", []), (-1, 6))
        scores = _numbers(where, "score", record.get("score", record.get("label_scores", [])), (-1,))
        affine = _numbers(where, "affine", record["affine"], (4, 4)) if "affine" in record else None
        if (settings.space == "voxel" or settings.half_voxel) and affine is None:
            raise InputError(f"{path}: image {image!r} has no affine, which space=voxel and half_voxel=true need")
        labels = record.get("label", [])
        for box, label, score in _aligned(path, image, (boxes, labels if isinstance(labels, list) else [], scores)):
            low, high = _corners(box, settings.mode)
            content = _world(low, high, affine, settings)
            yield study, {"series": series, "category": places.category(label), "score": float(score), "box": content}


def _records(path: Path) -> list[dict[str, Any]]:
    raw = read_json(path)
    lists = [value for value in raw.values() if isinstance(value, list)] if isinstance(raw, dict) else [raw]
    if len(lists) != 1 or not isinstance(lists[0], list) or any(not isinstance(one, dict) for one in lists[0]):
        raise InputError(f"{path} holds no list of records with image, box, label and score")
    return lists[0]


def _numbers(where: str, name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """A finite array of this shape.

    Raises:
        InputError: it is none.
    """
    try:
        array: Array = np.asarray(value, dtype=float).reshape(shape)
        if np.isfinite(array).all():
            return array
    except (ArithmeticError, TypeError, ValueError):
        pass
    count = _COUNTS[abs(int(np.prod(shape)))]
    raise InputError(f"{where}: {name} must have {count} numbers, all finite; write the file again")


def _aligned(path: Path, image: str, columns: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if len({len(column) for column in columns}) > 1:
        raise InputError(f"{path}: image {image!r} has {', '.join(str(len(c)) for c in columns)} boxes, labels, scores")
    return zip(*columns, strict=True)


def _corners(box: Array, mode: str) -> tuple[Array, Array]:
    if mode == "cccwhd":
        return box[:3] - box[3:] / 2, box[:3] + box[3:] / 2
    if mode == "xyzwhd":
        return box[:3], box[:3] + box[3:]
    ordered = box[list(_CORNERS[mode])]
    return ordered[:3], ordered[3:]


def _world(low: Array, high: Array, affine: Array | None, settings: ImportSettings) -> dict[str, Any]:
    if settings.space == "voxel" and affine is not None:
        return _on_grid(EdgeBox(low, high), affine)
    center, size = (low + high) / 2, high - low
    if settings.space == "LPS":
        center = center * LPS
    if settings.half_voxel and affine is not None:
        center = center - affine[:3, :3] @ np.full(3, 0.5)
    return {"center": center.tolist(), "size": size.tolist()}


def _on_grid(box: EdgeBox, affine: Array) -> dict[str, Any]:
    if not (box.high > box.low).all():
        raise InputError(f"a box from {box.low.tolist()} to {box.high.tolist()} voxels has no size; remove it")
    return Grid((1, 1, 1), affine).world(box).model_dump(mode="json")


def _from_nndetection(path: Path, manifest: Manifest | Reference) -> Iterator[Entry]:
    """nnDetection's predictions, one `CASE_boxes.json` or `.npz` with the pickle's keys per case.

    Its boxes are (min0, min1, max0, max1, min2, max2) on the array's axes, slice first, and lie one voxel outside
    the first and last voxel of the object: the object covers the voxels strictly between.
    """
    files = sorted([*path.glob("*_boxes.json"), *path.glob("*_boxes.npz")]) if path.is_dir() else [path]
    if not files:
        pickles = " (pickles are not read: they can run any code)" if any(path.glob("*_boxes.pkl")) else ""
        raise InputError(f"{path} holds no CASE_boxes.json or CASE_boxes.npz{pickles}; see docs/scoring.md")
    places = _Places(path, manifest)
    for file in files:
        study, series = places.of(file.stem.removesuffix("_boxes"))
        yield study, None
        content = _arrays(file)
        affine = _itk_affine(file, content)
        columns = (content["pred_boxes"], content["pred_labels"], content["pred_scores"])
        for box, label, score in _aligned(file, study, columns):
            finding = {"series": series, "category": places.category(label), "score": float(score)}
            yield study, {**finding, "box": _on_grid(_strictly_between(box[[4, 1, 0]], box[[5, 3, 2]]), affine)}


def _strictly_between(first: Array, last: Array) -> EdgeBox:
    """The edges of the voxels between two voxel centres; a box too thin to hold one keeps a sliver at its middle."""
    low, high = first + 1, last
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, _SLIVER)
    return EdgeBox(middle - half, middle + half)


def _arrays(file: Path) -> dict[str, Array]:
    if file.suffix == ".npz":
        try:
            with np.load(file, allow_pickle=False) as stored:
                raw: Any = {name: stored[name] for name in stored.files}
        except (EOFError, OSError, ValueError, BadZipFile) as error:
            raise InputError(f"{file} cannot be read ({error}); write it again") from None
    else:
        raw = read_json(file)
    missing = [name for name in _NNDETECTION if not isinstance(raw, dict) or name not in raw]
    if missing:
        raise InputError(f"{file} has no {missing[0]}; it needs {', '.join(_NNDETECTION)}")
    return {name: _numbers(str(file), name, raw[name], shape) for name, shape in _NNDETECTION.items()}


def _itk_affine(file: Path, content: Mapping[str, Array]) -> Array:
    """From ITK's index order and LPS mm to a RAS affine of (x, y, z) indices."""
    affine = np.eye(4)
    affine[:3, :3] = content["itk_direction"] * content["itk_spacing"]
    affine[:3, 3] = content["itk_origin"]
    affine[:3] *= LPS[:, None]
    return affine


class _Places:
    """Which study and series of the manifest a foreign name means, and which category a label."""

    def __init__(self, path: Path, manifest: Manifest | Reference) -> None:
        self._path = path
        self._categories = manifest.categories
        self._known: dict[str, set[tuple[str, str]]] = {}
        for study in manifest.studies:
            for series in study.series:
                names = {f"{study.id}/{series.id}", f"{study.id}__{series.id}", *_file_names(Path(series.path))}
                for name in names | ({study.id} if len(study.series) == 1 else set()):
                    self._known.setdefault(name, set()).add((study.id, series.id))

    def of(self, name: str) -> tuple[str, str]:
        """The (study, series) of an image's path, a case's name, or `STUDY/SERIES`."""
        for key in (name, *_file_names(Path(name))):
            if len(found := self._known.get(key, ())) == 1:
                return next(iter(found))
        raise InputError(
            f"{self._path}: image {name!r} is no series of the manifest, or more than one; name it by its path in the "
            "manifest, by its study when that has one series, or as STUDY/SERIES"
        )

    def category(self, label: Any) -> str:
        """The category of a label: its name, or its number from 0."""
        if isinstance(label, str):
            return label
        if not is_number(label) or not 0 <= int(label) < len(self._categories):
            raise InputError(f"{self._path}: label {label} is none of the {len(self._categories)} categories from 0")
        return self._categories[int(label)]


def _file_names(path: Path) -> list[str]:
    name = path.name
    stem = name.removesuffix(".gz").rsplit(".", 1)[0]
    return [str(path), "/".join(path.parts[-2:]), name, stem]
