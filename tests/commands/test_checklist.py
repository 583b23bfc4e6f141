"""`spinedet.checklist` on results of every kind."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from spinedet.checklists.answers import FILE, read_answers
from spinedet.checklists.cards import model_card
from spinedet.checklists.evidence import read_evidence
from spinedet.core.manifest import write_manifest
from spinedet.report.document import markdown
from spinedet.runs.run_folder import open_run

from ..checklists.conftest import manifest_of, write_result
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
