"""Cohorts of radiographs on disk: drawn in parallel, resumable, the same bytes for a seed whatever the workers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.files import check_writable, sha256, write_json
from spinedet.core.radiograph.manifest import locate, write_radiographs
from spinedet.core.radiograph.types import OTHER, Place, Radiograph, RadiographManifest, RadiographStudy
from spinedet.core.types import Split
from spinedet.simulation.radiograph.centers import CENTERS
from spinedet.simulation.radiograph.image_files import WRITERS
from spinedet.simulation.radiograph.room import Room, TakenImage
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.tasks import TASKS, DrawnRadiographs, SimulatedTask
from spinedet.simulation.study_pool import draw_each

# Raised whenever the same seed gives other pictures of a task: finished studies of an older recipe are drawn again.
RECIPES = {"implants": 2, "scoliosis": 2, "fractures": 4}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Job:
    """One study to draw, complete in itself so that any process can do it."""

    task: str
    label: str
    center: str
    index: int
    split: str | None
    seed: int
    pixels: int
    images: float
    leak: float
    file: str
    categories: tuple[str, ...] = ()

    @property
    def cohort(self) -> RadiographCohort:
        """The settings by which the study is drawn."""
        return RadiographCohort(
            task=self.task,
            seed=self.seed,
            pixels=self.pixels,
            images=self.images,
            leak=self.leak,
            categories=list(self.categories),
        )

    @property
    def id(self) -> str:
        return f"{self.center}-{self.index:05d}"

    @property
    def recipe(self) -> str:
        """Hash of all that decides the study's pixels and boxes."""
        content = {"recipe": RECIPES[self.task], "of": asdict(CENTERS[self.center]), **asdict(self)}
        content.pop("split")
        if not content["categories"]:
            content.pop("categories")  # the recipe of cohorts from before they could be chosen
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def describe_radiographs(cohort: RadiographCohort) -> dict[str, Any]:
    """Everything that decides a cohort's bytes, besides the libraries."""
    return dict(json.loads(json.dumps({**asdict(cohort), "recipe": RECIPES.get(cohort.task)})))


def holds_radiographs(cohort: RadiographCohort, folder: Path) -> bool:
    """Whether the folder holds this very cohort, finished or not."""
    try:
        return bool(json.loads((folder / "cohort.json").read_text("utf-8")) == describe_radiographs(cohort))
    except (OSError, ValueError):
        return False


def draw_radiographs(
    cohort: RadiographCohort, folder: Path, workers: int = 1, progress: Progress | None = None
) -> Path:
    """Draw the studies of a cohort that `folder` does not hold yet, and its manifest.

    Args:
        cohort: what to draw.
        folder: made when needed; one folder per study, `cohort.json` and `manifest.json` go there.
        workers: processes; the files do not depend on it.
        progress: called with the number of finished studies and of all, in the calling process.

    Returns:
        The manifest's path.

    Raises:
        InputError: the configuration cannot be drawn, or the disk is full or cannot be written.
    """
    simulated, jobs = _task(cohort), _jobs(cohort)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if not _is_finished(job, folder)]
    if missing:
        check_writable(folder, len(missing) * len(simulated.task.views) * 2 * cohort.pixels * cohort.pixels)
    write_json(folder / "cohort.json", describe_radiographs(cohort))
    for done, _ in enumerate(
        draw_each(partial(_draw_to, folder=folder), missing, workers), start=1 + len(jobs) - len(missing)
    ):
        if progress:
            progress(done, len(jobs))
    path = folder / "manifest.json"
    studies = tuple(_read(job, folder) for job in jobs)
    write_radiographs(path, RadiographManifest(name=cohort.name, task=simulated.task, studies=studies))
    return path


def random_stream(seed: int, task: str, center: str, index: int) -> np.random.Generator:
    """The random numbers of one study: its own, whatever else is drawn before or beside it."""
    words = [seed, index, *task.encode(), 0, *center.encode()]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def draw_radiograph_study(cohort: RadiographCohort, label: str, center: str, index: int) -> DrawnRadiographs:
    """Draw one study in memory.

    Args:
        cohort: task, seed, size and confounder.
        label: one of the task's labels, or of those that count as `other`.
        center: whose study. index: its number there.
    """
    task, hospital = _task(cohort), CENTERS[center]
    rng, chance = random_stream(cohort.seed, cohort.task, center, index).spawn(2)
    names = task.names
    leaks = cohort.leak > 0 and chance.random() < cohort.leak
    shortcut = names.index(label) / (len(names) - 1) if leaks and label in names else None
    return task.draw(label, Room(hospital, cohort.pixels, cohort.images, shortcut), rng)


def check_cohort(cohort: RadiographCohort) -> None:
    """Refuse what cannot be drawn, before a folder is made.

    Raises:
        InputError: the configuration is wrong.
    """
    _jobs(cohort)


def _task(cohort: RadiographCohort) -> SimulatedTask:
    if cohort.task not in TASKS:
        raise InputError(f"cohort={cohort.task} is unknown; choose one of {', '.join(TASKS)}")
    task = TASKS[cohort.task]
    return task.limited(tuple(cohort.categories)) if cohort.categories else task


