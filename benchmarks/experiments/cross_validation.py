"""Detectors on real scans, patients crossed over: each is tested by networks that never saw it.

    python -m benchmarks.experiments.cross_validation SPIDER_FOLDER runs/cross_validation --steps 480 --seeds 0,1,2
    python -m benchmarks.experiments.cross_validation SPIDER_FOLDER runs/cross_validation --table  # of what is finished

The scans of SPIDER that the folder holds are cut into six folds of patients with about as many lesions each (a lesion
is a disc with bulging, herniation or Pfirrmann >= 4, its box the whole disc). Each fold is tested once; the fold after
it chooses threshold and recipe, the other four train. All trainings use the same scans, augmentation, optimiser,
schedule and averaged weights and end after the same number of steps; the detector that starts from the
weights trained on phantoms tries two recipes in half of them each and keeps the one with the better average precision
on its tuning fold. Crops are as wide as the slabs. Finished trainings are kept, so stop and start as you like.

Numbers are of all folds together, at IoU 0.1, each fold at its own threshold, and the mean over the training seeds that
are finished; 95 % intervals resample patients. Average precision and sensitivity at one false positive rank the scores
of six networks in one list, as if they meant the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.budgeted_training import (
    IOU,
    Trained,
    Training,
    as_findings,
    predict_scans,
    quiet,
    studies_of,
    train,
)
from benchmarks.experiments.detector import RULE, mean_statistics
from benchmarks.experiments.spider import (
    BOOTSTRAP,
    Discs,
    Interval,
    Measure,
    ReadPatient,
    convert,
    discs_found,
    grading,
    interval,
    lowest,
    read_patients,
    show,
    shown_on_discs,
    triple,
)
from spinedet.core.anatomy import Plane
from spinedet.core.files import read_json, write_json, write_text
from spinedet.core.findings import read_findings, write_findings
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Findings, Manifest, StudyFindings
from spinedet.detection.dataset import Scan, prepare_scans
from spinedet.detection.model_files import PlaneDetector
from spinedet.detection.models import CONFIGS, ModelConfig
from spinedet.detection.settings import RecipeConfig
from spinedet.imaging.planes import PlaneSpec
from spinedet.pipelines.cross_validation import balanced, lesions_of
from spinedet.pipelines.splits import only
from spinedet.runs.run_folder import SHIPPED, open_run
from spinedet.scoring import (
    BootstrapSettings,
    IouCriterion,
    OperatingPoint,
    ScoreSettings,
    choose_operating_point,
    examine,
    read_operating_point,
    write_operating_point,
)
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.hypothesis_tests import difference

FOLDS, PLANE = 6, Plane.SAGITTAL
CRITERION = IouCriterion(iou=IOU)
SENSITIVITY = froc_name(1.0)
# Steps between scores on the tuning fold.
EVERY = 200
METRICS = ("f1", "f1_max", "ap", SENSITIVITY)
# As wide as the widest of these slabs: padding them to a 2D stack's width would take two thirds of the time.
SLAB_MM = 20.0


@dataclass(frozen=True, eq=False)
class Recipe:
    """One way to train: a model from nothing, or the weights trained on phantoms; its share of the steps."""

    name: str
    recipe: RecipeConfig
    model: ModelConfig | None
    share: float = 1.0

    def settings(self, phantoms: PlaneDetector) -> tuple[ModelConfig, PlaneDetector | None]:
        """The model's config and the weights to begin with."""
        return (phantoms.config, phantoms) if self.model is None else (self.model, None)


# What is compared: the recipes of each, of which the tuning fold chooses. Fine-tuning's are those of `+transfer=`.
FINE_TUNED = (
    Recipe("full", RecipeConfig(lr=3e-4), None, 0.5),
    Recipe("layerwise", RecipeConfig(lr=5e-4, layer_decay=0.65), None, 0.5),
)
TRAINED = {
    "from scratch": (Recipe("scratch", RecipeConfig(), CONFIGS["set"]()),),
    "from scratch, dense stage alone": (Recipe("dense", RecipeConfig(), CONFIGS["dense"]()),),
    "from scratch, decoder not apart": (Recipe("joint", RecipeConfig(), CONFIGS["set"](apart=False)),),
    "phantoms, then fine-tuned": FINE_TUNED,
    "MONAI RetinaNet from scratch": (Recipe("retinanet", RecipeConfig(), CONFIGS["retinanet"]()),),
    "MONAI RetinaNet from scratch, half the learning rate": (
        Recipe("retinanet-half", RecipeConfig(lr=5e-4), CONFIGS["retinanet"]()),
    ),
}
RECIPES = {recipe.name: recipe for recipes in TRAINED.values() for recipe in recipes}


