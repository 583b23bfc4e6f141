"""Answers from the scores of a classification of radiographs; they stand in place of those of a detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import Found
from spinedet.report.number_format import counted, in_words, listed, plain
from spinedet.scoring.classification.records import Answers, LabelGroup, LabelScores

_SCORES = "scores.json"
_ANSWERED = "as answered"


def label_facts(evidence: Evidence, scores: LabelScores) -> dict[str, Found | None]:
    """The answers of a classification by topic; None where a detector's answer would be wrong here."""
    return {name: answer(evidence, scores) for name, answer in _ANSWERS.items()}


def _named(group: LabelGroup) -> str:
    by = ", ".join(f"{key} {value}" for key, value in group.by.items() if key != "unit")
    return f"By {group.by.get('unit', 'image')}{f', {by}' if by else ''}"


def _answered(group: LabelGroup) -> Answers:
    """As the run answers; of readings that never reject, the first way there is."""
    return next((one for one in group.answers if one.rule == _ANSWERED), group.answers[0])


def _performance(evidence: Evidence, scores: LabelScores) -> Found:
    level = scores.bootstrap.confidence
    lines = []
    for group in scores.groups:
        one = _answered(group)
        named = {"accuracy": one.accuracy, "macro F1": one.macro_f1, "AUC": group.auc.bootstrap}
        words = ", ".join(f"{name} {in_words(estimate, level)}" for name, estimate in named.items())
        lines.append(f"{_named(group)}: {words}.")
    return Found(" ".join(lines), f"{_SCORES} groups")


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
        by = ", ".join(f"{key} {value}" for key, value in part.by.items()) or "all"
        rejected = ", ".join(f"{count} without an answer ({why})" for why, count in part.rejected.items())
        lines.append(
            f"{by}: {counted(part.studies, 'study')} of {counted(part.patients, 'patient')}, {part.images} images, "
            f"{part.labelled} labelled, {part.other} of none of the labels, {part.unlabelled} unlabelled, "
            f"{part.excluded} excluded{f'; {rejected}' if rejected else ''}."
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
    lines = [
        f"{one.external} against {one.internal}, {one.metric}: {in_words(one.difference, level)}."
        for one in scores.contrasts
    ]
    return Found(" ".join(lines), f"{_SCORES} contrasts") if lines else None


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
    text = f"{scores.model_name}: one radiograph in, one of the labels {named} out, or no answer."
    return Found(text, f"{_SCORES} model, task")


def _sources(evidence: Evidence, scores: LabelScores) -> Found:
    digest = f"; data {evidence.run.data.sha256[:12]}" if evidence.run and evidence.run.data else ""
    return Found(f"{scores.name}{digest}.", f"{_SCORES} name")


def _goal(evidence: Evidence, scores: LabelScores) -> Found:
    developed = evidence.run is not None and evidence.run.command == "radiograph.train"
    word = "Development of a classification of radiographs, with a test." if developed else "Test of a classification."
    return Found(word, "run.json command" if evidence.run else _SCORES)


def _missing(evidence: Evidence, scores: LabelScores) -> Found:
    unlabelled = sum(part.unlabelled for part in scores.flow if not part.by)
    return Found(f"{counted(unlabelled, 'image')} without a label are not scored.", f"{_SCORES} flow")


def _calculation(evidence: Evidence, scores: LabelScores) -> Found | None:
    if not evidence.weights_sha256:
        return None
    text = f"`python -m spinedet.radiograph.predict run=RUN` with the weights of SHA-256 {evidence.weights_sha256}."
    return Found(text, "model/model.safetensors")


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
    "internal": _performance,
    "external": _external,
    "uncertain_results": _uncertain,
    "model": _model,
    "data_sources": _sources,
    "goal": _goal,
    "missing_data": _missing,
    "calculation": _calculation,
    "preprocessing": _open,
    "imbalance": _open,
    "initialisation": _open,
    "choice": _open,
    "handling": _open,
    "selection": _open,
    "eligibility": _open,
}
