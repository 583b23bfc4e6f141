"""Reading, checking and writing the reference standard (`spinedet-manifest`)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.files import (
    file_header,
    read_json,
    read_record,
    refuse_repeats,
    repeated,
    validate,
    write_json,
)
from spinedet.core.garbage import no_garbage_search
from spinedet.core.leakage import PartedStudy, refuse_leakage
from spinedet.core.types import Manifest, Origin, Study, UnusedAnnotation

FORMAT = "spinedet-manifest"
UNUSED_FILE = "unused.json"


@no_garbage_search()
def read_manifest(path: Path) -> Manifest:
    """Read one manifest; its series paths come back absolute.

    Raises:
        InputError: the file breaks the format or leaks between splits; the message names file, study and field.
    """
    manifest = read_record(path, Manifest, FORMAT)
    root = path.parent.resolve()  # a "../" in a path leads out of the real folder, not out of a link to it
    studies = tuple(locate(study, root, manifest.region) for study in manifest.studies)
    manifest = manifest.model_copy(update={"studies": studies})
    check_manifest(manifest, str(path))
    return manifest


def read_manifests(paths: Sequence[Path]) -> Manifest:
    """Several manifests as one cohort, checked for leakage across all of them.

    Raises:
        InputError: as `read_manifest`; or there is no path, or the regions differ.
    """
    parts = [read_manifest(Path(path)) for path in paths]
    studies = tuple(study for part in parts for study in part.studies)
    whole = joined_head(parts).model_copy(update={"studies": studies})
    check_manifest(whole, " + ".join(map(str, paths)))
    return whole


def joined_head(parts: Sequence[Manifest]) -> Manifest:
    """What several manifests are as one cohort, without its studies.

    Raises:
        InputError: there is none, or they are of several regions.
    """
    if not parts:
        raise InputError("no manifest was given; pass data.manifests=[path/to/manifest.json]")
    regions = sorted({part.region.value for part in parts})
    if len(regions) > 1:
        raise InputError(f"the manifests are of different regions ({', '.join(regions)}); use one region at a time")
    return Manifest(
        name="+".join(dict.fromkeys(part.name for part in parts)),
        region=parts[0].region,
        categories=tuple(dict.fromkeys(category for part in parts for category in part.categories)),
        studies=(),
    )


def refuse_contradictions(studies: Sequence[PartedStudy], source: str) -> None:
    """Refuse two studies under one id, and leakage between the parts of a cohort.

    Raises:
        InputError: the first fault.
    """
    refuse_repeats((study.id for study in studies), source, "study")
    refuse_leakage(studies, source)


def write_manifest(path: Path, manifest: Manifest, *, absolute: bool = False) -> None:
    """Write a manifest atomically, series paths relative to its folder unless they shall stay absolute."""
    content = manifest.model_dump(mode="json")
    if not absolute:
        _relate(content, path.parent)
    write_json(path, {**file_header(FORMAT), **content})


def read_unused(manifest: Path) -> tuple[UnusedAnnotation, ...]:
    """What `convert` could not use, from the list beside its manifest; empty where there is none.

    Raises:
        InputError: the list breaks its format.
    """
    path = manifest.parent / UNUSED_FILE
    if not path.exists():
        return ()
    rows = read_json(path)
    if not isinstance(rows, list):
        raise InputError(f"{path} is no list of annotations; convert the data set again")
    return tuple(validate(path, UnusedAnnotation, row) for row in rows)


def _relate(content: dict[str, Any], folder: Path) -> None:
    for study in content["studies"]:
        for series in study["series"]:
            image = Path(series["path"])
            series["path"] = os.path.relpath(image.parent.resolve() / image.name, folder.resolve())


def locate(study: Study, root: Path, region: Region | None = None) -> Study:
    """The study of a manifest in the resolved folder `root`, with absolute paths and the manifest's region."""
    series = tuple(s.model_copy(update={"path": Path(os.path.normpath(root / s.path))}) for s in study.series)
    return study.model_copy(update={"series": series, "region": region})


def check_manifest(manifest: Manifest, source: str) -> None:
    """Refuse categories or studies that contradict one another.

    Raises:
        InputError: the first fault.
    """
    if not manifest.categories:
        raise InputError(f"{source}: categories is empty; name at least one")
    refuse_repeats(manifest.categories, source, "category")
    refuse_repeats((s.id for s in manifest.studies), source, "study")
    for study in manifest.studies:
        check_study(study, set(manifest.categories), f"{source}: study {study.id!r}")
    refuse_leakage(manifest.studies, source)


def check_study(study: Study, categories: set[str], where: str) -> None:
    """Refuse a study whose parts do not fit together.

    Raises:
        InputError: its first fault.
    """
    for fault in study_faults(study, categories):
        raise InputError(f"{where}{fault.field}: {fault.message}")


@dataclass(frozen=True, slots=True)
class StudyFault:
    """A part of a study that does not fit to the others.

    Attributes:
        kind: `repeated_id`, `unknown_series` or `unknown_category`. part: the lesion, series or negative.
        field: where in the study, as messages continue after its name.
    """

    kind: str
    part: str
    field: str
    message: str


def study_faults(study: Study, categories: Collection[str]) -> Iterator[StudyFault]:
    """Ids that repeat, and lesions or negatives of a series or category that there is not."""
    for what, ids in (("series", [s.id for s in study.series]), ("lesion", [lesion.id for lesion in study.lesions])):
        for name in repeated(ids):
            message = f"{what} id {name!r} appears more than once; give each its own"
            yield StudyFault("repeated_id", name, "", message)
    known = {series.id for series in study.series}
    for lesion in study.lesions:
        field = f", lesion {lesion.id!r}"
        if lesion.series not in known:
            message = f"the study has no series {lesion.series!r}"
            yield StudyFault("unknown_series", lesion.id, f"{field}, series", message)
        if lesion.category not in categories:
            message = f"unknown category {lesion.category!r}; the manifest's categories are {sorted(categories)}"
            yield StudyFault("unknown_category", lesion.id, f"{field}, category", message)
    for number, negative in enumerate(study.negatives):
        if negative.series not in known:
            message = f"the study has no series {negative.series!r}"
            yield StudyFault("unknown_series", f"negative {number}", f", negative {number}, series", message)


PHANTOM_NOTE = "These are phantoms drawn by software, not patients: nothing here is a clinical result."


class WithOrigin(Protocol):
    """A lesion."""

    @property
    def origin(self) -> Origin: ...


class WithLesions(Protocol):
    """A study."""

    @property
    def lesions(self) -> Sequence[WithOrigin]: ...


def phantom_note(studies: Iterable[WithLesions]) -> tuple[str, ...]:
    """The plain line that every result on phantoms begins with; nothing for patients."""
    if not any(lesion.origin is Origin.PHANTOM for study in studies for lesion in study.lesions):
        return ()
    return (PHANTOM_NOTE,)
