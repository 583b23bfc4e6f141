"""Fit and test the models of `spinedet.imaging.contrast`, on real T1 and T2 slices and on fat-suppressed phantoms.

    python -m benchmarks.generate.fit_contrast --data $SPINEDET_REAL_DATA --write

T2 against T1: the middle slices of SPIDER, cross-validated by patient. Fat-suppressed against plain T2: phantoms whose
fat gives 1 to 12 % of its signal, against the same phantoms with all of it and real T2 slices and volumes. The volumes
and scans at hand are scored afterwards by the shipped coefficients. Without `--write` nothing is written.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize

from spinedet.core.anatomy import Region
from spinedet.core.geometry import Array
from spinedet.imaging.contrast import FEATURES, LogisticModel, contrast_features, measure_contrast, slice_features
from spinedet.imaging.input_checks import LOOKS_FAT_SUPPRESSED, LOOKS_T1, LOOKS_T2, SURELY_T1
from spinedet.imaging.volume import Volume, read_volume
from spinedet.simulation.anatomy.lumbar_patient import draw_lumbar
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.painting.tissue import Sequence
from spinedet.simulation.scanner.acquisition import acquire
from spinedet.simulation.scanner.protocol import Sampling, draw_stacks
from spinedet.simulation.study import random_stream

MODEL = Path(__file__).parents[2] / "src/spinedet/imaging/contrast_model.json"
FOLDS, REPEATS, PENALTY = 10, 5, 1.0
SAMPLES = 2000
SEED = 0
SUPPRESSED = "fat-suppressed"
PHANTOM = 1_000_000  # patients from here on are phantoms


@dataclass(frozen=True, eq=False)
class Examples:
    """Features (n, 15), which are of the wanted kind (n,), and whose they are (n,)."""

    features: Array
    wanted: NDArray[np.bool_]
    patient: NDArray[np.int_]

    def part(self, rows: NDArray[np.generic]) -> Examples:
        """Those of some rows."""
        return Examples(self.features[rows], self.wanted[rows], self.patient[rows])


def joined(parts: list[Examples]) -> Examples:
    """All of them."""
    return Examples(
        np.concatenate([one.features for one in parts]),
        np.concatenate([one.wanted for one in parts]),
        np.concatenate([one.patient for one in parts]),
    )


def examples(rows: list[tuple[Array, bool, int]]) -> Examples:
    """From features, kind and patient of each."""
    features, wanted, patient = zip(*rows, strict=True)
    return Examples(np.array(features), np.array(wanted), np.array(patient))


def real_slices(folder: Path) -> Examples:
    """SPIDER's middle slices: T2 is wanted, T1 is not."""
    with (folder / "discs.csv").open(encoding="utf-8") as table:
        rows = {row["patient"]: row for row in csv.DictReader(table)}
    found = []
    for kind in ("t1", "t2"):
        for file in sorted((folder / kind).glob("*.png"), key=lambda path: int(path.stem)):
            picture, row = np.asarray(Image.open(file).convert("L")), rows[file.stem]
            # Pixel sizes are those of the T2 slice; the T1 slice shows the same field of view.
            size = np.array([int(row["height_px"]), int(row["width_px"])]) / picture.shape
            features = slice_features(picture, size * [float(row["mm_per_px_y"]), float(row["mm_per_px_x"])])
            if features is not None:
                found.append((features, kind == "t2", int(file.stem)))
    return examples(found)


def volumes(files: list[Path]) -> Examples:
    """Plain T2 volumes of SPIDER, numbered by their patient."""
    found = [(contrast_features(read_volume(file), Region.LUMBAR), int(file.name.split("_")[0])) for file in files]
    return examples([(np.median(rows, axis=0), False, number) for rows, number in found if rows is not None])


