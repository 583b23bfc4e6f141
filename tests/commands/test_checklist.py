"""`spinedet.checklist` on results of every kind."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from spinedet.checklists import catalogue
from spinedet.checklists.answers import FILE, read_answers
from spinedet.checklists.automatic import automatic
from spinedet.checklists.cards import model_card
from spinedet.checklists.checklist import OLD
from spinedet.checklists.evidence import read_evidence
from spinedet.core.manifest import write_manifest
from spinedet.report.document import markdown
from spinedet.runs.run_folder import open_run

from ..checklists.conftest import manifest_of, write_result
from ..checklists.test_automatic import NUMBER, RESULTS, known_numbers, unknown_numbers
from ..checklists.test_fold_answers import crossed
from ..checklists.test_label_answers import classified
from .conftest import Run

PREVIOUS = Path(__file__).parents[1] / "runs/previous_version"
ALL = "name=[claim-2024,tripod-ai,stard-ai,model-card,review-row]"
WEIGHTS = Path(__file__).parents[2] / "src/spinedet/weights"


def test_everything_of_a_run(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = write_result(tmp_path / "run-7")
    out = tmp_path / "out"
    assert run("checklist", f"run={result}", ALL, f"out={out}") == 0
    names = {path.name for path in out.iterdir()}
    documents = ("claim-2024", "tripod-ai", "stard-ai", "model-card")
    assert names == {f"{name}.{kind}" for name in documents for kind in ("md", "html", "docx")} | {"review-row.csv"}
    text = (out / "claim-2024.md").read_text()
    assert "not answered" in text
    assert "simulated" in text
    assert "copy the answers into the official form" in text
    told = capsys.readouterr()
    assert "CLAIM 2024" in told.out
    assert "%" not in told.out  # work is counted, compliance is not scored
    everything = "".join(path.read_text() for path in out.iterdir() if path.suffix != ".docx")
    assert "Secret" not in everything
    assert str(tmp_path) not in everything
    with (out / "review-row.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert row["patients_tested"] == "12"
    assert row["task"] == "detection"


def test_answers_beside_the_run_are_used_and_kept(run: Run, tmp_path: Path) -> None:
    result = write_result(tmp_path / "run-7")
    assert run("checklist", f"run={result}", f"out={tmp_path / 'first'}") == 0
    path = result / FILE
    path.write_text(path.read_text().replace('  ethics: {text: "",', '  ethics: {text: "EK 12/2025",'))
    (tmp_path / FILE).write_text("format: spinedet-answers\nversion: 1\nanswers:\n  funding: {text: Nobody paid}\n")
    before = path.read_bytes()
    assert run("checklist", f"run={result}", "name=[stard-ai]", f"out={tmp_path / 'second'}") == 0
    assert path.read_bytes() == before
    text = (tmp_path / "second/stard-ai.md").read_text()
    assert "EK 12/2025" in text
    assert "Nobody paid" in text


def test_answers_survive_a_second_run_changed_scores_and_a_renamed_topic(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = write_result(tmp_path / "run-7")
    words = ("checklist", f"run={result}", "name=[claim-2024,tripod-ai,stard-ai]")
    assert run(*words, f"out={tmp_path / 'first'}") == 0
    path, long = result / FILE, "Ödem, 前向き; no: 2026-05-02 " * 400
    text = path.read_text().replace('  ethics: {text: "",', f"  ethics: {{text: '{long}',")
    text = text.replace("  reference: {confirmed: false}", "  reference: {text: Two readers}")
    path.write_bytes(text.replace("\n", "\r\n").encode())
    before = path.read_bytes()

    def told(out: str) -> str:
        assert run(*words, f"out={tmp_path / out}") == 0
        return "".join((tmp_path / out / f"{name}.md").read_text() for name in catalogue.CHECKLISTS)

    again = told("second")
    assert path.read_bytes() == before
    assert long.strip() in again
    assert OLD not in again
    write_result(result, hits=2)
    changed = told("third")
    assert path.read_bytes() == before
    assert long.strip() in changed
    assert f"human; {OLD}" in next(line for line in changed.splitlines() if "Two readers" in line)
    monkeypatch.setitem(catalogue.RENAMED, "approval", "ethics")
    path.write_bytes(before.replace(b"  ethics:", b"  approval:"))
    renamed = told("fourth")
    assert path.read_bytes() == before.replace(b"  ethics:", b"  approval:")
    assert renamed == changed


def test_a_fresh_run_is_answered_from_its_own_files(smoke_run: Path) -> None:
    answers = automatic(read_evidence(str(smoke_run)))
    known = known_numbers(smoke_run / "scores.json")
    assert {name: found for name in RESULTS if (found := unknown_numbers(answers[name].text, known))} == {}
    assert [name for name, one in answers.items() if "simulated" not in one.text] == []
    report = re.sub(r"<[^>]+>", " ", (smoke_run / "report.html").read_text())
    shown = {float(one.replace(",", "").replace("−", "-")) for one in NUMBER.findall(report)}
    assert unknown_numbers(answers["performance"].text, shown) == []
    assert str(smoke_run.parent) not in str(answers)


@pytest.mark.parametrize("kind", ["cross-validation", "fold", "radiographs", "findings", "study"])
def test_results_of_every_kind(run: Run, tmp_path: Path, kind: str) -> None:
    match kind:
        case "cross-validation":
            folder = crossed(tmp_path / "folds")
        case "fold":
            folder = crossed(tmp_path / "folds") / "seed-0/fold-2"
        case "radiographs":
            folder = classified(tmp_path / "films", phantom=True)
        case "findings":
            folder = write_result(tmp_path / "theirs")
            (folder / "run.json").unlink()
            shutil.rmtree(folder / "model")
        case _:
            write_result(tmp_path / "study/steps/source")
            folder = tmp_path / "study"
    assert run("checklist", f"run={folder}", ALL, f"out={tmp_path / 'out'}") == 0
    everything = "".join(path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix != ".docx")
    assert "not answered" in everything
    assert "simulated" in everything
    assert "Secret" not in everything
    assert str(tmp_path) not in everything


def test_strict_fails_while_items_are_open(run: Run, tmp_path: Path) -> None:
    result = write_result(tmp_path / "run-7")
    assert run("checklist", f"run={result}", "strict=true", f"out={tmp_path / 'out'}") == 1
    assert (tmp_path / "out/claim-2024.docx").is_file()


def test_a_run_of_an_earlier_version(run: Run, tmp_path: Path) -> None:
    shutil.copytree(PREVIOUS, tmp_path / "old")
    assert run("checklist", f"run={tmp_path / 'old'}", ALL, f"out={tmp_path / 'out'}") == 0


def test_the_shipped_weights(run: Run, tmp_path: Path) -> None:
    before = (WEIGHTS / FILE).read_bytes()
    assert run("checklist", "run=shipped", ALL, f"out={tmp_path / 'out'}") == 0
    assert (WEIGHTS / FILE).read_bytes() == before
    assert (tmp_path / "out" / FILE).is_file()


def test_the_card_of_the_shipped_weights_is_current() -> None:
    evidence = read_evidence("shipped")
    card = markdown(model_card(evidence, read_answers(WEIGHTS / FILE)))
    assert (WEIGHTS / "README.md").read_text() == card, "write it again: spinedet checklist run=shipped name=model-card"
    assert evidence.weights_sha256 == open_run("shipped").weights_sha256[0]
    assert "not answered" not in card


def test_a_data_card_belongs_to_a_manifest(run: Run, tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.json", manifest_of(), absolute=True)
    words = ("name=[data-card]", f"manifest={tmp_path / 'manifest.json'}", f"out={tmp_path / 'out'}")
    assert run("checklist", *words) == 0
    text = (tmp_path / "out/data-card.md").read_text()
    assert "phantoms drawn by software" in text
    assert "| test | A | 6 | 6 | 6 | 3 | 3 | yes |" in text
    for heading in ("Motivation", "Composition", "Collection", "labelling", "Uses", "Distribution", "Maintenance"):
        assert heading in text
    assert "Secret" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["name=[claim]"], "name=claim"),
        (["name=[claim-2024]"], "run= is needed"),
        (["name=[data-card]"], "pass manifest="),
        (["run=nowhere"], "is no folder"),
    ],
)
def test_wrong_settings_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run("checklist", *words, f"out={tmp_path / 'out'}") == 2
    assert message in capsys.readouterr().err
