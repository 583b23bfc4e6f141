"""Reference and findings are brought together, or refused by file, study and field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings_table, tabulate
from spinedet.core.manifest import read_manifest
from spinedet.scoring.matching.cohort import Cohort, Selection, gather

Draw = Callable[..., Any]
BOTH = [{"id": "sag", "plane": "sagittal", "path": "/a"}, {"id": "ax", "plane": "axial", "path": "/b"}]


def gathered(drawn: Any, **selection: Any) -> Cohort:
    return gather(drawn.manifest, drawn.table, Selection(**selection)).cohort


def refusal(drawn: Any, folder: Path, **selection: Any) -> str:
    manifest, findings = drawn.write(folder)
    with pytest.raises(InputError) as caught:
        gather(read_manifest(manifest), read_findings_table(findings), Selection(**selection))
    assert str(findings) in str(caught.value)
    return str(caught.value)


def test_columns_hold_what_was_drawn(draw: Draw) -> None:
    drawn = draw().study([0.0], [(1.0, 0.4)], center="B", patient="x")
    drawn.study([], [(2.0, 0.8), (3.0, 0.6)], patient="w").study([5.0, 9.0], patient="x", center="B")
    cohort = gathered(drawn)
    assert (cohort.patients, cohort.centers) == (("w", "x"), ("A", "B"))
    assert cohort.patient_center.tolist() == [0, 1]
    assert cohort.scans.patient.tolist() == [1, 0, 1]
    assert cohort.lesions.scan.tolist() == [0, 2, 2]
    assert cohort.marks.scan.tolist() == [0, 1, 1]
    assert cohort.marks.score.tolist() == [0.4, 0.8, 0.6]


def test_excluded_studies_and_other_splits_never_count(draw: Draw) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)], excluded="motion").study([0.0], [(0.0, 0.8)], split="tune")
    drawn.study([0.0], [(0.0, 0.7)], split=None)
    assert gathered(drawn).marks.score.tolist() == [0.8, 0.7]
    assert gathered(drawn, split="test").marks.score.tolist() == [0.7]
    assert gathered(drawn, split="tune").marks.score.tolist() == [0.8]


def test_an_excluded_study_may_be_missing(draw: Draw) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)]).study([0.0], excluded="motion")
    drawn.findings.pop()
    assert gathered(drawn).not_read == ()


def test_a_study_without_findings_is_refused_or_listed(draw: Draw, tmp_path: Path) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)]).study([0.0])
    drawn.findings.pop()
    assert "study 's1' of the manifest is missing (1 in all)" in refusal(drawn, tmp_path)
    cohort = gathered(drawn, allow_missing=True)
    assert (cohort.not_read, len(cohort.scans.series)) == (("s1",), 1)


def test_findings_of_strangers_are_refused(draw: Draw, tmp_path: Path) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)])
    drawn.findings[0]["id"] = "s9"
    assert "study 's9' is not in the manifest 'drawn'" in refusal(drawn, tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("series", "cor", "study 's1', finding number 1, series: the manifest's study has no series 'cor'"),
        ("category", "cyst", "study 's1', finding number 1, category: unknown category 'cyst'"),
        ("score", float("nan"), "study 's1', finding number 1, score: Input should be a finite number"),
        ("score", float("inf"), "study 's1', finding number 1, score: Input should be a finite number"),
    ],
)
def test_a_wrong_finding_is_named(draw: Draw, tmp_path: Path, field: str, value: Any, words: str) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)]).study([0.0], [(0.0, 0.9), (1.0, 0.8)])
    drawn.findings[1]["findings"][1][field] = value
    assert words in refusal(drawn, tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("center", [0.0, float("nan"), 0.0], "box, center, 1: Input should be a finite number"),
        ("size", [10.0, 10.0, float("inf")], "box, size, 2: Input should be a finite number"),
        ("size", [10.0, 0.0, 10.0], "box, size, 1: Input should be greater than 0"),
        ("size", [-1.0, 1.0, 10.0], "box, size, 0: Input should be greater than 0"),
        ("axes", [[1, 0, 0], [0, 1, 0], [0, 1, 0]], "box, axes: box axes must be three orthonormal unit rows"),
    ],
)
def test_a_wrong_box_is_named(draw: Draw, tmp_path: Path, key: str, value: Any, words: str) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)])
    drawn.findings[0]["findings"][0]["box"][key] = value
    message = refusal(drawn, tmp_path)
    assert "study 's0', finding number 0" in message
    assert words.split(": ")[1] in message


def test_a_study_twice_is_refused(draw: Draw, tmp_path: Path) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)])
    drawn.findings.append(drawn.findings[0])
    assert "study id 's0' appears more than once" in refusal(drawn, tmp_path)


def test_planes_are_those_named_then_those_the_detector_reads_then_all(draw: Draw) -> None:
    axial = {"box": {"center": [0, 0, 0], "size": [9, 9, 9]}, "series": "ax"}
    drawn = draw().study([0.0, axial], [(0.0, 0.9)], series=BOTH)
    assert gathered(drawn).scans.series == ("sag", "ax")
    assert gathered(drawn, planes=("axial",)).scans.series == ("ax",)
    said = drawn.found.model_copy(update={"model": {"planes": ["sagittal"]}})
    cohort = gather(drawn.manifest, tabulate(said), Selection()).cohort
    assert (cohort.scans.series, len(cohort.lesions.records)) == (("sag",), 1)


def test_a_silent_plane_counts_and_is_mentioned(draw: Draw) -> None:
    cohort = gathered(draw().study([0.0], [(0.0, 0.9)], series=BOTH))
    assert len(cohort.notes) == 1
    assert cohort.notes[0].startswith("no finding in any of the 1 axial scans, which count all the same")


def test_tied_scores_are_mentioned(draw: Draw) -> None:
    tied = draw().study([0.0], [(place, 0.5) for place in (0.0, 30.0)] + [(60.0, 0.7)])
    assert gathered(tied).notes[0].startswith("67% of the findings share their score with another (2 distinct scores)")
    assert gathered(draw().study([0.0], [(0.0, 0.5), (9.0, 0.6)])).notes == ()


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"split": "train"}, "no series in split 'train' to score"),
        ({"planes": ("axial",)}, "no series of plane axial to score"),
        ({"planes": ("coronal",)}, "unknown plane 'coronal'"),
    ],
)
def test_nothing_to_score_is_refused(draw: Draw, selection: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gathered(draw().study([0.0], [(0.0, 0.9)]), **selection)