def phantoms(studies: int) -> dict[str, Examples]:
    """Lumbar phantoms of every centre as T2, as T1, and as T2 with fat suppressed."""
    rows: dict[str, list[tuple[Array, bool, int]]] = {"T2": [], "T1": [], SUPPRESSED: []}
    centers = [center for center in CENTERS.values() if center.region is Region.LUMBAR]
    for number in range(studies * len(centers)):
        center = centers[number % len(centers)]
        body, visit, noise, _ = random_stream(SEED, center.name, number // len(centers)).spawn(4)
        scene = draw_lumbar(center.wear, body)
        stack = draw_stacks(center, scene.spine, Sampling(coarseness=2, coarsest=1.2, positions=1), visit)[0]
        for name, sequence in sequences(stack.scan.sequence, np.random.default_rng((SEED, number))):
            image = acquire(scene, stack.grid, replace(stack.scan, sequence=sequence), noise)
            features = contrast_features(Volume(image.astype(np.float32), stack.grid), Region.LUMBAR)
            if features is not None:
                rows[name].append((np.median(features, axis=0), name == SUPPRESSED, PHANTOM + number))
    return {name: examples(own) for name, own in rows.items()}


def sequences(t2: Sequence, rng: np.random.Generator) -> Iterator[tuple[str, Sequence]]:
    """The phantom's own T2 sequence, a usual T1, and the T2 with little left of fat."""
    yield "T2", t2
    yield "T1", replace(t2, tr_ms=float(rng.uniform(450, 800)), te_ms=float(rng.uniform(8, 16)), fat_t2_ms=80.0)
    yield SUPPRESSED, replace(t2, fat_t2_ms=float(-t2.te_ms / np.log(rng.uniform(0.01, 0.12))))


def fit(data: Examples, used: tuple[int, ...]) -> LogisticModel:
    """Logistic regression with both kinds weighted alike and a ridge penalty on standardised weights."""
    features, wanted = data.features[:, list(used)], data.wanted
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    standard = (features - mean) / scale
    sign = np.where(wanted, 1.0, -1.0)
    weight = np.where(wanted, 0.5 / wanted.mean(), 0.5 / (~wanted).mean())

    def loss(values: Array) -> tuple[float, Array]:
        margin = sign * (standard @ values[:-1] + values[-1])
        slope = -weight * sign / (1 + np.exp(margin))
        total = (weight * np.logaddexp(0, -margin)).sum() + PENALTY * (values[:-1] ** 2).sum()
        return float(total), np.append(standard.T @ slope + 2 * PENALTY * values[:-1], slope.sum())

    found = minimize(loss, np.zeros(len(used) + 1), jac=True, method="L-BFGS-B").x
    plain = [tuple(float(f"{value:.5g}") for value in values) for values in (mean, scale, found[:-1])]
    return LogisticModel(used, *plain, intercept=float(f"{found[-1]:.5g}"))


def cross_validated(data: Examples, used: tuple[int, ...]) -> Array:
    """Log odds (n,) of each example from models that have not seen its patient, over several partitions."""
    patients = np.unique(data.patient)
    total = np.zeros(len(data.patient))
    for seed in range(REPEATS):
        shuffled = np.random.default_rng(seed).permutation(patients)
        fold_of = dict(zip(shuffled.tolist(), (np.arange(len(patients)) % FOLDS).tolist(), strict=True))
        fold = np.array([fold_of[patient] for patient in data.patient.tolist()])
        for held in range(FOLDS):
            total[fold == held] += fit(data.part(fold != held), used).log_odds(data.features[fold == held])
    return total / REPEATS


def auc(odds: Array, wanted: NDArray[np.bool_]) -> float:
    """Area under the ROC curve."""
    differences = odds[wanted][:, None] - odds[~wanted][None]
    return float(((differences > 0) + 0.5 * (differences == 0)).mean())


def report(data: Examples, odds: Array, outcomes: dict[str, tuple[bool, NDArray[np.bool_]]]) -> None:
    """AUC, and how much of one kind an outcome befalls, with bootstrap intervals over patients."""
    rng, patients = np.random.default_rng(SEED), np.unique(data.patient)
    rows = {patient: np.flatnonzero(data.patient == patient) for patient in patients}
    samples = [np.concatenate([rows[p] for p in rng.choice(patients, len(patients))]) for _ in range(SAMPLES)]
    show("AUC", auc(odds, data.wanted), [auc(odds[s], data.wanted[s]) for s in samples])
    for name, (kind, outcome) in outcomes.items():
        own = data.wanted == kind
        drawn = [float(outcome[s][own[s]].mean()) for s in samples]
        show(f"{name}, {int(outcome[own].sum())} of {int(own.sum())}", float(outcome[own].mean()), drawn)


def show(name: str, value: float, drawn: list[float]) -> None:
    low, high = np.percentile(drawn, [2.5, 97.5])
    print(f"  {name}: {value:.3f} ({low:.3f} to {high:.3f})")


def against_t1(real: Examples, drawn: dict[str, Examples]) -> LogisticModel:
    """The model of T2 against T1, tested on patients that it has not seen."""
    used = tuple(range(len(FEATURES) - 1))  # both show fat alike
    odds = cross_validated(real, used)
    print(f"T2 against T1: {real.wanted.sum()} T2 and {(~real.wanted).sum()} T1 slices, cross-validated by patient")
    outcomes = {
        "T2 found to be T2": (True, odds >= LOOKS_T2),
        "T2 taken for T1": (True, odds < LOOKS_T1),
        "T2 taken for T1 surely": (True, odds < SURELY_T1),
        "T1 taken for T2": (False, odds >= LOOKS_T2),
        "T1 found to be T1": (False, odds < LOOKS_T1),
        "T1 found to be T1 surely": (False, odds < SURELY_T1),
    }
    report(real, odds, outcomes)
    print(f"  lowest log odds of T2: {np.sort(odds[real.wanted])[:5].round(2).tolist()}")
    model = fit(real, used)
    for name, own in drawn.items():
        scores = model.log_odds(own.features)
        shares = f"T2 {np.mean(scores >= LOOKS_T2):.2f}, T1 {np.mean(scores < LOOKS_T1):.2f}"
        print(f"  phantoms {name}: {shares} of {len(scores)}")
    return model


def against_plain_t2(real: Examples, drawn: dict[str, Examples], data: Path) -> LogisticModel:
    """The model of fat-suppressed against plain T2, tested on patients and phantoms that it has not seen."""
    t2 = real.part(np.flatnonzero(real.wanted))
    t2 = joined([replace(t2, wanted=~t2.wanted), volumes(sorted((data / "spider/images").glob("*.mha")))])
    both = joined([t2, drawn["T2"], drawn[SUPPRESSED]])
    used = tuple(range(len(FEATURES)))
    odds = cross_validated(both, used)
    told, is_real = odds > LOOKS_FAT_SUPPRESSED, both.patient < PHANTOM
    counts = f"{both.wanted.sum()} phantoms, {len(drawn['T2'].wanted)} plain ones, {is_real.sum()} real T2"
    print(f"fat-suppressed against T2: {counts}, cross-validated by patient")
    report(both, odds, {"fat-suppressed found": (True, told), "T2 taken for fat-suppressed": (False, told)})
    print(f"  of the real T2: {int(told[is_real].sum())} of {int(is_real.sum())}")
    return fit(both, used)


def entry(model: LogisticModel) -> dict[str, object]:
    """As it stands in the file."""
    values = {"mean": model.mean, "scale": model.scale, "weights": model.weights, "intercept": model.intercept}
    return {"features": [FEATURES[index] for index in model.used], **values}


def score_volumes(data: Path) -> None:
    """Log odds of the volumes at hand, by the shipped coefficients."""
    files = [*sorted((data / "spider/images").glob("*.mha")), *sorted((data / "scans/lumbar").glob("*.nii.gz"))]
    print("volumes, by the shipped coefficients: log odds of T2, and of fat suppression")
    for file in [*files, data / "scans/cervical/t2_sagittal_cervicothoracic.nii.gz"]:
        region = Region.CERVICAL if "cervic" in file.name else Region.LUMBAR
        found = measure_contrast(read_volume(file), region)
        print(f"  {file.name}: {'too small' if found is None else f'{found.t2:.1f}, {found.fat_suppressed:.1f}'}")


def main() -> None:
    """Fit, test, and write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=8, help="phantoms of each centre")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    real, drawn = real_slices(options.data / "midslices"), phantoms(options.studies)
    models = {
        "t2": entry(against_t1(real, drawn)),
        "fat_suppressed": entry(against_plain_t2(real, drawn, options.data)),
    }
    if options.write:
        content = {"fitted_by": "benchmarks/generate/fit_contrast.py", "models": models}
        MODEL.write_text(json.dumps(content, indent=1) + "\n")
    score_volumes(options.data)


if __name__ == "__main__":
    main()
