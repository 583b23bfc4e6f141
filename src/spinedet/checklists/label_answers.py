"""Answers from the scores of a classification of radiographs; they stand in place of those of a detector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from spinedet.checklists.evidence import PHANTOM_WEIGHTS, Evidence
from spinedet.checklists.found import CONFIG, MODEL, POINT, RUN, Found
from spinedet.checklists.found import SCORES as _SCORES
from spinedet.checklists.model_answers import seen_in_words, sweep_in_words
from spinedet.report.number_format import counted, in_words, listed, plain, verb
from spinedet.runs.provenance import PretrainedWeights, RadiographParticipants
from spinedet.scoring.classification.records import Answers, LabelGroup, LabelScores

_ANSWERED = "as answered"
_TRAIN = "radiograph.train"


def label_facts(evidence: Evidence, scores: LabelScores) -> dict[str, Found | None]:
    """The answers of a classification by topic; None where a detector's answer would be wrong here."""
    return {name: answer(evidence, scores) for name, answer in _ANSWERS.items()}


def _named(group: LabelGroup) -> str:
    by = _part_of({key: value for key, value in group.by.items() if key != "unit"})
    return f"By {group.by.get('unit', 'image')}{f', {by}' if by else ''}"


def _part_of(by: Mapping[str, str]) -> str:
    """`view lateral, centre B`."""
    return ", ".join(f"{'centre' if key == 'center' else key} {value}" for key, value in by.items())


def _answered(group: LabelGroup) -> Answers:
    """As the run answers; of readings that never reject, the first way there is."""
    return next((one for one in group.answers if one.rule == _ANSWERED), group.answers[0])


def _performance(evidence: Evidence, scores: LabelScores) -> Found:
    return Found(" ".join(_results(scores, scores.groups)), f"{_SCORES} groups")


def _results(scores: LabelScores, groups: Iterable[LabelGroup]) -> list[str]:
    """A sentence for each part of the test."""
    level = scores.bootstrap.confidence
    lines = []
    for group in groups:
        one = _answered(group)
        named = {"accuracy": one.accuracy, "macro F1": one.macro_f1, "AUC": group.auc.bootstrap}
        words = ", ".join(f"{name} {in_words(estimate, level)}" for name, estimate in named.items())
        lines.append(f"{_named(group)}: {words}.")
    return lines


def _at(evidence: Evidence, scores: LabelScores, *, inside: bool) -> list[str] | None:
    """Results at the centres of the development, or at others; None where the run does not state which those are."""
    internal = evidence.run.internal_centers if evidence.run else ()
    tested = {part.by["center"] for part in scores.flow if "center" in part.by}
    if not internal or not tested:
        return None
    if len(tested) == 1:
        # Everything is of one centre, which has no groups of its own.
        return _results(scores, scores.groups if (tested <= set(internal)) is inside else ())
    return _results(
        scores, [one for one in scores.groups if "center" in one.by and (one.by["center"] in internal) is inside]
    )


def _internal(evidence: Evidence, scores: LabelScores) -> Found | None:
    lines = _at(evidence, scores, inside=True)
    if lines is None:
        return None
    centers = evidence.run.internal_centers if evidence.run else ()
    head = f"Developed at the {'centre' if len(centers) == 1 else 'centres'} {listed(centers)}."
    text = " ".join([head, *(lines or ["No internal centre was tested."])])
    return Found(text, f"{RUN} internal_centers; {_SCORES} groups")


def _estimates(evidence: Evidence, scores: LabelScores) -> Found | None:
    level = scores.bootstrap.confidence
    lines = [
        f"{_named(group)}, {finding.finding}: sensitivity {in_words(finding.sensitivity, level)}, specificity "
        f"{in_words(finding.specificity, level)}."
        for group in scores.groups
        if (finding := _answered(group).finding) is not None
    ]
    return Found(" ".join(lines), f"{_SCORES} groups[].answers[].finding") if lines else None


def _analysed(evidence: Evidence, scores: LabelScores) -> Found:
    lines = [
        f"{_named(group)}: {counted(group.patients, 'patient')}, {counted(group.items, 'item')}."
        for group in scores.groups
    ]
    return Found(" ".join(lines), f"{_SCORES} groups[].patients, items")


def _flow(evidence: Evidence, scores: LabelScores) -> Found:
    lines = []
    for part in scores.flow:
        by = _part_of(part.by) or "all"
        counts = {
            "of none of the labels": part.other,
            "without a label": part.unlabelled,
            "excluded": part.excluded,
            **{f"without an answer ({why})": count for why, count in part.rejected.items()},
        }
        lines.append(
            f"{by[0].upper()}{by[1:]}: {counted(part.studies, 'study')} of {counted(part.patients, 'patient')}, "
            f"{counted(part.images, 'image')}, {part.labelled} with a label"
            f"{''.join(f', {count} {what}' for what, count in counts.items() if count)}."
        )
    return Found(" ".join(lines), f"{_SCORES} flow")


