"""Models that predict together, and studies that worker processes predict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.core.types import Series, Study
from spinedet.detection.inference import Effort, as_ensemble, detect_studies
from spinedet.detection.model_files import Model, PlaneDetector
from spinedet.detection.models import CONFIGS, ModelCard, build
from spinedet.detection.worker_pool import LEAST_TASKS
from spinedet.imaging.planes import SAGITTAL
from spinedet.imaging.volume import Volume, write_volume
from spinedet.training.determinism import one_thread
from tests.detection import small
from tests.detection.tiny import Bright

CARD = ModelCard(("degeneration",), SAGITTAL.spacing, (40.0, 12.0, 35.0))


def test_models_answer_together_only_when_they_fit() -> None:
    part = PlaneDetector(CONFIGS["dense"](), CARD, Bright())
    model = Model("one", Region.LUMBAR, {Plane.SAGITTAL: part})
    assert len(as_ensemble([model, model, model]).detectors[Plane.SAGITTAL].others) == 2
    other = replace(part, card=replace(CARD, spacing=(4.0, 2.0, 2.0)))
    with pytest.raises(InputError, match="same planes, categories and working spacing"):
        as_ensemble([model, replace(model, detectors={Plane.SAGITTAL: other})])


def test_worker_processes_find_the_same_bits_and_skip_the_same_studies(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = small.SMALL["set"]
    part = PlaneDetector(config, small.CARD, build(config, small.CARD).eval())
    model = Model("one", Region.LUMBAR, {Plane.SAGITTAL: part})
    shape = (5, 40, 40)
    for number in range(LEAST_TASKS):
        noise = np.random.default_rng(number).normal(size=shape).astype(np.float32)
        write_volume(tmp_path / f"{number}.nii.gz", Volume(noise, Grid(shape, np.diag([4.0, 1.5, 1.5, 1.0]))))
    (tmp_path / "3.nii.gz").write_bytes(b"no image")
    studies = [
        Study(
            id=f"study {number}",
            patient=f"patient {number}",
            center="A",
            series=(Series(id="sag", plane=Plane.SAGITTAL, path=tmp_path / f"{number}.nii.gz"),),
        )
        for number in range(LEAST_TASKS)
    ]
    with one_thread():
        here, elsewhere, together = (
            detect_studies(model, studies, 0.0, effort) for effort in (Effort(1), Effort(2), Effort(2, batch=4))
        )
    assert list(here.skipped) == ["study 3"]
    assert all(study.findings for study in here.studies)
    assert elsewhere == here
    assert together.skipped == here.skipped
    assert [study.id for study in together.studies] == [study.id for study in here.studies]
