"""Answers that a result's own files give; every number of a result is one of `scores.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from spinedet.checklists import draft_answers, model_answers, participant_answers, result_answers
from spinedet.checklists.evidence import Evidence
from spinedet.checklists.fold_answers import cross_validation_facts, fold_facts
from spinedet.checklists.found import Found
from spinedet.checklists.label_answers import label_facts

_ANSWERS: Mapping[str, Callable[[Evidence], Found | None]] = {
    **participant_answers.ANSWERS,
    **result_answers.ANSWERS,
    **model_answers.ANSWERS,
    **draft_answers.ANSWERS,
}


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
    elif evidence.crossed is not None:
        given |= cross_validation_facts(evidence, evidence.crossed)
    elif evidence.held_out and evidence.scores is None:
        given |= fold_facts(evidence)
    return {name: one for name, one in given.items() if one is not None and one.text}


def listed_notes(evidence: Evidence) -> Iterator[str]:
    """What the limitations have to address."""
    if evidence.labels:
        yield from evidence.labels.notes
    elif evidence.crossed:
        yield from evidence.crossed.notes
    elif evidence.scores:
        yield from evidence.scores.banner
    elif evidence.trained_on:
        yield from evidence.trained_on.sentences
    departures: Any = evidence.plan.get("departures", [])
    yield from (f"Departure from the registered plan: {one}" for one in departures)