def _measures(evidence: Evidence, scores: LabelScores) -> Found:
    text = (
        "Accuracy, precision, recall and F1 by label and as means, AUC (bootstrap and DeLong), agreement beyond "
        "chance; a rejected item counts as wrong."
    )
    return Found(text, f"{_SCORES} groups")


def _uncertainty(evidence: Evidence, scores: LabelScores) -> Found:
    text = f"{scores.bootstrap.description}; seed {scores.bootstrap.seed}."
    return Found(text[0].upper() + text[1:], f"{_SCORES} bootstrap")


def _errors(evidence: Evidence, scores: LabelScores) -> Found:
    lines = [
        f"{_named(group)}: {sum(one.items - one.right for one in _answered(group).labels)} of "
        f"{sum(one.items for one in _answered(group).labels)} not given their label."
        for group in scores.groups
    ]
    return Found(" ".join(lines), f"{_SCORES} groups[].answers[].labels")


def _external(evidence: Evidence, scores: LabelScores) -> Found | None:
    level = scores.bootstrap.confidence
    lines = _at(evidence, scores, inside=False)
    changes = [
        f"{one.external} minus {one.internal}, {_where(one.by)}{one.metric.replace('_', ' ')}: "
        f"{in_words(one.difference, level)}."
        for one in scores.contrasts
    ]
    if lines is None and not changes:
        return None
    text = " ".join([*(lines or []), *changes]) or "No external centre was tested."
    return Found(text, f"{_SCORES} groups, contrasts")


def _where(by: Mapping[str, str]) -> str:
    return f"by {by.get('unit', 'image')}{f' of the view {view}' if (view := by.get('view')) else ''}, "


def _uncertain(evidence: Evidence, scores: LabelScores) -> Found:
    lines = [
        f"{plain(one.kept.value)} of known images were answered, {plain(one.caught.value)} of the others were not."
        for one in scores.rejection
        if one.kept.value is not None and one.caught.value is not None
    ]
    text = "Images without an answer are listed with the reason and count as wrong. "
    return Found(text + " ".join(lines), f"{_SCORES} rejection, flow")


def _model(evidence: Evidence, scores: LabelScores) -> Found:
    labels = scores.task.get("labels")
    named = listed([str(one) for one in labels]) if isinstance(labels, list | tuple) else "not recorded"
    sizes = evidence.run.parameters if evidence.run else {}
    size = "; ".join(f"{part} {number:,} parameters" for part, number in sizes.items())
    text = (
        f"{scores.model_name}{f' ({size})' if size else ''}: its input is one radiograph, its output one of the labels "
        f"{named}, or no answer with the reason."
    )
    return Found(text, f"{_SCORES} model, task" + (f"; {RUN} parameters" if size else ""))


def _sources(evidence: Evidence, scores: LabelScores) -> Found:
    centers = _centers(_tested(evidence)) or [part.by["center"] for part in scores.flow if "center" in part.by]
    places = f", from {counted(len(centers), 'centre')}: {listed(centers)}" if centers else ""
    return Found(f"Tested on the data set {scores.name}{places}.", f"{_SCORES} name, flow")


def _goal(evidence: Evidence, scores: LabelScores) -> Found:
    developed = evidence.run is not None and evidence.run.command == _TRAIN
    word = "Development of a classification of radiographs, with a test." if developed else "Test of a classification."
    return Found(word, "run.json command" if evidence.run else _SCORES)


def _missing(evidence: Evidence, scores: LabelScores) -> Found:
    unlabelled = sum(part.unlabelled for part in scores.flow if not part.by)
    some = f"{counted(unlabelled, 'image')} without a label {verb(unlabelled, 'is', 'are')} not scored."
    text = some if unlabelled else "Every image has a label."
    return Found(f"{text} Age, sex and scanner are not recorded.", f"{_SCORES} flow")


def _calculation(evidence: Evidence, scores: LabelScores) -> Found | None:
    if not evidence.weights_sha256:
        return None
    command = "`python -m spinedet.radiograph.predict run=RUN input=IMAGES`"
    text = f"{command} with the weights of SHA-256 {evidence.weights_sha256}."
    return Found(text, "model/model.safetensors")


def _tested(evidence: Evidence) -> list[RadiographParticipants]:
    return [one for one in evidence.run.radiographs if one.split == "test"] if evidence.run else []


def _centers(parts: Iterable[RadiographParticipants]) -> list[str]:
    return list(dict.fromkeys(part.center for part in parts))


