"""Fit the level anchor for a run's weights and test it by patient: `levels.json` and the tables that go with it.

    python benchmarks/generate/levels.py --run shipped --fit midslices/manifest.json --fit phantoms/manifest.json \
        --test spider/manifest.json --centres vertebra_centres.json --transitional transitional/manifest.json \
        --out runs/levels
    cp runs/levels/levels.json RUN/model/

`spinedet phantom transitional=1` draws the phantoms of `--transitional`, whose names are counted by kind of anatomy.
Patients of a test manifest are never fitted on. Everything said of the cohorts of `--fit` is out of fold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import beta

from spinedet.core.anatomy import Plane, Region
from spinedet.core.files import sha256, write_json, write_text
from spinedet.core.geometry import Array, Grid
from spinedet.core.manifest import read_manifest
from spinedet.core.true_discs import TrueDisc, true_discs
from spinedet.core.types import Box, Finding, Origin, Study
from spinedet.detection.inference import detect_native_volume
from spinedet.detection.model_files import Model
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.volume import Volume, read_volume
from spinedet.levels.anchor import (
    LEAST_DISCS,
    NOT_SHOWN,
    POSITIONS,
    ChainView,
    design,
    fit,
    likeliest,
    posterior,
    view_of,
)
from spinedet.levels.chain import RULES, candidates_of, find_chain
from spinedet.levels.naming import SMALL_DISC, SeriesNaming, disc_ratio, name_series
from spinedet.levels.parameters import LevelParameters, write_levels
from spinedet.runs.run_folder import SHIPPED, open_run

ANCHOR, MIN_SCORE, FOLDS, SEED = "L5/S1", 0.001, 5, 0
# A chain's disc is the true one when it lies this near in the sagittal plane: half a disc spacing, less a little.
SAME_MM = 14.0
# Phantoms count this much of a real patient: more of it named fewer real ones (out of fold).
PHANTOM_IMPORTANCE = 0.05
# And the views from which a box was taken away, this much of a whole one.
DROPPED_IMPORTANCE = 0.3
WHOLE, CUT, DROPPED = "whole", "cut above {}", "without the box of {}"
LEAST_NAMED, DEFAULT_THRESHOLD = 60, 0.95


@dataclass(frozen=True, eq=False)
class View:
    """One image, whole or cut off: its chain, and which element is the anchor.

    Attributes:
        outcome: position from the tail, `NOT_SHOWN`, or None where the chain misses the anchor.
        lowest_box: whether the lowest box above the operating point is the anchor, as counting from it assumes.
    """

    patient: str
    kind: str
    chain: ChainView | None
    outcome: int | None
    lowest_box: bool
    phantom: bool

    @property
    def importance(self) -> float:
        """In a fit."""
        dropped = DROPPED_IMPORTANCE if self.kind.startswith(DROPPED.format("")) else 1.0
        return dropped * (PHANTOM_IMPORTANCE if self.phantom else 1.0)


def views_of(model: Model, study: Study, threshold: float) -> Iterator[View]:
    """The sagittal T2 series of a study, whole and with the image itself cut off above each of the lowest discs."""
    phantom = is_phantom(study)
    for series in study.series:
        truth = discs_on(study, series.id)
        if series.plane is Plane.SAGITTAL and series.weighting == "T2" and ANCHOR in truth:
            volume = orient(read_volume(series.path), SPECS[Plane.SAGITTAL])
            for kind, part, anchor in _parts(volume, truth, study.id):
                found = detect_native_volume(model, part, Plane.SAGITTAL, series.id, MIN_SCORE)
                yield _view(found, part, anchor, threshold, (study.patient, kind, phantom))
                for level in (ANCHOR, "L4/L5") if kind == WHOLE and "L4/L5" in truth else ():
                    kept = [f for f in found if away(f.box, truth[level]) >= SAME_MM]
                    yield _view(kept, part, anchor, threshold, (study.patient, DROPPED.format(level), phantom))


def is_phantom(study: Study) -> bool:
    """Whether a study was drawn by software."""
    return bool(true_discs(study)) or any(lesion.origin is Origin.PHANTOM for lesion in study.lesions)


def discs_on(study: Study, series: str) -> dict[str, Box]:
    """The discs that a series shows, by level: of phantoms all that were drawn but stubs, else those with a box."""
    drawn = {disc.level: disc.box for disc in true_discs(study) if series in disc.visible and not disc.stub}
    boxed = {p.level: p.box for p in (*study.lesions, *study.negatives) if p.series == series}
    return {level: box for level, box in (drawn or boxed).items() if level}


def _parts(volume: Volume, truth: dict[str, Box], name: str) -> Iterator[tuple[str, Volume, Box | None]]:
    yield WHOLE, volume, truth[ANCHOR]
    rng = np.random.default_rng(list(name.encode()))
    for level, above in ((ANCHOR, "L4/L5"), ("L4/L5", "L3/L4")):
        if level in truth and above in truth:
            top, bottom = (truth[n].center[2] + s * truth[n].size[2] / 2 for n, s in ((level, 1), (above, -1)))
            part = cut_below(volume, top + rng.uniform(0, 0.7) * max(bottom - top, 1.0))
            if part is not None:
                yield CUT.format(level), part, None


def cut_below(volume: Volume, height: float) -> Volume | None:
    """An upright volume without what lies below a height (S mm); None where little would be left."""
    rows = int((height - volume.grid.corner[2]) / volume.grid.affine[2, 1])
    if rows * volume.grid.spacing[1] < 60:
        return None
    grid = Grid((volume.array.shape[0], rows, volume.array.shape[2]), volume.grid.affine)
    return Volume(np.ascontiguousarray(volume.array[:, :rows]), grid)


def away(one: Box, other: Box) -> float:
    """Distance of two centres in the sagittal plane, mm."""
    return float(np.hypot(one.center[1] - other.center[1], one.center[2] - other.center[2]))


def _view(
    found: Sequence[Finding], volume: Volume, anchor: Box | None, threshold: float, facts: tuple[str, str, bool]
) -> View:
    rules = RULES[Region.LUMBAR]
    candidates = candidates_of(found)
    rows = find_chain(candidates, rules)
    chain = view_of(candidates, rows, rules, volume.array, volume.grid) if len(rows) >= LEAST_DISCS else None
    boxes = [f.box for f in found if f.score >= threshold]
    lowest = min(boxes, key=lambda box: box.center[2], default=None)
    outcome: int | None = NOT_SHOWN
    if anchor is not None:
        away_mm = np.hypot(*(candidates.center[list(rows), 1:] - np.array(anchor.center[1:])).T)
        nearest = len(rows) - 1 - int(away_mm.argmin()) if len(rows) else POSITIONS
        outcome = nearest if len(rows) and away_mm.min() < SAME_MM and nearest < POSITIONS else None
    counted = anchor is not None and lowest is not None and away(lowest, anchor) < SAME_MM
    patient, kind, phantom = facts
    return View(patient, kind, chain, outcome, counted, phantom)


def fitted(views: Sequence[View]) -> Array:
    """The logit of all views; a chain that misses the anchor, because its box is not found, does not show it either."""
    used = [view for view in views if view.chain is not None]
    designs = [design(view.chain) for view in used if view.chain is not None]
    chosen = [len(d) - 1 if v.outcome in (None, NOT_SHOWN) else v.outcome for d, v in zip(designs, used, strict=True)]
    return fit(designs, chosen, [view.importance for view in used])


def judged(view: View, weights: Array) -> tuple[int | None, float]:
    """The likeliest outcome that does not contradict itself, and its probability; None where there is no chain."""
    if view.chain is None:
        return None, 0.0
    chances = posterior(view.chain, weights)
    best = likeliest(view.chain, chances)
    return best, float(chances[best])


def out_of_fold(views: Sequence[View]) -> list[tuple[View, int | None, float]]:
    """Each view as judged by a fit to the patients of the other folds."""
    patients = sorted({view.patient for view in views})
    order = np.random.default_rng(SEED).permutation(len(patients))
    fold = {patients[row]: number % FOLDS for number, row in enumerate(order)}
    found = []
    for each in range(FOLDS):
        weights = fitted([view for view in views if fold[view.patient] != each])
        found += [(view, *judged(view, weights)) for view in views if fold[view.patient] == each]
    return found


def interval(hits: int, count: int) -> list[float]:
    """Exact binomial interval (Clopper and Pearson, 1934), 95 %."""
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(0.975, hits + 1, count - hits))
    return [round(low, 4), round(high, 4)]


def choose(ranked: Sequence[tuple[View, int | None, float]]) -> tuple[float, bool]:
    """The lowest threshold that names at least 60 real patients with at most one wrong in 60; whether the upper limit
    of that error is below 5 %.
    """
    named = sorted(
        ((p, best == v.outcome) for v, best, p in ranked if _counts(v) and best not in (None, NOT_SHOWN)),
        reverse=True,
    )
    wrong = np.cumsum([not right for _, right in named])
    fine = [n for n in range(LEAST_NAMED, len(named) + 1) if wrong[n - 1] * LEAST_NAMED <= n]
    if not fine:
        return DEFAULT_THRESHOLD, False
    count = fine[-1]
    return round(named[count - 1][0], 4), interval(int(wrong[count - 1]), count)[1] < 0.05


def _counts(view: View) -> bool:
    return view.kind == WHOLE and not view.phantom


def names(best: int | None, probability: float, threshold: float) -> bool:
    """Whether a chain is named."""
    return best not in (None, NOT_SHOWN) and probability >= threshold


def table(ranked: Sequence[tuple[View, int | None, float]], threshold: float) -> dict[str, object]:
    """What naming came to on one cohort; whole views are patients."""
    whole = [(v, best, p) for v, best, p in ranked if v.kind == WHOLE]
    cut = [(v, best, p) for v, best, p in ranked if v.kind.startswith(CUT.format(""))]
    dropped = [
        best == v.outcome
        for v, best, p in ranked
        if v.kind.startswith(DROPPED.format("")) and names(best, p, threshold)
    ]
    right = sum(best is not None and best == v.outcome for v, best, _ in whole)
    named = [best == v.outcome for v, best, p in whole if names(best, p, threshold)]
    wrong, unseen = named.count(False), sum(best == NOT_SHOWN for _, best, _ in cut)
    named_cut = sum(names(best, p, threshold) for _, best, p in cut)
    lowest = sum(v.lowest_box for v, _, _ in whole)
    signs = sum(_shows_sign(v, best) for v, best, p in whole if names(best, p, threshold))
    return {
        "patients": len(whole),
        "anchor in the chain": sum(v.outcome is not None for v, _, _ in whole),
        "forced accuracy": [round(right / max(len(whole), 1), 4), *interval(right, len(whole))],
        "named": len(named),
        "wrong": wrong,
        "error among named": [round(wrong / max(len(named), 1), 4), *interval(wrong, len(named))] if named else None,
        "named with a sign of transitional anatomy": signs,
        "coverage": round(len(named) / max(len(whole), 1), 4),
        "counting from the lowest box": [round(lowest / max(len(whole), 1), 4), *interval(lowest, len(whole))],
        "cut views": len(cut),
        "cut views not shown": [round(unseen / max(len(cut), 1), 4), *interval(unseen, len(cut))] if cut else None,
        "cut views named": named_cut,
        "named where the box of a low disc was taken away": len(dropped),
        "wrong of these": dropped.count(False),
        "risk and coverage": curve(whole),
    }


def _shows_sign(view: View, best: int | None) -> bool:
    return view.chain is not None and best is not None and disc_ratio(view.chain, best) < SMALL_DISC


def transitional_table(model: Model, path: Path, parameters: LevelParameters) -> dict[str, dict[str, int]]:
    """How phantoms are named, by kind of anatomy: as drawn, or as drawn only if six lumbar vertebrae were assumed."""
    counts: dict[str, dict[str, int]] = {}
    for study in read_manifest(path).studies:
        for series in (one for one in study.series if one.plane is Plane.SAGITTAL):
            volume = orient(read_volume(series.path), SPECS[Plane.SAGITTAL])
            found = detect_native_volume(model, volume, Plane.SAGITTAL, series.id, MIN_SCORE)
            naming = name_series(series.id, found, volume.array, volume.grid, Region.LUMBAR, parameters)
            row = counts.setdefault(
                str(study.attributes["transitional"]),
                dict.fromkeys(("phantoms", "named", "as drawn", "as drawn if six lumbar vertebrae", "with a sign"), 0),
            )
            five, six = _as_drawn(naming, true_discs(study))
            row["phantoms"] += 1
            row["named"] += naming.named
            row["as drawn"] += naming.named and five
            row["as drawn if six lumbar vertebrae"] += naming.named and six and not five
            row["with a sign"] += naming.transitional
    return counts


def _as_drawn(naming: SeriesNaming, truth: Sequence[TrueDisc]) -> tuple[bool, bool]:
    """Whether all names are those of the true discs next to them, with five lumbar vertebrae and with six."""
    five = six = True
    for disc in naming.discs:
        if disc.level is not None:
            place = Box(center=disc.center, size=(1.0, 1.0, 1.0))
            nearest = min(truth, key=lambda one: away(one.box, place))
            if away(nearest.box, place) < SAME_MM:
                five &= disc.level == nearest.level
                six &= (disc.if_six or disc.level) == nearest.level
    return five, six


def curve(whole: Sequence[tuple[View, int | None, float]]) -> list[dict[str, float]]:
    """Wrong among named at each of some thresholds."""
    rows = []
    for limit in (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99):
        named = [best == v.outcome for v, best, p in whole if names(best, p, limit)]
        rows.append({"threshold": limit, "named": len(named), "wrong": named.count(False)})
    return rows


def centre_views(model: Model, path: Path, threshold: float) -> Iterator[View]:
    """The volumes beside a file of vertebra centres; one whose file names no L5 and S1 shows no L5/S1."""
    for name, entry in json.loads(path.read_text("utf-8")).items():
        file = path.parent / entry["file"]
        if file.is_file():
            raw = read_volume(file)
            centres = entry["vertebra_centres"]
            anchor = None
            if {"L5", "S1"} <= set(centres):
                ends = [raw.grid.affine @ [*centres[v]["nifti_ijk"], 1] for v in ("L5", "S1")]
                middle = np.mean(ends, axis=0)[:3]
                anchor = Box(center=(float(middle[0]), float(middle[1]), float(middle[2])), size=(40.0, 40.0, 15.0))
            volume = orient(raw, SPECS[Plane.SAGITTAL])
            kind = WHOLE if anchor is not None else CUT.format(ANCHOR)
            found = detect_native_volume(model, volume, Plane.SAGITTAL, name, MIN_SCORE)
            yield _view(found, volume, anchor, threshold, (name, kind, False))


def main() -> None:
    """Fit, test, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=SHIPPED)
    parser.add_argument("--fit", action="append", required=True, type=Path, help="a manifest with levels")
    parser.add_argument("--test", action="append", default=[], type=Path, help="a manifest, its patients kept apart")
    parser.add_argument("--centres", type=Path, help="vertebra_centres.json beside its volumes")
    parser.add_argument("--transitional", type=Path, help="a manifest of phantoms with transitional anatomy")
    parser.add_argument("--out", required=True, type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    run = open_run(given.run)
    threshold = min(v for (plane, _), v in run.operating_point.values.items() if plane == Plane.SAGITTAL.value)

    def of(path: Path) -> list[View]:
        studies = [study for study in read_manifest(path).studies if study.excluded is None]
        print(f"{path}: {len(studies)} studies", flush=True)
        return [view for study in studies for view in views_of(run.model, study, threshold)]

    tests = {str(path): of(path) for path in given.test}
    if given.centres:
        tests[given.centres.stem] = list(centre_views(run.model, given.centres, threshold))
    apart = {view.patient for views in tests.values() for view in views}
    cohorts = {str(path): [view for view in of(path) if view.patient not in apart] for path in given.fit}
    every = [view for views in cohorts.values() for view in views]
    ranked = out_of_fold(every)
    limit, validated = choose(ranked)
    weights = fitted(every)
    evidence = {
        f"{kind}, out of fold": table([one for one in ranked if one[0].phantom is phantom], limit)
        for kind, phantom in (("patients", False), ("phantoms", True))
        if any(view.phantom is phantom for view in every)
    }
    for path, views in tests.items():
        name = Path(path).parent.name or path
        evidence[f"{name}, never fitted on"] = table([(view, *judged(view, weights)) for view in views], limit)
    digest = hashlib.sha256("".join(sha256(path) for path in given.fit).encode()).hexdigest()
    counts = {
        "patients": len({view.patient for view in every if not view.phantom}),
        "phantoms": len({view.patient for view in every if view.phantom}),
    }
    weights_file = next(iter(_model_folder(given.run).glob("weights.safetensors")))
    parameters = LevelParameters(
        name="logit 1",
        weights_sha256=sha256(weights_file),
        threshold=limit,
        validated=validated,
        weights=tuple(float(value) for value in weights),
        fitted_on={**counts, "views": len(every), "seed": SEED, "folds": FOLDS, "manifests_sha256": digest},
        evidence=json.loads(json.dumps(evidence)),
    )
    given.out.mkdir(parents=True, exist_ok=True)
    kinds = transitional_table(run.model, given.transitional, parameters) if given.transitional else {}
    write_levels(given.out / "levels.json", parameters)
    write_json(given.out / "evidence.json", {**evidence, "transitional phantoms": kinds})
    text = markdown(evidence, limit) + "".join(f"\n{kind}: {row}\n" for kind, row in kinds.items())
    write_text(given.out / "evidence.md", text)
    print(text)


def markdown(evidence: dict[str, dict[str, object]], limit: float) -> str:
    """The tables, a row a cohort."""
    keys = [key for key in next(iter(evidence.values())) if key != "risk and coverage"]
    lines = [f"Named at a posterior of {limit:g}; intervals are exact, 95 %, over patients.", ""]
    lines += ["| | " + " | ".join(evidence) + " |", "|---" * (len(evidence) + 1) + "|"]
    for key in keys:
        lines.append(f"| {key} | " + " | ".join(_cell(rows[key]) for rows in evidence.values()) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, list):
        return f"{value[0]:.3f} ({value[1]:.3f} to {value[2]:.3f})"
    return "–" if value is None else str(value)


def _model_folder(run: str) -> Path:
    import spinedet

    root = Path(spinedet.__file__).parent / "weights" if run == SHIPPED else Path(run)
    return root / "model" if (root / "model").is_dir() else root


if __name__ == "__main__":
    main()
