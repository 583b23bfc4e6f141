"""Answers about the model, its training and what is so by design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import CONFIG, MODEL, POINT, RUN, SCORES, Found
from spinedet.report.number_format import counted, listed, plain


def _model(evidence: Evidence) -> Found | None:
    planes: Any = evidence.model.get("planes")
    if not isinstance(planes, dict):
        return None
    sizes = evidence.run.parameters if evidence.run else {}
    lines = []
    for plane, each in planes.items():
        network, grades = each.get("model", {}).get("name"), each.get("card", {}).get("grades") or []
        size = f", {sizes[plane]:,} parameters" if plane in sizes else ""
        graded = f" and grades ({listed(grades)})" if grades else ""
        lines.append(f"{plane}: network {network!r}{size}; input one T2 series, output boxes with a score{graded}.")
    text = f"Region {evidence.model.get('region')}, categories {listed(evidence.model.get('categories', []))}. "
    return Found(text + " ".join(lines), MODEL + (f"; {RUN} parameters" if sizes else ""))


def _preprocessing(evidence: Evidence) -> Found | None:
    planes: Any = evidence.model.get("planes")
    if not isinstance(planes, dict):
        return None
    lines = [
        f"{plane}: turned to the axes of the plane and resampled to "
        f"{' x '.join(f'{mm:g}' for mm in each['card']['spacing'])} mm."
        for plane, each in planes.items()
        if each.get("card", {}).get("spacing")
    ]
    return Found(" ".join([*lines, "Intensities are normalised for each series."]), f"{MODEL} planes.*.card.spacing")


def _training(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or not run.trainings:
        return None
    lines = [
        f"{name}: {length.steps} of {length.planned or length.steps} planned steps."
        for name, length in run.trainings.items()
    ]
    recipe: Any = evidence.config.get("recipe", {})
    known = {
        key: recipe[key] for key in ("lr", "weight_decay", "batch", "ema") if recipe.get(key) not in (None, "null")
    }
    if known:
        lines.append("Settings: " + ", ".join(f"{key} {value}" for key, value in known.items()) + ".")
    chances = evidence.config.get("augment", {})
    end = "_probability"
    # A chance of 0 is an augmentation that was switched off.
    changes = sorted(key.removesuffix(end) for key, value in chances.items() if key.endswith(end) and value.strip("0."))
    if changes:
        named = listed([change.replace("_", " ") for change in changes])
        lines.append(f"Augmentation: {named} (all values in {CONFIG}).")
    return Found(" ".join(lines), f"{RUN} trainings; {CONFIG} recipe, augment")


def _initialisation(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or run.command != "train":
        return None
    seed = f" Seed {run.seed}." if run.seed is not None else ""
    if run.init is None:
        return Found(f"Random weights; no earlier run.{seed}", f"{RUN} init, seed")
    shares = [f"{plane} {plain(100 * part.share, 1)} % of all numbers" for plane, part in run.init.planes.items()]
    return Found(f"Began with the run {run.init.model} ({', '.join(shares)}).{seed}", f"{RUN} init, seed")


def _choice(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or run.command != "train":
        return None
    tuned = [f"{plane} {plain(value)}" for plane, value in run.tuning_ap.items() if value is not None]
    known = f" Average precision on the tuning split: {', '.join(tuned)}." if tuned else ""
    if run.sweep_job is not None:
        known += (
            f" This run is job {run.sweep_job} of a sweep: how many of its runs were compared, and on which data, has "
            "to be added (extra:)."
        )
    return Found(
        "The last averaged weights of one training are kept; the threshold alone was chosen on the tuning split."
        + known,
        f"{RUN} tuning_ap, sweep_job; {POINT}",
    )


def _ensembling(evidence: Evidence) -> Found | None:
    source: Mapping[str, Any] = evidence.scores.model if evidence.scores else {}
    if not (evidence.model or source):
        return None
    others: Any = source.get("ensemble_weights_sha256")
    text = f"{1 + len(others)} sets of weights answer together." if others else "None."
    return Found(text, f"{SCORES} model" if source else MODEL)


def _partitions(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or run.data is None:
        return None
    if run.splits is not None:
        each = {name: len(getattr(run.splits, name)) for name in ("train", "tune", "test")}
        text = ", ".join(f"{name} {counted(number, 'study')}" for name, number in each.items())
        return Found(f"By patient: {text}. Data {run.data.sha256[:12]}.", f"{RUN} splits, data")
    return Found(
        f"All of the data are a test; nothing was trained on them. Data {run.data.sha256[:12]}.", f"{RUN} data"
    )


def _disjoint(evidence: Evidence) -> Found | None:
    if evidence.run is None:
        return None
    return Found(
        "No patient and no image (by hash) is in two splits or two centres: the program refuses such data.", "by design"
    )


def _software(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or not run.versions:
        return None
    text = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    gpu, machine = run.device.get("gpu"), run.device.get("machine")
    where = f"; on {gpu or f'a processor ({machine})'}"
    return Found(f"{text}{where}; commit {run.commit or 'unknown'}.", f"{RUN} versions, device, commit")


def _imbalance(evidence: Evidence) -> Found | None:
    if not evidence.model:
        return None
    lesions = [f"centre {part.center} {part.lesion_free} of {part.studies}" for part in evidence.tested]
    free = f" Lesion-free studies tested: {', '.join(lesions)}." if lesions else ""
    return Found(
        f"Boxes are matched to lesions one to one in training; nothing was resampled or recalibrated.{free}",
        f"{MODEL}" + (f"; {SCORES} participants" if lesions else ""),
    )


def _updating(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None:
        return None
    if run.init is not None:
        return Found(f"Updated from the run {run.init.model}; the threshold was chosen anew.", f"{RUN} init")
    return Found("Not updated; the threshold stayed as it was frozen.", f"{RUN} init, operating_point_sha256")


def _calculation(evidence: Evidence) -> Found | None:
    if evidence.weights_sha256 is None:
        return None
    run = "run=shipped" if evidence.shipped else "run=RUN"
    return Found(
        f"`python -m spinedet.predict {run} input=SCAN` with the weights of SHA-256 {evidence.weights_sha256}.",
        "model/weights.safetensors",
    )


def _predictors(evidence: Evidence) -> Found | None:
    return (
        Found("The image alone; no clinical variable enters.", "by design") if evidence.model or evidence.run else None
    )


def _blind(evidence: Evidence) -> Found | None:
    if not (evidence.model or evidence.run):
        return None
    return Found("The program reads pixels and geometry only, never the reference.", "by design")


def _uncertain(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    unread = len(evidence.scores.not_read) + len(evidence.skipped)
    return Found(
        f"None: a finding counts or it does not. {counted(unread, 'study')} without an answer are listed.",
        f"{SCORES} not_read" + ("; skipped.json" if evidence.skipped else ""),
    )


def _audit(evidence: Evidence) -> Found | None:
    scores, run = evidence.scores, evidence.run
    parts = [
        *([f"data {run.data.sha256}"] if run and run.data else []),
        *([f"operating point {scores.operating_point_sha256}"] if scores and scores.operating_point_sha256 else []),
        *([f"weights {evidence.weights_sha256}"] if evidence.weights_sha256 else []),
        *([f"commit {run.commit}"] if run and run.commit else []),
    ]
    return Found(f"SHA-256: {'; '.join(parts)}.", f"{RUN}; {SCORES}") if parts else None


ANSWERS: Mapping[str, Callable[[Evidence], Found | None]] = {
    "preprocessing": _preprocessing,
    "predictors": _predictors,
    "partitions": _partitions,
    "disjoint": _disjoint,
    "model": _model,
    "software": _software,
    "initialisation": _initialisation,
    "training": _training,
    "choice": _choice,
    "ensembling": _ensembling,
    "imbalance": _imbalance,
    "blind_index": _blind,
    "uncertain_results": _uncertain,
    "updating": _updating,
    "calculation": _calculation,
    "audit": _audit,
}
