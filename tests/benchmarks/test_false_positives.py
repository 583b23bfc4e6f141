"""Where a finding lies in a volume whose vertebrae are known."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np

from spinedet.core.types import Box, Finding

Named = Callable[[str], ModuleType]


def test_findings_are_counted_by_where_they_lie(benchmark_named: Named) -> None:
    script = benchmark_named("false_positives")
    vertebrae = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 40.0], [0.0, 0.0, 80.0]])
    # On the first disc, on the second with 10 mm to the side, in a vertebra, in the canal, above all that is known.
    places = [(0.0, 0.0, 22.0), (10.0, 0.0, 60.0), (0.0, 0.0, 40.0), (0.0, -30.0, 20.0), (0.0, 0.0, 120.0)]
    found = [
        Finding(series="s", category="degeneration", score=0.9, box=Box(center=place, size=(9.0, 9.0, 9.0)))
        for place in places
    ]
    assert script.count(found, vertebrae) == script.Counts(5, on_discs=2, discs=2, beside_discs=2, beyond=1)
    assert script.count([found[0], found[0]], vertebrae) == script.Counts(2, 2, discs=1, beside_discs=0, beyond=0)
    assert script.count([], vertebrae) == script.Counts(0, on_discs=0, discs=0, beside_discs=0, beyond=0)
    assert script.count(found, np.empty((0, 3))) == script.Counts(5)
