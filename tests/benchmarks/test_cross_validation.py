"""How the benchmarks on real scans cut folds, put them together, and tell where a finding lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.files import write_json
from spinedet.core.types import Box, Finding, Findings, Lesion, Manifest, Series, Study, StudyFindings
from spinedet.scoring import BootstrapSettings, ScoreSettings

Named = Callable[[str], ModuleType]
# Lesions of twelve patients.
LESIONS = {f"p{number:02}": number % 7 + 1 for number in range(12)}


@pytest.fixture(scope="module")
def crossing(benchmark_named: Named) -> ModuleType:
    return benchmark_named("cross_validation")


def box(height: float) -> Box:
    return Box(center=(0.0, 0.0, height), size=(10.0, 10.0, 10.0))


def study(patient: str, heights: Sequence[float], name: str = "") -> Study:
    name = name or f"s-{patient}"
    lesions = (Lesion(id=str(h), series="sag", category="degeneration", box=box(h)) for h in heights)
    series = (Series(id="sag", plane=Plane.SAGITTAL, path=Path("none.nii.gz")),)
    return Study(id=name, patient=patient, center="A", series=series, lesions=tuple(lesions))


def manifest(studies: Sequence[Study]) -> Manifest:
    return Manifest(name="m", region=Region.LUMBAR, categories=("degeneration",), studies=tuple(studies))


def findings(study_id: str, *heights_and_scores: tuple[float, float]) -> StudyFindings:
    found = (Finding(series="sag", category="degeneration", score=s, box=box(h)) for h, s in heights_and_scores)
    return StudyFindings(id=study_id, findings=tuple(found))


def test_every_patient_is_in_one_part_and_the_parts_are_balanced(crossing: ModuleType) -> None:
    parts = crossing.balanced(LESIONS, 4, seed=0)
    assert sorted(patient for part in parts for patient in part) == sorted(LESIONS)
    assert [len(part) for part in parts] == [3, 3, 3, 3]
    totals = [sum(LESIONS[patient] for patient in part) for part in parts]
    assert max(totals) - min(totals) <= 2


def test_the_patient_with_most_lesions_goes_where_fewest_are(crossing: ModuleType) -> None:
    parts = crossing.balanced({"a": 9, "b": 8, "c": 3, "d": 1}, 2, seed=0)
    assert sorted(map(sorted, parts)) == [["a", "d"], ["b", "c"]]


def test_the_seed_decides_among_equals(crossing: ModuleType) -> None:
    cut = {seed: crossing.balanced(dict.fromkeys(LESIONS, 1), 4, seed) for seed in range(5)}
    assert cut[0] == crossing.balanced(dict.fromkeys(LESIONS, 1), 4, seed=0)
    assert len({str(sorted(map(sorted, parts))) for parts in cut.values()}) > 1


def test_each_study_is_tested_once_tuned_on_once_and_never_both(crossing: ModuleType) -> None:
    # The first patient has two studies, which have to stay together.
    studies = [study(name, range(0, 20 * count, 20)) for name, count in LESIONS.items()]
    studies.append(study("p00", [0.0], name="again"))
    folds = crossing.folds_of(manifest(studies), 4, seed=0)
    every = sorted(one.id for one in studies)
    assert sorted(name for fold in folds for name in fold.test) == every
    assert sorted(name for fold in folds for name in fold.tune) == every
    for fold in folds:
        assert sorted((*fold.train, *fold.tune, *fold.test)) == every
        assert ("again" in fold.test) == ("s-p00" in fold.test)


def test_each_study_counts_at_its_own_threshold(crossing: ModuleType) -> None:
    reference = manifest([study("a", [0.0, 50.0]), study("b", [0.0])])
    said = Findings(
        model={"planes": ["sagittal"]},
        studies=(findings("s-a", (0.0, 0.3), (50.0, 0.2), (100.0, 0.1)), findings("s-b", (0.0, 0.9), (50.0, 0.8))),
    )
    answers = crossing.CohortFindings(said, {"s-a": 0.2, "s-b": 0.85})
    settings = ScoreSettings(bootstrap=BootstrapSettings(samples=0), secondary=(), strata=())
    numbers = crossing.numbers_of(reference, answers, settings)
    # At these thresholds all three lesions are hit and nothing else; no common threshold does that.
    assert numbers.values["f1"] == 1.0
    assert numbers.values["f1_max"] == pytest.approx(6 / 7)
    told = [[f.above_operating_point for f in one.findings] for one in answers.marked.studies]
    assert told == [[True, True, False], [True, False]]


def test_the_tuning_fold_chooses_the_recipe(crossing: ModuleType, tmp_path: Path) -> None:
    trial = crossing.Trial(manifest([]), None, [], 60.0, 0, tmp_path)
    full, layerwise = crossing.FINE_TUNED
    for number, (first, second) in enumerate([(0.8, 0.7), (0.6, 0.7)]):
        write_json(trial.folder(full, number) / "result.json", {"tuning_ap": first})
        write_json(trial.folder(layerwise, number) / "result.json", {"tuning_ap": second})
    assert [crossing.chosen(trial, crossing.FINE_TUNED, number) for number in (0, 1)] == [full, layerwise]


def test_recipes_of_one_contender_share_its_budget(crossing: ModuleType) -> None:
    assert {name: sum(one.share for one in recipes) for name, recipes in crossing.TRAINED.items()} == dict.fromkeys(
        crossing.TRAINED, 1.0
    )


def test_seeds_are_averaged_patient_by_patient(crossing: ModuleType, benchmark_named: Named) -> None:
    everything = manifest([study("a", [0.0, 50.0]), study("b", [0.0, 50.0])])
    state = {(name, height): height == "0.0" for name in ("s-a", "s-b") for height in ("0.0", "50.0")}
    discs = benchmark_named("spider").Discs(Path("none"), everything, state)

    def seed(worn: float) -> object:
        studies = tuple(findings(name, (0.0, worn), (50.0, 0.5)) for name in ("s-a", "s-b"))
        said = Findings(model={"planes": ["sagittal"]}, studies=studies)
        return crossing.CohortFindings(said, {"s-a": 0.1, "s-b": 0.1})

    # One seed ranks every worn disc first, the other every one last: on average neither, whoever is drawn.
    two = crossing.Scored("two", [seed(0.9), seed(0.1)], None)
    assert two.measured(discs, crossing.grading) == (0.5, 0.5, 0.5)
    assert crossing.Scored("one", [seed(0.9)], None).measured(discs, crossing.grading) == (1.0, 1.0, 1.0)


def test_findings_are_told_apart_by_where_they_lie(benchmark_named: Named) -> None:
    script = benchmark_named("false_positives")
    vertebrae = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 40.0], [0.0, 0.0, 80.0]])
    # On the first disc, on the second with 10 mm to the side, in a vertebra, in the canal, above all that is known.
    places = [(0.0, 0.0, 22.0), (10.0, 0.0, 60.0), (0.0, 0.0, 40.0), (0.0, -30.0, 20.0), (0.0, 0.0, 120.0)]
    found = [
        Finding(series="s", category="degeneration", score=0.9, box=Box(center=place, size=(9.0, 9.0, 9.0)))
        for place in places
    ]
    assert script.count(found, vertebrae) == script.Counts(5, on_discs=2, discs=2, beside_discs=2, beyond=1)
    assert script.count([found[0], found[0]], vertebrae) == script.Counts(2, 2, discs=1, beside_discs=0, beyond=0)
    assert script.count([], vertebrae) == script.Counts(0, on_discs=0, discs=0, beside_discs=0, beyond=0)
    assert script.count(found, np.empty((0, 3))) == script.Counts(5)
