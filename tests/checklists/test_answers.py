"""People's answers outlive runs, and the program never rewrites them."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.checklists import catalogue
from spinedet.checklists.answers import FILE, Answer, add_topics, read_answers, together
from spinedet.checklists.checklist import NOT_ANSWERED, OLD, fill, missing_topics, resolve
from spinedet.checklists.evidence import Evidence, read_evidence
from spinedet.core.errors import InputError

from .conftest import write_result

TEXT = 'Retrospective; both centres.\n"Zitat", naïve, 前向き研究, no: 2026-05-02'


@pytest.fixture
def evidence(result: Path) -> Evidence:
    return read_evidence(str(result))


def begun(result: Path, evidence: Evidence) -> Path:
    """The file as the first run makes it."""
    path = result / FILE
    assert add_topics(path, evidence.hashes, missing_topics(evidence, {}))
    return path


def replace_line(path: Path, topic: str, new: str) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(new if line.startswith(f"  {topic}:") else line for line in lines) + "\n")


def test_the_first_run_asks_what_is_open(result: Path, evidence: Evidence) -> None:
    path = begun(result, evidence)
    answers = read_answers(path)
    assert set(answers.given) == {name for name, _, _ in missing_topics(evidence, {})}
    assert "performance" not in answers.given
    assert all(one.empty for one in answers.given.values())
    assert answers.written_for == evidence.hashes
    text = path.read_text()
    assert "# Retrospective or prospective?" in text
    assert "# draft: " in text


def test_a_text_survives_a_second_run(result: Path, evidence: Evidence) -> None:
    path = begun(result, evidence)
    replace_line(path, "direction", "  direction: {text: 'Retrospective; no', by: A. B., on: 2026-05-02}")
    before = path.read_bytes()
    given = read_answers(path)
    assert not add_topics(path, evidence.hashes, missing_topics(evidence, given.given))
    assert path.read_bytes() == before
    row = next(row for row in fill("claim-2024", evidence, given).rows if row.topic == "direction")
    assert (row.answer, row.source, row.open) == ("Retrospective; no", "A. B., 2026-05-02", False)


def test_changed_scores_keep_answers_and_unconfirm_drafts(result: Path, evidence: Evidence) -> None:
    path = begun(result, evidence)
    replace_line(path, "direction", "  direction: {text: Retrospective}")
    replace_line(path, "data_sources", "  data_sources: {confirmed: true}")
    replace_line(path, "reference", "  reference: {text: Two readers}")
    first = resolve(evidence, read_answers(path))
    assert not first["data_sources"].open
    write_result(result, hits=2)
    changed = read_evidence(str(result))
    assert changed.hashes != evidence.hashes
    then = resolve(changed, read_answers(path))
    assert then["data_sources"].open
    assert then["data_sources"].remark == OLD
    assert (then["reference"].text, then["reference"].remark) == ("Two readers", OLD)
    assert (then["direction"].text, then["direction"].remark) == ("Retrospective", "")


def test_a_renamed_topic_keeps_its_text(result: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begun(result, evidence)
    replace_line(path, "direction", "  study_direction: {text: Retrospective}")
    with pytest.raises(InputError, match=r"no topic 'study_direction'.*did you mean"):
        read_answers(path)
    monkeypatch.setitem(catalogue.RENAMED, "study_direction", "direction")
    given = read_answers(path).given
    assert given["direction"].text == "Retrospective"
    assert not add_topics(path, evidence.hashes, missing_topics(evidence, given))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_later_topics_are_added_at_the_end(result: Path, evidence: Evidence, end: str) -> None:
    path = result / FILE
    block = f"  direction:{end}    text: |{end}" + "".join(f"      {line}{end}" for line in TEXT.splitlines())
    head = f"# mine{end}format: spinedet-answers{end}version: 1{end}run: {{}}{end}answers:{end}"
    path.write_bytes((head + block).encode())
    before = path.read_bytes()
    given = read_answers(path).given
    assert given["direction"].text == TEXT
    assert add_topics(path, evidence.hashes, missing_topics(evidence, given))
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().count(b"\r\n") == (path.read_bytes().count(b"\n") if end == "\r\n" else 0)
    after = read_answers(path).given
    assert after["direction"].text == TEXT
    assert "ethics" in after


def test_long_texts_are_kept_whole(result: Path, evidence: Evidence) -> None:
    path = begun(result, evidence)
    long = "word " * 2000
    replace_line(path, "limitations", f"  limitations: {{text: '{long}'}}")
    assert read_answers(path).given["limitations"].text == long.strip()


def test_what_follows_the_answers_is_not_broken(result: Path, evidence: Evidence) -> None:
    path = result / FILE
    path.write_text("format: spinedet-answers\nversion: 1\nanswers:\n  ethics: {text: Waived}\nrun: {}\n")
    before = path.read_bytes()
    with pytest.raises(InputError, match="move `answers:` there"):
        add_topics(path, evidence.hashes, missing_topics(evidence, read_answers(path).given))
    assert path.read_bytes() == before


def test_not_applicable_and_additions(result: Path, evidence: Evidence) -> None:
    path = result / FILE
    path.write_text(
        "format: spinedet-answers\nversion: 1\nanswers:\n  treatments: {na: Nobody was treated}\n"
        "  errors: {extra: Most are at L5/S1, by: C. D.}\n  explanation: {text: We show attention}\n"
    )
    found = resolve(evidence, read_answers(path))
    assert (found["treatments"].text, found["treatments"].state) == ("Not applicable: Nobody was treated", "n/a")
    assert found["errors"].state == "auto"
    assert "missed" in found["errors"].text
    assert found["errors"].text.endswith("Most are at L5/S1")
    assert "added by C. D." in found["errors"].source
    assert (found["explanation"].state, found["explanation"].text) == ("human", "We show attention")
    assert found["ethics"].text == NOT_ANSWERED


def test_the_nearer_file_wins(tmp_path: Path) -> None:
    head = "format: spinedet-answers\nversion: 1\nanswers:\n"
    (tmp_path / "near.yaml").write_text(head + "  ethics: {text: near}\n  funding: {text: ''}\n")
    (tmp_path / "far.yaml").write_text(head + "  ethics: {text: far}\n  funding: {text: far}\n")
    both = together(read_answers(tmp_path / "near.yaml"), read_answers(tmp_path / "far.yaml"))
    assert (both.given["ethics"].text, both.given["funding"].text) == ("near", "far")


def test_what_may_name_a_patient_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(
        "format: spinedet-answers\nversion: 1\nanswers:\n  ethics: {text: 'born 3.4.1961, no. 1234567890'}\n"
    )
    assert "ethics" in read_answers(path).warnings[0]
    path.write_text("format: spinedet-answers\nversion: 1\nanswers:\n  ethics: {text: 'EK 12/2025 of 2025-03-01'}\n")
    assert read_answers(path).warnings == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("answers: [", "not valid YAML"),
        ("format: other", "no spinedet-answers file"),
        ("format: spinedet-answers\nversion: 1\nanswers: {ethik: {text: x}}", "did you mean ethics"),
        ("format: spinedet-answers\nversion: 1\nanswers: {ethics: {txt: x}}", "unknown key 'txt'"),
        ("format: spinedet-answers\nversion: 1\nanswers: {ethics: {confirmed: perhaps}}", "true or false"),
        ("format: spinedet-answers\nversion: 1\nanswers: {ethics: [x]}", "needs keys such as text"),
        ("format: spinedet-answers\nversion: 1\nanswers: [x]", "hold topics and hashes"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(InputError, match=message):
        read_answers(tmp_path / FILE)


def test_an_absent_file_has_no_answers(tmp_path: Path) -> None:
    assert read_answers(tmp_path / FILE).given == {}
    assert Answer().empty
