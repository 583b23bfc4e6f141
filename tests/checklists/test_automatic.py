"""Automatic answers are copied, not computed, and call simulated data simulated."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spinedet.checklists.answers import Answers
from spinedet.checklists.automatic import automatic
from spinedet.checklists.catalogue import BY_NAME, CHECKLISTS
from spinedet.checklists.checklist import fill
from spinedet.checklists.evidence import read_evidence
from spinedet.core.errors import InputError

from .conftest import COMMIT, write_result

# Topics that state results or people tested: scores.json alone is their source.
RESULTS = (
    *("acquisition", "analysed", "clusters", "errors", "estimates", "measures", "missing_data", "performance"),
    *("severity", "threshold", "uncertain_results", "uncertainty"),
)
NUMBER = re.compile(r"(?<![\w.-])−?\d[\d,]*(?:\.\d+)?(?!\w)")


def numbers_in(content: Any) -> Iterator[float]:
    """Every number of a file, the lengths of its lists, and the numbers that its texts state."""
    match content:
        case bool() | None:
            return
        case int() | float():
            yield from (float(content), 100.0 * content)
        case str():
            yield from (float(one.replace(",", "").replace("−", "-")) for one in NUMBER.findall(content))
        case list():
            yield float(len(content))
            for one in content:
                yield from numbers_in(one)
        case dict():
            for key, one in content.items():
                yield from numbers_in(key)
                yield from numbers_in(one)


def unknown_numbers(text: str, known: set[float]) -> list[str]:
    """Numbers of an answer that no known one rounds to."""
    found = []
    for word in NUMBER.findall(text):
        value = float(word.replace(",", "").replace("−", "-"))
        digits = len(word.partition(".")[2])
        if all(abs(round(one, digits) - value) > 1e-9 for one in known):
            found.append(word)
    return found


def known_numbers(*files: Path) -> set[float]:
    return {number for file in files for number in numbers_in(json.loads(file.read_text()))}


def test_every_number_of_a_result_is_in_the_scores(result: Path) -> None:
    answers = automatic(read_evidence(str(result)))
    known = known_numbers(result / "scores.json")
    wrong = {name: found for name in RESULTS if (found := unknown_numbers(answers[name].text, known))}
    assert wrong == {}
    assert all("scores.json" in answers[name].source for name in RESULTS)


def test_every_other_number_is_in_the_files_of_the_run(result: Path) -> None:
    answers = automatic(read_evidence(str(result)))
    known = known_numbers(result / "scores.json", result / "run.json", result / "model/model.json")
    known |= {0.0, 0.001, 2.0}  # no study was skipped; config.yaml
    texts = {name: one.text for name, one in answers.items() if BY_NAME[name].state == "auto" and name != "software"}
    assert {name: found for name, text in texts.items() if (found := unknown_numbers(text, known))} == {}


def test_a_wrong_number_would_be_seen(result: Path) -> None:
    known = known_numbers(result / "scores.json")
    text = automatic(read_evidence(str(result)))["performance"].text
    changed = NUMBER.sub(lambda found: "0.987654", text, count=1)
    assert unknown_numbers(changed, known) == ["0.987654"]


def test_phantoms_are_called_simulated_in_every_answer(result: Path) -> None:
    answers = automatic(read_evidence(str(result)))
    assert len(answers) > 40
    assert [name for name, one in answers.items() if "simulated" not in one.text] == []


def test_patients_are_not(tmp_path: Path) -> None:
    answers = automatic(read_evidence(str(write_result(tmp_path / "r", origin="manual"))))
    assert [name for name, one in answers.items() if "simulated" in one.text] == []


def test_nothing_of_a_patient_is_in_any_answer(result: Path) -> None:
    told = " ".join(f"{one.text} {one.source}" for one in automatic(read_evidence(str(result))).values())
    assert "Secret" not in told
    assert "nowhere" not in told
    assert "study-" not in told
    assert str(result.parent) not in told


def test_silence_is_stated_and_nothing_inferred(result: Path) -> None:
    told = automatic(read_evidence(str(result)))
    assert "sex not recorded for 1 of 6" in told["participants"].text
    assert "field strength is not recorded for 6 of 6" in told["missing_data"].text
    assert "age 53.5" not in told["participants"].text  # ages are by centre
    assert "sex F (" in told["participants"].text
    assert "vendor Maker (" in told["acquisition"].text


def test_what_a_run_records(result: Path) -> None:
    told = automatic(read_evidence(str(result)))
    assert "123,456 parameters" in told["model"].text
    assert "150 of 200 planned steps" in told["training"].text
    assert "Random weights; no earlier run. Seed 4." in told["initialisation"].text
    assert COMMIT in told["software"].text
    assert "1 study excluded (no T2)" in told["flow"].text
    assert "F1 by subgroup: sex F: 0." in told["subgroups"].text
    assert "Developed at the centre A." in told["internal"].text
    assert "Sagittal, centre B" in told["external"].text


def test_a_run_of_a_sweep_says_so(result: Path) -> None:
    run = json.loads((result / "run.json").read_text())
    (result / "run.json").write_text(json.dumps({**run, "sweep_job": 3}))
    assert "job 3 of a sweep" in automatic(read_evidence(str(result)))["choice"].text


def test_studies_that_were_mixed_in_are_named(result: Path) -> None:
    assert automatic(read_evidence(str(result)))["imbalance"].text.startswith("An epoch draws every study alike;")
    (result / "config.yaml").write_text("data: {mix: [b.json], mix_weight: 0.25}\n")
    told = automatic(read_evidence(str(result)))["imbalance"].text
    assert "but for those of data.mix, which an epoch draws 0.25 times on average" in told
    (result / "config.yaml").unlink()
    assert "imbalance" not in automatic(read_evidence(str(result)))


def test_skipped_studies_are_counted_and_not_named(result: Path) -> None:
    (result / "skipped.json").write_text(json.dumps([{"study": "study-99", "reason": "no T2"}]))
    told = automatic(read_evidence(str(result)))
    assert "1 study could not be read" in told["flow"].text
    assert "study-99" not in str(told)


def test_one_answer_serves_all_checklists(result: Path) -> None:
    evidence = read_evidence(str(result))
    told: dict[str, set[str]] = {}
    for name in CHECKLISTS:
        for row in fill(name, evidence, Answers()).rows:
            told.setdefault(row.topic, set()).add(row.answer)
    assert all(len(answers) == 1 for answers in told.values())
    assert len(told) == 69


def test_findings_of_another_detector_need_no_run(result: Path) -> None:
    (result / "run.json").unlink()
    shutil.rmtree(result / "model")
    told = automatic(read_evidence(str(result)))
    assert "performance" in told
    # What holds for detectors of this program says nothing of others.
    of_ours = ("model", "software", "ensembling", "handling", "deidentification", "predictors", "blind_index")
    assert not set(of_ours) & set(told)
    assert "never enter the model" not in told["missing_data"].text
    assert told["sharing"].text.startswith("Findings were scored with spinedet")


def test_the_shipped_weights() -> None:
    evidence = read_evidence("shipped")
    told = automatic(evidence)
    assert evidence.weights_sha256 is not None
    assert evidence.weights_sha256 in told["calculation"].text
    assert "148 patients" in told["model"].text
    assert "0.861" in told["performance"].text


def test_a_study_stands_for_its_first_training(tmp_path: Path) -> None:
    study = tmp_path / "study"
    write_result(study / "steps/source")
    write_result(study / "steps/baseline")
    later = write_result(study / "steps/zero_shot", hits=3)
    (later / "model/model.json").unlink()
    (later / "model").rmdir()
    assert read_evidence(str(study)).root.name == "baseline"
    # A finished study has a record of its own, and a plan that names its trainings in order.
    (study / "run.json").write_text(json.dumps({"format": "spinedet-run", "version": 1, "command": "study"}))
    plan = [{"step": {"name": name}} for name in ("zero_shot", "lost", "source", "baseline")]
    (study / "steps.json").write_text(json.dumps(plan))
    assert read_evidence(str(study)).root.name == "source"


def test_a_test_on_studies_of_the_development_is_called_none(result: Path) -> None:
    run = json.loads((result / "run.json").read_text())
    del run["splits"]
    (result / "run.json").write_text(json.dumps({**run, "command": "evaluate"}))
    told = automatic(read_evidence(str(result)))
    assert "No study is noted to have been used to develop the model." in told["partitions"].text
    scores = json.loads((result / "scores.json").read_text())
    note = "3 of the 12 studies were used to develop this run: on them this is no test."
    (result / "scores.json").write_text(json.dumps({**scores, "notes": [*scores["notes"], note]}))
    told = automatic(read_evidence(str(result)))
    assert note in told["partitions"].text
    assert note in told["disjoint"].text
    assert "No study is noted" not in str(told)


# Answers that are a list of parts with colons and semicolons all end as sentences do.
def test_every_answer_is_made_of_sentences(result: Path) -> None:
    for name, one in automatic(read_evidence(str(result))).items():
        assert one.text[0].isupper() or one.text[0] in "0123456789`", name
        assert one.text.endswith("."), name
        assert "  " not in one.text, name
        assert ".." not in one.text, name


@pytest.mark.parametrize("made", [True, False])
def test_no_result_is_refused(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "empty"
    if made:
        folder.mkdir()
    with pytest.raises(InputError, match="holds no result" if made else "is no folder"):
        read_evidence(str(folder))
