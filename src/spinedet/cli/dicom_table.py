"""Which DICOM series were chosen, and why: a table on the terminal and `series.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from spinedet.cli.console import results, wide
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
    table = Table("study", "series", "plane", "weighting", "images", "why", title="DICOM series")
    rows = [(choice, verdict) for choice in choices for verdict in choice.verdicts]
    for choice, verdict in rows[:_MOST_ROWS]:
        mark = "[bold]" if verdict.chosen else "[dim]"
        plane = verdict.plane.value if verdict.plane else "–"
        why = "; ".join(verdict.reasons).replace("[", r"\[")
        name = f"{verdict.series}{' (chosen)' if verdict.chosen else ''}"
        size = verdict.summary.partition(",")[0]
        table.add_row(choice.study.key, name, plane, verdict.weighting or "–", size, f"{mark}{why}[/]")
    wide(results).print(table)
    if len(rows) > _MOST_ROWS:
        results.print(f"... and {len(rows) - _MOST_ROWS} more in series.json")


def _record(choice: StudySelection) -> dict[str, Any]:
    return {
        "study": choice.study.key,
        "patient": choice.study.patient,
        "series": [_verdict(verdict) for verdict in choice.verdicts],
    }


def _verdict(verdict: SeriesDecision) -> dict[str, Any]:
    return {
        "id": verdict.series,
        "chosen": verdict.chosen,
        "plane": verdict.plane.value if verdict.plane else None,
        "weighting": verdict.weighting,
        "images": verdict.summary,
        "reasons": list(verdict.reasons),
    }
