"""Answers that a result's own files give; every number of a result is one of `scores.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import Found
from spinedet.checklists.label_answers import label_facts
from spinedet.report.number_format import counted, in_words, listed, plain
from spinedet.scoring import Group, Scores
from spinedet.scoring.participants import Participants
from spinedet.scoring.thresholds import FrozenThresholds

_SCORES, _RUN, _MODEL, _CONFIG, _POINT = "scores.json", "run.json", "model.json", "config.yaml", "operating_point.json"


def automatic(evidence: Evidence) -> dict[str, Found]:
    """`facts`, each with the statement that data are simulated where they are."""
    simulated = evidence.simulated
    return {
        name: Found(" ".join(filter(None, (one.text, simulated))), one.source) for name, one in facts(evidence).items()
    }


def facts(evidence: Evidence) -> dict[str, Found]:
    """The answers that there is evidence for, by topic."""
    given = {name: answer(evidence) for name, answer in _ANSWERS.items()}
    if evidence.labels is not None:
        given |= label_facts(evidence, evidence.labels)
    return {name: one for name, one in given.items() if one is not None and one.text}


# --- who was tested and trained on ---


def _participants(evidence: Evidence) -> Found | None:
    parts = [("Tested", part) for part in evidence.tested] + [("Developed on", part) for part in evidence.developed]
    if not parts:
        return None
    source = f"{_SCORES} participants" + (f"; {_RUN} participants" if evidence.developed else "")
    return Found(" ".join(f"{word}: {part_in_words(part)}" for word, part in parts), source)


def part_in_words(part: Participants) -> str:
    """One split and centre, with what is not recorded."""
    words = [
        f"centre {part.center} ({part.split}), {counted(part.patients, 'patient')}"
        f"{' (simulated)' if part.simulated else ''}, {counted(part.series, 'scan')}, "
        f"{counted(part.lesions, 'lesion')}, {part.lesion_free} without any lesion"
    ]
    if part.age:
        spread = f" (SD {plain(part.age.sd, 1)})" if part.age.sd is not None else ""
        words.append(f"age {plain(part.age.mean, 1)}{spread}, {part.age.low:g} to {part.age.high:g} years")
    words += [f"{name.replace('_', ' ')} {_shares(each)}" for name, each in part.counts.items()]
    gaps = [f"{name.replace('_', ' ')} not recorded for {gap} of {part.studies}" for name, gap in part.missing.items()]
    return "; ".join([*words, *gaps]) + "."


def _shares(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value} {count}" for value, count in counts.items())


def _acquisition(evidence: Evidence) -> Found | None:
    lines = []
    for part in evidence.tested:
        stated = [f"{name.replace('_', ' ')} {_shares(part.counts[name])}" for name in _SCANNER if name in part.counts]
        gaps = [
            f"{name.replace('_', ' ')} not recorded for {part.missing[name]}"
            for name in _SCANNER
            if name in part.missing
        ]
        lines.append(f"Centre {part.center}: {'; '.join([*stated, *gaps])}.")
    return Found(" ".join(lines), f"{_SCORES} participants") if lines else None


_SCANNER = ("vendor", "field_strength")


def _missing(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    lines = [
        f"Centre {part.center}: {name.replace('_', ' ')} is not recorded for {gap} of {part.studies} studies."
        for part in evidence.tested
        for name, gap in part.missing.items()
    ]
    unread = len(evidence.scores.not_read)
    lines.append(
        f"{counted(unread, 'study')} without findings count nowhere." if unread else "No study lacks findings."
    )
    if evidence.skipped:
        lines.append(f"{counted(len(evidence.skipped), 'study')} could not be read and are listed with the reason.")
    lines.append("Attributes never enter the model; nothing was imputed.")
    return Found(" ".join(lines), f"{_SCORES} participants, not_read" + ("; skipped.json" if evidence.skipped else ""))


def _severity(evidence: Evidence) -> Found | None:
    if not evidence.tested:
        return None
    lines = [
        f"Centre {part.center}: {', '.join(f'grade {grade} {count}' for grade, count in part.severity.items())}."
        if part.severity
        else f"Centre {part.center}: severity not recorded."
        for part in evidence.tested
    ]
    return Found(" ".join(lines), f"{_SCORES} participants")


def _flow(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    if scores is None:
        return None
    held = scores.group().n
    excluded = list(evidence.run.excluded.values()) if evidence.run else []
    reasons = [f"{counted(excluded.count(why), 'study')} excluded ({why})" for why in dict.fromkeys(excluded)]
    lines = [
        f"Analysed: {counted(held.studies, 'study')} of {counted(held.patients, 'patient')}",
        *reasons,
        *([f"{counted(len(evidence.skipped), 'study')} could not be read"] if evidence.skipped else []),
        *([f"{counted(len(scores.not_read), 'study')} had no findings"] if scores.not_read else []),
    ]
    return Found(f"{'; '.join(lines)}.", f"{_SCORES} groups[0].n" + (f"; {_RUN} excluded" if excluded else ""))


def _analysed(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    lines = [
        f"{group_name(group)}: {counted(group.n.patients, 'patient')}, {counted(group.n.series, 'scan')}, "
        f"{counted(group.n.lesions, 'lesion')}."
        for group in main_groups(evidence.scores)
    ]
    return Found(" ".join(lines), f"{_SCORES} groups[].n")


# --- results ---


def main_groups(scores: Scores) -> list[Group]:
    """Every plane, and every plane at every centre."""
    return [group for group in scores.groups if set(group.by) in ({"plane"}, {"plane", "center"})]


def group_name(group: Group) -> str:
    """`Sagittal, centre B`."""
    center = f", centre {group.by['center']}" if "center" in group.by else ""
    return f"{str(group.by.get('plane', 'all planes')).capitalize()}{center}"


def performance_in_words(group: Group, confidence: float) -> str:
    """F1, precision, recall and average precision of a group with intervals."""
    named = {"F1": group.f1, "precision": group.precision, "recall": group.recall, "average precision": group.ap}
    words = ", ".join(f"{name} {in_words(estimate, confidence)}" for name, estimate in named.items())
    return f"{group_name(group)}: {words}."


def _performance(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    if scores is not None:
        lines = [performance_in_words(group, scores.bootstrap.confidence) for group in main_groups(scores)]
        return Found(f"{scores.criterion['description']}. {' '.join(lines)}", f"{_SCORES} groups")
    known = evidence.trained_on.known if evidence.trained_on else None
    return Found(f"Known results on patients: {known.words}.", "model/known_results.json") if known else None


def _estimates(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    if scores is None:
        return None
    lines = []
    for group in main_groups(scores):
        patient = group.patient
        level = scores.bootstrap.confidence
        lines.append(
            f"{group_name(group)}: {patient.diseased} patients with and {patient.healthy} without lesions, sensitivity "
            f"{in_words(patient.sensitivity, level)}, specificity {in_words(patient.specificity, level)}, AUC "
            f"{in_words(patient.auc, level)}."
        )
    return Found(f"Any lesion in the patient? {' '.join(lines)}", f"{_SCORES} groups[].patient")


def _errors(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    lines = [
        f"{group_name(group)}: {group.fn} of {counted(group.n.lesions, 'lesion')} missed, "
        f"{counted(group.fp, 'false positive')}, of these {group.duplicates} on a lesion found already."
        for group in main_groups(evidence.scores)
    ]
    return Found(" ".join(lines), f"{_SCORES} groups[].fn, fp, duplicates")


def _internal(evidence: Evidence) -> Found | None:
    return _centers(evidence, inside=True)


def _external(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    found = _centers(evidence, inside=False)
    if scores is None or found is None:
        return found
    changes = [
        f"{gap.plane}, {listed(gap.centers)}: F1 {in_words(gap.change['f1'], scores.bootstrap.confidence)} against the "
        "internal centres."
        for gap in scores.center_gaps
        if not gap.internal
    ]
    return Found(" ".join([found.text, *changes]), f"{found.source}, center_gaps")


def _centers(evidence: Evidence, *, inside: bool) -> Found | None:
    scores, internal = evidence.scores, evidence.run.internal_centers if evidence.run else ()
    if scores is None or not internal:
        return None
    level = scores.bootstrap.confidence
    lines = [
        performance_in_words(group, level)
        for group in scores.groups
        if set(group.by) == {"plane", "center"} and (group.by["center"] in internal) is inside
    ]
    where = "internal" if inside else "external"
    head = f"Developed at {listed(internal)}. {scores.criterion['description']}."
    text = " ".join([head, *lines]) if lines else f"{head} No {where} centre was tested."
    return Found(text, f"{_RUN} internal_centers; {_SCORES} groups")


def _clusters(evidence: Evidence) -> Found | None:
    forests = [one for one in evidence.scores.forests if one.metric == "f1"] if evidence.scores else []
    if evidence.scores is None:
        return None
    lines = [
        f"{str(one.by.get('plane', 'all')).capitalize()}: F1 pooled over {counted(len(one.centers), 'centre')} "
        f"{plain(one.pooled)} ({plain(one.low)} to {plain(one.high)}), tau {plain(one.tau)} on the {one.scale} scale, "
        f"I2 {plain(one.i2)}."
        for one in forests
    ]
    text = "Patients are resampled with all their scans, within centres. "
    return Found(text + (" ".join(lines) or "One centre: nothing to compare."), f"{_SCORES} forests, bootstrap")


def _measures(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    text = (
        "Precision, recall and F1 of lesions at the frozen threshold, FROC, average precision, and patient-level "
        f"sensitivity, specificity and AUC. {evidence.scores.criterion['description']}."
    )
    return Found(text, f"{_SCORES} criterion")


def _uncertainty(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    if scores is None:
        return None
    text = f"{scores.bootstrap.description}; seed {scores.bootstrap.seed}."
    return Found(text[0].upper() + text[1:], f"{_SCORES} bootstrap")


def _threshold(evidence: Evidence) -> Found | None:
    applied = evidence.scores.threshold if evidence.scores else None
    if isinstance(applied, FrozenThresholds):
        each = ", ".join(f"{one.plane} {one.category} {plain(one.value)}" for one in applied.thresholds)
        text = (
            f"{each}. Chosen by the rule {applied.rule} on {counted(applied.chosen_on.studies, 'tuning study')} "
            f"(data {applied.chosen_on.data_sha256[:12]}) and frozen before the test."
        )
        return Found(text, f"{_SCORES} threshold")
    if applied is not None:
        return Found(f"{applied.description[0].upper()}{applied.description[1:]}.", f"{_SCORES} threshold")
    if evidence.point is None:
        return None
    each = ", ".join(f"{one.plane} {one.category} {plain(one.value)}" for one in evidence.point.thresholds)
    chosen = counted(evidence.point.chosen_on.studies, "tuning study")
    return Found(f"{each}. Chosen by the rule {evidence.point.rule} on {chosen}.", _POINT)


# --- the model and its training ---


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
    return Found(text + " ".join(lines), _MODEL + (f"; {_RUN} parameters" if sizes else ""))


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
    return Found(" ".join([*lines, "Intensities are normalised for each series."]), f"{_MODEL} planes.*.card.spacing")


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
        lines.append(f"Augmentation: {named} (all values in {_CONFIG}).")
    return Found(" ".join(lines), f"{_RUN} trainings; {_CONFIG} recipe, augment")


def _initialisation(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or run.command != "train":
        return None
    seed = f" Seed {run.seed}." if run.seed is not None else ""
    if run.init is None:
        return Found(f"Random weights; no earlier run.{seed}", f"{_RUN} init, seed")
    shares = [f"{plane} {plain(100 * part.share, 1)} % of all numbers" for plane, part in run.init.planes.items()]
    return Found(f"Began with the run {run.init.model} ({', '.join(shares)}).{seed}", f"{_RUN} init, seed")


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
        f"{_RUN} tuning_ap, sweep_job; {_POINT}",
    )


def _ensembling(evidence: Evidence) -> Found | None:
    source: Mapping[str, Any] = evidence.scores.model if evidence.scores else {}
    if not (evidence.model or source):
        return None
    others: Any = source.get("ensemble_weights_sha256")
    text = f"{1 + len(others)} sets of weights answer together." if others else "None."
    return Found(text, f"{_SCORES} model" if source else _MODEL)


def _partitions(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None or run.data is None:
        return None
    if run.splits is not None:
        each = {name: len(getattr(run.splits, name)) for name in ("train", "tune", "test")}
        text = ", ".join(f"{name} {counted(number, 'study')}" for name, number in each.items())
        return Found(f"By patient: {text}. Data {run.data.sha256[:12]}.", f"{_RUN} splits, data")
    return Found(
        f"All of the data are a test; nothing was trained on them. Data {run.data.sha256[:12]}.", f"{_RUN} data"
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
    return Found(f"{text}{where}; commit {run.commit or 'unknown'}.", f"{_RUN} versions, device, commit")


def _imbalance(evidence: Evidence) -> Found | None:
    if not evidence.model:
        return None
    lesions = [f"centre {part.center} {part.lesion_free} of {part.studies}" for part in evidence.tested]
    free = f" Lesion-free studies tested: {', '.join(lesions)}." if lesions else ""
    return Found(
        f"Boxes are matched to lesions one to one in training; nothing was resampled or recalibrated.{free}",
        f"{_MODEL}" + (f"; {_SCORES} participants" if lesions else ""),
    )


def _updating(evidence: Evidence) -> Found | None:
    run = evidence.run
    if run is None:
        return None
    if run.init is not None:
        return Found(f"Updated from the run {run.init.model}; the threshold was chosen anew.", f"{_RUN} init")
    return Found("Not updated; the threshold stayed as it was frozen.", f"{_RUN} init, operating_point_sha256")


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
        f"{_SCORES} not_read" + ("; skipped.json" if evidence.skipped else ""),
    )


def _audit(evidence: Evidence) -> Found | None:
    scores, run = evidence.scores, evidence.run
    parts = [
        *([f"data {run.data.sha256}"] if run and run.data else []),
        *([f"operating point {scores.operating_point_sha256}"] if scores and scores.operating_point_sha256 else []),
        *([f"weights {evidence.weights_sha256}"] if evidence.weights_sha256 else []),
        *([f"commit {run.commit}"] if run and run.commit else []),
    ]
    return Found(f"SHA-256: {'; '.join(parts)}.", f"{_RUN}; {_SCORES}") if parts else None


# --- drafts ---


def _goal(evidence: Evidence) -> Found | None:
    command = evidence.run.command if evidence.run else None
    words = {
        "train": "Development of a detector, with a test."
        if not (evidence.run and evidence.run.init)
        else "Transfer of a detector.",
        "evaluate": "Test of a finished detector at its frozen threshold.",
    }
    text = words.get(str(command)) or ("Test of a detector's findings." if evidence.scores else None)
    return Found(text, f"{_RUN} command") if text else None


def _data_sources(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    centers = list(dict.fromkeys(part.center for part in evidence.tested))
    digest = [f"data {evidence.run.data.sha256[:12]}"] if evidence.run and evidence.run.data else []
    words = [*([f"centres {listed(centers)}"] if centers else []), *digest]
    return Found(f"{evidence.scores.name or 'unnamed data'}: {', '.join(words) or 'centres not recorded'}.", _SCORES)


def _setting(evidence: Evidence) -> Found | None:
    centers = {part.center for part in evidence.tested}
    return (
        Found(f"{counted(len(centers), 'centre')}; dates are not kept.", f"{_SCORES} participants") if centers else None
    )


def _eligibility(evidence: Evidence) -> Found | None:
    if evidence.run is None:
        return None
    excluded = len(evidence.run.excluded)
    return Found(
        f"{counted(excluded, 'study')} excluded with a recorded reason; T2 series that pass the input checks.",
        f"{_RUN} excluded",
    )


def _selection(evidence: Evidence) -> Found | None:
    planes: Any = evidence.model.get("planes")
    if not isinstance(planes, dict):
        return None
    return Found(f"T2 series of the planes {listed(list(planes))}; other series are not read.", f"{_MODEL} planes")


def _deidentification(evidence: Evidence) -> Found | None:
    text = (
        "The program keeps no name, birth date or free text of an image's header; who removed what before is not known."
    )
    return Found(text, "by design")


def _reference(evidence: Evidence) -> Found | None:
    origins: dict[str, int] = {}
    for part in evidence.tested:
        for name, count in part.origins.items():
            origins[name] = origins.get(name, 0) + count
    if not origins:
        return None
    words = ", ".join(f"{name} {count}" for name, count in origins.items())
    return Found(f"Boxes of lesions by origin: {words}.", f"{_SCORES} participants[].origins")


def _agreement(evidence: Evidence) -> Found | None:
    return Found("Not measured.", "no file of a second reader") if evidence.scores else None


def _sample_size(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    planned: Any = evidence.plan.get("patients")
    head = f"Planned: {planned} patients." if planned else "No planning is recorded."
    reached = [
        f"{one.by.get('plane')} {one.metric} {plain(one.value)} ({counted(one.patients, 'patient')})"
        for one in evidence.scores.half_widths
    ]
    tail = f" Reached half-widths of the intervals: {'; '.join(reached)}." if reached else ""
    return Found(head + tail, f"{_SCORES} half_widths")


def _robustness(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    if not evidence.scores.robustness:
        return Found("Not done (evaluate test.robustness=[noise,motion] does).", f"{_SCORES} robustness")
    level = evidence.scores.bootstrap.confidence
    lines = [
        f"{one.degradation.replace('_', ' ')} ({one.plane}): F1 {in_words(one.points[0].f1, level)} undegraded, "
        f"{in_words(one.points[-1].f1, level)} at strength {one.points[-1].strength:g} ({one.unit})."
        for one in evidence.scores.robustness
    ]
    return Found("At the frozen threshold. " + " ".join(lines), f"{_SCORES} robustness")


def _subgroups(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    if scores is None:
        return None
    usual = {"plane", "center", "category"}
    other: Sequence[Group] = [group for group in scores.groups if set(group.by) - usual]
    if not other:
        return Found("Not analysed (score by=[sex,vendor] does).", f"{_SCORES} groups")
    lines = [
        f"{', '.join(f'{key} {value}' for key, value in group.by.items())}: F1 "
        f"{in_words(group.f1, scores.bootstrap.confidence)}."
        for group in other
    ]
    return Found(" ".join(lines), f"{_SCORES} groups")


def _representative(evidence: Evidence) -> Found | None:
    lines = [
        f"Centre {part.center}: {part.lesion_free} of {counted(part.studies, 'study')} without any lesion."
        for part in evidence.tested
    ]
    return Found(" ".join(lines), f"{_SCORES} participants") if lines else None


def _sharing(evidence: Evidence) -> Found | None:
    commit = evidence.run.commit if evidence.run else None
    parts = [
        "Code: spinedet, Apache-2.0" + (f", commit {commit}" if commit else ""),
        *([f"weights of SHA-256 {evidence.weights_sha256}"] if evidence.weights_sha256 else []),
    ]
    return Found("; ".join(parts) + ". Access to weights and data is not recorded.", f"{_RUN} commit; model")


def _handling(evidence: Evidence) -> Found | None:
    text = (
        "Before prediction every image is checked (geometry, field of view, weighting, contrast); unfit ones are "
        "refused or marked as doubtful, and a person must read all images."
    )
    return Found(text, "docs/predict.md")


def listed_notes(evidence: Evidence) -> Iterator[str]:
    """What the limitations have to address."""
    if evidence.labels:
        yield from evidence.labels.notes
    elif evidence.scores:
        yield from evidence.scores.banner
    elif evidence.trained_on:
        yield from evidence.trained_on.sentences
    departures: Any = evidence.plan.get("departures", [])
    yield from (f"Departure from the registered plan: {one}" for one in departures)


_ANSWERS: Mapping[str, Callable[[Evidence], Found | None]] = {
    "preprocessing": _preprocessing,
    "missing_data": _missing,
    "acquisition": _acquisition,
    "predictors": _predictors,
    "partitions": _partitions,
    "disjoint": _disjoint,
    "model": _model,
    "software": _software,
    "initialisation": _initialisation,
    "training": _training,
    "choice": _choice,
    "ensembling": _ensembling,
    "measures": _measures,
    "uncertainty": _uncertainty,
    "internal": _internal,
    "external": _external,
    "flow": _flow,
    "participants": _participants,
    "analysed": _analysed,
    "performance": _performance,
    "estimates": _estimates,
    "errors": _errors,
    "clusters": _clusters,
    "imbalance": _imbalance,
    "threshold": _threshold,
    "blind_index": _blind,
    "uncertain_results": _uncertain,
    "updating": _updating,
    "calculation": _calculation,
    "severity": _severity,
    "audit": _audit,
    "goal": _goal,
    "data_sources": _data_sources,
    "setting": _setting,
    "eligibility": _eligibility,
    "selection": _selection,
    "deidentification": _deidentification,
    "reference": _reference,
    "agreement": _agreement,
    "sample_size": _sample_size,
    "robustness": _robustness,
    "subgroups": _subgroups,
    "representative": _representative,
    "sharing": _sharing,
    "handling": _handling,
}
