"""Drafts that a person has to confirm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import MODEL, RUN, SCORES, Found
from spinedet.report.number_format import counted, in_words, listed, plain
from spinedet.scoring import Group


def _goal(evidence: Evidence) -> Found | None:
    command = evidence.run.command if evidence.run else None
    words = {
        "train": "Development of a detector, with a test."
        if not (evidence.run and evidence.run.init)
        else "Transfer of a detector.",
        "evaluate": "Test of a finished detector at its frozen threshold.",
    }
    text = words.get(str(command)) or ("Test of a detector's findings." if evidence.scores else None)
    return Found(text, f"{RUN} command") if text else None


def _data_sources(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    centers = list(dict.fromkeys(part.center for part in evidence.tested))
    digest = [f"data {evidence.run.data.sha256[:12]}"] if evidence.run and evidence.run.data else []
    words = [*([f"centres {listed(centers)}"] if centers else []), *digest]
    return Found(f"{evidence.scores.name or 'unnamed data'}: {', '.join(words) or 'centres not recorded'}.", SCORES)


def _setting(evidence: Evidence) -> Found | None:
    centers = {part.center for part in evidence.tested}
    return (
        Found(f"{counted(len(centers), 'centre')}; dates are not kept.", f"{SCORES} participants") if centers else None
    )


def _eligibility(evidence: Evidence) -> Found | None:
    if evidence.run is None:
        return None
    excluded = len(evidence.run.excluded)
    return Found(
        f"{counted(excluded, 'study')} excluded with a recorded reason; T2 series that pass the input checks.",
        f"{RUN} excluded",
    )


def _selection(evidence: Evidence) -> Found | None:
    planes: Any = evidence.model.get("planes")
    if not isinstance(planes, dict):
        return None
    return Found(f"T2 series of the planes {listed(list(planes))}; other series are not read.", f"{MODEL} planes")


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
    return Found(f"Boxes of lesions by origin: {words}.", f"{SCORES} participants[].origins")


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
    return Found(head + tail, f"{SCORES} half_widths")


def _robustness(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    if not evidence.scores.robustness:
        return Found("Not done (evaluate test.robustness=[noise,motion] does).", f"{SCORES} robustness")
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
        return Found("Not analysed (score by=[sex,vendor] does).", f"{SCORES} groups")
    lines = [
        f"{', '.join(f'{key} {value}' for key, value in group.by.items())}: F1 "
        f"{in_words(group.f1, scores.bootstrap.confidence)}."
        for group in other
    ]
    return Found(" ".join(lines), f"{SCORES} groups")


def _representative(evidence: Evidence) -> Found | None:
    lines = [
        f"Centre {part.center}: {part.lesion_free} of {counted(part.studies, 'study')} without any lesion."
        for part in evidence.tested
    ]
    return Found(" ".join(lines), f"{SCORES} participants") if lines else None


def _sharing(evidence: Evidence) -> Found | None:
    commit = evidence.run.commit if evidence.run else None
    parts = [
        "Code: spinedet, Apache-2.0" + (f", commit {commit}" if commit else ""),
        *([f"weights of SHA-256 {evidence.weights_sha256}"] if evidence.weights_sha256 else []),
    ]
    return Found("; ".join(parts) + ". Access to weights and data is not recorded.", f"{RUN} commit; model")


def _handling(evidence: Evidence) -> Found | None:
    text = (
        "Before prediction every image is checked (geometry, field of view, weighting, contrast); unfit ones are "
        "refused or marked as doubtful, and a person must read all images."
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
