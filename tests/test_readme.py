"""What the README tells people to type works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .commands.conftest import run_command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"python -m spinedet\.(\w+(?:\.\w+)?)([^`\n#]*)", README)


def test_there_are_commands_to_check() -> None:
    assert {command for command, _ in COMMANDS} >= {"train", "evaluate", "predict", "score", "phantom"}


@pytest.mark.parametrize(("command", "words"), COMMANDS)
def test_every_command_line_composes(command: str, words: str) -> None:
    assert run_command(command, *words.split(), "--cfg", "job") == 0


def test_every_linked_file_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
