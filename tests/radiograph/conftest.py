"""Commands on radiographs, run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import pytest

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status of `spinedet radiograph.COMMAND words...`, and what it prints."""

    def command(name: str, *words: str) -> tuple[int, str]:
        before = sys.argv
        sys.argv = ["x", *words]
        try:
            with pytest.raises(SystemExit) as stop:
                import_module(f"spinedet.radiograph.{name}").main()
        finally:
            sys.argv = before
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out + printed.err

    return command
