"""`spinedet.study`: every step once, one page, and nothing done twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from spinedet.core.files import sha256
from spinedet.scoring import read_scores

from .conftest import LEAN_STUDY, Run


def test_every_step_is_done_and_none_twice(run: Run, smoke_study: Path) -> None:
    steps = json.loads((smoke_study / "steps.json").read_text())
    assert [one["step"]["name"] for one in steps] == [
        "lumbar",
        "zero-shot",
        "scratch-3-1steps",
        "full-3-1steps",
        "scratch-3",
        "full-3",
        "scratch-3-3steps",
        "lumbar-by-full-3",
    ]
    stamps = {file: file.stat().st_mtime_ns for file in smoke_study.glob("steps/*/run.json")}
    assert len(stamps) == 8
    assert run("study", *LEAN_STUDY, f"out={smoke_study}") == 0
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps
    assert {one["state"] for one in json.loads((smoke_study / "steps.json").read_text())} == {"kept"}


def test_the_threshold_of_every_test_is_the_frozen_one_of_its_run(smoke_study: Path) -> None:
    steps = smoke_study / "steps"
    page = (smoke_study / "study.html").read_text()
    for test, owner in {"lumbar": "lumbar", "zero-shot": "lumbar", "lumbar-by-full-3": "full-3"}.items():
        frozen = sha256(steps / owner / "operating_point.json")
        assert read_scores(steps / test / "scores.json").operating_point_sha256 == frozen
        assert frozen[:12] in page
    assert "not the one in scores.json" not in page


def test_the_page_keeps_the_papers_numbers_apart_and_needs_nothing_but_itself(smoke_study: Path) -> None:
    page, text = (smoke_study / "study.html").read_text(), (smoke_study / "study.md").read_text()
    for document in (page, text):
        assert "not comparable: private data, unknown hit criterion" in document
        assert all(f"({value})" in document for value in ("0.971", "0.903", "0.768", "0.837", "0.931", "0.919"))
        assert "not patients" in document
    assert 'src="http' not in page
    assert "<script" not in page
    assert str(smoke_study) not in page + text


def test_a_step_that_breaks_is_on_the_page_and_leaves_the_rest(run: Run, smoke_study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "study"
    shutil.copytree(smoke_study, copy)
    shutil.rmtree(copy / "steps/zero-shot")
    (copy / "steps/lumbar/model/weights.safetensors").write_bytes(b"broken")
    assert run("study", *LEAN_STUDY, f"out={copy}") == 1
    page = (copy / "study.html").read_text()
    assert "Step zero-shot failed" in page
    assert "cervical, full-3" in page


def test_a_folder_of_another_study_is_refused(run: Run, smoke_study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("study", *LEAN_STUDY, "seed=1", f"out={smoke_study}") == 2
    assert "seed" in capsys.readouterr().err


def test_budgets_that_do_not_rise_or_lack_the_equal_one_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("size.steps=[2,1]",), ("size.steps=[1,3]",), ("seeds=0",)):
        assert run("study", *LEAN_STUDY, *words, f"out={tmp_path / 'study'}") == 2
        assert words[0].partition("=")[0] in capsys.readouterr().err
