"""What every command does before it works: explain itself, refuse nonsense, and import nothing heavy for either."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spinedet.cli.app import conf_folder
from spinedet.cli.script import commands

from .conftest import Run

COMMANDS = sorted(file.stem for file in conf_folder().glob("*.yaml") if file.stem != "common")
COMMANDS += sorted(f"radiograph.{file.stem}" for file in conf_folder("radiograph.check").glob("*.yaml"))
HEAVY = ("torch", "monai", "pytorch_lightning", "SimpleITK", "scipy.ndimage", "matplotlib", "wandb")


def loaded(code: str) -> set[str]:
    """Which heavy packages a fresh process holds after it ran the code."""
    check = f"\nimport sys\nprint('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def exits(command: str, *words: str) -> str:
    """Code that runs a command to its end."""
    call = f"import sys\nsys.argv = ['x', *{words!r}]\nimport spinedet.{command} as command\n"
    return f"{call}try:\n    command.main()\nexcept SystemExit:\n    pass"


def test_the_script_lists_every_command() -> None:
    assert list(commands()) == COMMANDS
    assert all(commands().values())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_setting(run: Run, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(command, "--help") == 0
    lines = capsys.readouterr().out.partition("Settings, given as")[2].splitlines()[2:-2]
    keys = [number for number, line in enumerate(lines) if line.startswith("  ") and not line.startswith("   ")]
    assert keys
    assert [lines[number].strip() for number in keys if not lines[number + 1].startswith("      ")] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_a_misspelt_setting_import_nothing_heavy(command: str) -> None:
    assert loaded(exits(command, "--help") + "\n" + exits(command, "sed=1")) == set()


def test_the_package_itself_imports_nothing_heavy() -> None:
    assert loaded("import spinedet") == set()


def test_predict_never_imports_lightning(tmp_path: Path, cohort: Path, smoke_run: Path) -> None:
    image = next((cohort.parent / "B-0001").glob("sag*"), None) or next(cohort.parent.rglob("sag*.nii.gz"))
    words = (f"run={smoke_run}", f"input={image}", f"out={tmp_path / 'out'}")
    assert "pytorch_lightning" not in loaded(exits("predict", *words))
    assert (tmp_path / "out/findings.json").is_file()
