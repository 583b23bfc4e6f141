"""A Structured Report of spinedet's own, TID 1500, read back as findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from spinedet.core.errors import InputError
from spinedet.core.geometry import LPS, Array, EdgeBox, canonical
from spinedet.core.types import Box
from spinedet.formats.clinical_codes import code_table, designator, level_code, private_code
from spinedet.formats.dicom_sources import SourceStack

# Codes of the content items, as (value, scheme).
_TID_1500, _MEASUREMENTS, _GROUP = ("126000", "DCM"), ("126010", "DCM"), ("125007", "DCM")
_NAME, _UID, _FINDING, _SITE = ("112039", "DCM"), ("112040", "DCM"), ("121071", "DCM"), ("363698007", "SCT")
_CERTAINTY, _YES, _COMMENT = ("111012", "DCM"), ("373066001", "SCT"), ("121106", "DCM")


@dataclass(frozen=True)
class ReadFinding:
    """One measurement group.

    Attributes:
        identifier, uid: by which it is tracked. site: value of the code of the finding site.
        level: as findings name it; None where the site is the whole region.
        score: None where the report gives no certainty. above: the operating point. series: of the box.
        slices: how many show it; 0 for a surface.
    """

    identifier: str
    uid: str
    category: str
    site: str
    level: str | None
    score: float | None
    above: bool | None
    series: str
    box: Box
    slices: int
    grades: Mapping[str, float]
    decision: str | None
    comment: str | None


def read_report(document: Dataset, stacks: Sequence[SourceStack]) -> tuple[ReadFinding, ...]:
    """The findings of a report about these images.

    Raises:
        InputError: it is no report of spinedet, or speaks of other images.
    """
    if _key(document.get("ConceptNameCodeSequence")) != _TID_1500:
        raise InputError("the document is no imaging measurement report (TID 1500)")
    measurements = _children(document, _MEASUREMENTS)
    groups = [group for part in measurements for group in _children(part, _GROUP)]
    return tuple(_read_group(group, stacks) for group in groups if _has_box(group))


def _read_group(group: Dataset, stacks: Sequence[SourceStack]) -> ReadFinding:
    numbers = {_key(item.ConceptNameCodeSequence): _number(item) for item in _of_type(group, "NUM")}
    answers = {_key(item.ConceptNameCodeSequence): _key(item.ConceptCodeSequence) for item in _of_type(group, "CODE")}
    texts = {_key(item.ConceptNameCodeSequence): str(item.TextValue) for item in _of_type(group, "TEXT")}
    uids = {_key(item.ConceptNameCodeSequence): str(item.UID) for item in _of_type(group, "UIDREF")}
    stack, box, slices = _box(group, numbers, stacks)
    above = answers.get(_own("above"))
    decision, level = answers.get(_own("decision")), answers.get(_own("level"))
    grades = {name: numbers[_own(name)] for name in code_table()["private"] if _own(name) in numbers}
    certainty = numbers.get(_CERTAINTY)
    return ReadFinding(
        identifier=texts[_NAME],
        uid=uids[_UID],
        category=_category(answers[_FINDING]),
        site=answers[_SITE][0],
        level=level[0] if level else _level(answers[_SITE]),
        score=None if certainty is None else certainty / 100,
        above=None if above is None else above == _YES,
        series=stack.series,
        box=box,
        slices=slices,
        grades={name: value for name, value in grades.items() if name not in ("low", "high")},
        decision=decision[0] if decision else None,
        comment=texts.get(_COMMENT),
    )


def _has_box(group: Dataset) -> bool:
    return any(item.ValueType in ("SCOORD", "SCOORD3D") for item in group.ContentSequence)


def _own(name: str) -> tuple[str, str]:
    code = private_code(name)
    return code.value, code.scheme


def _category(code: tuple[str, str]) -> str:
    if code[1] == designator():
        return code[0]
    entries = code_table()["findings"].items()
    return next((name for name, entry in entries if (entry["value"], entry["scheme"]) == code), code[0])


def _level(code: tuple[str, str]) -> str | None:
    for level in code_table()["levels"]:
        known = level_code(level)
        if known is not None and (known.value, known.scheme) == code:
            return str(level)
    return None


def _box(
    group: Dataset, numbers: Mapping[tuple[str, str], float], stacks: Sequence[SourceStack]
) -> tuple[SourceStack, Box, int]:
    """The series, the box in RAS mm and the number of slices that show it."""
    surfaces = list(_of_type(group, "SCOORD3D"))
    if surfaces:
        sources = [ref for item in _of_type(group, "IMAGE") for ref in item.ReferencedSOPSequence]
        return _stack_of(sources[0], stacks), _from_faces([_points(item, 3) for item in surfaces]), 0
    regions = list(_of_type(group, "SCOORD"))
    sources = [ref for region in regions for item in region.ContentSequence for ref in item.ReferencedSOPSequence]
    stack = _stack_of(sources[0], stacks)
    corners = np.concatenate([_points(region, 2) for region in regions])
    pitch = float(stack.grid.spacing[2])
    low, high = (numbers[_own(name)] / pitch + 0.5 for name in ("low", "high"))
    edges = EdgeBox(np.array([*corners.min(axis=0), low]), np.array([*corners.max(axis=0), high]))
    return stack, stack.grid.world(edges), len(regions)


def _from_faces(polygons: Sequence[Array]) -> Box:
    """The box between two parallel rectangles, LPS mm."""
    near, far = (polygon[:4] * LPS for polygon in polygons)
    edges = np.stack([near[1] - near[0], near[3] - near[0], far[0] - near[0]])
    size = np.linalg.norm(edges, axis=1)
    return canonical((near.mean(axis=0) + far.mean(axis=0)) / 2, size, edges / size[:, None])


def _points(item: Dataset, dimensions: int) -> Array:
    return np.asarray(item.GraphicData, dtype=np.float64).reshape(-1, dimensions)


def _stack_of(reference: Dataset, stacks: Sequence[SourceStack]) -> SourceStack:
    """The stack that holds an image, or the first frame that a reference names."""
    named = reference.get("ReferencedFrameNumber")
    frame = int(np.atleast_1d(named)[0]) - 1 if named is not None else None
    for stack in stacks:
        for one in stack.slices:
            if one.image.SOPInstanceUID == reference.ReferencedSOPInstanceUID and frame in (None, one.frame):
                return stack
    raise InputError("the report is about other images; give the folder that was read")


def _children(item: Dataset, name: tuple[str, str]) -> list[Dataset]:
    return [one for one in item.get("ContentSequence", ()) if _key(one.get("ConceptNameCodeSequence")) == name]


def _of_type(group: Dataset, kind: str) -> Iterator[Dataset]:
    return (item for item in group.ContentSequence if item.ValueType == kind)


def _key(codes: Iterable[Dataset] | None) -> tuple[str, str]:
    for code in codes or ():
        return str(code.get("CodeValue") or code.get("LongCodeValue")), str(code.CodingSchemeDesignator)
    return "", ""


def _number(item: Dataset) -> float:
    value = item.MeasuredValueSequence[0]
    return float(value.get("FloatingPointValue", value.NumericValue))
