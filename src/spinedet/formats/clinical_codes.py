"""Codes for levels, regions and findings: standard ones where they are verified, private ones otherwise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from spinedet.core.anatomy import Region

_FILE = "clinical_codes.json"
# CodeMeaning is a Long String of DICOM.
_LONGEST_MEANING = 64


@dataclass(frozen=True, slots=True)
class ClinicalCode:
    """A coded concept: the designator of its scheme as DICOM writes it, its value and its meaning."""

    scheme: str
    value: str
    meaning: str


@cache
def code_table() -> dict[str, Any]:
    """The content of `clinical_codes.json`."""
    table: dict[str, Any] = json.loads((files("spinedet.formats") / _FILE).read_text("utf-8"))
    return table


def designator() -> str:
    """The designator of the private codes."""
    return str(code_table()["designator"]["name"])


def finding_code(category: str) -> ClinicalCode:
    """The code of a category of findings, private unless the standard one has been verified."""
    return _verified(code_table()["findings"].get(category)) or private_code(category)


def level_code(level: str | None) -> ClinicalCode | None:
    """The code of a disc or vertebra; None for one that has none, such as `L5/L6`."""
    return _verified(code_table()["levels"].get(level))


def region_code(region: Region) -> ClinicalCode:
    """The code of a part of the spine."""
    code = _verified(code_table()["regions"][region.value])
    if code is None:
        raise ValueError(f"the code of {region.value} is not verified")
    return code


def private_code(name: str) -> ClinicalCode:
    """A code of spinedet's own; a name that is not in the table means itself."""
    meaning = code_table()["private"].get(name, name.replace("_", " "))
    return ClinicalCode(designator(), name, meaning[:_LONGEST_MEANING])


def _verified(entry: dict[str, str] | None) -> ClinicalCode | None:
    if entry is None or entry["verified_by"] is None:
        return None
    return ClinicalCode(entry["scheme"], entry["value"], entry["meaning"])
