"""Folds of patients, thresholds from other folds, and what is scored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import read_json
from spinedet.core.findings import write_findings
from spinedet.core.types import Box, Finding, Findings, Lesion, Manifest, Negative, Series, Study, StudyFindings
from spinedet.detection.settings import CONFIGS, RecipeConfig
from spinedet.detection.trainer import Settings
from spinedet.imaging.settings import AugmentConfig
from spinedet.pipelines.cross_validation import (
    CrossValidation,
    Fold,
    balanced,
    folds_digest,
    group_folds,
    patient_folds,
    pooled,
    recorded_folds,
)
from spinedet.pipelines.score_cross_validation import LOWEST, kinds_table, markdown, results, rule_findings
from spinedet.scoring import BootstrapSettings, IouCriterion
from spinedet.training.settings import TrainerConfig

LESIONS = {f"p{number:02}": number % 7 + 1 for number in range(12)}


def box(height: float) -> Box:
    return Box(center=(0.0, 0.0, height), size=(10.0, 10.0, 10.0))


def study(patient: str, worn: Sequence[float], sound: Sequence[float] = (), vendor: str = "A", name: str = "") -> Study:
    return Study(
        id=name or f"s-{patient}",
        patient=patient,
        center="X",
        attributes={"vendor": vendor},
        series=(Series(id="sag", plane=Plane.SAGITTAL, path=Path("none.nii.gz")),),
        lesions=tuple(Lesion(id=str(h), series="sag", category="d", box=box(h)) for h in worn),
        negatives=tuple(Negative(series="sag", box=box(h)) for h in sound),
    )


def manifest(studies: Sequence[Study]) -> Manifest:
    return Manifest(name="m", region=Region.LUMBAR, categories=("d",), studies=tuple(studies))


def test_parts_have_about_as_many_patients_and_lesions() -> None:
    parts = balanced(LESIONS, 4, seed=0)
    assert sorted(patient for part in parts for patient in part) == sorted(LESIONS)
    assert {len(part) for part in parts} == {3}
    totals = [sum(LESIONS[patient] for patient in part) for part in parts]
    assert max(totals) - min(totals) <= 2
    with pytest.raises(InputError, match="use fewer folds"):
        balanced(LESIONS, 13, seed=0)


def test_each_patient_is_tested_once_and_never_trains_its_own_detector() -> None:
    studies = [study(name, range(0, 20 * count, 20)) for name, count in LESIONS.items()]
    plan = patient_folds([*studies, study("p00", [0.0], name="again")], 4, seed=0)
    assert sorted(patient for fold in plan.tested for patient in fold.test) == sorted(LESIONS)
    for fold in plan.tested:
        assert not fold.train & fold.test
        assert all(not inner.test & fold.test for inner in plan.inner[fold.name])
    assert len(plan.every) == 4


def test_a_file_fixes_the_folds_of_all_who_use_it(tmp_path: Path) -> None:
    studies = [study(name, [0.0]) for name in ("a", "b", "c")]
    folds = {"x": ["a", "z"], "y": ["b", "c"], "empty": ["w"]}
    path = tmp_path / "folds.json"

    def write(folds: dict[str, list[str]], digest: str | None = None) -> None:
        told = {"format": "spinedet-folds", "version": 1, "sha256": digest or folds_digest(folds), "folds": folds}
        path.write_text(json.dumps(told))

    write(folds)
    plan = recorded_folds(studies, path)
    assert [(fold.name, sorted(fold.train), sorted(fold.test)) for fold in plan.tested] == [
        ("x", ["b", "c"], ["a"]),
        ("y", ["a"], ["b", "c"]),
    ]
    assert [fold.name for fold in plan.inner["x"]] == ["y"]
    for wrong, message in (
        ({"x": ["a"], "y": ["b"]}, "'c' is in none"),
        ({"x": ["a", "b"], "y": ["b", "c"]}, "'b' is in two"),
        ({"x": ["a", "b", "c"], "y": ["z"]}, "in one of its folds"),
    ):
        write(wrong)
        with pytest.raises(InputError, match=message):
            recorded_folds(studies, path)
    write(folds, "0" * 64)
    with pytest.raises(InputError, match="not those of its sha256"):
        recorded_folds(studies, path)


def test_the_folds_of_spider_are_those_that_the_tables_used() -> None:
    path = Path(__file__).parents[2] / "data_manifests" / "spider-folds.json"
    folds = json.loads(path.read_text())["folds"]
    patients = [patient for fold in folds.values() for patient in fold]
    assert len(patients) == len(set(patients)) == 218
    assert [len(fold) for fold in folds.values()] == [44, 44, 44, 43, 43]
    plan = recorded_folds([study(patient, [0.0]) for patient in patients], path)
    assert len(plan.tested) == 5


def test_a_group_is_tested_by_detectors_and_a_threshold_of_the_others() -> None:
    studies = [study(name, [0.0], vendor="A" if name < "p06" else "B") for name in LESIONS]
    plan = group_folds(studies, "vendor", 3, seed=0)
    assert [fold.name for fold in plan.tested] == ["vendor-A", "vendor-B"]
    first = plan.tested[0]
    assert first.test == {f"p{n:02}" for n in range(6)}
    seen = frozenset[str]().union(*(inner.train | inner.test for inner in plan.inner["vendor-A"]))
    assert seen == first.train
    assert len(plan.every) == 2 + 6
    with pytest.raises(InputError, match="at least two values, and all have 'A'"):
        group_folds(studies[:6], "vendor", 2, seed=0)
    with pytest.raises(InputError, match="patient 'p00' has none"):
        group_folds(studies, "maker", 2, seed=0)


def finding(height: float, score: float) -> Finding:
    return Finding(series="sag", category="d", score=score, box=box(height))


def test_each_fold_counts_at_the_threshold_of_the_others(tmp_path: Path) -> None:
    studies = [study(patient, [0.0], [20.0]) for patient in ("a", "b")]
    folds = tuple(Fold(f"fold-{n}", frozenset("ab") - {p}, frozenset(p)) for n, p in enumerate("ab"))
    plan = patient_folds(studies, 2, seed=0)
    plan = type(plan)(folds, {"fold-0": folds[1:], "fold-1": folds[:1]})
    settings = Settings(CONFIGS["graded"](), RecipeConfig(), AugmentConfig(), TrainerConfig())
    task = CrossValidation(manifest(studies), plan, Plane.SAGITTAL, settings, IouCriterion(), tmp_path, rule="max_f1")
    # In the first fold .3 is the best threshold, in the second .8.
    for name, scores in (("a", (0.3, 0.2)), ("b", (0.8, 0.6))):
        told = StudyFindings(id=f"s-{name}", findings=(finding(0, scores[0]), finding(20, scores[1])))
        found = Findings(model={"planes": ["sagittal"]}, studies=(told,))
        write_findings(tmp_path / "seed-0" / f"fold-{'ab'.index(name)}" / "findings.json", found)
    first, second = (each.findings for each in pooled(task, 0).studies)
    assert read_json(tmp_path / "seed-0" / "thresholds.json") == {"fold-0": 0.8, "fold-1": 0.3}
    assert [each.score >= 0.5 for each in first] == [False, False]
    assert [each.score >= 0.5 for each in second] == [True, True]
    assert first[0].score > first[1].score


def test_the_rules_and_the_seeds_stand_in_one_table() -> None:
    reference = manifest([study(str(n), [0.0, 20.0, 100.0], [40.0, 60.0, 80.0]) for n in range(4)])
    lowest = rule_findings(reference, 4).studies[0].findings
    assert [each.box.center[2] for each in lowest] == [0.0, 20.0, 40.0, 60.0]
    perfect = Findings(
        model={"planes": ["sagittal"]},
        studies=tuple(
            StudyFindings(id=s.id, findings=tuple(finding(h, 0.9) for h in (0.0, 20.0, 100.0)))
            for s in reference.studies
        ),
    )
    found = results(reference, {"ours": [perfect, perfect]}, IouCriterion(), BootstrapSettings(samples=50))
    numbers = {one.name: one for one in found}
    assert numbers["ours"].seeds == 2
    assert numbers["ours"].estimate("f1").value == 1.0
    # Lowest four: two hits, two false positives, one miss.
    assert numbers[LOWEST].estimate("f1").value == pytest.approx(4 / 7)
    assert numbers["ours"].estimate("f1 difference").value == pytest.approx(3 / 7)
    assert numbers["ours"].estimate("grading auc").value == 1.0
    assert markdown(found).count("\n") == 5


def test_right_and_wrong_are_counted_by_grade_and_level() -> None:
    one = study("a", [0.0, 20.0], [40.0, 60.0])
    lesions = tuple(
        lesion.model_copy(update={"attributes": {"pfirrmann": grade, "bulging": 1}, "level": level})
        for lesion, grade, level in zip(one.lesions, (3, 4), ("L5/S1", "L4/L5"), strict=True)
    )
    negatives = tuple(
        negative.model_copy(update={"attributes": {"pfirrmann": 3, "bulging": 0}, "level": level})
        for negative, level in zip(one.negatives, ("L3/L4", "L2/L3"), strict=True)
    )
    reference = manifest([one.model_copy(update={"lesions": lesions, "negatives": negatives})])
    found = (finding(20.0, 0.9), finding(40.0, 0.6), finding(60.0, 0.4))
    findings = Findings(model={"planes": ["sagittal"]}, studies=(StudyFindings(id=one.id, findings=found),))
    table = kinds_table(reference, [findings, findings])
    assert "| 3, bulging | 2 | 0 | 0 | 0 | 1.000 |" in table
    assert "| 3, no bulging | 0 | 0 | 4 | 2 | 0.500 |" in table
    assert "| 4, bulging | 2 | 2 | 0 | 0 | 0.000 |" in table
    assert "| L3/L4 | 0 | 0 | 2 | 2 | 1.000 |" in table
    assert kinds_table(manifest([study("a", [0.0])]), [findings]) == ""


def test_another_cross_validation_is_compared_patient_by_patient() -> None:
    reference = manifest([study(str(n), [0.0, 20.0], [40.0, 60.0]) for n in range(4)])

    def all_at(*heights: float) -> Findings:
        found = tuple(finding(height, 0.9) for height in heights)
        studies = tuple(StudyFindings(id=one.id, findings=found) for one in reference.studies)
        return Findings(model={"planes": ["sagittal"]}, studies=studies)

    contenders = {"ours": [all_at(0.0, 20.0)], "theirs": [all_at(0.0)]}
    found = results(reference, contenders, IouCriterion(), BootstrapSettings(samples=50))
    behind = {one.name: one.behind for one in found if one.behind}
    assert set(behind) == {"theirs"}
    assert behind["theirs"]["f1"].value == pytest.approx(1 - 2 / 3)
    assert behind["theirs"]["grading auc"].value == pytest.approx(1 - 0.75)
    assert "| ours minus |" in markdown(found)
    assert next(one for one in found if one.name == "theirs").record.behind
