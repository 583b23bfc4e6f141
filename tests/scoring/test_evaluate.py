"""What `scores.json` says of a cohort that was counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.scoring import (
    BootstrapSettings,
    CenterCriterion,
    IouCriterion,
    Scores,
    ScoreSettings,
    Selection,
    choose_operating_point,
    read_scores,
    score,
    write_scores,
)

Draw = Callable[..., Any]
QUICK = BootstrapSettings(samples=200)


@pytest.fixture
def drawn(draw: Draw) -> Any:
    """Centre A: hit .9, duplicate .8, missed lesion; hit .6. Centre B: lesion-free with a false .7; lesion-free."""
    drawn = draw().study([0.0, 100.0], [(0.0, 0.9), (1.0, 0.8)]).study([0.0], [(0.0, 0.6)])
    return drawn.study([], [(0.0, 0.7)], center="B").study([], [], center="B")


def scored(drawn: Any, **settings: Any) -> Scores:
    return score(drawn.manifest, drawn.found, ScoreSettings(**{"bootstrap": QUICK, **settings}))


def test_a_threshold_counts_by_hand(drawn: Any) -> None:
    group = scored(drawn, threshold=0.65).group()
    assert (group.tp, group.fp, group.fn, group.duplicates) == (1, 2, 2, 1)
    assert group.precision.value == pytest.approx(1 / 3)
    assert group.recall.value == pytest.approx(1 / 3)
    assert group.f1.value == pytest.approx(1 / 3)
    assert group.fp_per_scan.value == 0.5
    assert group.fp_per_lesion_free_scan.value == 0.5
    # over all thresholds: .9 (1, 0), .8 (1, 1), .7 (1, 2), .6 (2, 2) of 3 lesions
    assert group.f1_max.value == pytest.approx(4 / 7)
    assert group.f1_max.threshold == 0.6
    assert [point.sensitivity.value for point in group.froc] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 2 / 3] + [2 / 3] * 3
    )


def test_the_groups_of_the_contract(drawn: Any) -> None:
    scores = scored(drawn)
    assert [group.by for group in scores.groups] == [
        {},
        {"plane": "sagittal"},
        {"plane": "sagittal", "center": "A"},
        {"plane": "sagittal", "center": "B"},
    ]
    held = scores.group().n
    assert (held.patients, held.studies, held.series, held.lesions, held.findings) == (4, 4, 4, 3, 4)
    assert (held.lesion_free_series, held.lesions_per_scan) == (2, 0.75)


def test_categories_get_groups_and_leave_the_mean_where_they_have_no_lesion(draw: Draw) -> None:
    box = {"center": [0, 0, 0], "size": [10, 10, 10]}
    drawn = draw(categories=("a", "b")).study([0.0], [(0.0, 0.8), {"box": box, "score": 0.9, "category": "b"}])
    drawn.study([0.0], [(0.0, 0.7)])
    scores = scored(drawn)
    everything = scores.group()
    assert (everything.ap.value, everything.ap_categories) == (1.0, 1)
    assert everything.categories is not None
    assert everything.categories.macro_recall.value == 1.0
    assert everything.categories.micro_ap.value == pytest.approx(2 / 3)  # the false .9 of b comes first
    lonely = scores.group(plane="sagittal", category="b")
    assert (lonely.ap.value, lonely.ap.reason) == (None, "no lesion")
    assert (lonely.recall.value, lonely.fp) == (None, 1)
    assert scores.group(plane="sagittal", category="a").categories is None


def test_a_centre_without_any_lesion_has_no_mean_over_categories(draw: Draw) -> None:
    drawn = draw(categories=("a", "b")).study([0.0], [(0.0, 0.8)]).study([], [(0.0, 0.7)], center="B")
    healthy = scored(drawn).group(plane="sagittal", center="B")
    assert (healthy.ap.value, healthy.ap_categories, healthy.fp) == (None, 0, 1)


def test_undefined_numbers_are_null_with_a_reason(drawn: Any) -> None:
    scores = scored(drawn, threshold=0.95)
    healthy = scores.group(plane="sagittal", center="B")
    assert (healthy.recall.value, healthy.recall.reason) == (None, "no lesion")
    assert (scored(drawn).group(plane="sagittal", center="B").f1.value, healthy.fp) == (None, 0)
    assert (healthy.cpm.value, healthy.f1_max.value, healthy.f1_max.threshold) == (None, None, None)
    everything = scores.group()
    assert (everything.precision.value, everything.precision.reason) == (None, "no finding at or above the threshold")
    assert everything.f1.value == 0.0
    assert (healthy.patient.auc.value, healthy.patient.auc.reason) == (None, "needs patients with and without lesions")


def test_without_a_threshold_every_finding_counts(drawn: Any) -> None:
    scores = scored(drawn)
    assert (scores.group().tp, scores.group().fp, scores.group().fn) == (2, 2, 1)
    assert scores.threshold.description == "no threshold was given: every finding counts"


def test_intervals_keep_the_threshold_and_count_what_is_undefined(drawn: Any) -> None:
    group = scored(drawn, threshold=0.65).group()
    assert group.interval == "bca"
    for estimate in (group.precision, group.recall, group.fp_per_scan, group.cpm, group.ap):
        assert estimate.low is not None
        assert estimate.low <= estimate.value <= estimate.high
    free = scored(drawn, threshold=0.65).group(plane="sagittal", center="A").fp_per_lesion_free_scan
    assert (free.value, free.reason) == (None, "no lesion-free scan")


def test_an_interval_that_says_nothing_is_marked(draw: Draw) -> None:
    drawn = draw()
    for _ in range(5):
        drawn.study([0.0], [(0.0, 0.9)])
    recall = scored(drawn).group().recall
    assert (recall.value, recall.low, recall.high, recall.degenerate) == (1.0, 1.0, 1.0, True)


def test_one_patient_has_no_interval(draw: Draw) -> None:
    group = scored(draw().study([0.0], [(0.0, 0.9), (50.0, 0.8)])).group()
    assert group.interval == "none"
    assert (group.precision.value, group.precision.low, group.precision.high) == (0.5, None, None)


def test_undefined_replicates_are_counted(draw: Draw) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)])
    for _ in range(3):
        drawn.study([], [(0.0, 0.2)])
    recall = scored(drawn).group().recall
    # a replicate without the one patient who has a lesion has no recall: (3/4)^4 = 32 %
    assert 35 <= recall.undefined_replicates <= 95


def test_the_same_seed_gives_the_same_file(drawn: Any, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write_scores(tmp_path / name, scored(drawn, threshold=0.5))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    other = scored(drawn, threshold=0.5, bootstrap=BootstrapSettings(samples=200, seed=1))
    assert other != scored(drawn, threshold=0.5)


def test_the_file_is_the_contract_s(drawn: Any, tmp_path: Path) -> None:
    scores = scored(drawn, threshold=0.65)
    write_scores(tmp_path / "scores.json", scores)
    assert read_scores(tmp_path / "scores.json") == scores
    content = json.loads((tmp_path / "scores.json").read_text())
    assert (content["format"], content["version"]) == ("spinedet-scores", 1)
    assert content["criterion"]["name"] == "iou"
    assert content["threshold"]["value"] == 0.65
    assert content["bootstrap"]["samples"] == 200
    group = content["groups"][0]
    assert group["by"] == {}
    assert set(group["fp_per_scan"]) == {"value", "low", "high"}
    assert [point["fp_per_scan"] for point in group["froc"]] == [0.125, 0.25, 0.5, 1, 2, 4, 8]
    assert {"n", "recall", "f1", "f1_max", "fp_per_scan", "cpm", "ap", "tp", "fp", "fn"} <= set(group)


def test_an_operating_point_brings_its_criterion_planes_and_hash(draw: Draw) -> None:
    both = [{"id": "sag", "plane": "sagittal", "path": "/a"}, {"id": "ax", "plane": "axial", "path": "/b"}]
    tuning = draw().study([0.0], [(3.0, 0.7), (50.0, 0.4)])
    point = choose_operating_point(tuning.manifest, tuning.found, CenterCriterion(), "max_f1")
    test = draw().study([0.0], [(3.0, 0.7), (50.0, 0.6)], id="new", series=both)
    scores = scored(test, operating_point=point)
    assert scores.criterion["name"] == "center"
    assert (scores.group().tp, scores.group().fp, scores.group().n.series) == (1, 0, 1)
    assert scores.operating_point_sha256 == point.sha256
    assert scores.notes == ()


def test_a_threshold_is_never_chosen_anew(draw: Draw) -> None:
    tuning = draw().study([0.0], [(0.0, 0.7)])
    point = choose_operating_point(tuning.manifest, tuning.found, IouCriterion())
    test = draw().study([0.0], [(0.0, 0.3), (50.0, 0.8)], id="new")
    group = scored(test, operating_point=point).group()
    assert (group.tp, group.fp, group.fn) == (0, 1, 1)
    assert group.f1_max.value == pytest.approx(2 / 3)


def test_a_test_on_the_tuning_studies_says_so(drawn: Any) -> None:
    point = choose_operating_point(drawn.manifest, drawn.found, IouCriterion())
    notes = scored(drawn, operating_point=point, criterion=IouCriterion(iou=0.5)).notes
    assert notes[0] == "4 of the 4 studies also chose the threshold: this is no test of it"
    assert notes[1].startswith("the threshold was chosen under another criterion (hit: 3D IoU ≥ 0.1")


def test_a_category_without_a_threshold_is_refused(draw: Draw) -> None:
    tuning = draw().study([0.0], [(0.0, 0.7)])
    point = choose_operating_point(tuning.manifest, tuning.found, IouCriterion())
    test = draw(categories=("cyst",)).study([0.0], [(0.0, 0.3)])
    with pytest.raises(InputError, match="no threshold for 'cyst' in the sagittal plane"):
        scored(test, operating_point=point)


def test_other_overlaps_stand_beside(drawn: Any) -> None:
    scores = scored(drawn, threshold=0.5)
    assert [one.criterion["iou"] for one in scores.group().secondary] == [0.25, 0.5]
    centred = scored(drawn, threshold=0.5, criterion=CenterCriterion())
    assert [one.criterion["iou"] for one in centred.group().secondary] == [0.1, 0.25, 0.5]
    assert scores.group().secondary[1].tp == 2


def test_the_froc_s_kind_is_kept_and_checked(drawn: Any) -> None:
    assert (scored(drawn).froc, scored(drawn, froc="linear").froc) == ("step", "linear")
    with pytest.raises(InputError, match="froc=cubic: use step"):
        scored(drawn, froc="cubic")


def test_unread_studies_are_listed(drawn: Any) -> None:
    drawn.findings.pop()
    assert scored(drawn, selection=Selection(allow_missing=True)).not_read == ("s3",)


def test_scoring_starts_without_what_is_heavy() -> None:
    heavy = {"torch", "monai", "hydra", "matplotlib", "jinja2", "scipy"}
    code = f"import sys, spinedet.scoring; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
