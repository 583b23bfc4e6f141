"""A checklist filled in: automatic answers, drafts and people's own, each row with its state and source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from spinedet.checklists.answers import Answer, Answers
from spinedet.checklists.automatic import automatic, listed_notes
from spinedet.checklists.catalogue import CHECKLISTS, TOPICS, Topic, rows
from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import Found

RowState = Literal["auto", "draft", "human", "n/a"]
NOT_ANSWERED = "not answered"
OLD = "written for another result"


@dataclass(frozen=True, slots=True)
class Row:
    """An item of a checklist with its answer.

    Attributes:
        open: whether a person still has to answer, or to confirm a draft. source: files and keys, or who answered.
        remark: what to know, such as that it was written for another result.
    """

    item: str
    topic: str
    title: str
    answer: str
    source: str
    state: RowState
    open: bool
    remark: str = ""


@dataclass(frozen=True)
class FilledChecklist:
    """A checklist about one result."""

    name: str
    title: str
    doi: str
    subject: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Rows by what is to be done with them; a to-do list and no measure of quality."""
        kinds = Counter(_kind(row) for row in self.rows)
        return {name: kinds[name] for name in KINDS}


KINDS = ("auto", "draft confirmed", "draft unread", "human answered", "open", "n/a")


def _kind(row: Row) -> str:
    match row.state:
        case "draft":
            return "draft unread" if row.open else "draft confirmed"
        case "human":
            return "open" if row.open else "human answered"
    return row.state


def fill(name: str, evidence: Evidence, answers: Answers) -> FilledChecklist:
    """One checklist; its name is one of `CHECKLISTS`."""
    about = CHECKLISTS[name]
    resolved = resolve(evidence, answers)
    filled = tuple(_row(item, topic, resolved[topic.name]) for item, topic in rows(name))
    return FilledChecklist(name, about.title, about.doi, evidence.name, filled, tuple(listed_notes(evidence)))


@dataclass(frozen=True, slots=True)
class Resolved:
    """The answer to a topic, whichever checklist asks."""

    text: str
    source: str
    state: RowState
    open: bool
    remark: str = ""


def resolve(evidence: Evidence, answers: Answers) -> dict[str, Resolved]:
    """Every topic's answer."""
    found = automatic(evidence)
    stale = bool(answers.written_for) and dict(answers.written_for) != evidence.hashes
    return {
        topic.name: _resolved(topic, found.get(topic.name), answers.given.get(topic.name, Answer()), stale)
        for topic in TOPICS
    }


def _resolved(topic: Topic, found: Found | None, answer: Answer, stale: bool) -> Resolved:
    who = ", ".join(filter(None, (answer.by, answer.on))) or "a person"
    old = OLD if stale and found is not None and not answer.empty else ""
    if answer.na:
        return Resolved(f"Not applicable: {answer.na}", who, "n/a", False, old)
    if topic.state == "n/a" and found is None and not answer.text:
        return Resolved(f"Not applicable: {topic.prompt}", "by design", "n/a", False)
    if found is not None and (topic.state == "auto" or (topic.state == "n/a" and not answer.text)):
        # A person adds to a fact and never replaces it.
        extra = " ".join(filter(None, (answer.text, answer.extra)))
        source = f"{found.source}; added by {who}" if extra else found.source
        return Resolved(" ".join(filter(None, (found.text, extra))), source, "auto", False, old if extra else "")
    if answer.text:
        return Resolved(answer.text, who, "human", False, old)
    if found is not None:
        confirmed = answer.confirmed and not stale
        return Resolved(found.text, found.source, "draft", not confirmed, old)
    return Resolved(NOT_ANSWERED, topic.prompt, "human", True)


def _row(item: str, topic: Topic, one: Resolved) -> Row:
    return Row(item, topic.name, topic.title, one.text, one.source, one.state, one.open, one.remark)


def missing_topics(evidence: Evidence, given: Mapping[str, Answer]) -> Iterator[tuple[str, str, str]]:
    """Topics that a person has to answer and that are not in the file: name, prompt, draft."""
    found = automatic(evidence)
    for topic in TOPICS:
        there = found.get(topic.name)
        if topic.name in given or (topic.state == "auto" and there) or topic.state == "n/a":
            continue
        yield topic.name, topic.prompt, there.text if there else ""
