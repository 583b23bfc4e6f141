"""Fit and test the models of `spinedet.imaging.contrast`, on real T1 and T2 slices and on fat-suppressed phantoms.

    python benchmarks/generate/fit_contrast.py --data $SPINEDET_REAL_DATA --write

T2 against T1: the middle slices of SPIDER, cross-validated by patient. Fat-suppressed against plain T2: phantoms whose
fat gives 1 to 12 % of its signal, against the same phantoms with all of it and the real T2 slices. Real T2 volumes that
took no part (SPIDER's SPACE series and the scans) are scored afterwards. Without `--write` nothing is written.
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
from spinedet.imaging.input_checks import LOOKS_T1, LOOKS_T2, SURELY_T1
from spinedet.imaging.volume import Volume, read_volume
from spinedet.simulation.anatomy.lumbar_patient import draw_lumbar
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.painting.tissue import Sequence
from spinedet.simulation.scanner.acquisition import acquire
from spinedet.simulation.scanner.protocol import Sampling, draw_stacks
from spinedet.simulation.study import stream

MODEL = Path(__file__).parents[2] / "src/spinedet/imaging/contrast_model.json"
FOLDS, REPEATS, PENALTY = 10, 5, 1.0
SAMPLES = 2000
SEED = 0


@dataclass(frozen=True, eq=False)
class Examples:
    """Features (n, 15), which are of the wanted kind (n,), and whose they are (n,)."""

    features: Array
    wanted: NDArray[np.bool_]
    patient: NDArray[np.int_]

    def join(self, other: Examples) -> Examples:
        """Both, with the other's patients told apart from these."""
        return Examples(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.wanted, other.wanted]),
            np.concatenate([self.patient, other.patient + self.patient.max() + 1]),
        )


def real_slices(folder: Path) -> Examples:
    """SPIDER's middle slices: T2 is wanted, T1 is not."""
    with (folder / "discs.csv").open(encoding="utf-8") as stream_:
        rows = {row["patient"]: row for row in csv.DictReader(stream_)}
    found = []
    for kind in ("t1", "t2"):
        for file in sorted((folder / kind).glob("*.png"), key=lambda path: int(path.stem)):
            picture, row = np.asarray(Image.open(file).convert("L")), rows[file.stem]
            # Boxes and pixel sizes are those of the T2 slice; the T1 slice shows the same field of view.
            size = np.array([int(row["height_px"]), int(row["width_px"])]) / picture.shape
            pixel = size * [float(row["mm_per_px_y"]), float(row["mm_per_px_x"])]
            features = slice_features(picture, pixel)
            if features is not None:
                found.append((features, kind == "t2", int(file.stem)))
    features, wanted, patient = zip(*found, strict=True)
    return Examples(np.array(features), np.array(wanted), np.array(patient))


def phantoms(studies: int) -> dict[str, Examples]:
    """Lumbar phantoms of every centre as T2, as T1, and as T2 with fat suppressed."""
    rows: dict[str, list[tuple[Array, int]]] = {"T2": [], "T1": [], "fat-suppressed": []}
    centers = [center for center in CENTERS.values() if center.region is Region.LUMBAR]
    for index in range(studies):
        for number, center in enumerate(centers):
            body, visit, noise, _ = stream(SEED, center.name, index).spawn(4)
            scene = draw_lumbar(center.wear, body)
            sampling = Sampling(coarseness=2, coarsest=1.2, positions=1)
            stack = draw_stacks(center, scene.spine, sampling, visit)[0]
            for name, sequence in sequences(stack.scan.sequence, np.random.default_rng((SEED, index, number))):
                image = acquire(scene, stack.grid, replace(stack.scan, sequence=sequence), noise)
                features = contrast_features(Volume(image.astype(np.float32), stack.grid), Region.LUMBAR)
                if features is not None:
                    rows[name].append((np.median(features, axis=0), index * len(centers) + number))
    return {
        name: Examples(np.array([f for f, _ in own]), np.zeros(len(own), bool), np.array([p for _, p in own]))
        for name, own in rows.items()
    }


def sequences(t2: Sequence, rng: np.random.Generator) -> Iterator[tuple[str, Sequence]]:
    """The phantom's own T2 sequence, a usual T1, and the T2 with little left of fat."""
    yield "T2", t2
    yield "T1", replace(t2, tr_ms=float(rng.uniform(450, 800)), te_ms=float(rng.uniform(8, 16)), fat_t2_ms=80.0)
    yield "fat-suppressed", replace(t2, fat_t2_ms=float(-t2.te_ms / np.log(rng.uniform(0.01, 0.12))))


def fit(examples: Examples, used: tuple[int, ...]) -> LogisticModel:
    """Logistic regression with both kinds weighted alike and a ridge penalty on standardised weights."""
    features, wanted = examples.features[:, list(used)], examples.wanted
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
    plain = [tuple(float(f"{v:.5g}") for v in values) for values in (mean, scale, found[:-1])]
    return LogisticModel(used, *plain, intercept=float(f"{found[-1]:.5g}"))


