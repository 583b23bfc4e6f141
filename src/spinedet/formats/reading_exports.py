"""The exports of the reading page as the sessions of one reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spinedet.core.errors import InputError
from spinedet.core.files import read_json
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Box, Finding, Lesion, Negative, is_number
from spinedet.scoring.reader_study.aided_reading import Proposal, ReadingSession

_SUFFIX = ".json"
_KEPT = ("accepted", "corrected", "added")


def read_sessions(path: Path) -> list[ReadingSession]:
    """The sessions of one export, or of a folder of exports, by study.

    Raises:
        InputError: a file is no export of the reading page, or two are of one study.
    """
    files = sorted(path.glob(f"*{_SUFFIX}")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds no {_SUFFIX} file; export the readings from the reading page into it")
    sessions: dict[str, ReadingSession] = {}
    for file in files:
        session = _session(file)
        if session.study in sessions:
            raise InputError(f"{file} is a second reading of study {session.study!r}; keep one of each study")
        sessions[session.study] = session
    return list(sessions.values())


def _session(path: Path) -> ReadingSession:
    manifest = read_manifest(path)
    reading = read_json(path).get("reading")
    if len(manifest.studies) != 1 or not isinstance(reading, dict):
        raise InputError(f"{path} is no export of the reading page; press Export there")
    (study,) = manifest.studies
    seconds = reading.get("seconds")
    kept = [lesion for lesion in study.lesions if lesion.attributes.get("decision") in _KEPT]
    return ReadingSession(
        study=study.id,
        seconds=float(seconds) if is_number(seconds) else None,
        kept=tuple(
            Finding(series=one.series, category=one.category, score=1.0, level=one.level, box=one.box) for one in kept
        ),
        proposals=(*_proposals(study.lesions, path), *_rejected(study.negatives, path)),
        added=sum(lesion.attributes.get("decision") == "added" for lesion in kept),
    )


def _proposals(lesions: tuple[Lesion, ...], path: Path) -> Iterator[Proposal]:
    """The program's findings as it proposed them; what the reader did not decide on was ignored."""
    for one in lesions:
        decision = one.attributes.get("decision")
        if decision == "added":
            continue
        named = {"accepted": "accepted", "corrected": "corrected", "undecided": "ignored"}.get(str(decision))
        if named is None:
            raise InputError(f"{path}: lesion {one.id!r}: decision {decision!r} is none of the reading page")
        proposed: Any = one.attributes.get("proposed") or {}
        box = Box.model_validate(proposed["box"], strict=False) if proposed.get("box") else one.box
        yield Proposal(_finding(one, box, str(proposed.get("category", one.category)), path), named)


def _rejected(negatives: tuple[Negative, ...], path: Path) -> Iterator[Proposal]:
    for one in negatives:
        yield Proposal(_finding(one, one.box, str(one.attributes.get("category")), path), "rejected")


def _finding(one: Lesion | Negative, box: Box, category: str, path: Path) -> Finding:
    attributes: Mapping[str, Any] = one.attributes
    score = attributes.get("proposed_score")
    if not is_number(score):
        raise InputError(f"{path}: a proposal in series {one.series!r} has no proposed_score; export the reading again")
    return Finding(series=one.series, category=category, score=float(score), box=box)
