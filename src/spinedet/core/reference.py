"""The reference standard in records of few bytes: what scoring needs of a manifest, read some studies at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.files import record_of
from spinedet.core.findings_pieces import find_opening, parse_last_piece, parse_piece, split_studies
from spinedet.core.garbage import no_garbage_search
from spinedet.core.manifest import (
    FORMAT,
    check_manifest,
    check_study,
    joined_head,
    read_manifest,
    refuse_contradictions,
)
from spinedet.core.types import Axes, FiniteJson, Lesion, Manifest, Origin, Split, Study, severity_in

_STUDIES = TypeAdapter(tuple[Study, ...])
_NO_ATTRIBUTES: Mapping[str, FiniteJson] = MappingProxyType({})


class ReferenceBox(NamedTuple):
    """A `Box`: RAS mm, measured along the rows of `axes`."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]
    axes: Axes


class ReferenceLesion(NamedTuple):
    """See `Lesion`."""

    id: str
    series: str
    category: str
    level: str | None
    box: ReferenceBox
    origin: Origin
    ignore: bool
    attributes: Mapping[str, FiniteJson]

    @property
    def severity(self) -> float:
        """See `severity_in`."""
        return severity_in(self.attributes)


class ReferenceSeries(NamedTuple):
    """See `Series`; `path` is absolute."""

    id: str
    plane: Plane
    path: str


class ReferenceStudy(NamedTuple):
    """See `Study`; `digests` are the SHA-256 of its images, as far as they are written down."""

    id: str
    patient: str
    center: str
    split: Split | None
    attributes: Mapping[str, FiniteJson]
    series: tuple[ReferenceSeries, ...]
    lesions: tuple[ReferenceLesion, ...]
    excluded: str | None
    digests: tuple[str, ...]


class Reference(NamedTuple):
    """See `Manifest`."""

    name: str
    categories: tuple[str, ...]
    studies: tuple[ReferenceStudy, ...]


def as_reference(manifest: Manifest | Reference) -> Reference:
    """The records of few bytes, whichever way the reference standard came."""
    if isinstance(manifest, Reference):
        return manifest
    return Reference(manifest.name, manifest.categories, tuple(map(_condensed, manifest.studies)))


def read_references(paths: Sequence[Path]) -> Reference:
    """Several manifests as one reference standard, checked like `read_manifests` without holding their records.

    Raises:
        InputError: as `read_manifests`.
    """
    parts = [_read(Path(path)) for path in paths]
    head = joined_head([head for head, _ in parts])
    studies = tuple(study for _, theirs in parts for study in theirs)
    refuse_contradictions(studies, " + ".join(map(str, paths)))
    return Reference(head.name, head.categories, studies)


@no_garbage_search()
def _read(path: Path) -> tuple[Manifest, list[ReferenceStudy]]:
    """A manifest without its studies, and these; whatever is wrong, `read_manifest` decides and says."""
    plain = _read_pieces(path)
    if plain is not None:
        return plain
    manifest = read_manifest(path)
    return manifest.model_copy(update={"studies": ()}), list(map(_condensed, manifest.studies))


def _read_pieces(path: Path) -> tuple[Manifest, list[ReferenceStudy]] | None:
    opening = find_opening(path)
    if opening is None:
        return None
    *pieces, last = split_studies(path, opening)
    end = parse_last_piece(last, opening)
    if end is None:
        return None
    try:
        head = record_of(path, {**end[1], "studies": []}, Manifest, FORMAT)
        check_manifest(head, str(path))
        studies: list[ReferenceStudy] = []
        for piece in pieces:
            studies += _checked(path, head, parse_piece(piece)[0])
        studies += _checked(path, head, json.dumps(end[0]).encode())
        refuse_contradictions(studies, str(path))
    except (InputError, ValidationError):
        return None
    return head, studies


def _checked(path: Path, head: Manifest, content: bytes) -> list[ReferenceStudy]:
    """The studies of some JSON.

    Raises:
        ValidationError: they break the format. InputError: their parts do not fit together.
    """
    root, categories = path.parent.resolve(), set(head.categories)
    studies = _STUDIES.validate_json(content)
    for study in studies:
        check_study(study, categories, str(path))
    return [_condensed(study, root) for study in studies]


def _condensed(study: Study, root: Path = Path()) -> ReferenceStudy:
    """A study whose paths are relative to a folder."""
    return ReferenceStudy(
        id=study.id,
        patient=study.patient,
        center=study.center,
        split=study.split,
        attributes=study.attributes or _NO_ATTRIBUTES,
        series=tuple(
            ReferenceSeries(one.id, one.plane, os.path.normpath(os.path.join(root, one.path))) for one in study.series
        ),
        lesions=tuple(map(_condensed_lesion, study.lesions)),
        excluded=study.excluded,
        digests=study.digests,
    )


def _condensed_lesion(lesion: Lesion) -> ReferenceLesion:
    box = lesion.box
    return ReferenceLesion(
        id=lesion.id,
        series=lesion.series,
        category=lesion.category,
        level=lesion.level,
        box=ReferenceBox(box.center, box.size, box.axes),
        origin=lesion.origin,
        ignore=lesion.ignore,
        attributes=lesion.attributes or _NO_ATTRIBUTES,
    )
