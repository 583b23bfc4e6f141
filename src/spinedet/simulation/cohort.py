"""Cohorts on disk: studies drawn in parallel, resumable, the same bytes for a seed whatever the number of workers."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.files import check_writable, sha256, write_json
from spinedet.core.geometry import Grid
from spinedet.core.manifest import write_manifest
from spinedet.core.types import Manifest, Series, Split, Study
from spinedet.simulation.centers import CENTERS, CenterConfig
from spinedet.simulation.reference_standard import CLASSES, STYLES, Convention
from spinedet.simulation.scanner.acquisition import PROFILES
from spinedet.simulation.scanner.protocol import Sampling
from spinedet.simulation.settings import CohortConfig
from spinedet.simulation.study import DrawnStudy, draw_study
from spinedet.simulation.study_pool import draw_each

# Raised whenever the same seed gives other pictures or records: finished studies of an older recipe are drawn again.
RECIPE = 17
_BYTES_PER_STUDY = 16 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Task:
    """One study to draw, complete in itself so that any process can do it."""

    center: CenterConfig
    index: int
    split: Split | None
    seed: int
    convention: Convention
    sampling: Sampling
    transitional: float | None

    @property
    def id(self) -> str:
        return f"{self.center.name}-{self.index:04d}"

    @property
    def recipe(self) -> str:
        """Hash of all that decides the study's pixels and boxes."""
        content = {"recipe": RECIPE, **asdict(self)}
        content.pop("split")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def holds_cohort(config: CohortConfig, folder: Path) -> bool:
    """Whether the folder holds this very cohort, finished or not."""
    try:
        return bool(json.loads((folder / "cohort.json").read_text("utf-8")) == describe_cohort(config))
    except (OSError, ValueError):
        return False


def describe_cohort(config: CohortConfig) -> dict[str, Any]:
    """Everything that decides a cohort's bytes, besides the libraries."""
    content = {**asdict(config), "recipe": RECIPE, "region": Region(config.region).value}
    return dict(json.loads(json.dumps(content)))


def draw_cohort(
    config: CohortConfig,
    folder: Path,
    workers: int = 1,
    progress: Progress | None = None,
    centers: Mapping[str, CenterConfig] = CENTERS,
) -> Path:
    """Draw the studies of a cohort that `folder` does not hold yet, and its manifest.

    Args:
        config: the cohort.
        folder: made when needed; one folder per study, `cohort.json` and `manifest.json` go there.
        workers: processes; the files do not depend on it.
        progress: called with the number of finished studies and of all, in the calling process.
        centers: by the name that `config` gives.

    Returns:
        The manifest's path.

    Raises:
        InputError: the configuration cannot be drawn, or the disk is full or cannot be written.
    """
    tasks = _tasks(config, centers)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [task for task in tasks if not _is_finished(task, folder)]
    if missing:
        check_writable(folder, len(missing) * int(_BYTES_PER_STUDY / config.coarseness**2))
    write_json(folder / "cohort.json", describe_cohort(config))
    for done, _ in enumerate(
        draw_each(partial(_draw_to, folder=folder), missing, workers), start=1 + len(tasks) - len(missing)
    ):
        if progress:
            progress(done, len(tasks))
    path = folder / "manifest.json"
    studies = tuple(_read_study(task, folder) for task in tasks)
    write_manifest(
        path,
        Manifest(
            name=config.name,
            region=Region(config.region),
            categories=Convention(config.style, config.classes).categories,
            studies=studies,
        ),
    )
    return path


def _check_options(config: CohortConfig) -> None:
    if config.style not in STYLES:
        raise InputError(f"style={config.style} is unknown; choose one of {', '.join(STYLES)}")
    if config.classes not in CLASSES:
        raise InputError(f"classes={config.classes} is unknown; choose one of {', '.join(CLASSES)}")
    if config.positions not in PROFILES:
        raise InputError(f"positions={config.positions} is unknown; choose one of {', '.join(map(str, PROFILES))}")
    if config.transitional is not None:
        if Region(config.region) is not Region.LUMBAR:
            raise InputError(f"transitional={config.transitional:g} is for lumbar phantoms; leave it null")
        if not 0 <= config.transitional <= 1:
            raise InputError(f"transitional={config.transitional:g} is no share; give 0 to 1, or null for 12 %")


