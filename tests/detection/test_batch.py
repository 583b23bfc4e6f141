"""Targets and detections keep what belongs to each box."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spinedet.detection.batch import Detections, Targets, concatenate

BOX = torch.tensor([[20.0, 30.0, 30.0, 8.0, 8.0, 8.0]])


def targets(*severity: float) -> Targets:
    count = len(severity)
    labels, ignore = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.bool)
    return Targets(BOX.repeat(count, 1), labels, ignore, torch.tensor(severity))


def test_targets_keep_grades_with_their_lesions() -> None:
    ignoring = replace(targets(1.0, 2.0, 3.0), ignore=torch.tensor([False, True, False]))
    assert ignoring.certain.severity.tolist() == [1, 3]
    assert ignoring.scaled(0.5).to("cpu").severity.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="flags and grades"):
        replace(ignoring, severity=torch.zeros(2))


def test_detections_keep_grades_with_their_boxes() -> None:
    every = concatenate([Detections(BOX, torch.ones(1, 1), torch.tensor([2.0])), Detections(BOX, torch.zeros(1, 1))])
    chosen = every.scaled(2).cpu().select(torch.tensor([True, False]))
    assert chosen.severity is not None
    assert chosen.severity.tolist() == [2]