@dataclass(frozen=True)
class Fold:
    """Studies by the part that they play."""

    train: frozenset[str]
    tune: frozenset[str]
    test: frozenset[str]


def folds_of(manifest: Manifest, count: int, seed: int) -> list[Fold]:
    """Every patient is tested in one fold, tuned on in the one before, and trained on in the others."""
    parts = balanced(lesions_of(manifest.studies), count, seed)
    studies = [frozenset(s.id for s in manifest.studies if s.patient in part) for part in parts]
    every = frozenset.union(*studies)
    tunes = (*studies[1:], studies[0])
    return [Fold(every - test - tune, tune, test) for test, tune in zip(studies, tunes, strict=True)]


@dataclass(frozen=True, eq=False)
class Trial:
    """What all trainings have in common."""

    manifest: Manifest
    discs: Discs
    folds: Sequence[Fold]
    steps: int
    seed: int
    out: Path

    @cached_property
    def phantoms(self) -> PlaneDetector:
        """The weights that come with spinedet."""
        return open_run(SHIPPED).model.detectors[PLANE]

    @cached_property
    def spec(self) -> PlaneSpec:
        """The plane as those weights know it, the crop as wide as the slabs."""
        spec = self.phantoms.spec(PLANE)
        return replace(spec, field_of_view=(SLAB_MM, *spec.field_of_view[1:]))

    @cached_property
    def scans(self) -> tuple[Scan, ...]:
        """All of them, prepared."""
        return prepare_scans(self.manifest.studies, self.spec, self.out / "scans", 1).scans

    def of(self, studies: frozenset[str]) -> list[Scan]:
        """The scans of some studies."""
        return [scan for scan in self.scans if scan.study in studies]

    def folder(self, recipe: Recipe, number: int) -> Path:
        """Of one training."""
        return self.out / f"{recipe.name}-{round(self.steps * recipe.share)}steps-seed{self.seed}" / f"fold{number}"

    def find(self, detector: PlaneDetector, scans: Sequence[Scan]) -> Findings:
        """What a detector says of scans."""
        return as_findings(self.manifest, scans, predict_scans(detector.network, scans)[0], PLANE.value)


@dataclass(frozen=True, eq=False)
class CohortFindings:
    """What is said of every patient, with the threshold of each study."""

    findings: Findings
    thresholds: Mapping[str, float]

    @property
    def marked(self) -> Findings:
        """The findings, each told whether it counts."""
        studies = []
        for study in self.findings.studies:
            limit = self.thresholds[study.id]
            told = (f.model_copy(update={"above_operating_point": f.score >= limit}) for f in study.findings)
            studies.append(study.model_copy(update={"findings": tuple(told)}))
        return self.findings.model_copy(update={"studies": tuple(studies)})


@dataclass(frozen=True, eq=False)
class Developed:
    """A trained detector, its threshold, and how well it ranks the tuning fold's discs."""

    trained: Trained
    point: OperatingPoint
    tuning_ap: float


def develop(trial: Trial, recipe: Recipe, fold: Fold) -> Developed:
    """Train, and choose the threshold on the tuning fold."""
    config, initial = recipe.settings(trial.phantoms)
    train_on, tune_on = trial.of(fold.train), trial.of(fold.tune)
    steps = round(trial.steps * recipe.share)
    trained = train(
        Training(
            trial.manifest, train_on, tune_on, trial.spec, config, recipe.recipe, steps, EVERY, trial.seed, initial
        )
    )
    tuned = trial.find(trained.detector, tune_on)
    reference = only(trial.manifest, studies_of(trial.manifest, tune_on))
    point = choose_operating_point(reference, tuned, CRITERION, RULE)
    return Developed(trained, point, average_precision(reference, tuned))


def run_fold(trial: Trial, recipe: Recipe, number: int) -> None:
    """Develop, look at the test fold; `result.json` is written last."""
    fold, folder = trial.folds[number], trial.folder(recipe, number)
    developed = develop(trial, recipe, fold)
    trained = developed.trained
    write_operating_point(folder / "point.json", developed.point)
    write_findings(folder / "findings.json", trial.find(trained.detector, trial.of(fold.test)))
    facts = {"steps": trained.steps, "tuning_ap": developed.tuning_ap, "tuning_f1": trained.curve}
    write_json(folder / "result.json", facts)


