"""Every number can be traced to cases, in memory and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.report.csv_tables import write_curves, write_matches
from spinedet.report.score_page import curves_of
from spinedet.scoring import BootstrapSettings, IouCriterion, ScoreSettings, examine, score
from spinedet.scoring.error_analysis import Cases
from spinedet.scoring.metrics.counts import FROC_GRID

Draw = Callable[..., Any]


def cube(place: float, size: float = 10.0) -> dict[str, Any]:
    return {"center": [place, 0.0, 0.0], "size": [size, 10.0, 10.0]}


@pytest.fixture
def drawn(draw: Draw) -> Any:
    """One finding, and one lesion, for each thing that can happen to it; IoU 0.5, threshold 0.5."""
    drawn = draw(categories=("a", "b")).study(
        [0.0, 100.0, 200.0, {"box": cube(300.0), "ignore": True}, {"box": cube(400.0), "category": "b"}, 500.0, 600.0],
        [
            (0.0, 0.9),  # hit
            (1.0, 0.8),  # duplicate
            (300.0, 0.7),  # absorbed
            (106.0, 0.6),  # too little
            (400.0, 0.95),  # another category
            (700.0, 0.55),  # nowhere
            (200.0, 0.3),  # hit below the threshold
            (605.0, 0.99),  # takes neither 600 (IoU 1/3)
        ],
        id="x,1",
    )
    return drawn.study([{"box": cube(0.0, 20.0)}, 1.0], [(0.5, 0.9)])


def cases(drawn: Any) -> Cases:
    settings = ScoreSettings(criterion=IouCriterion(iou=0.5), threshold=0.5, bootstrap=BootstrapSettings(samples=0))
    examination = examine(drawn.manifest, drawn.found, settings)
    return Cases(examination.matched, examination.reached)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_finding_has_its_reason(drawn: Any, tmp_path: Path) -> None:
    write_matches(tmp_path, cases(drawn))
    rows = read(tmp_path / "matches.csv")
    assert [(row["outcome"], row["lesion"], row["reason"]) for row in rows[:8]] == [
        ("hit", "0", "hits the lesion"),
        ("duplicate", "0", "the lesion went to a better finding"),
        ("absorbed", "3", "lies on a lesion to be ignored"),
        ("false positive", "1", "overlaps a lesion, but does not meet the criterion"),
        ("false positive", "", "overlaps a lesion of another category"),
        ("false positive", "", "overlaps no lesion"),
        ("hit", "2", "hits the lesion"),
        ("false positive", "6", "overlaps a lesion, but does not meet the criterion"),
    ]
    assert [row["counts"] for row in rows[:8]] == ["yes"] * 6 + ["no", "yes"]
    assert (rows[0]["study"], rows[8]["study"], rows[8]["finding"]) == ("x,1", "s1", "0")
    assert rows[3]["iou"] == "0.2500"


def test_each_lesion_has_its_reason(drawn: Any, tmp_path: Path) -> None:
    write_matches(tmp_path, cases(drawn))
    rows = {
        (row["study"], row["lesion"]): (row["found"], row["finding"], row["reason"])
        for row in read(tmp_path / "lesions.csv")
    }
    assert rows == {
        ("x,1", "0"): ("yes", "0", "found"),
        ("x,1", "1"): ("no", "", "findings overlap it, but do not meet the criterion"),
        ("x,1", "2"): ("no", "6", "hit by a finding below the threshold"),
        ("x,1", "3"): ("no", "", "to be ignored"),
        ("x,1", "4"): ("no", "", "only findings of another category overlap it"),
        ("x,1", "5"): ("no", "", "no finding overlaps it"),
        ("x,1", "6"): ("no", "", "findings overlap it, but do not meet the criterion"),
        ("s1", "0"): ("no", "", "its findings went to other lesions"),
        ("s1", "1"): ("yes", "0", "found"),
    }


def test_the_tables_add_up_to_the_scores(drawn: Any, tmp_path: Path) -> None:
    write_matches(tmp_path, cases(drawn))
    settings = ScoreSettings(criterion=IouCriterion(iou=0.5), threshold=0.5, bootstrap=BootstrapSettings(samples=0))
    group = score(drawn.manifest, drawn.found, settings).group()
    counted = [row["outcome"] for row in read(tmp_path / "matches.csv") if row["counts"] == "yes"]
    assert counted.count("hit") == group.tp
    assert counted.count("duplicate") == group.duplicates
    assert counted.count("duplicate") + counted.count("false positive") == group.fp
    lesions = [row["found"] for row in read(tmp_path / "lesions.csv") if row["reason"] != "to be ignored"]
    assert (lesions.count("yes"), lesions.count("no")) == (group.tp, group.fn)


def test_the_worst_come_first(drawn: Any) -> None:
    found = cases(drawn)
    misses = found.worst_misses(2)
    assert [(one.study, one.number) for one in misses] == [("s1", "0"), ("x,1", "1")]  # the largest, then as listed
    assert misses[0].reason == "its findings went to other lesions"
    errors = found.surest_errors(3)
    assert [(one.number, one.score) for one in errors] == [("7", 0.99), ("4", 0.95), ("1", 0.8)]
    assert errors[1].reason == "overlaps a lesion of another category"
    assert len(found.surest_errors(100)) == 5


def test_no_finding_and_no_lesion_make_empty_tables(draw: Draw, tmp_path: Path) -> None:
    found = cases(draw().study([], []))
    write_matches(tmp_path, found)
    assert (read(tmp_path / "matches.csv"), read(tmp_path / "lesions.csv")) == ([], [])
    assert (found.worst_misses(5), found.surest_errors(5)) == ([], [])


def test_curves_on_their_grids(draw: Draw, tmp_path: Path) -> None:
    drawn = draw().study([0.0, 100.0], [(0.0, 0.9), (50.0, 0.8), (100.0, 0.7)]).study([0.0], [(0.0, 0.6)])
    examination = examine(drawn.manifest, drawn.found, ScoreSettings(bootstrap=BootstrapSettings(samples=50)))
    curves = curves_of(examination)
    assert [by for by, _ in curves] == [{"plane": "sagittal"}, {"plane": "sagittal", "center": "A"}]
    write_curves(tmp_path / "curves.csv", curves[:1])
    rows = read(tmp_path / "curves.csv")
    froc = {float(row["x"]): row for row in rows if row["curve"] == "froc"}
    assert len(froc) == len(FROC_GRID)
    assert (froc[0.125]["y"], froc[0.125]["threshold"]) == (str(1 / 3), "0.9")
    assert (froc[0.5]["y"], froc[0.5]["threshold"]) == ("1.0", "0.6")
    recall = [row for row in rows if row["curve"] == "pr"]
    assert len(recall) == 101
    assert (recall[33]["y"], recall[33]["threshold"]) == ("1.0", "0.9")
    assert (recall[34]["y"], recall[34]["threshold"]) == ("0.75", "0.7")  # best precision from there on: 3 of 4
    assert all(float(row["low"]) <= float(row["y"]) <= float(row["high"]) for row in rows if row["low"])