def _participants(evidence: Evidence, scores: LabelScores) -> Found | None:
    parts = evidence.run.radiographs if evidence.run else ()
    if not parts:
        return None
    order = sorted(parts, key=lambda one: one.split != "test")
    lines = [f"{'Tested' if one.split == 'test' else 'Developed on'}: {_part_in_words(one)}" for one in order]
    text = "Age, sex, disease other than the label, and scanner are not recorded."
    return Found(" ".join([*lines, text]), f"{RUN} radiographs")


def _part_in_words(part: RadiographParticipants) -> str:
    labels = ", ".join(f"{label} {count}" for label, count in part.labels.items())
    unknown = f", without a label {part.unlabelled}" if part.unlabelled else ""
    return (
        f"centre {part.center} ({part.split}), {counted(part.patients, 'patient')}"
        f"{' (simulated)' if part.simulated else ''}, {counted(part.studies, 'study')}, "
        f"{counted(part.images, 'image')}; images by label: {labels or 'none'}{unknown}."
    )


def _setting(evidence: Evidence, scores: LabelScores) -> Found | None:
    centers = _centers(_tested(evidence))
    if not centers:
        return None
    text = f"Tested at {counted(len(centers), 'centre')}: {listed(centers)}. What kind of place each is, and dates, are"
    return Found(f"{text} not recorded.", f"{RUN} radiographs")


def _representative(evidence: Evidence, scores: LabelScores) -> Found | None:
    lines = [
        f"At centre {one.center} images by label: {', '.join(f'{label} {n}' for label, n in one.labels.items())}."
        for one in _tested(evidence)
        if one.labels
    ]
    if not lines:
        return None
    text = "Whether the patients are like those in intended use is not recorded."
    return Found(" ".join([*lines, text]), f"{RUN} radiographs")


def _reference(evidence: Evidence, scores: LabelScores) -> Found:
    text = "A label of each image or study; what it rests on, and who gave it, is not recorded."
    return Found(text, f"{_SCORES} flow")


def _partitions(evidence: Evidence, scores: LabelScores) -> Found | None:
    run = evidence.run
    if run is None:
        return None
    if run.splits is None:
        return Found(f"All of the data are a test. {seen_in_words(evidence)}", f"{RUN} radiographs; {_SCORES} notes")
    each = {
        name: (sum(one.patients for one in those), sum(one.images for one in those))
        for name in ("train", "tune", "test")
        if (those := [one for one in run.radiographs if one.split == name])
    }
    words = [
        f"{name} {counted(patients, 'patient')} with {counted(images, 'image')}"
        for name, (patients, images) in each.items()
    ] or [f"{name} {counted(len(getattr(run.splits, name)), 'study')}" for name in ("train", "tune", "test")]
    return Found(f"Split by patient: {', '.join(words)}.", f"{RUN} splits, radiographs")


def _choice(evidence: Evidence, scores: LabelScores) -> Found | None:
    if evidence.run is None or evidence.run.command != _TRAIN:
        return None
    search: Any = evidence.config.get("search", {})
    trials = str(search.get("trials", "0")) if isinstance(search, dict) else "0"
    text = "The averaged weights at the end of the training are kept"
    if trials != "0":
        text = (
            f"A search tried {trials} recipes, which were compared by the log loss on patients held out from the "
            "training split; the best one trained the network, whose averaged weights at the end are kept"
        )
    text += "; temperature, threshold and rejection were chosen on the tuning split."
    if evidence.sweep is None:
        return Found(text, f"{CONFIG} search; {POINT}")
    return Found(f"{text} {sweep_in_words(evidence.sweep)}", f"{CONFIG} search; {POINT}; {RUN} of the other runs")


def _initialisation(evidence: Evidence, scores: LabelScores) -> Found | None:
    run = evidence.run
    if run is None or run.command != _TRAIN:
        return None
    seed = f" Seed {run.seed}." if run.seed is not None else ""
    if run.init is not None:
        parts = run.init.planes.items()
        shares = ", ".join(f"{part} {plain(100 * one.share, 1)} % of all numbers" for part, one in parts)
        return Found(f"Began with the run {run.init.model} ({shares}).{seed}", f"{RUN} init, seed")
    if not run.pretrained:
        return Found(f"Random weights.{seed}", f"{RUN} pretrained, seed")
    lines = [f"Network {part}: began with {_began_with(evidence, one)}." for part, one in run.pretrained.items()]
    return Found(f"{' '.join(lines)}{seed}", f"{RUN} pretrained, seed; {CONFIG} network")