def average_precision(reference: Manifest, found: Findings) -> float:
    """Of some studies, without interval."""
    settings = ScoreSettings(criterion=CRITERION, bootstrap=BootstrapSettings(samples=0), secondary=(), strata=())
    return numbers_of(reference, CohortFindings(found, {study.id: 0.0 for study in found.studies}), settings).values[
        "ap"
    ]


def numbers_of(reference: Manifest, answers: CohortFindings, settings: ScoreSettings) -> Statistics:
    """Every statistic with its replicates, each study at its own threshold."""
    examination = examine(reference, answers.findings, settings)
    cohort = examination.cohort
    limits = np.array([answers.thresholds[study.id] for study in cohort.studies])
    reached = cohort.marks.score >= limits[cohort.scans.study[cohort.marks.scan]]
    whole = next(named for named in examination.groups if not named.by)
    return examination.statistics(replace(examination, reached=reached).count_part(whole))


def chosen(trial: Trial, recipes: Sequence[Recipe], number: int) -> Recipe:
    """The recipe that ranks the tuning fold's discs best."""
    results = {recipe: read_json(trial.folder(recipe, number) / "result.json")["tuning_ap"] for recipe in recipes}
    return max(recipes, key=lambda recipe: results[recipe])


def crossed(trial: Trial, recipes: Sequence[Recipe]) -> CohortFindings:
    """The test folds of one contender, put together."""
    studies: list[StudyFindings] = []
    thresholds: dict[str, float] = {}
    for number, fold in enumerate(trial.folds):
        folder = trial.folder(chosen(trial, recipes, number), number)
        studies += read_findings(folder / "findings.json").studies
        (value,) = read_operating_point(folder / "point.json").values.values()
        thresholds |= dict.fromkeys(fold.test, value)
    return CohortFindings(Findings(model={"planes": [PLANE.value]}, studies=tuple(studies)), thresholds)


def zero_shot(trial: Trial) -> Iterator[tuple[str, CohortFindings]]:
    """The shipped weights at the threshold that phantoms gave, and at thresholds from all but the tested fold."""
    found = trial.find(trial.phantoms, trial.scans)
    every = frozenset(study.id for study in found.studies)
    frozen = open_run(SHIPPED).operating_point.values[PLANE.value, trial.manifest.categories[0]]
    yield "phantoms only, their threshold", CohortFindings(found, dict.fromkeys(every, frozen))
    thresholds: dict[str, float] = {}
    for fold in trial.folds:
        others = found.model_copy(update={"studies": tuple(s for s in found.studies if s.id not in fold.test)})
        reference = only(trial.manifest, (s for s in trial.manifest.studies if s.id not in fold.test))
        (value,) = choose_operating_point(reference, others, CRITERION, RULE).values.values()
        thresholds |= dict.fromkeys(fold.test, value)
    yield "phantoms only, threshold from the training folds", CohortFindings(found, thresholds)


LOWEST = "lowest four, no image"


def contenders(trials: Sequence[Trial]) -> Iterator[tuple[str, list[CohortFindings]]]:
    """What is finished, the answers of each training seed, with the references that look at no image."""
    for name, recipes in TRAINED.items():
        finished = [crossed(trial, recipes) for trial in trials if all(not missing(trial, one) for one in recipes)]
        if finished:
            yield name, finished
    first = trials[0]
    yield from ((name, [answers]) for name, answers in zero_shot(first))
    for name, count in (("every disc, no image", 99), (LOWEST, 4)):
        found = lowest(first.discs, count)
        yield name, [CohortFindings(found, {study.id: 0.5 for study in found.studies})]


def missing(trial: Trial, recipe: Recipe) -> list[int]:
    """The folds whose training is not finished."""
    return [n for n in range(len(trial.folds)) if not (trial.folder(recipe, n) / "result.json").is_file()]


@dataclass(frozen=True, eq=False)
class Scored:
    """What one contender says with each training seed, and the mean of its numbers with their replicates."""

    name: str
    answers: Sequence[CohortFindings]
    numbers: Statistics

    def measured(self, discs: Discs, measure: Measure) -> Interval:
        """The mean over the seeds of a measure of its patients."""
        runs = [read_patients(answers.marked, discs) for answers in self.answers]

        def mean(patients: Sequence[tuple[ReadPatient, ...]]) -> float:
            return float(np.mean([measure(run) for run in zip(*patients, strict=True)]))

        return interval(list(zip(*runs, strict=True)), mean)


