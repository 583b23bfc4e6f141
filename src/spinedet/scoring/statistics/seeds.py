"""Statistics over several trainings that were tested on the same patients, with intervals over both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinedet.scoring.matching.overlaps import Floats
from spinedet.scoring.statistics.estimates import Statistics


def over_seeds(trainings: Sequence[Statistics], names: Sequence[str]) -> Statistics:
    """Means over trainings of other seeds; their replicates vary patients and trainings.

    Trainings and test patients are crossed: every training is tested on all patients. So each replicate draws patients
    and, independently of them, trainings, both with replacement, and takes the mean over the trainings drawn, all on
    those patients (Owen, The pigeonhole bootstrap, Ann Appl Stat 1:386, 2007). As any bootstrap of n draws it makes the
    variance between trainings too small by the factor (n - 1) / n, which with three of them is a third. One training
    varies patients alone.

    Args:
        trainings: replicates (B,) under common weights of the patients. names: of the statistics.
    """
    first = trainings[0]
    values = {name: float(np.mean([one.values[name] for one in trainings])) for name in names}
    known = [name for name in names if all(name in one.replicates for one in trainings)]
    return Statistics(
        values=values,
        replicates={name: _drawn([one.replicates[name] for one in trainings], first.settings.seed) for name in known},
        left_out={},
        settings=first.settings,
        method="percentile",
        patients=first.patients,
    )


def _drawn(replicates: Sequence[Floats], seed: int) -> Floats:
    """The mean over trainings that each replicate draws, (B,)."""
    table = np.stack(replicates)
    count, samples = table.shape
    rng = np.random.default_rng(np.random.SeedSequence([seed, *b"trainings"]))
    rows = rng.integers(0, count, (count, samples))
    mean: Floats = np.take_along_axis(table, rows, axis=0).mean(axis=0)
    return mean
