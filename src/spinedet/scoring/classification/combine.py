"""Several images of one patient as one prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.scoring.classification.items import REJECTED
from spinedet.scoring.classification.thresholds import log_probability, softmax
from spinedet.scoring.matching.overlaps import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """The row of a label or `REJECTED`, and scores (L,), NaN where there are none."""

    called: int
    score: Floats


def combine(called: Ints, score: Floats, positive: int | None) -> Combined:
    """Images that were rejected leave the label to the others.

    With a finding (`positive`, its row of two labels), a patient has it if any image shows it, and the score is the
    highest. Otherwise the score is the mean of the log-probabilities; without scores the images must agree.

    Args:
        called: (k,) rows of labels or `REJECTED`. score: (k, L), NaN where there are none.
    """
    accepted = called != REJECTED
    if not accepted.any():
        return Combined(REJECTED, np.full(score.shape[1], np.nan))
    predicted, scores = called[accepted], score[accepted]
    scored = ~np.isnan(scores).any(axis=1)
    if positive is not None:
        highest = scores[scored][np.argmax(scores[scored, positive])] if scored.any() else np.full(2, np.nan)
        return Combined(positive if (predicted == positive).any() else 1 - positive, highest)
    if scored.any():
        together = softmax(log_probability(scores[scored]).mean(axis=0))
        return Combined(int(together.argmax()), together)
    agree = (predicted == predicted[0]).all()
    return Combined(int(predicted[0]) if agree else REJECTED, np.full(score.shape[1], np.nan))