def scored(trials: Sequence[Trial]) -> list[Scored]:
    """Every contender, all with the same resamples of the patients."""
    settings = ScoreSettings(criterion=CRITERION, bootstrap=BOOTSTRAP, secondary=(), strata=())

    def numbers(answers: Sequence[CohortFindings]) -> Statistics:
        return mean_statistics([numbers_of(trials[0].manifest, one, settings) for one in answers])

    return [Scored(name, answers, numbers(answers)) for name, answers in contenders(trials)]


def table(discs: Discs, contending: Sequence[Scored]) -> list[dict[str, Any]]:
    """A row for each contender; differences are this one minus the lowest four."""
    rule = next(one.numbers for one in contending if one.name == LOWEST)
    rows = []
    for one in contending:
        apart = difference(rule, one.numbers, METRICS)
        row: dict[str, Any] = {"name": one.name} | {metric: triple(one.numbers.estimate(metric)) for metric in METRICS}
        row |= {f"{metric} ahead": triple(apart.estimate(metric)) for metric in METRICS}
        measures = {"discs found": discs_found, "shown on discs": shown_on_discs, "grading": grading}
        row |= {name: one.measured(discs, measure) for name, measure in measures.items()}
        rows.append(row | {"thresholds": [sorted(set(answers.thresholds.values())) for answers in one.answers]})
    return rows


def pairs(contending: Sequence[Scored]) -> list[dict[str, Any]]:
    """First minus second, for all pairs."""
    rows = []
    for first, second in combinations(contending, 2):
        apart = difference(second.numbers, first.numbers, METRICS)
        names = {"first": first.name, "second": second.name}
        rows.append(names | {metric: triple(apart.estimate(metric)) for metric in METRICS})
    return rows


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table."""
    heads = {
        "F1 at the folds' thresholds": "f1",
        "F1 ahead of the lowest four": "f1 ahead",
        "best F1": "f1_max",
        "AP": "ap",
        "AP ahead": "ap ahead",
        "sensitivity at 1 FP/scan": SENSITIVITY,
        "discs found": "discs found",
        "findings above the threshold that lie on a disc": "shown on discs",
        "grading AUC": "grading",
    }
    lines = [f"| | seeds | {' | '.join(heads)} |", "|" + "---|" * (2 + len(heads))]
    for row in rows:
        cells = [row["name"], str(len(row["thresholds"])), *(show(row[key]) for key in heads.values())]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def trainings(trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """What became of every finished training."""
    for trial, recipe in product(trials, RECIPES.values()):
        for number in sorted(set(range(len(trial.folds))) - set(missing(trial, recipe))):
            content = read_json(trial.folder(recipe, number) / "result.json")
            yield {"recipe": recipe.name, "seed": trial.seed, "fold": number, **content}


def prepare_trial(root: Path, out: Path, steps: int, seed: int) -> Trial:
    """The scans in their folds."""
    discs = convert(root, out)
    manifest = read_manifest(discs.lesions)
    return Trial(manifest, discs, folds_of(manifest, FOLDS, seed=0), steps, seed, out)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=480, help="of each contender in each fold")
    parser.add_argument("--seeds", default="0", help="of the trainings; the folds stay")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="to train; the table has all that is finished")
    parser.add_argument("--table", action="store_true", help="write the table of what is finished, train nothing")
    return parser.parse_args()


def main() -> None:
    """Train what is missing, then write `cross_validation.json` and `cross_validation.md`."""
    quiet()
    arguments = parse()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    first = prepare_trial(arguments.root, arguments.out, arguments.steps, seeds[0])
    trials = [first, *(replace(first, seed=seed) for seed in seeds[1:])]
    if not arguments.table:
        for trial, name in product(trials, arguments.recipes.split(",")):
            for number in missing(trial, RECIPES[name]):
                print(f"training {name}, seed {trial.seed}, fold {number}", flush=True)
                run_fold(trial, RECIPES[name], number)
    contending = scored(trials)
    rows, folds = table(first.discs, contending), [sorted(fold.test) for fold in first.folds]
    content = {"folds": folds, "rows": rows, "pairs": pairs(contending), "trainings": list(trainings(trials))}
    write_json(first.out / "cross_validation.json", content)
    write_text(first.out / "cross_validation.md", markdown(rows))
    print(markdown(rows))


if __name__ == "__main__":
    main()
