"""From findings to measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinedet.simulation.anatomy.degeneration import DegenerationSettings, DiscState, Herniation, draw_states
from spinedet.simulation.anatomy.lumbar import LEVELS
from spinedet.simulation.prevalence import Findings, fitted


def states(wear: DegenerationSettings, patients: int = 60) -> list[DiscState]:
    drawn = [draw_states(fitted(), 60, LEVELS, wear, np.random.default_rng(seed)) for seed in range(patients)]
    return [state for patient in drawn for state in patient.values()]


@pytest.mark.parametrize(
    ("findings", "lesion"),
    [
        (Findings(1), False),
        (Findings(3), False),
        (Findings(4), True),
        (Findings(2, bulging=1), True),
        (Findings(2, herniation=1), True),
        (Findings(3, narrowing=1, modic=2), False),
    ],
)
def test_the_rule_for_a_lesion(findings: Findings, lesion: bool) -> None:
    assert DiscState(findings).is_lesion is lesion


def test_narrowing_and_slips_are_lesions_too() -> None:
    assert DiscState(stenosis=0.3).is_lesion
    assert DiscState(facets=(0.0, 0.31)).is_lesion
    assert DiscState(slip=-3.1).is_lesion
    assert not DiscState(slip=2.9, stenosis=0.29, facets=(0.29, 0.0)).is_lesion


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        (DiscState(), 0),
        (DiscState(Findings(3, bulging=1), bulge=2.0), 1),
        (DiscState(Findings(4)), 2),
        (DiscState(Findings(5)), 3),
        (DiscState(Findings(3, herniation=1), herniation=Herniation(8.0, 0.0, 6.0)), 3),
        (DiscState(Findings(3, bulging=1), stenosis=0.5), 2),
    ],
)
def test_severity(state: DiscState, severity: int) -> None:
    assert state.severity == severity


def test_extrusions() -> None:
    assert not Herniation(8.0, 0.0, 5.0).is_extrusion
    assert Herniation(11.0, 0.0, 5.0).is_extrusion
    assert Herniation(4.0, 0.0, 5.0, migration=-6.0).is_extrusion


def test_a_smaller_spine_is_judged_by_its_size() -> None:
    slipped = DiscState(slip=4.0, bulge=2.0, herniation=Herniation(6.0, 4.0, 8.0))
    small = slipped.scaled(0.5)
    assert (small.slip, small.bulge) == (2.0, 1.0)
    assert small.herniation == Herniation(3.0, 2.0, 4.0)
    assert small.is_lesion
    assert small.severity == slipped.severity


def test_spared_patients_have_no_lesion() -> None:
    assert not any(state.is_lesion for state in states(DegenerationSettings(healthy=1.0)))


def test_look_alikes_are_dark_but_high_and_contained() -> None:
    dark = [
        s
        for s in states(DegenerationSettings(healthy=1.0, dark=1.0, equivocal=0.0))
        if s.findings.grade == 3 and s.darkness < 0.44
    ]
    assert dark
    assert all(not s.is_lesion and s.height > 0.85 and s.bulge < 1.0 for s in dark)


def test_borderline_bulges_are_equivocal_and_never_lesions() -> None:
    drawn = states(DegenerationSettings(equivocal=1.0, dark=0.0))
    assert all(state.equivocal != state.is_lesion for state in drawn)


def test_clearing_removes_faint_bulges() -> None:
    faint = [s for s in states(DegenerationSettings(clear=1.0)) if s.findings.grade <= 2 and s.findings.bulging]
    assert all(s.findings.herniation for s in faint)
    assert any(s.findings.grade <= 2 and s.findings.bulging for s in states(DegenerationSettings(clear=0.0)))


def test_worse_grades_are_darker_and_narrowed_discs_lower() -> None:
    drawn = states(DegenerationSettings(dark=0.0), patients=150)
    darkness = [np.mean([s.darkness for s in drawn if s.findings.grade == grade]) for grade in (1, 2, 3, 4, 5)]
    assert darkness == sorted(darkness, reverse=True)
    assert max(s.height for s in drawn if s.findings.narrowing) < min(
        s.height for s in drawn if not s.findings.narrowing
    )


def test_shifting_wears_more() -> None:
    shares = [np.mean([s.is_lesion for s in states(DegenerationSettings(shift=shift))]) for shift in (-1.0, 0.0, 1.0)]
    assert shares == sorted(shares)
    assert shares[2] - shares[0] > 0.3


def test_replacing_keeps_a_state_a_value() -> None:
    state = DiscState()
    assert replace(state, bulge=1.0) != state
    assert replace(state) == state
