"""Values refuse what no box, lesion or study can be."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from pydantic import ValidationError

from spinedet.core.types import RAS_AXES, Box, Finding, Lesion, Origin, Record, Series, Split, Study

R = TypeVar("R", bound=Record)
Content: TypeAlias = dict[str, Any]
BOX = {"center": [1, 2, 3], "size": [4, 5, 6]}
FINDING: Content = {"series": "s", "category": "bulge", "score": 0.9, "box": BOX}
LESION: Content = {"id": "1", "series": "s", "category": "bulge", "box": BOX}
STUDY: Content = {"id": "A", "patient": "p", "center": "c", "series": []}
TILTED = [[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]]


def parse(record: type[R], content: Content) -> R:
    return record.model_validate_json(json.dumps(content))


def box_of(**changes: Any) -> Box:
    return parse(Box, {**BOX, **changes})


def test_whole_numbers_are_lengths_too() -> None:
    box = box_of()
    assert box.center == (1.0, 2.0, 3.0)
    assert all(type(value) is float for value in (*box.center, *box.size))
    assert box.axes == RAS_AXES


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("center", [1, math.nan, 3], "finite"),
        ("center", [1, math.inf, 3], "finite"),
        ("center", [1, 2], "Field required"),
        ("center", [1, 2, 3, 4], "at most 3"),
        ("center", ["1", 2, 3], "valid number"),
        ("center", [True, 2, 3], "valid number"),
        ("center", None, "valid array"),
        ("size", [4, 0, 6], "greater than 0"),
        ("size", [4, -5, 6], "greater than 0"),
        ("size", [4, math.nan, 6], "finite"),
        ("size", [4, -math.inf, 6], "finite"),
        ("axes", [[1, 0, 0], [0, 1, 0]], "Field required"),
        ("axes", [[1, 0, 0], [0, 1, 0], [0, 0, math.nan]], "finite"),
        ("axes", [[2, 0, 0], [0, 1, 0], [0, 0, 1]], "orthonormal"),
        ("axes", [[1, 0, 0], [0, 1, 0], [0, 0.1, 0.995]], "orthonormal"),
        ("axes", [[1, 0, 0], [1, 0, 0], [0, 0, 1]], "orthonormal"),
        ("axes", [[0, 0, 0], [0, 1, 0], [0, 0, 1]], "orthonormal"),
    ],
)
def test_what_is_no_box(field: str, value: Any, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        box_of(**{field: value})


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_axes_whose_products_overflow_are_no_frame() -> None:
    with pytest.raises(ValidationError, match="orthonormal"):
        box_of(axes=[[1e200, 1e200, 0], [1e200, -1e200, 0], [0, 0, 1]])


@pytest.mark.parametrize("missing", ["center", "size"])
def test_a_box_needs_both(missing: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        parse(Box, {k: v for k, v in BOX.items() if k != missing})


def test_axes_from_rounded_direction_cosines_are_a_frame() -> None:
    rounded = [[1, 0, 0], [0, 0.9397, 0.3420], [0, -0.3420, 0.9397]]
    assert box_of(axes=rounded).axes[1] == (0.0, 0.9397, 0.342)


def test_left_handed_axes_are_a_frame() -> None:
    assert box_of(axes=[[-1, 0, 0], [0, 1, 0], [0, 0, 1]]).axes[0] == (-1.0, 0.0, 0.0)


def test_only_a_frame_of_its_own_is_written() -> None:
    assert box_of().model_dump(mode="json") == {"center": [1.0, 2.0, 3.0], "size": [4.0, 5.0, 6.0]}
    assert box_of(axes=TILTED).model_dump(mode="json")["axes"] == TILTED


def test_values_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        box_of().center = (0.0, 0.0, 0.0)  # type: ignore[misc]


def test_unknown_keys_stay_on_every_record() -> None:
    content = LESION | {"box": {**BOX, "reader": "R2"}, "remarks": ["faint", None]}
    written = parse(Lesion, content).model_dump(mode="json")
    assert written["remarks"] == ["faint", None]
    assert written["box"]["reader"] == "R2"


@pytest.mark.parametrize("value", [math.nan, math.inf, [1, math.nan], {"deep": [{"er": -math.inf}]}])
@pytest.mark.parametrize("place", ["attribute", "extra"])
def test_open_values_are_finite_too(place: str, value: Any) -> None:
    content = STUDY | ({"attributes": {"age": value}} if place == "attribute" else {"age": value})
    with pytest.raises(ValidationError, match="finite"):
        parse(Study, content)
    with pytest.raises(ValidationError, match="finite"):
        Study.model_validate({**content, "series": ()})


def test_open_values_may_be_any_json() -> None:
    values: Content = {"n": None, "b": True, "i": 3, "f": 1.5, "s": "x", "l": [1, "a", [None]], "d": {"e": {}}}
    study = parse(Study, {**STUDY, "attributes": values})
    assert study.attributes == values
    assert study.model_dump(mode="json")["attributes"] == values


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", 1),
        ("id", None),
        ("series", ""),
        ("category", ""),
        ("level", "L9"),
        ("level", 4),
        ("level", ""),
        ("origin", "guess"),
        ("ignore", "yes"),
        ("ignore", 1),
        ("attributes", None),
        ("attributes", [1]),
        ("box", None),
    ],
)
def test_what_is_no_lesion(field: str, value: Any) -> None:
    content = {**LESION, field: value}
    with pytest.raises(ValidationError) as caught:
        parse(Lesion, content)
    assert caught.value.errors()[0]["loc"][0] == field


def test_a_lesion_counts_and_was_drawn_by_hand_unless_it_says_otherwise() -> None:
    lesion = parse(Lesion, LESION)
    assert (lesion.ignore, lesion.origin, lesion.level, lesion.attributes) == (False, Origin.MANUAL, None, {})


@pytest.mark.parametrize("score", [math.nan, math.inf, "0.9", None, True])
def test_what_is_no_score(score: Any) -> None:
    with pytest.raises(ValidationError, match="score"):
        parse(Finding, {**FINDING, "score": score})


@pytest.mark.parametrize("score", [-3.5, 0, 1, 12])
def test_other_detectors_may_score_as_they_like(score: float) -> None:
    finding = parse(Finding, {**FINDING, "score": score})
    assert finding.score == score


@pytest.mark.parametrize(
    ("field", "value"),
    [("plane", "coronal"), ("plane", None), ("weighting", ""), ("path", 5), ("path", None), ("sha256", 5)],
)
def test_what_is_no_series(field: str, value: Any) -> None:
    content = {"id": "sag", "plane": "sagittal", "path": "a.nii.gz", field: value}
    with pytest.raises(ValidationError) as caught:
        parse(Series, content)
    assert caught.value.errors()[0]["loc"][0] == field


def test_a_series_is_t2_unless_it_says_otherwise() -> None:
    series = parse(Series, {"id": "sag", "plane": "axial", "path": "a/b.mha", "sha256": "ABCDEF"})
    assert series.weighting == "T2"
    assert series.path == Path("a/b.mha")
    assert series.sha256 == "abcdef"


@pytest.mark.parametrize(
    ("field", "value"), [("split", "validation"), ("split", "Train"), ("patient", ""), ("center", 3)]
)
def test_what_is_no_study(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(Study, {**STUDY, field: value})
    assert caught.value.errors()[0]["loc"][0] == field


def test_splits_are_written_as_words() -> None:
    study = Study(id="A", patient="p", center="c", split=Split.TUNE, series=())
    assert study.model_dump(mode="json")["split"] == "tune"


@pytest.mark.parametrize(
    ("written", "read"),
    [("2", 2), ("2.5", 2.5), (3, 3), ("severe", "severe"), ("nan", "nan"), (True, True)],
)
def test_grades_that_are_written_as_text_are_numbers(written: Any, read: Any) -> None:
    lesion = parse(Lesion, {**LESION, "attributes": {"severity": written, "reader": "2"}})
    assert lesion.attributes == {"severity": read, "reader": "2"}
    assert type(lesion.attributes["severity"]) is type(read)


def test_acquisition_is_declared_and_unknown_keys_are_kept() -> None:
    content = {"id": "s", "plane": "sagittal", "path": "a.mha", "acquisition": {"echo_time": 100}, "coil": "spine"}
    series = parse(Series, content)
    assert series.acquisition == {"echo_time": 100}
    assert series.model_dump(mode="json")["coil"] == "spine"
