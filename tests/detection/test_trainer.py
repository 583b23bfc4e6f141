"""An interrupted training continues as if nothing had happened, wrong data are named, and weights pass on."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.detection.trainer import copy_matching_weights, train_plane
from spinedet.training.checkpoints import BEFORE, LAST, newest_checkpoint
from spinedet.training.preemption import Preempted
from spinedet.training.samplers import Position
from tests.detection.conftest import MakeStudy
from tests.detection.models.test_detectors import GRADING, seeded
from tests.detection.tiny import AfterSteps, plan, same, settings


@pytest.fixture
def studies(make_study: MakeStudy) -> list[Any]:
    return [make_study(f"s{n}", seed=n) for n in range(5)]


def test_a_training_interrupted_at_any_step_ends_with_the_same_weights(studies: list[Any], tmp_path: Path) -> None:
    whole = train_plane(plan(studies, tmp_path / "whole"), settings()).network.state_dict()
    folder, stops, left = tmp_path / "broken", [], True
    while left:
        start = newest_checkpoint(folder / "checkpoints")
        stops += [start.position] if start else []
        try:
            # Three looks an epoch's two steps and its end: the first of the epoch, and the end, in turn.
            done = train_plane(plan(studies, folder, start=start, stop=AfterSteps(1)), settings())
            left = False
        except Preempted:
            assert len(stops) < 10
    assert stops == [Position(0, 1), Position(1), Position(1, 1), Position(2), Position(2, 1), Position(3)]
    assert same(done.network.state_dict(), whole)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(studies: list[Any], tmp_path: Path) -> None:
    whole = train_plane(plan(studies, tmp_path / "run"), settings()).network.state_dict()
    folder = tmp_path / "run/checkpoints"
    last = folder / LAST
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1  # one bit of one weight
    last.write_bytes(content)
    start = newest_checkpoint(folder)
    assert start is not None
    assert (start.path.name, start.position, start.damaged) == (BEFORE, Position(2), (last,))
    again = train_plane(plan(studies, tmp_path / "run", start=start), settings()).network.state_dict()
    assert same(again, whole)
    for path in (last, folder / BEFORE):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"no checkpoint in .* is whole"):
        newest_checkpoint(folder)


def test_a_loss_that_is_no_number_names_its_batch(studies: list[Any], tmp_path: Path) -> None:
    training = plan(studies, tmp_path)
    spoilt = training.train[1]
    content = io.BytesIO()
    np.save(content, np.full_like(np.load(spoilt.file), np.nan))
    spoilt.file.write_bytes(content.getvalue())
    scans = [replace(spoilt, checksum=zlib.crc32(content.getvalue())) if s is spoilt else s for s in training.train]
    with pytest.raises(InputError, match="s1/sag"):
        train_plane(replace(training, train=scans), settings())


@pytest.mark.parametrize("told", ["mild", 4, -1, True])
def test_a_grade_that_the_model_does_not_know_is_refused(told: Any, make_study: MakeStudy, tmp_path: Path) -> None:
    first, *others = (make_study(name) for name in "abc")
    bad = first.lesions[0].model_copy(update={"attributes": {"severity": told}})
    made = plan([first.model_copy(update={"lesions": (bad,)}), *others], tmp_path)
    words = settings()
    graded = replace(words, model=replace(words.model, severity=3))
    with pytest.raises(InputError, match=r"study 'a', lesion '0', attributes\.severity: .* is no grade from 0 to 3"):
        train_plane(made, graded)


@pytest.mark.parametrize("variant", GRADING)
def test_weights_pass_between_models_with_and_without_grades(variant: str) -> None:
    plain, graded = seeded(variant.split()[0]), seeded(variant)
    assert copy_matching_weights(graded, plain).fresh == ("dense.severity.weight", "dense.severity.cuts")
    assert copy_matching_weights(plain, graded).fresh == ()
