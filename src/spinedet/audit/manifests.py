"""Manifests read so that one fault does not hide the next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spinedet.audit.faults import Fault, Severity
from spinedet.core.errors import InputError
from spinedet.core.files import check_header, read_json, repeated
from spinedet.core.manifest import FORMAT, locate, read_unused, study_faults
from spinedet.core.types import Effect, Manifest, Study

_SINGULAR = {"series": "series", "lesions": "lesion"}


@dataclass(frozen=True)
class Reading:
    """What could be read of one manifest file, and what is wrong with it.

    Attributes:
        whole: the manifest without the studies and lesions that break the format; None when nothing could be read.
    """

    path: Path
    whole: Manifest | None
    faults: tuple[Fault, ...]


def read_leniently(path: Path) -> Reading:
    """Read a manifest; studies and lesions that break the format become faults, the others are kept."""
    try:
        raw = read_json(path)
        check_header(path, raw, FORMAT)
    except InputError as error:
        return Reading(path, None, (Fault("manifest", Severity.ERROR, (path.name,), str(error)),))
    listed = raw.pop("studies", None)
    frame, faults = _frame(
        path, {key: value for key, value in raw.items() if key not in ("format", "version", "space")}
    )
    studies: list[Study] = []
    for number, one in enumerate(listed if isinstance(listed, list) else ()):
        study, wrong = _study(path, one, number)
        faults += wrong
        if study is not None:
            studies.append(locate(study, path.parent.resolve(), frame.region if frame else None))
    if not isinstance(listed, list):
        faults.append(_format((path.name,), "studies is no list"))
    whole = frame.model_copy(update={"studies": tuple(studies)}) if frame else None
    return Reading(path, whole, (*faults, *_unused(path, studies), *(_references(whole) if whole else ())))


def _frame(path: Path, raw: dict[str, Any]) -> tuple[Manifest | None, list[Fault]]:
    try:
        return Manifest.model_validate_json(json.dumps({**raw, "studies": []})), []
    except ValidationError as error:
        return None, [_format((path.name,), words) for words in _words(error, raw)]


def _study(path: Path, raw: Any, number: int) -> tuple[Study | None, list[Fault]]:
    """The study without its broken lesions; None when more is broken."""
    name = str(raw.get("id", number)) if isinstance(raw, dict) else str(number)
    try:
        return Study.model_validate_json(json.dumps(raw)), []
    except ValidationError as error:
        faults = [_format((name,), words) for words in _words(error, raw)]
        places = [fault["loc"] for fault in error.errors(include_url=False)]
    if not all(place[:1] == ("lesions",) and len(place) > 1 for place in places):
        return None, faults
    broken = {place[1] for place in places}
    kept = [lesion for index, lesion in enumerate(raw["lesions"]) if index not in broken]
    return _study(path, {**raw, "lesions": kept}, number)[0], faults


def _unused(path: Path, studies: Iterable[Study]) -> Iterator[Fault]:
    """Annotations that the conversion to this manifest could not use."""
    try:
        listed = read_unused(path)
    except InputError as error:
        yield Fault("unused_annotation", Severity.WARNING, (path.name,), str(error))
        return
    used = {study.id: study for study in studies if study.excluded is None}
    for each in listed:
        study = used.get(each.study)
        match each.effect:
            case Effect.EXCLUDED if study is not None:
                severity, end = Severity.ERROR, "; its study must be excluded, or the annotation be corrected"
            case Effect.EXCLUDED:
                severity, end = Severity.WARNING, "; its study is excluded" if each.study else ""
            case Effect.IGNORED:
                severity, end = Severity.WARNING, "; its place is ignored"
            case Effect.NONE:
                empty = study is not None and not study.lesions
                severity, end = Severity.WARNING, "; its study has no lesion" if empty else ""
        message = f"{each.where} could not be used: {each.reason}{end}"
        yield Fault("unused_annotation", severity, (each.study or path.name,), message)


def _format(where: tuple[str, ...], words: str) -> Fault:
    return Fault("format", Severity.ERROR, where, f"{words}; correct the manifest")


def _words(error: ValidationError, raw: Any) -> Iterator[str]:
    """Every fault of a record in words, list positions replaced by ids."""
    for fault in error.errors(include_url=False):
        here = raw
        words: list[str] = []
        for key in fault["loc"]:
            try:
                here = here[key]
            except (KeyError, IndexError, TypeError):
                here = None
            if isinstance(key, int) and words and words[-1] in _SINGULAR:
                words[-1] = f"{_SINGULAR[words[-1]]} {here.get('id', key) if isinstance(here, dict) else key!r}"
            else:
                words.append(str(key))
        yield f"{', '.join(words)}: {fault['msg'].removeprefix('Value error, ')}"


def _references(manifest: Manifest) -> Iterator[Fault]:
    """Ids that come twice, and names that lead nowhere."""
    for name in repeated(study.id for study in manifest.studies):
        message = f"study id {name!r} appears more than once; give each its own"
        yield Fault("repeated_id", Severity.ERROR, (name,), message)
    for study in manifest.studies:
        for fault in study_faults(study, manifest.categories):
            yield Fault(fault.kind, Severity.ERROR, (study.id, fault.part), f"{fault.message}; correct the manifest")