def _jobs(cohort: RadiographCohort) -> list[_Job]:
    if cohort.pixels < 96:
        raise InputError(f"pixels={cohort.pixels}: radiographs are at least 96 pixels high")
    if not 0.5 <= cohort.images <= 2:
        raise InputError(f"images={cohort.images}: the mean number of images lies between 0.5 and 2")
    if not 0 <= cohort.leak <= 1:
        raise InputError(f"leak={cohort.leak}: a chance lies between 0 and 1")
    if cohort.file not in WRITERS:
        raise InputError(f"file={cohort.file} is unknown; choose one of {', '.join(WRITERS)}")
    jobs: list[_Job] = []
    counted: dict[str, int] = {}
    for group in cohort.groups:
        if group.center not in CENTERS:
            raise InputError(f"centre {group.center!r} is unknown; choose one of {', '.join(CENTERS)}")
        if group.studies < 1:
            raise InputError(f"a group of centre {group.center} has studies={group.studies}; give at least 1")
        following = counted.get(group.center, 0) + 1
        first = following if group.first is None else group.first
        if first < following:
            raise InputError(f"a group of centre {group.center} has first={first}; {following} is the next free number")
        counted[group.center] = first + group.studies - 1
        for index, label in enumerate(_labels(cohort, group, first), start=first):
            jobs.append(
                _Job(
                    cohort.task,
                    label,
                    group.center,
                    index,
                    Split(group.split).value if group.split else None,
                    cohort.seed,
                    cohort.pixels,
                    cohort.images,
                    cohort.leak,
                    cohort.file,
                    tuple(cohort.categories),
                )
            )
    return jobs


def _labels(cohort: RadiographCohort, group: RadiographGroup, first: int) -> list[str]:
    """As many of each label as its share says, in random order."""
    task = _task(cohort)
    known = (*task.names, *task.others)
    if group.only is not None:
        if group.only not in known:
            raise InputError(f"only={group.only} is no label of {cohort.task}; choose one of {', '.join(known)}")
        return [group.only] * group.studies
    shares = task.shares_at(CENTERS[group.center])
    rng = random_stream(cohort.seed, f"{cohort.task} labels", group.center, first)
    total, passed = sum(shares.values()), 0.0
    labels: list[str] = []
    for label, share in shares.items():
        passed += share / total
        labels += [label] * (round(passed * group.studies) - len(labels))
    return [labels[i] for i in rng.permutation(len(labels))]


def _draw_to(job: _Job, folder: Path) -> None:
    """Draw one study; its `study.json` is written last, so a study without it is not finished."""
    home = folder / job.id
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    drawn = draw_radiograph_study(job.cohort, job.label, job.center, job.index)
    suffix, write = WRITERS[job.file]
    images = []
    seen: Counter[str] = Counter()
    for image in drawn.images:
        seen[image.view.name] += 1
        name = image.view.name if seen[image.view.name] == 1 else f"{image.view.name}-{seen[image.view.name]}"
        path = home / f"{name}{suffix}"
        write(path, image, f"{job.task}/{job.seed}/{job.id}/{name}")
        images.append(_record(job, drawn, image, path))
    write_json(home / "study.json", {"recipe": job.recipe, **_study(job, drawn, tuple(images)).model_dump(mode="json")})


def _record(job: _Job, drawn: DrawnRadiographs, image: TakenImage, path: Path) -> Radiograph:
    boxes = [(mark, image.box(mark.points)) for mark in drawn.landmarks]
    return Radiograph(
        id=path.stem,
        view=image.view.name,
        path=Path(path.name),
        sha256=sha256(path),
        mm=image.mm,
        truth=tuple(box for mark, box in boxes if box and mark.evidence),
        places=tuple(Place(name=mark.name, box=box, attributes=mark.attributes) for mark, box in boxes if box),
    )


def _study(job: _Job, drawn: DrawnRadiographs, images: tuple[Radiograph, ...]) -> RadiographStudy:
    label = job.label if job.label in _task(job.cohort).names else OTHER
    return RadiographStudy(
        id=job.id,
        patient=f"{job.center}-p{job.index:05d}",
        center=job.center,
        split=Split(job.split) if job.split else None,
        attributes={"sex": drawn.person.sex, "age": drawn.person.age, **drawn.attributes},
        label=label,
        images=images,
        phantom=True,
    )


def _is_finished(job: _Job, folder: Path) -> bool:
    """Whether the study lies there, of the same recipe and with the bytes it was written with."""
    try:
        content = json.loads((folder / job.id / "study.json").read_text())
        return content["recipe"] == job.recipe and all(
            sha256(folder / job.id / image["path"]) == image["sha256"] for image in content["images"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read(job: _Job, folder: Path) -> RadiographStudy:
    """The finished study with the split that this cohort gives it and absolute paths."""
    content = json.loads((folder / job.id / "study.json").read_text())
    content.pop("recipe")
    content["split"] = job.split
    return locate(RadiographStudy.model_validate_json(json.dumps(content)), (folder / job.id).resolve())
