"""Answers about the model, its training and what is so by design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import CONFIG, MODEL, POINT, RUN, SCORES, Found
from spinedet.checklists.sweeps import TESTS, Sweep, SweepRun
from spinedet.report.number_format import counted, listed, plain, verb

_LISTED = 6  # runs of a sweep that are named one by one
# In notes of a test on studies that the model was developed on.
_NO_TEST = ("this is no test", "no external test")


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
        lines.append(
            f"{plane.capitalize()}: network {network!r}{size}; its input is one T2 series, its output boxes with a "
            f"score{graded}."
        )
    text = f"Region {evidence.model.get('region')}; finds {listed(evidence.model.get('categories', []))}. "
    return Found(text + " ".join(lines), MODEL + (f"; {RUN} parameters" if sizes else ""))


def _preprocessing(evidence: Evidence) -> Found | None:
    planes: Any = evidence.model.get("planes")
    if not isinstance(planes, dict):
        return None
    lines = [
        f"{plane.capitalize()} series are turned to the axes of the plane and resampled to "
        f"{' x '.join(f'{mm:g}' for mm in each['card']['spacing'])} mm (slice, row, column)."
        for plane, each in planes.items()
        if each.get("card", {}).get("spacing")
    ]
    return Found(" ".join([*lines, "Intensities are normalised for each series."]), f"{MODEL} planes.*.card.spacing")


def _training(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or not run.trainings:
        return None
    lines = [
        f"Training {name}: {length.steps} of {length.planned or length.steps} planned steps."
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
    recipe: Any = evidence.config.get("recipe", {})
    if recipe.get("backbone", "null") not in ("null", ""):
        text = f"The backbone began with published weights, the rest at random.{seed}"
        return Found(text, f"{CONFIG} recipe.backbone; {RUN} seed")
    if run.init is None:
        return Found(f"Random weights; no earlier run.{seed}", f"{RUN} init, seed")
    shares = [f"{plane} {plain(100 * part.share, 1)} % of all numbers" for plane, part in run.init.planes.items()]
    return Found(f"Began with the run {run.init.model} ({', '.join(shares)}).{seed}", f"{RUN} init, seed")


def _choice(evidence: Evidence) -> Found | None:
    run = evidence.run
    if evidence.sweep is not None and evidence.sweep.tested:
        return _tested_in_sweep(evidence.sweep)
    if run is None or run.command != "train":
        return None
    tuned = [f"{plane} {plain(value)}" for plane, value in run.tuning_ap.items() if value is not None]
    known = f" Average precision on the tuning split: {', '.join(tuned)}." if tuned else ""
    text = "The averaged weights at the end of the training are kept; the threshold was chosen on the tuning split."
    found = Found(text + known, f"{RUN} tuning_ap, sweep_job; {POINT}")
    if evidence.sweep is not None:
        return Found(f"{found.text} {sweep_in_words(evidence.sweep)}", f"{found.source}; {RUN} of the other runs")
    if run.sweep_job is None:
        return found
    among = (
        f"This run is job {run.sweep_job} of a sweep whose other runs are not here: how many were compared, and on "
        "which data, has to be added (extra:)."
    )
    return Found(f"{found.text} {among}", found.source)


def sweep_in_words(sweep: Sweep) -> str:
    """How many trainings were tried, in what they differ, and which is best on the tuning split."""
    failed = f" ({sweep.unfinished} more did not finish)" if sweep.unfinished else ""
    differ = f", which differ in {listed(sweep.varied)}" if sweep.varied else ""
    text = f"It is one of a sweep of {counted(len(sweep.runs), 'finished training')}{failed}{differ}."
    values = [f"{one.name} {_by_plane(one)}" for one in sweep.runs if one.tuning_ap]
    if len(values) > _LISTED:
        best = [one for one in sweep.runs if one.name == sweep.best]
        values = [f"{one.name} {_by_plane(one)}, the highest" for one in best]
    if values:
        text += f" Average precision on the tuning split: {'; '.join(values)}."
    if sweep.best is None:
        return f"{text} How one was chosen among them has to be added (extra:)."
    if sweep.best == sweep.own:
        return f"{text} No other has a higher mean over planes; the test split took no part in that comparison."
    return f"{text} {sweep.best} has the highest mean over planes: why another was taken has to be added (extra:)."


def _by_plane(one: SweepRun) -> str:
    return ", ".join(f"{plane} {plain(value)}" for plane, value in one.tuning_ap.items())


def _tested_in_sweep(sweep: Sweep) -> Found | None:
    """Of detectors that were tested side by side."""
    if len(sweep.tested) < 2:
        return None
    text = (
        f"{len(sweep.tested)} finished detectors were tested in one sweep ({listed(sweep.tested)}); none was chosen "
        "here, and choosing one by these results would use the test data."
    )
    return Found(text, f"{TESTS} results")


def _ensembling(evidence: Evidence) -> Found | None:
    source: Mapping[str, Any] = evidence.scores.model if evidence.scores else {}
    if not (evidence.model or source.get("weights_sha256")):
        return None
    others: Any = source.get("ensemble_weights_sha256")
    text = f"{1 + len(others)} sets of weights predict together." if others else "None: one set of weights predicts."
    return Found(text, f"{SCORES} model" if source else MODEL)


def _partitions(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or run.data is None:
        return None
    if run.splits is not None:
        each = {name: len(getattr(run.splits, name)) for name in ("train", "tune", "test")}
        text = ", ".join(f"{name} {counted(number, 'study')}" for name, number in each.items())
        return Found(f"Split by patient: {text}.", f"{RUN} splits")
    return Found(f"All of the data are a test. {seen_in_words(evidence)}", f"{RUN} data; {SCORES} notes")


def seen_in_words(evidence: Evidence) -> str:
    """What a test notes of studies that the model was developed on."""
    scored = evidence.scores or evidence.labels
    notes = scored.notes if scored else ()
    known = [note for note in notes if any(words in note for words in _NO_TEST)]
    told = " ".join(f"{note.rstrip('.')}." for note in known)
    return told or "No study is noted to have been used to develop the model."


def _disjoint(evidence: Evidence) -> Found | None:
    if evidence.run is None:
        return None
    text = "No patient and no image (by its hash) of the data is in two splits or two centres: such data are refused."
    if evidence.run.splits is not None:
        return Found(text, "by design")
    return Found(f"{text} {seen_in_words(evidence)}", f"by design; {SCORES} notes")


def _software(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or not run.versions:
        return None
    text = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    gpu, machine = run.device.get("gpu"), run.device.get("machine")
    where = f"; on {gpu or f'a processor ({machine})'}"
    return Found(f"Run with {text}{where}; commit {run.commit or 'unknown'}.", f"{RUN} versions, device, commit")


def _imbalance(evidence: Evidence) -> Found | None:
    data: Any = evidence.config.get("data")
    if not evidence.model or not isinstance(data, dict):
        return None
    lesions = [f"centre {part.center} {part.lesion_free} of {part.studies}" for part in evidence.tested]
    free = f" Studies without a lesion among those tested: {', '.join(lesions)}." if lesions else ""
    mixed, weight = data.get("mix") or [], str(data.get("mix_weight", "1"))
    drawn = f", but for those of data.mix, which an epoch draws {weight} times on average" if mixed else ""
    text = f"An epoch draws every study alike{drawn}; categories were not balanced, and scores were not recalibrated."
    return Found(text + free, f"{CONFIG} data" + (f"; {evidence.results} participants" if lesions else ""))


def _updating(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None:
        return None
    if run.init is not None:
        return Found(f"Updated from the run {run.init.model} by further training.", f"{RUN} init")
    if run.command in ("train", "radiograph.train"):
        return Found("A new model; none was updated or recalibrated.", f"{RUN} init")
    return Found("Not updated; the threshold stayed as it was frozen.", f"{RUN} operating_point_sha256")


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
    unread, skipped = len(evidence.scores.not_read), len(evidence.skipped)
    text = "There are none: a finding counts or it does not."
    if unread:
        text += f" {counted(unread, 'study')} without findings {verb(unread, 'is', 'are')} listed."
    if skipped:
        text += f" {counted(skipped, 'study')} could not be read and {verb(skipped, 'is', 'are')} listed."
    return Found(text, f"{SCORES} not_read" + ("; skipped.json" if skipped else ""))


def _audit(evidence: Evidence) -> Found | None:
    scores, run = evidence.scores, evidence.run
    parts = [
        *([f"data {run.data.sha256}"] if run and run.data else []),
        *([f"operating point {scores.operating_point_sha256}"] if scores and scores.operating_point_sha256 else []),
        *([f"weights {evidence.weights_sha256}"] if evidence.weights_sha256 else []),
        *([f"commit {run.commit}"] if run and run.commit else []),
    ]
    return Found(f"Digests (SHA-256): {'; '.join(parts)}.", f"{RUN}; {SCORES}") if parts else None


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
