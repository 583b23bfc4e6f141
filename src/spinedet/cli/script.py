"""The `spinedet` script: `spinedet COMMAND ...` is `python -m spinedet.COMMAND ...`."""

from __future__ import annotations

import ast
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from spinedet import __version__

_PACKAGE = Path(__file__).parents[1]
# Folders with commands of their own.
_FOLDERS = ("radiograph",)


def commands() -> dict[str, str]:
    """Every command with what it does, from the first line of its module, which is not imported."""
    found = {}
    for folder in ("", *_FOLDERS):
        for file in sorted((_PACKAGE / folder).glob("*.py")):
            doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            if doc.startswith("`python -m spinedet."):
                found[f"{folder}.{file.stem}".lstrip(".")] = doc.partition("`: ")[2].strip()
    return found


def main() -> None:
    """Entry point."""
    words = sys.argv[1:]
    known = commands()
    if words and words[0] in known:
        sys.argv = [f"spinedet {words[0]}", *words[1:]]
        import_module(f"spinedet.{words[0]}").main()
        return
    if words and words[0] in ("--version", "-V"):
        print(f"spinedet {__version__}")  # the answer, no message
        return
    listed = "\n".join(f"  {name:<20} {text}" for name, text in known.items())
    page = f"spinedet COMMAND key=value ...\n\n{listed}\n\nspinedet COMMAND --help explains every setting of a command."
    if not words or words[0] in ("--help", "-h", "help"):
        print(page)  # the answer, no message
        return
    near = get_close_matches(words[0], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    print(f"error: spinedet has no command {words[0]}{hint}\n\n{page}", file=sys.stderr)  # before any console
    sys.exit(2)
