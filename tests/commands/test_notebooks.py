"""The notebooks run from top to bottom and are kept without outputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
# Notebooks that open a finished folder: what names it, and the fixture that makes it.
OPENED = {"read_a_runs_errors": ("SPINEDET_RUN", "smoke_run"), "transfer_curve": ("SPINEDET_STUDY", "smoke_study")}


def code_of(notebook: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_kept(notebook: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_of(notebook))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if notebook.stem in OPENED:
        variable, fixture = OPENED[notebook.stem]
        monkeypatch.setenv(variable, str(request.getfixturevalue(fixture)))
    shown: list[bytes] = []
    screen = ModuleType("IPython.display")  # what Jupyter brings, in so far as the notebooks need it
    screen.Image, screen.display = bytes, shown.append  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "IPython.display", screen)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "notebook"}
    for cell in code_of(notebook):
        exec("".join(cell["source"]), names)  # noqa: S102  # running it is the test
    assert shown
    assert all(picture.startswith(b"\x89PNG") for picture in shown)
