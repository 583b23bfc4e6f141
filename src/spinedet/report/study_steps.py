"""The steps of a study on its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepLine:
    """How one step of a study went."""

    name: str
    state: str
    seconds: float
    reason: str


def broken_steps(steps: Sequence[StepLine]) -> Iterator[str]:
    """A sentence for each step that has no results."""
    for step in steps:
        if step.reason:
            yield f"Step {step.name} {'was ' if step.state == 'left out' else ''}{step.state}: {step.reason}"
