"""Commands run in this process, on one smoke-sized run and one study that all tests share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from spinedet.core.manifest import read_manifest

Run = Callable[..., int]
LEAN_STUDY = ("size=smoke", "size.patients=[3]", "size.recipes=[]", "workers=1")


def run_command(command: str, *words: str) -> int:
    """Run `python -m spinedet.<command> words...` here and give back its exit status."""
    before = sys.argv
    sys.argv = [command, *words]
    try:
        with pytest.raises(SystemExit) as stop:
            import_module(f"spinedet.{command}").main()
    finally:
        sys.argv = before
    return int(stop.value.code or 0)


@pytest.fixture
def run() -> Run:
    return run_command


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished smoke run."""
    folder = tmp_path_factory.mktemp("runs") / "smoke"
    assert run_command("train", "+experiment=smoke", f"out={folder}") == 0
    return folder


@pytest.fixture(scope="session")
def smoke_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study at smoke size."""
    folder = tmp_path_factory.mktemp("studies") / "smoke"
    assert run_command("study", *LEAN_STUDY, f"out={folder}") == 0
    return folder


@pytest.fixture(scope="session")
def cohort(smoke_run: Path) -> Path:
    """The manifest of the phantoms that the smoke run drew."""
    return smoke_run / "cohort" / "manifest.json"


@pytest.fixture
def image(cohort: Path) -> Path:
    return read_manifest(cohort).studies[0].series[0].path


@pytest.fixture
def folder(cohort: Path, tmp_path: Path) -> Path:
    """A folder of four images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, study in enumerate(read_manifest(cohort).studies[:4]):
        shutil.copy(study.series[0].path, folder / f"scan {number}.nii.gz")
    return folder
