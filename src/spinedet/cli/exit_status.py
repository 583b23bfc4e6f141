"""Exit statuses of every command, and the studies that were skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from spinedet.cli.console import show_labelled
from spinedet.core.files import write_json


class Status(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    FAILED = 1
    WRONG_INPUT = 2
    SKIPPED = 3
    INTERRUPTED = 130


@dataclass(frozen=True)
class Skipped:
    """Studies that could not be used, with the reason for each."""

    reasons: dict[str, str] = field(default_factory=dict)

    def report(self, folder: Path) -> Status:
        """List them in `skipped.json` and on the console; the status says whether there were any."""
        if not self.reasons:
            return Status.DONE
        write_json(folder / "skipped.json", [{"study": s, "reason": r} for s, r in self.reasons.items()])
        for study, reason in self.reasons.items():
            show_labelled("skipped", f"{study}: {reason}")
        return Status.SKIPPED


def worst(statuses: list[Status]) -> Status:
    severity = [Status.DONE, Status.SKIPPED, Status.WRONG_INPUT, Status.FAILED, Status.INTERRUPTED]
    return max(statuses, key=severity.index, default=Status.DONE)
