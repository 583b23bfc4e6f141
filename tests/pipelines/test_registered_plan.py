"""A plan is hashed before the data are opened, and every departure from it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.core.errors import InputError
from spinedet.core.files import read_json, sha256
from spinedet.pipelines.registered_plan import compare_with_plan, plan_notes, register_plan, write_plan_result
from spinedet.scoring import BootstrapSettings, Scores, ScoreSettings, score
from spinedet.scoring.records import Estimate

from ..checklists.conftest import findings_of, manifest_of

PLAN = """format: spinedet-plan
version: 1
criterion: {name: iou, iou: 0.1}
threshold_rule: "score ≥ 0.5 counts"
centers: [A, B]
primary: {measure: recall, plane: sagittal}
reference: 0.9
margin: 0.1
"""


def write_plan(folder: Path, text: str = PLAN) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def scores() -> Scores:
    return score(manifest_of(), findings_of(7), ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=40)))


def test_a_test_as_planned_has_no_departure(tmp_path: Path, scores: Scores) -> None:
    path = write_plan(tmp_path)
    registered = register_plan(path, tmp_path)
    opened = read_json(tmp_path / "plan.json")
    assert opened["sha256"] == registered[1] == sha256(path)
    assert opened["plan"]["margin"] == 0.1
    result = compare_with_plan(registered, scores, internal=())
    assert result.departures == ()
    assert result.estimate == scores.group(plane="sagittal").recall
    write_plan_result(tmp_path, result)
    assert read_json(tmp_path / "plan_result.json")["departures"] == []
    assert "no departure" in plan_notes(result, 0.95)[0]


def test_every_departure_is_named(tmp_path: Path, scores: Scores) -> None:
    text = PLAN.replace("iou: 0.1", "iou: 0.3").replace('"score ≥ 0.5 counts"', "plateau_f1")
    text = text.replace("[A, B]", "[A, C]") + "patients: 100\noperating_point_sha256: abcdef\n"
    result = compare_with_plan(register_plan(write_plan(tmp_path, text), tmp_path), scores, internal=["A"])
    told = "\n".join(result.departures)
    for words in (
        "criterion: planned iou 0.3, used iou 0.1",
        "threshold rule: planned plateau_f1",
        "thresholds: planned those of SHA-256 abcdef",
        "planned and not tested: C",
        "tested and not planned: B",
        "developed at, and so not external: A",
        "patients: planned 100, tested 12",
    ):
        assert words in told
    assert len(result.departures) == 7
    assert "7 departures" in plan_notes(result, 0.95)[0]


def test_a_plane_that_was_not_tested_is_a_departure(tmp_path: Path, scores: Scores) -> None:
    plan = register_plan(write_plan(tmp_path, PLAN.replace("sagittal", "axial")), tmp_path)
    result = compare_with_plan(plan, scores, ())
    assert "primary measure: the axial plane was not tested" in result.departures
    assert result.estimate.value is None
    assert result.non_inferior is None


@pytest.mark.parametrize(("low", "shown"), [(0.81, True), (0.80, False), (0.70, False)])
def test_non_inferiority_rests_on_the_lower_limit(tmp_path: Path, scores: Scores, low: float, shown: bool) -> None:
    groups = tuple(
        group.model_copy(update={"recall": Estimate(value=0.85, low=low, high=0.9)}) for group in scores.groups
    )
    plan = register_plan(write_plan(tmp_path), tmp_path)
    result = compare_with_plan(plan, scores.model_copy(update={"groups": groups}), ())
    assert result.non_inferior is shown
    assert plan_notes(result, 0.95)[1].endswith("shown." if shown else "not shown.")


def test_a_plan_that_changes_after_the_data_were_opened_is_refused(tmp_path: Path) -> None:
    register_plan(write_plan(tmp_path), tmp_path)
    register_plan(tmp_path / "plan.yaml", tmp_path)
    with pytest.raises(InputError, match="has changed since"):
        register_plan(write_plan(tmp_path, PLAN.replace("margin: 0.1", "margin: 0.2")), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("primary: [", "not valid YAML"),
        ("format: other", "no spinedet-plan file"),
        (PLAN + "margn: 0.1\n", "unknown key 'margn'"),
        (PLAN.replace("recall", "accuracy"), "primary, measure"),
        (PLAN.replace("centers: [A, B]", "centers: []"), "centers"),
        (PLAN.replace("margin: 0.1", "margin: -1"), "margin"),
        (PLAN.replace("threshold_rule", "# threshold_rule"), "threshold_rule"),
    ],
)
def test_wrong_plans_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_plan(write_plan(tmp_path, text), tmp_path)
