"""Answers from the scores of a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import POINT, RUN, SCORES, Found, criterion_in_words
from spinedet.report.number_format import counted, in_words, listed, plain
from spinedet.scoring import Group, Scores
from spinedet.scoring.thresholds import FrozenThresholds


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
        return Found(f"{criterion_in_words(scores.criterion)} {' '.join(lines)}", f"{SCORES} groups")
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
    head = "By patient, any lesion or none; patients whose only lesions are to be ignored are left out."
    return Found(f"{head} {' '.join(lines)}", f"{SCORES} groups[].patient")


def _errors(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    lines = [
        f"{group_name(group)}: {group.fn} of {counted(group.n.lesions, 'lesion')} missed, "
        f"{counted(group.fp, 'false positive')}, of these {group.duplicates} on a lesion found already."
        for group in main_groups(evidence.scores)
    ]
    return Found(" ".join(lines), f"{SCORES} groups[].fn, fp, duplicates")


def _internal(evidence: Evidence) -> Found | None:
    return _centers(evidence, inside=True)


def _external(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    found = _centers(evidence, inside=False)
    if scores is None or found is None:
        return found
    changes = [
        f"{gap.plane.capitalize()}, {listed(gap.centers)}: difference of F1 from the internal centres "
        f"{in_words(gap.change['f1'], scores.bootstrap.confidence)}."
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
    word = "centre" if len(internal) == 1 else "centres"
    head = f"Developed at the {word} {listed(internal)}."
    criterion = criterion_in_words(scores.criterion)
    text = " ".join([head, criterion, *lines]) if lines else f"{head} No {where} centre was tested."
    return Found(text, f"{RUN} internal_centers; {SCORES} groups")


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
    several = len({group.by.get("center") for group in main_groups(evidence.scores)} - {None}) > 1
    none = "F1 was not pooled over centres." if several else "Data of one centre: there is nothing to compare."
    return Found(text + (" ".join(lines) or none), f"{SCORES} forests, bootstrap")


def _measures(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    text = (
        "Precision, recall and F1 of lesions at the threshold, FROC, average precision, and patient-level "
        f"sensitivity, specificity and AUC. {criterion_in_words(evidence.scores.criterion)}"
    )
    return Found(text, f"{SCORES} criterion")


def _uncertainty(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    if scores is None:
        return None
    text = f"{scores.bootstrap.description}; seed {scores.bootstrap.seed}."
    return Found(text[0].upper() + text[1:], f"{SCORES} bootstrap")


def _threshold(evidence: Evidence) -> Found | None:
    applied = evidence.scores.threshold if evidence.scores else None
    if isinstance(applied, FrozenThresholds):
        each = ", ".join(f"{one.plane} {one.category} {plain(one.value)}" for one in applied.thresholds)
        text = (
            f"Lowest score that counts: {each}. Chosen by the rule {applied.rule} on "
            f"{counted(applied.chosen_on.studies, 'tuning study')} (SHA-256 of the data begins "
            f"{applied.chosen_on.data_sha256[:12]}) and frozen before the test."
        )
        return Found(text, f"{SCORES} threshold")
    if applied is not None:
        return Found(f"{applied.description[0].upper()}{applied.description[1:]}.", f"{SCORES} threshold")
    if evidence.point is None:
        return None
    each = ", ".join(f"{one.plane} {one.category} {plain(one.value)}" for one in evidence.point.thresholds)
    chosen = counted(evidence.point.chosen_on.studies, "tuning study")
    return Found(f"Lowest score that counts: {each}. Chosen by the rule {evidence.point.rule} on {chosen}.", POINT)


ANSWERS: Mapping[str, Callable[[Evidence], Found | None]] = {
    "measures": _measures,
    "uncertainty": _uncertainty,
    "internal": _internal,
    "external": _external,
    "performance": _performance,
    "estimates": _estimates,
    "errors": _errors,
    "clusters": _clusters,
    "threshold": _threshold,
}
