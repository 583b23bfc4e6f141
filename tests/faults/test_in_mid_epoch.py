"""What breaks between two steps of a training is made whole, or named with the remedy, and nothing is lost."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spinedet.core.errors import InputError
from spinedet.core.types import Study
from spinedet.detection.dataset import Scan
from spinedet.detection.trainer import PlanePlan, train_plane
from spinedet.imaging.volume import read_volume, write_volume
from spinedet.runs.provenance import Stopwatch
from spinedet.training.checkpoints import newest_checkpoint
from spinedet.training.preemption import StopSignal
from tests.detection.tiny import plan, settings

from .conftest import Weights

RESTORED = "ignore:the cached copy .* was damaged"


class AfterOneStep(StopSignal):
    """Does something when the training looks at it for the first time: after the first of an epoch's two steps."""

    def __init__(self, deed: Callable[[], None]) -> None:
        super().__init__()
        self.deeds = [deed]

    def __bool__(self) -> bool:
        while self.deeds:
            self.deeds.pop()()
        return False


def disturbed(training: PlanePlan, deed: Callable[[Scan], None], **trainer: float) -> Weights:
    """The weights of a training whose every scan something happens to after its first step."""

    def to_all() -> None:
        for scan in (*training.train, *training.tune):
            deed(scan)

    spoilt = replace(training, stop=AfterOneStep(to_all))
    return train_plane(spoilt, settings(**trainer)).network.state_dict()


def same(one: Weights, two: Weights) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def flip_a_bit(scan: Scan) -> None:
    content = bytearray(scan.file.read_bytes())
    content[len(content) // 2] ^= 1
    scan.file.write_bytes(content)


def cut_short(scan: Scan) -> None:
    scan.file.write_bytes(scan.file.read_bytes()[:100])


def spoil(scan: Scan) -> None:
    np.save(scan.file, np.full_like(np.load(scan.file), np.nan))


@pytest.mark.filterwarnings(RESTORED)
@pytest.mark.parametrize("damage", [flip_a_bit, cut_short, spoil, lambda scan: scan.file.unlink()])
def test_a_damaged_cache_is_made_anew(
    studies: list[Study], undisturbed: Weights, tmp_path: Path, damage: Callable[[Scan], None]
) -> None:
    training = plan(studies, tmp_path / "run")
    assert same(disturbed(training, damage), undisturbed)
    assert all(np.isfinite(np.load(scan.file)).all() for scan in training.train)


def test_a_damaged_cache_is_told(studies: list[Study], tmp_path: Path) -> None:
    training = plan(studies, tmp_path / "run")
    flip_a_bit(training.train[0])
    with pytest.warns(UserWarning, match="was damaged; it is made anew"):
        training.train[0].image()


def test_images_that_vanish_are_not_missed_while_the_cache_is_whole(
    studies: list[Study], undisturbed: Weights, tmp_path: Path
) -> None:
    training = plan(studies, tmp_path / "run")
    images = {study.id: study.series[0].path for study in studies}
    assert same(disturbed(training, lambda scan: images[scan.study].unlink()), undisturbed)


def image_to_nan(study: Study) -> None:
    image = read_volume(study.series[0].path)
    array = image.array.copy()
    array[0, 0, 0] = np.nan
    write_volume(study.series[0].path, replace(image, array=array))


def image_to_another(study: Study) -> None:
    image = read_volume(study.series[0].path)
    write_volume(study.series[0].path, replace(image, array=image.array[::-1].copy()))


@pytest.mark.filterwarnings(RESTORED)
@pytest.mark.parametrize(
    ("spoil_image", "message"),
    [
        (lambda study: study.series[0].path.unlink(), r"sag\.nii\.gz does not exist"),
        (image_to_nan, r"sag\.nii\.gz holds NaN"),
        (image_to_another, "was changed while training"),
    ],
)
def test_an_image_and_its_cache_gone_together_are_named_and_once_restored_nothing_is_lost(
    studies: list[Study], undisturbed: Weights, tmp_path: Path, spoil_image: Callable[[Study], None], message: str
) -> None:
    whole = [shutil.copy(study.series[0].path, tmp_path / f"{study.id}.nii.gz") for study in studies]

    def lose(scan: Scan) -> None:
        scan.file.unlink()
        spoil_image(next(study for study in studies if study.id == scan.study))

    with pytest.raises(InputError, match=f"{message}.*resume=true"):
        disturbed(plan(studies, tmp_path / "run"), lose, checkpoint_minutes=0)
    for study, copy in zip(studies, whole, strict=True):
        shutil.copy(copy, study.series[0].path)
    start = newest_checkpoint(tmp_path / "run/checkpoints")
    again = train_plane(plan(studies, tmp_path / "run", start=start), settings()).network.state_dict()
    assert same(again, undisturbed)


def test_a_clock_that_goes_back_and_forth_changes_nothing(
    studies: list[Study], undisturbed: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = itertools.cycle((0, 7200, -7200))
    monkeypatch.setattr(time, "time", lambda: 1e9 + next(jumps))
    watch = Stopwatch()
    trained = train_plane(plan(studies, tmp_path / "run"), settings(max_time="00:01:00:00"))
    watch.lap("training")
    assert same(trained.network.state_dict(), undisturbed)
    assert 0 < watch.stages["training"] < 3600
