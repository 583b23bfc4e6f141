"""Answers about who was tested and trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import RUN, SCORES, Found
from spinedet.checklists.result_answers import group_name, main_groups
from spinedet.report.number_format import counted, plain, verb
from spinedet.scoring.participants import Participants


def _participants(evidence: Evidence) -> Found | None:
    tested = "Held out" if evidence.held_out and not evidence.results_known else "Tested"
    parts = [(tested, part) for part in evidence.tested] + [("Developed on", part) for part in evidence.developed]
    if not parts:
        return None
    source = f"{evidence.results} participants" + (f"; {RUN} participants" if evidence.developed else "")
    return Found(" ".join(f"{word}: {part_in_words(part)}" for word, part in parts), source)


def part_in_words(part: Participants) -> str:
    """One split and centre, with what is not recorded."""
    words = [
        f"centre {part.center} ({part.split}), {counted(part.patients, 'patient')}"
        f"{' (simulated)' if part.simulated else ''}, {counted(part.series, 'scan')}, "
        f"{counted(part.lesions, 'lesion')}, {part.lesion_free} of {counted(part.studies, 'study')} without any lesion"
    ]
    if part.age:
        spread = f" (SD {plain(part.age.sd, 1)})" if part.age.sd is not None else ""
        words.append(f"age {plain(part.age.mean, 1)}{spread}, {part.age.low:g} to {part.age.high:g} years")
    words += [f"{name.replace('_', ' ')} {_shares(name, each)}" for name, each in part.counts.items()]
    gaps = [f"{name.replace('_', ' ')} not recorded for {gap} of {part.studies}" for name, gap in part.missing.items()]
    return "; ".join([*words, *gaps]) + "."


def _shares(name: str, counts: Mapping[str, int]) -> str:
    """`1.5 T (24), 3 T (6)`: studies by value."""
    unit = _UNITS.get(name, "")
    return ", ".join(f"{value}{unit} ({count})" for value, count in counts.items())


def _acquisition(evidence: Evidence) -> Found | None:
    lines = []
    for part in evidence.tested:
        stated = [
            f"{name.replace('_', ' ')} {_shares(name, part.counts[name])}" for name in _SCANNER if name in part.counts
        ]
        gaps = [
            f"{name.replace('_', ' ')} not recorded for {part.missing[name]} of {counted(part.studies, 'study')}"
            for name in _SCANNER
            if name in part.missing
        ]
        lines.append(f"Centre {part.center}: {'; '.join([*stated, *gaps])}.")
    return Found(" ".join(lines), f"{evidence.results} participants") if lines else None


_NO_ATTRIBUTES = "Attributes of patients never enter the model; nothing was imputed."
_SCANNER = ("vendor", "field_strength")
_UNITS = {"field_strength": " T"}


def _missing(evidence: Evidence) -> Found | None:
    if not (evidence.scores or evidence.tested):
        return None
    lines = [
        f"At centre {part.center} {name.replace('_', ' ')} is not recorded for {gap} of "
        f"{counted(part.studies, 'study')}."
        for part in evidence.tested
        for name, gap in part.missing.items()
    ]
    unread = len(evidence.scores.not_read) if evidence.scores else 0
    if unread:
        lines.append(f"{counted(unread, 'study')} without findings {verb(unread, 'counts', 'count')} nowhere.")
    elif evidence.scores:
        lines.append("The findings cover every study.")
    if skipped := len(evidence.skipped):
        lines.append(f"{counted(skipped, 'study')} could not be read; skipped.json states why.")
    lines.append("Nothing was imputed." if not evidence.ours else _NO_ATTRIBUTES)
    keys = "participants, not_read" if evidence.scores else "participants"
    return Found(" ".join(lines), f"{evidence.results} {keys}" + ("; skipped.json" if skipped else ""))


def _severity(evidence: Evidence) -> Found | None:
    if not evidence.tested:
        return None
    lines = [
        f"Lesions at centre {part.center} by severity: "
        f"{', '.join(f'grade {grade}: {count}' for grade, count in part.severity.items())}."
        if part.severity
        else f"Severity of the lesions at centre {part.center} is not recorded."
        for part in evidence.tested
    ]
    return Found(" ".join(lines), f"{evidence.results} participants")


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
        *([f"{counted(len(scores.not_read), 'study')} without findings"] if scores.not_read else []),
    ]
    return Found(f"{'; '.join(lines)}.", f"{SCORES} groups[0].n" + (f"; {RUN} excluded" if excluded else ""))


def _analysed(evidence: Evidence) -> Found | None:
    if evidence.scores is None:
        return None
    lines = [
        f"{group_name(group)}: {counted(group.n.patients, 'patient')}, {counted(group.n.series, 'scan')}, "
        f"{counted(group.n.lesions, 'lesion')}."
        for group in main_groups(evidence.scores)
    ]
    return Found(" ".join(lines), f"{SCORES} groups[].n")


ANSWERS: Mapping[str, Callable[[Evidence], Found | None]] = {
    "missing_data": _missing,
    "acquisition": _acquisition,
    "flow": _flow,
    "participants": _participants,
    "analysed": _analysed,
    "severity": _severity,
}
