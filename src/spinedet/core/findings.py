"""Reading and writing what a detector says (`spinedet-findings`)."""

from __future__ import annotations

from pathlib import Path

from spinedet.core.files import read_record, write_json
from spinedet.core.types import Findings

FORMAT = "spinedet-findings"


def read_findings(path: Path) -> Findings:
    """Read one findings file.

    Raises:
        InputError: the file breaks the format; the message names file, study and field.
    """
    return read_record(path, Findings, FORMAT)


def write_findings(path: Path, findings: Findings) -> None:
    """Write a findings file atomically."""
    write_json(path, {"format": FORMAT, "version": 1, "space": "RAS", **findings.model_dump(mode="json")})