def _began_with(evidence: Evidence, weights: PretrainedWeights) -> str:
    """Source and hash as the run recorded them, a file with its name but without its path."""
    if weights.source == PHANTOM_WEIGHTS:
        source = "the shipped weights that were taught on simulated radiographs"
    else:
        network: Any = evidence.config.get("network", {})
        name = Path(str(network.get("weights", ""))).name if isinstance(network, dict) else ""
        source = f"the weights of a local file{f', {name}' if name else ''}"
    return f"{source} (SHA-256 {weights.sha256}; matched {weights.matched})"


def _training(evidence: Evidence, scores: LabelScores) -> Found | None:
    run, learning = evidence.run, evidence.config.get("learning", {})
    if run is None or not run.trainings:
        return None
    lines = [
        f"Training {name}: {length.steps} of {length.planned or length.steps} planned steps."
        for name, length in run.trainings.items()
    ]
    named = ("lr", "weight_decay", "batch", "smoothing", "ema")
    known = [f"{key} {learning[key]}" for key in named if isinstance(learning, dict) and key in learning]
    settings = [f"Settings: {', '.join(known)} (all values, with the augmentation, in {CONFIG})."] if known else []
    return Found(" ".join([*lines, *settings]), f"{RUN} trainings; {CONFIG} learning, augment")


def _threshold(evidence: Evidence, scores: LabelScores) -> Found | None:
    point = evidence.label_point
    if point is None:
        return None
    lines = []
    for one in point.parts:
        chosen = f"{counted(one.images, 'tuning image')} of {counted(one.patients, 'patient')}"
        if one.threshold is None:
            lines.append(f"Network {one.part}: the label of the highest score; calibrated on {chosen}.")
        else:
            least = f"{point.task.get('positive')} from a score of {plain(one.threshold)}"
            lines.append(f"Network {one.part}: {least}, chosen by the rule {point.rule} on {chosen}.")
    return Found(" ".join([*lines, "Frozen before the test."]), POINT)


def _preprocessing(evidence: Evidence, scores: LabelScores) -> Found | None:
    given: Any = evidence.model.get("input")
    if not isinstance(given, dict) or "pixels" not in given:
        return None
    pixels, focus = given["pixels"], given.get("focus", "image")
    part = "" if focus == "image" else f", of which the network sees what input.focus={focus} leaves"
    return Found(f"Every radiograph is resampled to {pixels} x {pixels} pixels{part}.", f"{MODEL} input")


def _imbalance(evidence: Evidence, scores: LabelScores) -> Found | None:
    learning: Any = evidence.config.get("learning", {})
    balance = learning.get("balance") if isinstance(learning, dict) else None
    if balance is None:
        return None
    text = (
        f"The loss weighs each label by its frequency to the power of -{balance}; no image was resampled."
        if float(balance)
        else "Labels weigh alike in the loss; no image was resampled."
    )
    return Found(text, f"{CONFIG} learning.balance")


def _handling(evidence: Evidence, scores: LabelScores) -> Found:
    text = (
        "Images that cannot be read, or that are recognised as no radiograph of the task, get no answer, and the "
        "reason is written; a person must read all images."
    )
    return Found(text, "docs/radiographs.md")


def _explanation(evidence: Evidence, scores: LabelScores) -> Found:
    test: Any = evidence.config.get("test", {})
    pictures = str(test.get("pictures", "0")) if isinstance(test, dict) else "0"
    if pictures != "0":
        text = f"The report shows heat maps (Grad-CAM of the highest score) of {pictures} images at most."
        return Found(text, f"{CONFIG} test.pictures; report.html")
    return Found(
        "Answers are labels, those of a network with a score; no heat map was drawn.", f"{CONFIG} test.pictures"
    )


def _open(evidence: Evidence, scores: LabelScores) -> None:
    """The detector's answer does not hold for radiographs, and the files state none."""


_ANSWERS: Mapping[str, Callable[[Evidence, LabelScores], Found | None]] = {
    "performance": _performance,
    "estimates": _estimates,
    "analysed": _analysed,
    "flow": _flow,
    "measures": _measures,
    "uncertainty": _uncertainty,
    "errors": _errors,
    "internal": _internal,
    "external": _external,
    "uncertain_results": _uncertain,
    "model": _model,
    "data_sources": _sources,
    "goal": _goal,
    "missing_data": _missing,
    "calculation": _calculation,
    "participants": _participants,
    "setting": _setting,
    "representative": _representative,
    "reference": _reference,
    "partitions": _partitions,
    "choice": _choice,
    "initialisation": _initialisation,
    "training": _training,
    "threshold": _threshold,
    "preprocessing": _preprocessing,
    "imbalance": _imbalance,
    "handling": _handling,
    "explanation": _explanation,
    "selection": _open,
    "acquisition": _open,
    "severity": _open,
    "subgroups": _open,
    "clusters": _open,
    "ensembling": _open,
}
