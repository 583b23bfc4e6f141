"""Which DICOM series were chosen, and why: a table on the terminal and `series.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from spinedet.cli.console import plain_table, results, show_table
from spinedet.core.files import write_json
from spinedet.imaging.dicom import SeriesDecision, StudySelection

# Rows of the table on the terminal; the file holds all of them.
_MOST_ROWS = 200


def report_choices(choices: Sequence[StudySelection], folder: Path) -> None:
    """Write `series.json` and print the table; nothing when there was no DICOM.

    Patients and studies are named by salted hashes; neither holds a name, a date, a UID or a description.
    """
    if not choices:
        return
    write_json(folder / "series.json", [_record(choice) for choice in choices])
    table = plain_table("study", "series", "plane", "weighting", "images", "why", title="DICOM series")
    rows = [(choice, decision) for choice in choices for decision in choice.decisions]
    for choice, decision in rows[:_MOST_ROWS]:
        plane = decision.plane.value if decision.plane else "–"
        why = Text("; ".join(decision.reasons), "bold" if decision.chosen else "dim")
        name = f"{decision.series}{' (chosen)' if decision.chosen else ''}"
        size = decision.summary.partition(",")[0]
        table.add_row(choice.study.key, name, plane, decision.weighting or "–", size, why)
    show_table(table)
    if len(rows) > _MOST_ROWS:
        results.print(f"... and {len(rows) - _MOST_ROWS} more in series.json")


def _record(choice: StudySelection) -> dict[str, Any]:
    return {
        "study": choice.study.key,
        "patient": choice.study.patient,
        "series": [_decision(decision) for decision in choice.decisions],
    }


def _decision(decision: SeriesDecision) -> dict[str, Any]:
    return {
        "id": decision.series,
        "chosen": decision.chosen,
        "plane": decision.plane.value if decision.plane else None,
        "weighting": decision.weighting,
        "images": decision.summary,
        "reasons": list(decision.reasons),
    }
