"""What transfer is worth, in sentences that follow from the numbers."""

from __future__ import annotations

from typing import Any

from spinedet.report.transfer_summary import Pooled, Trainings, summary
from spinedet.scoring import Estimate


def row(recipe: str, patients: int, budget: int, ap: float, **more: Any) -> Pooled:
    change = more.pop("change", None)
    words: dict[str, Any] = {"tuning_ap": ap, "steps": (budget,), "stopped_by_time": False, "seeds": 1}
    estimate, apart = Estimate(value=ap), None if change is None else Estimate(**change)
    return Pooled(
        plane="axial",
        recipe=recipe,
        patients=patients,
        budget=budget,
        recall=estimate,
        f1=estimate,
        ap=estimate,
        f1_change=apart,
        ap_change=apart,
        ap_over_longest=apart,
        control_budget=200,
        **words | more,
    )


def said(*rows: Pooled) -> str:
    return "\n".join(summary(Trainings("axial", rows, compared=20, equal_steps=100), ()))


SCRATCH = (row("scratch", 20, 100, 0.60), row("scratch", 20, 200, 0.70))


def test_a_control_that_still_rises_is_not_called_converged() -> None:
    assert "from scratch on 20 patients has NOT converged" in said(*SCRATCH)
    assert "from 100 to 200 steps" in said(*SCRATCH)
    assert "from scratch on 20 patients has converged" in said(SCRATCH[0], row("scratch", 20, 200, 0.604))


def test_convergence_needs_a_training_of_half_the_steps() -> None:
    assert "is not known" in said(row("scratch", 20, 70, 0.60), row("scratch", 20, 280, 0.60))
    assert "is not known" not in said(row("scratch", 20, 140, 0.60), row("scratch", 20, 280, 0.60))


def test_a_training_that_finds_nothing_has_neither_converged_nor_saved_time() -> None:
    text = said(row("scratch", 20, 100, 0.0), row("scratch", 20, 200, 0.0), row("full", 20, 100, 0.0))
    assert "from scratch on 20 patients has learned nothing yet" in text
    assert "save" not in text


def test_what_is_ahead_behind_or_neither_follows_from_the_interval() -> None:
    for low, high, verdict in (
        (0.01, 0.1, "is ahead"),
        (-0.1, -0.01, "is behind"),
        (-0.1, 0.1, "is not shown to differ"),
    ):
        change = {"value": (low + high) / 2, "low": low, "high": high}
        text = said(*SCRATCH, row("full", 20, 200, 0.75, change=change))
        assert f"fine-tuning {verdict} in average precision" in text
        assert f"fine-tuning {verdict} in F1" in text
        assert "of 200 steps" not in text


def test_a_control_with_more_steps_is_compared_too() -> None:
    change = {"value": -0.05, "low": -0.1, "high": -0.01}
    text = said(*SCRATCH, row("full", 20, 100, 0.65, change=change))
    assert "against a training from scratch of 200 steps, fine-tuning with 100 is behind" in text
    assert "is behind with 100 steps each and with 100 steps is behind against one from scratch of 200." in text


def test_time_and_patients_saved_are_claims_of_their_own() -> None:
    tuned = (row("full", 20, 100, 0.72), row("full", 20, 200, 0.75), row("full", 5, 100, 0.50))
    text = said(*SCRATCH, *tuned, row("scratch", 5, 100, 0.30))
    assert "reaches AP 0.700 after 200 steps; fine-tuning has it after 100" in text
    assert (
        "the AP of 20 patients from scratch (0.600) is reached by fine-tuning with 20 and from scratch with 20" in text
    )
    early = row("full", 20, 100, 0.72, change={"value": 0.12, "low": 0.05, "high": 0.2})
    assert "with only 100 steps each fine-tuning is ahead in average precision: +0.120" in said(*SCRATCH, early)
    slow = said(*SCRATCH, row("full", 20, 100, 0.50), row("full", 20, 200, 0.55), row("scratch", 5, 100, 0.30))
    assert "fine-tuning does not have it after 200" in slow
    assert "reached by fine-tuning with none of up to 20" in slow


def test_patients_are_saved_only_where_training_from_scratch_needs_more() -> None:
    tuned = (row("full", 20, 100, 0.72), row("full", 5, 100, 0.65))
    assert "fine-tuning with 5 and from scratch with 20: fewer after transfer, by point estimates" in said(
        *SCRATCH, *tuned, row("scratch", 5, 100, 0.30)
    )
    assert "fine-tuning with 5 and from scratch with 5: transfer saves none" in said(
        *SCRATCH, *tuned, row("scratch", 5, 100, 0.61)
    )
    assert "save patients" not in said(*SCRATCH, row("full", 20, 100, 0.72))
