"""Reading, checking and writing cohorts of radiographs (`spinedet-radiographs`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.files import file_header, read_record, refuse_repeats, repeated, write_json
from spinedet.core.leakage import refuse_leakage
from spinedet.core.manifest import PHANTOM_NOTE, StudyFault
from spinedet.core.radiograph.types import Radiograph, RadiographManifest, RadiographStudy, Task

FORMAT = "spinedet-radiographs"


def read_radiographs(path: Path) -> RadiographManifest:
    """Read one manifest of radiographs; its paths come back absolute.

    Raises:
        InputError: the file breaks the format or leaks between splits; the message names file, study, image and field.
    """
    manifest = read_record(path, RadiographManifest, FORMAT, space=None)
    root = path.parent.resolve()  # a "../" in a path leads out of the real folder, not out of a link to it
    studies = tuple(locate(study, root) for study in manifest.studies)
    manifest = manifest.model_copy(update={"studies": studies})
    refuse_faults(manifest, str(path))
    return manifest


def read_radiograph_cohort(paths: Sequence[Path]) -> RadiographManifest:
    """Several manifests of one task as one cohort, checked for leakage across all of them.

    Raises:
        InputError: as `read_radiographs`; or there is no path, or the tasks differ in labels, views or finding.
    """
    if not paths:
        raise InputError("no manifest was given; pass data.manifests=[path/to/radiographs.json]")
    parts = [read_radiographs(Path(path)) for path in paths]
    first = parts[0]
    for path, part in zip(paths, parts, strict=True):
        if (difference := task_difference(first.task, part.task)) is not None:
            raise InputError(f"{path}: its task has {difference} than that of {paths[0]}; use one task at a time")
    whole = RadiographManifest(
        name="+".join(dict.fromkeys(part.name for part in parts)),
        task=first.task,
        studies=tuple(study for part in parts for study in part.studies),
    )
    refuse_faults(whole, " + ".join(map(str, paths)))
    return whole


def task_difference(first: Task, second: Task) -> str | None:
    """In what two tasks differ so that their images cannot be taken together; None when they are one."""
    if set(first.labels) != set(second.labels):
        return "other labels"
    if set(first.views) != set(second.views):
        return "other views"
    return None if first.positive == second.positive else "another finding (positive)"


def write_radiographs(path: Path, manifest: RadiographManifest, *, absolute: bool = False) -> None:
    """Write a manifest atomically, paths relative to its folder unless they shall stay absolute."""
    content = manifest.model_dump(mode="json")
    folder = path.parent.resolve()
    for study in content["studies"]:
        for image in study["images"] if not absolute else ():
            file = Path(image["path"])
            image["path"] = os.path.relpath(file.parent.resolve() / file.name, folder)
    write_json(path, {**file_header(FORMAT, space=None), **content})


def locate(study: RadiographStudy, root: Path) -> RadiographStudy:
    """The study of a manifest in the resolved folder `root`, with absolute paths."""
    images = tuple(i.model_copy(update={"path": Path(os.path.normpath(root / i.path))}) for i in study.images)
    return study.model_copy(update={"images": images})


def refuse_faults(manifest: RadiographManifest, source: str) -> None:
    """Refuse ids that repeat, faults of a study, and leakage.

    Raises:
        InputError: names the source and the first of them.
    """
    refuse_repeats((study.id for study in manifest.studies), source, "study")
    for study in manifest.studies:
        for fault in study_faults(study, manifest.task):
            raise InputError(f"{source}: study {study.id!r}{fault.field}: {fault.message}")
    refuse_leakage(manifest.studies, source)


def study_faults(study: RadiographStudy, task: Task) -> Iterator[StudyFault]:
    """Ids that repeat, views that the task does not have, labels that it does not have or that contradict."""
    for name in repeated(image.id for image in study.images):
        yield StudyFault("repeated_id", name, "", f"image id {name!r} appears more than once; give each its own")
    for image in study.images:
        yield from _image_faults(study, image, task)


def _image_faults(study: RadiographStudy, image: Radiograph, task: Task) -> Iterator[StudyFault]:
    field = f", image {image.id!r}"
    if image.excluded is None and image.view is not None and image.view not in task.views:
        message = f"the task has no view {image.view!r} but {', '.join(task.views)}; exclude the image with the reason"
        yield StudyFault("unknown_view", image.id, f"{field}, view", message)
    try:
        both = [task.label_of(written, image.view) for written in (image.label, study.label)]
    except ValueError as error:
        yield StudyFault("unknown_label", image.id, f"{field}, label", str(error))
        return
    if None not in both and both[0] != both[1]:
        message = f"the image is labelled {both[0]!r} and its study {both[1]!r}; label one of them, or both alike"
        yield StudyFault("contradicting_label", image.id, f"{field}, label", message)


def phantom_note(studies: Iterable[RadiographStudy]) -> tuple[str, ...]:
    """The plain line that every result on phantoms begins with; nothing for patients."""
    return (PHANTOM_NOTE,) if any(study.phantom for study in studies) else ()
