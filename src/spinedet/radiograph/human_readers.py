"""Readings of human readers, to stand beside a network's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.radiograph.readings import read_readings
from spinedet.scoring.classification.report import Contestant


def read_readers(paths: Sequence[str]) -> list[Contestant]:
    """Readings of humans.

    Raises:
        InputError: the file is of a network.
    """
    found: list[Contestant] = []
    for path in paths:
        readings = read_readings(Path(path))
        if not readings.by_reader:
            raise InputError(f'{path}: readers= takes readings of humans, whose model says "kind": "reader"; see docs')
        found.append(Contestant(readings, str(path)))
    return found
