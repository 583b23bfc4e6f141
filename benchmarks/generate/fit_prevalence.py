"""Fit how often, where and together with what discs degenerate to SPIDER's gradings, and show the fit.

    SPINEDET_REAL_DATA=... python -m benchmarks.generate.fit_prevalence

reads `$SPINEDET_REAL_DATA/spider/{radiological_gradings,overview}.csv` (van der Graaf et al., Sci Data 11:264, 2024,
CC BY 4.0) and writes `src/spinedet/simulation/prevalence.json` (parameters only) and `docs/figures/prevalence.png`.

Patients whose scan lies in `spider/images` are left out, so that detectors trained on phantoms can be tested on them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, ndtr, ndtri

from spinedet.simulation.gradings import Columns, Marginal, compare_gradings, draw_gradings, read_gradings
from spinedet.simulation.prevalence import FINDINGS, LEVELS, Prevalence

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "src/spinedet/simulation/prevalence.json"
FIGURE = ROOT / "docs/figures/prevalence.png"
RIDGE = 0.3  # on the log-odds: keeps findings that a level never shows finite


def read_ages(folder: Path) -> dict[int, float]:
    """Age of the patients for whom it is known (the column is called `birth_date` and holds ages)."""
    with (folder / "overview.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["birth_date"]]
    return {int(row["new_file_name"].split("_")[0]): float(row["birth_date"]) for row in rows}


def kept_for_testing(folder: Path) -> set[int]:
    """Patients whose scans are tested on."""
    return {int(path.name.split("_")[0]) for path in (folder / "images").glob("*_t2*.mha")}


def without(table: Columns, patients: set[int]) -> Columns:
    """The table without the rows of some patients."""
    kept = ~np.isin(table["patient"], list(patients))
    return {name: column[kept] for name, column in table.items()}


def fit_grades(discs: Columns) -> tuple[float, np.ndarray]:
    """Share of the latent wear that the patient explains, and the cuts between grades per level (levels, 4).

    An ordinal probit with one random effect per patient; its cuts follow from each level's own distribution, so the
    likelihood is maximised over the share alone (Gauss-Hermite quadrature).
    """
    cuts = np.array(
        [
            ndtri([(np.sum(grades <= k) + 0.5) / (len(grades) + 1) for k in (1, 2, 3, 4)])
            for grades in (discs["grade"][discs["level"] == level] for level in range(len(LEVELS)))
        ]
    )
    level, grade = discs["level"].astype(int), discs["grade"].astype(int)
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    edges = np.hstack([np.full((len(cuts), 1), -9.0), cuts, np.full((len(cuts), 1), 9.0)])

    def loss(share: float) -> float:
        root, rest = np.sqrt(share), np.sqrt(1 - share)
        low = edges[level, grade - 1][:, None]
        high = edges[level, grade][:, None]
        each = np.log(ndtr((high - root * nodes) / rest) - ndtr((low - root * nodes) / rest) + 1e-300)
        _, index = np.unique(discs["patient"], return_inverse=True)
        total = np.zeros((index.max() + 1, len(nodes)))
        np.add.at(total, index, each)
        peak = total.max(axis=1, keepdims=True)
        return -float(np.sum(np.log(np.exp(total - peak) @ weights) + peak[:, 0]))

    shares = np.linspace(0.1, 0.9, 81)
    return float(shares[np.argmin([loss(share) for share in shares])]), cuts


def fit_finding(discs: Columns, name: str) -> dict[str, list[float]]:
    """Log-odds of a finding: one term per grade, level and earlier finding (ridge-penalised logistic regression)."""
    earlier = FINDINGS[: FINDINGS.index(name)]
    design = np.hstack(
        [
            np.eye(5)[discs["grade"].astype(int) - 1],
            np.eye(len(LEVELS))[discs["level"].astype(int)],
            *(discs[other][:, None] for other in earlier),
        ]
    )
    target = discs[name]

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        chance = expit(design @ beta)
        value = -np.sum(target * np.log(chance + 1e-12) + (1 - target) * np.log(1 - chance + 1e-12))
        return value + RIDGE / 2 * beta @ beta, design.T @ (chance - target) + RIDGE * beta

    beta = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x.round(4).tolist()
    split = (5, 5 + len(LEVELS))
    return {"grade": beta[: split[0]], "level": beta[split[0] : split[1]], "earlier": beta[split[1] :]}


def age_share(discs: Columns, ages: dict[int, float], share: float, cuts: np.ndarray) -> float:
    """Correlation of the patient effect with age that gives the observed one of mean grade and age."""
    lumbar = discs["level"] < 5
    means = {p: discs["grade"][lumbar & (discs["patient"] == p)].mean() for p in ages if p in set(discs["patient"])}
    seen = np.corrcoef([ages[p] for p in means], list(means.values()))[0, 1]
    rng = np.random.default_rng(0)
    own = rng.standard_normal(20000)
    latent = np.sqrt(share) * own[:, None] + np.sqrt(1 - share) * rng.standard_normal((20000, 5))
    grade = (latent[:, :, None] > cuts[None, :5]).sum(axis=2)
    return float(min(seen / np.corrcoef(own, grade.mean(axis=1))[0, 1], 0.95))


def fit(discs: Columns, ages: dict[int, float]) -> Prevalence:
    """All parameters."""
    share, cuts = fit_grades(discs)
    kinds = np.bincount(discs["modic_type"].astype(int), minlength=4)[1:]
    content = {
        "patient_share": round(share, 3),
        "age_correlation": round(age_share(discs, ages, share, cuts), 3),
        "age_mean": round(float(np.mean(list(ages.values()))), 1),
        "age_deviation": round(float(np.std(list(ages.values()))), 1),
        "cuts": cuts.round(4).tolist(),
        "findings": {name: fit_finding(discs, name) for name in FINDINGS},
        "modic_types": (kinds / kinds.sum()).round(4).tolist(),
    }
    TABLE.write_text(json.dumps(content, indent=1) + "\n")
    return Prevalence(**content)


def draw_figure(marginals: Sequence[Marginal]) -> None:
    """Observed shares with their intervals, and the model's, per level."""
    figure, axes = plt.subplots(3, 3, figsize=(11, 8), sharex=True, sharey=True)
    names = list(dict.fromkeys(row.finding for row in marginals))
    for axis, name in zip(axes.flat, names, strict=True):
        part = [row for row in marginals if row.finding == name]
        at = np.arange(len(part))
        seen = np.array([row.observed for row in part])
        spread = [[row.observed - row.low for row in part], [row.high - row.observed for row in part]]
        axis.errorbar(at, seen, yerr=np.clip(spread, 0, None), fmt="o", color="black", capsize=3, label="SPIDER, 95 %")
        axis.plot(at, [row.drawn for row in part], "s", mfc="none", color="tab:red", ms=9, label="phantom model")
        axis.set_title(name.replace("_", " "))
        axis.set_xticks(at, LEVELS, rotation=45)
    axes[0, 0].legend(frameon=False)
    figure.supylabel("share of discs")
    figure.tight_layout()
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=90)


def main() -> None:
    """Fit, write, compare."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folder = Path(os.environ["SPINEDET_REAL_DATA"]) / "spider"
    tested = kept_for_testing(folder)
    discs = without(read_gradings(folder), tested)
    ages = {patient: age for patient, age in read_ages(folder).items() if patient not in tested}
    model = fit(discs, ages)
    print(f"{len(discs['grade'])} discs of {len(np.unique(discs['patient']))} patients; {len(tested)} left out")
    marginals = compare_gradings(discs, draw_gradings(model, 4000, seed=1))
    draw_figure(marginals)
    for row in marginals:
        mark = "" if row.inside else "  <- outside"
        interval = f"SPIDER {row.observed:.3f} [{row.low:.3f}, {row.high:.3f}]"
        print(f"{row.finding:16s} {row.level:8s} {interval}  model {row.drawn:.3f}{mark}")
    inside = sum(row.inside for row in marginals)
    print(f"{inside} of {len(marginals)} marginals inside the 95 % interval; patient share {model.patient_share}")


if __name__ == "__main__":
    main()
