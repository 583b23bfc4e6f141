"""Drafts that a person has to confirm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import MODEL, RUN, SCORES, Found
from spinedet.report.number_format import counted, in_words, listed, plain, verb
from spinedet.scoring import Group


def _goal(evidence: Evidence) -> Found | None:
    command = evidence.run.command if evidence.run else None
    words = {
        "train": "Development of a detector, with a test."
        if not (evidence.run and evidence.run.init)
        else "Transfer: development of a detector from the weights of an earlier run, with a test.",
        "evaluate": "Test of a finished detector at its frozen threshold.",
    }
    text = words.get(str(command)) or ("Test of a detector from its findings." if evidence.scores else None)
    return Found(text, f"{RUN} command" if command in words else SCORES) if text else None


def _data_sources(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    centers = list(dict.fromkeys(part.center for part in evidence.tested))
    known = f"from {counted(len(centers), 'centre')}: {listed(centers)}"
    places = known if centers else "whose centres are not recorded"
    name = evidence.scores.name or "(its name is not recorded)"
    return Found(f"Tested on the data set {name}, {places}.", f"{SCORES} name, participants")


def _setting(evidence: Evidence) -> Found | None:
    centers = list(dict.fromkeys(part.center for part in evidence.tested))
    if not centers:
        return None
    text = f"Tested at {counted(len(centers), 'centre')}: {listed(centers)}. What kind of place each is, and dates, are"
    return Found(f"{text} not recorded.", f"{evidence.results} participants")


def _eligibility(evidence: Evidence) -> Found | None:
    if evidence.run is None:
        return None
    excluded = len(evidence.run.excluded)
    out = f"{counted(excluded, 'study')} {verb(excluded, 'was', 'were')} excluded, the reason is recorded"
    text = f"All studies of the data were eligible; {out if excluded else 'none is recorded as excluded'}."
    return Found(f"{text} Clinical criteria are not recorded.", f"{RUN} excluded")


def _selection(evidence: Evidence) -> Found | None:
    planes: Any = evidence.model.get("planes")
    if not isinstance(planes, dict):
        return None
    word = "plane" if len(planes) == 1 else "planes"
    text = f"Whole T2 series of the {word} {listed(list(planes))}; other series were not used."
    return Found(text, f"{MODEL} planes")


def _deidentification(evidence: Evidence) -> Found | None:
    if not evidence.ours:
        return None
    text = (
        "The program keeps no name, birth date or free text of an image's header; who removed what before is not "
        "recorded."
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
    text = f"Boxes of lesions, by origin: {words}. What counts as a lesion, and who decided it, is not recorded."
    return Found(text, f"{evidence.results} participants[].origins")


def _agreement(evidence: Evidence) -> Found | None:
    text = "Agreement of readers of the reference standard was not measured."
    return Found(text, "no file of a second reader") if evidence.results_known else None


def _sample_size(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    planned: Any = evidence.plan.get("patients")
    head = f"Planned: {planned} patients." if planned else "No planning is recorded."
    reached = [
        f"{one.by.get('plane')} {one.metric.replace('f1', 'F1')} {plain(one.value)} "
        f"({counted(one.patients, 'patient')})"
        for one in evidence.scores.half_widths
    ]
    tail = f" Reached half-widths of the intervals: {'; '.join(reached)}." if reached else ""
    return Found(head + tail, f"{SCORES} half_widths")


def _robustness(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    if not evidence.scores.robustness:
        text = "Not tested on degraded images (`evaluate test.robustness=[noise,motion]` does)."
        return Found(text, f"{SCORES} robustness")
    level = evidence.scores.bootstrap.confidence
    lines = [
        f"{one.degradation.replace('_', ' ')} ({one.plane}): F1 {in_words(one.points[0].f1, level)} undegraded, "
        f"{in_words(one.points[-1].f1, level)} at strength {one.points[-1].strength:g} ({one.unit})."
        for one in evidence.scores.robustness
    ]
    return Found("At the frozen threshold. " + " ".join(lines), f"{SCORES} robustness")


def _subgroups(evidence: Evidence) -> Found | None:
    scores = evidence.scores
    if scores is None:
        return None
    usual = {"plane", "center", "category"}
    other: Sequence[Group] = [group for group in scores.groups if set(group.by) - usual]
    if not other:
        return Found("Not analysed by sex, age or scanner (`score by=[sex,vendor]` does).", f"{SCORES} groups")
    lines = [
        f"{', '.join(f'{key} {value}' for key, value in group.by.items())}: "
        f"{in_words(group.f1, scores.bootstrap.confidence)}"
        for group in other
    ]
    return Found(f"F1 by subgroup: {'; '.join(lines)}.", f"{SCORES} groups")


def _representative(evidence: Evidence) -> Found | None:
    lines = [
        f"At centre {part.center} {part.lesion_free} of {counted(part.studies, 'study')} had no lesion."
        for part in evidence.tested
    ]
    if not lines:
        return None
    text = "Whether the patients are like those in intended use is not recorded."
    return Found(" ".join([*lines, text]), f"{evidence.results} participants")


def _sharing(evidence: Evidence) -> Found | None:
    if not evidence.ours:
        text = "Findings were scored with spinedet, licence Apache-2.0. Who may have the detector and the data is not"
        return Found(f"{text} recorded.", SCORES)
    commit = evidence.run.commit if evidence.run else None
    weights = f" The weights have the SHA-256 {evidence.weights_sha256}." if evidence.weights_sha256 else ""
    text = f"The code is spinedet, licence Apache-2.0{f', commit {commit}' if commit else ''}.{weights}"
    return Found(f"{text} Who may have weights and data is not recorded.", f"{RUN} commit; model")


def _handling(evidence: Evidence) -> Found | None:
    if not evidence.ours:
        return None
    text = (
        "`predict` checks every image (geometry, field of view, weighting, contrast), refuses unfit ones and marks "
        "doubtful ones; a person must read all images."
    )
    return Found(text, "docs/predict.md")


ANSWERS: Mapping[str, Callable[[Evidence], Found | None]] = {
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
