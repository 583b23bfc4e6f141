"""The real scans of SPIDER with their discs, and what is reached on them without looking."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from spinedet.core.geometry import iou
from spinedet.core.manifest import read_manifests
from spinedet.core.types import Finding, Findings, Manifest, StudyFindings
from spinedet.scoring import BootstrapSettings, Estimate

Interval: TypeAlias = tuple[float, float, float]

REPLICATES, SEED, IOU = 2000, 20, 0.1
BOOTSTRAP = BootstrapSettings(samples=REPLICATES, seed=SEED)


@dataclass(frozen=True)
class Discs:
    """The discs of the real scans.

    Attributes:
        lesions: manifest in which the degenerated discs are the lesions. everything: manifest in which every disc is.
        degenerated: (study id, lesion id) of every graded disc.
    """

    lesions: Path
    everything: Manifest
    degenerated: Mapping[tuple[str, str], bool]


def command(*words: str) -> None:
    """One of spinedet's commands; a failure ends the benchmark."""
    print("+", *words, flush=True)
    subprocess.run([sys.executable, "-m", *words], check=True)


def convert(root: Path, out: Path) -> Discs:
    """SPIDER's manifests."""
    for name, extra in (("lesions", ()), ("everything", ("source.minimum_pfirrmann=0",))):
        if not (out / name / "manifest.json").exists():
            command("spinedet.convert", "source=spider", f"root={root}", f"out={out / name}", *extra)
    lesions, everything = (read_manifests([out / name / "manifest.json"]) for name in ("lesions", "everything"))
    marked = {(study.id, lesion.id): lesion.ignore for study in lesions.studies for lesion in study.lesions}
    keys = [(study.id, lesion.id) for study in everything.studies for lesion in study.lesions]
    graded = {key: key in marked for key in keys if not marked.get(key, False)}
    return Discs(out / "lesions" / "manifest.json", everything, graded)


def triple(estimate: Estimate) -> Interval:
    """Value, low, high."""
    nothing = float("nan")
    return tuple(nothing if x is None else x for x in (estimate.value, estimate.low, estimate.high))  # type: ignore[return-value]


@dataclass(frozen=True)
class ReadPatient:
    """One patient: best score on each disc (0: not found), whether it is degenerated, and which findings hit a disc.

    Attributes:
        best: (discs,). degenerated: (discs,) 1, 0, or NaN when ungraded. hits: (shown findings,) 0 or 1.
    """

    best: NDArray[np.float64]
    degenerated: NDArray[np.float64]
    hits: NDArray[np.float64]


def read_patients(findings: Findings, discs: Discs) -> list[ReadPatient]:
    """The findings against all discs, lesions or not."""
    answers = {study.id: study.findings for study in findings.studies}
    patients = []
    for study in discs.everything.studies:
        found, lesions = answers[study.id], study.lesions
        overlap = iou([lesion.box for lesion in lesions], [finding.box for finding in found]) >= IOU
        scores = np.array([finding.score for finding in found])
        state = [discs.degenerated.get((study.id, lesion.id), np.nan) for lesion in lesions]
        shown = np.array([bool(finding.above_operating_point) for finding in found], bool)
        patients.append(
            ReadPatient(
                best=(overlap * scores).max(axis=1, initial=0.0),
                degenerated=np.array(state, float),
                hits=overlap.any(axis=0)[shown].astype(float),
            )
        )
    return patients


def discs_found(patients: Sequence[ReadPatient]) -> float:
    """Share of all discs that some finding hits."""
    return float(np.mean(np.concatenate([patient.best for patient in patients]) > 0))


def shown_on_discs(patients: Sequence[ReadPatient]) -> float:
    """Share of the findings above the operating point that lie on a disc, degenerated or not."""
    hits = np.concatenate([patient.hits for patient in patients])
    return float(hits.mean()) if len(hits) else float("nan")


def grading(patients: Sequence[ReadPatient]) -> float:
    """Area under the ROC curve of the best score: degenerated discs against the others (Mann-Whitney)."""
    best = np.concatenate([patient.best for patient in patients])
    state = np.concatenate([patient.degenerated for patient in patients])
    ranks = rankdata(best[~np.isnan(state)])
    worn = state[~np.isnan(state)] == 1
    if worn.all() or not worn.any():
        return float("nan")
    return float((ranks[worn].sum() - worn.sum() * (worn.sum() + 1) / 2) / (worn.sum() * (~worn).sum()))


Measure: TypeAlias = Callable[[Sequence[ReadPatient]], float]
Patient = TypeVar("Patient")


def interval(patients: Sequence[Patient], measure: Callable[[Sequence[Patient]], float]) -> Interval:
    """A measure with its 95 % percentile interval over resampled patients."""
    rng = np.random.default_rng(SEED)
    draws = rng.integers(len(patients), size=(REPLICATES, len(patients)))
    values = [measure([patients[index] for index in draw]) for draw in draws]
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return measure(patients), float(low), float(high)


def lowest(discs: Discs, count: int) -> Findings:
    """The `count` lowest graded discs of every scan, all with score 1: no image is looked at."""
    studies = []
    for study in discs.everything.studies:
        graded = [lesion for lesion in study.lesions if (study.id, lesion.id) in discs.degenerated]
        chosen = sorted(graded, key=lambda lesion: lesion.box.center[2])[:count]
        found = (Finding(series=disc.series, category=disc.category, score=1.0, box=disc.box) for disc in chosen)
        studies.append(StudyFindings(id=study.id, findings=tuple(found)))
    return Findings(model={"name": f"lowest {count}", "planes": ["sagittal"]}, studies=tuple(studies))


def show(interval: Interval) -> str:
    """A number with its interval, in a table's cell."""
    value, low, high = interval
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
