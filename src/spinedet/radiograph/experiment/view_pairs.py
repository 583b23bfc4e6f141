"""One view against another, by the same network on the same patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from spinedet.core.radiograph import RadiographManifest
from spinedet.scoring.classification.evaluate import Resampling
from spinedet.scoring.classification.gather import CohortReadings, LabelledCohort, gather_cohort, gather_readings
from spinedet.scoring.classification.items import Items
from spinedet.scoring.classification.pairs import Predicted, compare_predictions, corrected
from spinedet.scoring.classification.records import LabelPair
from spinedet.scoring.classification.report import Contestant
from spinedet.scoring.statistics.bootstrap import BootstrapSettings


def compare_views(
    manifest: RadiographManifest, networks: Sequence[Contestant], bootstrap: BootstrapSettings
) -> tuple[LabelPair, ...]:
    """Every pair of views on the patients that have one image of each; `by` holds the network and the centre, if any.

    Nothing where labels belong to views. Holm's correction is over the networks and pairs of views of one part.
    """
    cohort = gather_cohort(manifest)
    if not cohort.combines or len(manifest.task.views) < 2:
        return ()
    sampling = Resampling.over(cohort.centers, cohort.center, bootstrap)
    found: list[LabelPair] = []
    for centers in (cohort.centers, *((name,) for name in cohort.centers if len(cohort.centers) > 1)):
        part = [pair for one in networks for pair in _pairs(cohort, one, centers, sampling)]
        found += corrected(part, None)
    return tuple(found)


def _pairs(
    cohort: LabelledCohort, network: Contestant, centers: tuple[str, ...], sampling: Resampling
) -> Iterator[LabelPair]:
    read = gather_readings(cohort, network.readings, network.source)
    by = {"unit": "image", "network": network.readings.name}
    if centers != cohort.centers:
        by["center"] = centers[0]
    for first, second in combinations(cohort.task.views, 2):
        ours, theirs = (side.at(centers) for side in _same_patients(read, first, second))
        if len(ours):
            yield compare_predictions(Predicted(first, ours), Predicted(second, theirs), by, sampling, None)


def _same_patients(read: CohortReadings, first: str, second: str) -> tuple[Items, Items]:
    """The images of both views of the patients that have exactly one of each, in the same order."""
    sides = [read.images(view) for view in (first, second)]
    single = [np.bincount(side.patient, minlength=side.patients) == 1 for side in sides]
    kept = [side.where((single[0] & single[1])[side.patient]) for side in sides]
    ours, theirs = (
        Items(
            side.labels,
            side.centers,
            side.center,
            side.patient[order],
            side.reference[order],
            side.called[order],
            side.score[order],
        )
        for side in kept
        for order in (np.argsort(side.patient, kind="stable"),)
    )
    return ours, theirs