def _tasks(config: CohortConfig, centers: Mapping[str, CenterConfig]) -> list[_Task]:
    _check_options(config)
    tasks = []
    counted: dict[str, int] = {}
    for group in config.groups:
        if group.center not in centers:
            raise InputError(f"phantom centre {group.center!r} is unknown; choose one of {', '.join(centers)}")
        if centers[group.center].region is not Region(config.region):
            known = [name for name, center in centers.items() if center.region is Region(config.region)]
            raise InputError(
                f"phantom centre {group.center!r} scans the {centers[group.center].region.value} spine; "
                f"for region={Region(config.region).value} choose one of {', '.join(known)}"
            )
        if group.studies < 1:
            raise InputError(f"a group of centre {group.center} has studies={group.studies}; give at least 1")
        for _ in range(group.studies):
            counted[group.center] = index = counted.get(group.center, 0) + 1
            split = Split(group.split) if group.split else None
            tasks.append(
                _Task(
                    centers[group.center],
                    index,
                    split,
                    config.seed,
                    Convention(config.style, config.classes),
                    Sampling(config.coarseness, config.coarsest, config.positions),
                    config.transitional,
                )
            )
    return tasks


def _draw_to(task: _Task, folder: Path) -> None:
    """Draw one study; its `study.json` is written last, so a study without it is not finished."""
    home = folder / task.id
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    study = draw_study(
        task.center,
        task.index,
        task.seed,
        convention=task.convention,
        sampling=task.sampling,
        transitional=task.transitional,
    )
    series = []
    for stack, image in zip(study.stacks, study.images, strict=True):
        path = home / f"{stack.id}.nii.gz"
        _write_nifti(path, image, stack.grid)
        series.append(
            Series(
                id=stack.id,
                plane=stack.plane,
                path=Path(path.name),
                sha256=sha256(path),
            )
        )
    record = _record(task, study, tuple(series))
    write_json(home / "study.json", {"recipe": task.recipe, **record.model_dump(mode="json")})


def _record(task: _Task, study: DrawnStudy, series: tuple[Series, ...]) -> Study:
    return Study(
        id=task.id,
        patient=f"{task.center.name}-p{task.index:04d}",
        center=task.center.name,
        split=task.split,
        attributes=study.attributes,
        series=series,
        lesions=study.lesions,
        negatives=study.negatives,
    )


def _write_nifti(path: Path, image: NDArray[np.int16], grid: Grid) -> None:
    """int16 NIfTI in a gzip stream without name and time: equal content gives equal bytes."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_xyzt_units("mm")
    picture = nib.Nifti1Image(image, grid.affine, header)
    picture.set_qform(grid.affine, 1)
    picture.set_sform(grid.affine, 1)
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=1, mtime=0) as stream:
        stream.write(picture.to_bytes())
    path.write_bytes(buffer.getvalue())


def _is_finished(task: _Task, folder: Path) -> bool:
    """Whether the study lies there, of the same recipe and with the bytes it was written with."""
    try:
        content = json.loads((folder / task.id / "study.json").read_text())
        return content["recipe"] == task.recipe and all(
            sha256(folder / task.id / series["path"]) == series["sha256"] for series in content["series"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read_study(task: _Task, folder: Path) -> Study:
    """The finished study with the split that this cohort gives it and paths that can be opened from here."""
    content = json.loads((folder / task.id / "study.json").read_text())
    content.pop("recipe")
    content["split"] = task.split.value if task.split else None
    for series in content["series"]:
        series["path"] = os.fspath((folder / task.id / series["path"]).absolute())
    return Study.model_validate_json(json.dumps(content))