def cross_validated(examples: Examples, used: tuple[int, ...], seed: int) -> Array:
    """Log odds (n,) of each example from a model that has not seen its patient."""
    patients = np.unique(examples.patient)
    fold_of = dict(zip(np.random.default_rng(seed).permutation(patients), np.arange(len(patients)) % FOLDS, strict=True))
    fold = np.array([fold_of[patient] for patient in examples.patient])
    odds = np.zeros(len(fold))
    for held in range(FOLDS):
        rest = Examples(*(values[fold != held] for values in (examples.features, examples.wanted, examples.patient)))
        odds[fold == held] = fit(rest, used).log_odds(examples.features[fold == held])
    return odds


def auc(odds: Array, wanted: NDArray[np.bool_]) -> float:
    """Area under the ROC curve."""
    differences = odds[wanted][:, None] - odds[~wanted][None]
    return float(((differences > 0) + 0.5 * (differences == 0)).mean())


def with_interval(name: str, value: float, drawn: list[float]) -> None:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    print(f"  {name}: {value:.3f} ({low:.3f} to {high:.3f})")


def report(examples: Examples, odds: Array, shares: dict[str, tuple[bool, NDArray[np.bool_]]]) -> None:
    """AUC and shares of one kind that an outcome befalls, with intervals over patients."""
    rng, patients = np.random.default_rng(SEED), np.unique(examples.patient)
    rows = {patient: np.flatnonzero(examples.patient == patient) for patient in patients}
    samples = [np.concatenate([rows[p] for p in rng.choice(patients, len(patients))]) for _ in range(SAMPLES)]
    drawn = [auc(odds[s], examples.wanted[s]) for s in samples]
    with_interval("AUC", auc(odds, examples.wanted), drawn)
    for name, (kind, outcome) in shares.items():
        own = examples.wanted == kind
        again = [float(outcome[s][own[s]].mean()) for s in samples]
        with_interval(f"{name}, {int(outcome[own].sum())} of {int(own.sum())}", float(outcome[own].mean()), again)


def entry(model: LogisticModel) -> dict[str, object]:
    values = {"mean": model.mean, "scale": model.scale, "weights": model.weights, "intercept": model.intercept}
    return {"features": [FEATURES[index] for index in model.used], **values}


def main() -> None:
    """Fit, test, and write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=8, help="phantoms of each centre")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    every = tuple(range(len(FEATURES)))
    real, drawn = real_slices(options.data / "midslices"), phantoms(options.studies)
    contrast = every[:-1]  # T1 and T2 show fat alike
    odds = np.mean([cross_validated(real, contrast, seed) for seed in range(REPEATS)], axis=0)
    print(f"T2 against T1, {real.wanted.sum()} T2 and {(~real.wanted).sum()} T1 slices, cross-validated by patient")
    outcomes = {
        "T2 told as T2": (True, odds >= LOOKS_T2),
        "T2 told as T1 (doubtful)": (True, odds < LOOKS_T1),
        "T2 told as surely T1 (rejected)": (True, odds < SURELY_T1),
        "T1 told as T2": (False, odds >= LOOKS_T2),
        "T1 told as T1 (doubtful or rejected)": (False, odds < LOOKS_T1),
        "T1 told as surely T1 (rejected)": (False, odds < SURELY_T1),
    }
    report(real, odds, outcomes)
    t2 = fit(real, contrast)
    for name, own in drawn.items():
        scores = t2.log_odds(own.features)
        print(f"  phantoms {name}: T2 {np.mean(scores >= LOOKS_T2):.2f}, T1 {np.mean(scores < LOOKS_T1):.2f} of {len(scores)}")
    plain = Examples(real.features[real.wanted], np.zeros(int(real.wanted.sum()), bool), real.patient[real.wanted])
    suppressed = replace(drawn["fat-suppressed"], wanted=np.ones(len(drawn["fat-suppressed"].wanted), bool))
    both = Examples(*(np.concatenate(pair) for pair in zip(*((vars(e).values()) for e in (drawn["T2"], suppressed)), strict=True)))
    fat = plain.join(both)
    odds = np.mean([cross_validated(fat, every, seed) for seed in range(REPEATS)], axis=0)
    print(f"fat-suppressed against T2, {fat.wanted.sum()} phantoms against as many, and {len(plain.wanted)} real T2 slices")
    is_real = np.arange(len(odds)) < len(plain.wanted)
    report(fat, odds, {"fat-suppressed found": (True, odds > 0), "T2 told as fat-suppressed": (False, odds > 0)})
    print(f"  of the real T2 slices, {int((odds[is_real] > 0).sum())} of {int(is_real.sum())}")
    models = {"t2": entry(t2), "fat_suppressed": entry(fit(fat, every))}
    if options.write:
        MODEL.write_text(json.dumps({"fitted_by": "benchmarks/generate/fit_contrast.py", "models": models}, indent=1) + "\n")
    score_volumes(options.data)


def score_volumes(data: Path) -> None:
    """Log odds of volumes that took no part, by the shipped coefficients."""
    files = [*sorted((data / "spider/images").glob("*.mha")), *sorted((data / "scans").rglob("*sag*.nii.gz"))]
    files += sorted((data / "scans/lumbar").glob("*.nii.gz"))
    print("volumes that took no part: log odds of T2, and of fat suppression")
    for file in files:
        if "labels" not in file.name:
            region = Region.CERVICAL if "cervic" in file.name else Region.LUMBAR
            found = measure_contrast(read_volume(file), region)
            print(f"  {file.name}: {'too small' if found is None else f'{found.t2:.1f}, {found.fat_suppressed:.1f}'}")


if __name__ == "__main__":
    main()
