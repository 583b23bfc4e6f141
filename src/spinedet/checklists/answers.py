"""What people answer, kept in one YAML file across runs: read, checked, and only ever appended to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from spinedet.checklists import catalogue
from spinedet.core.errors import InputError
from spinedet.core.files import read_text, write_bytes

FORMAT = "spinedet-answers"
FILE = "answers.yaml"
_KEYS = ("text", "by", "on", "na", "confirmed", "extra")
# What may name or date a patient: ten digits in a row, or a full date with a day.
_PRIVATE = re.compile(r"\b\d{10,}\b|\b\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d{2}\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody wrote on a topic.

    Attributes:
        text: the answer. by, on: who and when. na: why the topic does not apply. confirmed: a draft was read and holds.
        extra: what is added to an automatic answer.
    """

    text: str = ""
    by: str = ""
    on: str = ""
    na: str = ""
    confirmed: bool = False
    extra: str = ""

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return not (self.text or self.na or self.confirmed or self.extra)


@dataclass(frozen=True)
class Answers:
    """A file of answers: by topic, and the hashes of the result that they were written for."""

    given: Mapping[str, Answer] = field(default_factory=dict)
    written_for: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_answers(path: Path) -> Answers:
    """Read one file; an absent one has no answers.

    Raises:
        InputError: it is no YAML, of another format, or names an unknown topic or key.
    """
    if not path.is_file():
        return Answers()
    try:
        # Dates, `no` and numbers stay as they were written.
        raw = yaml.load(read_text(path), Loader=yaml.BaseLoader)  # noqa: S506  # strings, lists and mappings only
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML ({' '.join(str(error).split())}); mend the place") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT or raw.get("version") != "1":
        raise InputError(f'{path} is no {FORMAT} file of version 1; begin it with "format: {FORMAT}" and "version: 1"')
    given, run = raw.get("answers") or {}, raw.get("run") or {}
    if not isinstance(given, dict) or not isinstance(run, dict):
        raise InputError(f"{path}: answers and run hold topics and hashes; see docs/reporting.md")
    found: dict[str, Answer] = {}
    for name, content in given.items():
        topic = catalogue.RENAMED.get(name, name)
        if topic not in catalogue.BY_NAME:
            near = get_close_matches(name, [*catalogue.BY_NAME, *catalogue.RENAMED], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"{path}: there is no topic {name!r}{hint}")
        answer = _answer(path, name, content)
        if topic not in found or found[topic].empty:
            found[topic] = answer
    private = [name for name, one in found.items() if _PRIVATE.search(f"{one.text} {one.na} {one.extra}")]
    warnings = tuple(f"{name}: the text may name or date a patient; look at it" for name in private)
    return Answers(found, run, warnings)


def _answer(path: Path, name: str, content: Any) -> Answer:
    if isinstance(content, str):
        content = {"text": content} if content else {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: topic {name!r} needs keys such as text; see docs/reporting.md")
    unknown = [key for key in content if key not in _KEYS]
    if unknown:
        raise InputError(f"{path}: topic {name!r} has the unknown key {unknown[0]!r}; use {', '.join(_KEYS)}")
    confirmed = content.get("confirmed", "false")
    if confirmed not in ("true", "false", ""):
        raise InputError(f"{path}: topic {name!r}: confirmed is true or false, not {confirmed!r}")
    words = {key: str(content.get(key, "")).strip() for key in _KEYS if key != "confirmed"}
    return Answer(**words, confirmed=confirmed == "true")


def together(nearer: Answers, farther: Answers) -> Answers:
    """Answers of two files; of one topic the nearer counts."""
    kept = {name: one for name, one in farther.given.items() if nearer.given.get(name, Answer()).empty}
    return Answers({**nearer.given, **kept}, nearer.written_for, (*nearer.warnings, *farther.warnings))


def add_topics(path: Path, hashes: Mapping[str, str], missing: Iterable[tuple[str, str, str]]) -> bool:
    """Append topics (name, prompt, draft) to the file, or begin it; nothing that is there changes.

    Returns:
        Whether anything was written.

    Raises:
        InputError: `answers:` is not the last part of the file, so that nothing can be appended to it.
    """
    before = path.read_bytes() if path.is_file() else b""
    end = "\r\n" if b"\r\n" in before else "\n"
    lines: list[str] = []
    if not before:
        listed = ", ".join(f"{key}: {value}" for key, value in hashes.items())
        lines += [
            f"format: {FORMAT}",
            "version: 1",
            f"run: {{{listed}}}  # what the answers were written for",
            "answers:",
        ]
    topics = list(missing)
    if not topics:
        return False
    for name, prompt, draft in topics:
        lines.append(f"  # {prompt}")
        lines += [f"  # draft: {' '.join(draft.split())}"] if draft else []
        lines.append(f"  {name}: {{confirmed: false}}" if draft else f'  {name}: {{text: "", by: "", on: ""}}')
    joint = "" if not before or before.endswith(b"\n") else end
    content = before + (joint + end.join(lines) + end).encode()
    kept = yaml.load(before.decode("utf-8-sig"), Loader=yaml.BaseLoader) if before else {}  # noqa: S506  # as above
    try:
        made = yaml.load(content.decode("utf-8-sig"), Loader=yaml.BaseLoader)  # noqa: S506  # as above
    except yaml.YAMLError:
        made = {}
    old: Mapping[str, Any] = (kept or {}).get("answers") or {}
    new: Mapping[str, Any] = (made or {}).get("answers") or {}
    if {name: new.get(name) for name in old} != dict(old) or any(name not in new for name, _, _ in topics):
        raise InputError(
            f"{path}: topics are added at the end; move `answers:` there, its topics indented by two blanks"
        )
    write_bytes(path, content)
    return True
