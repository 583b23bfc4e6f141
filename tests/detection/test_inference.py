"""Models that predict together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.detection.inference import as_ensemble
from spinedet.detection.model_files import Model, PlaneDetector
from spinedet.detection.models import CONFIGS, ModelCard
from spinedet.imaging.planes import SAGITTAL
from tests.detection.tiny import Bright

CARD = ModelCard(("degeneration",), SAGITTAL.spacing, (40.0, 12.0, 35.0))


def test_models_answer_together_only_when_they_fit() -> None:
    part = PlaneDetector(CONFIGS["dense"](), CARD, Bright())
    model = Model("one", Region.LUMBAR, {Plane.SAGITTAL: part})
    assert len(as_ensemble([model, model, model]).detectors[Plane.SAGITTAL].others) == 2
    other = replace(part, card=replace(CARD, spacing=(4.0, 2.0, 2.0)))
    with pytest.raises(InputError, match="same planes, categories and working spacing"):
        as_ensemble([model, replace(model, detectors={Plane.SAGITTAL: other})])
