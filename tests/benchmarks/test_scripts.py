"""Every script of `benchmarks/` can be imported, explains itself, and leaves tests and the package as they are."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from runpy import run_module

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "benchmarks").rglob("*.py"))
# Imported by the scripts beside them.
PARTS = {"budgeted_training", "process_tree", "backbone_pictures", "backbone_windows"}


def name_of(script: Path) -> str:
    return ".".join(script.relative_to(ROOT).with_suffix("").parts)


def overwritten(tree: ast.Module) -> list[str]:
    """Assignments to an upper-case or private name of a module, or to an item of an imported upper-case name."""
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
    }
    found = []
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            owner = target.value if isinstance(target, ast.Attribute | ast.Subscript) else None
            if isinstance(owner, ast.Name) and owner.id in imported:
                found.append(ast.unparse(target))
    return found


def test_there_are_three_folders() -> None:
    assert {script.parent.name for script in SCRIPTS} == {"experiments", "performance", "generate"}


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
@pytest.mark.parametrize("script", [s for s in SCRIPTS if s.stem not in PARTS], ids=name_of)
def test_a_script_explains_itself(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        run_module(name_of(script), run_name="__main__")
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_a_script_leaves_tests_and_the_package_alone(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    froms = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [name for name in froms if name.split(".")[0] == "tests"] == []
    assert overwritten(tree) == []


def test_overwriting_is_seen() -> None:
    code = "from spinedet.simulation.centers import CENTERS\nimport x\nCENTERS['A'] = 1\nx.y = 2\nz = {}\nz['a'] = 3"
    assert overwritten(ast.parse(code)) == ["CENTERS['A']", "x.y"]


def run_script(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *words.split()])
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)  # others' tests share this process
    run_module(f"benchmarks.performance.{name}", run_name="__main__")


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_the_speed_of_the_large_network_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = "--models set_large --planes sagittal --shrink 4 --batch 1 --repeats 1"
    run_script("speed", f"{words} --out {tmp_path}", monkeypatch)
    (row,) = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert row["parameters"] == 12_402_268
    assert row["scans_per_second"] > 0
    assert 0 < row["share_of_peak"] < 1.5


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_the_throughput_by_batch_size_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--batches 1,2 --studies 1 --phantoms 1 --coarseness 3 --repeats 1 --device cpu"
    run_script("throughput", words, monkeypatch)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [
        (f"| {plane}", size) for plane in ("sagittal", "axial") for size in "12"
    ]
    assert all(float(row[3]) > 0 for row in rows)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_the_time_in_which_a_training_waits_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--planes sagittal --workers 0 --scans 4 --batch 2 --model set --device cpu"
    run_script("data_path", words, monkeypatch)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| 0 |"))
    waiting = row.split(" | ")[4]
    assert 0 < int(waiting.strip(" |%")) < 100  # it makes the batches itself, and waits for itself


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_the_command_that_scores_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_script("score_command", "--scans 3 --workers 1 --repeats 1 --replicates 2 --no-pages", monkeypatch)
    row = capsys.readouterr().out.splitlines()[-1].split(" | ")
    assert row[:2] == ["| 3", "1"]
    assert float(row[2]) > 0
    assert float(row[3]) > 0
