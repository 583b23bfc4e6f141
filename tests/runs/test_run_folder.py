"""What a run folder says of how the run began, and whether a training may go on in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from spinedet.cli.tracking import CONFIGS as LOGGERS
from spinedet.commands.train import _settled
from spinedet.core.errors import InputError
from spinedet.detection.models import CONFIGS
from spinedet.detection.settings import RecipeConfig
from spinedet.imaging.settings import AugmentConfig
from spinedet.runs.claimed_folder import RunFolder, began_with, refuse_other_config, write_config
from spinedet.scoring import CRITERIA
from spinedet.train import TrainConfig
from spinedet.training.settings import TrainerConfig


@pytest.fixture
def config() -> TrainConfig:
    return TrainConfig(model=CONFIGS["set"](), criterion=CRITERIA["iou"], logger=LOGGERS["none"])


def began(folder: Path, config: TrainConfig, *forgotten: str) -> RunFolder:
    """A run that began with this config, but for settings that its spinedet did not have."""
    run = RunFolder(folder)
    write_config(run, config)
    content = yaml.safe_load(run.config.read_text())
    for key in forgotten:
        part, name = key.split(".")
        del content[part][name]
    run.config.write_text(yaml.safe_dump(content))
    return run


def test_what_a_new_run_trains_on_at_a_step_is_written_as_a_number(config: TrainConfig, tmp_path: Path) -> None:
    assert _settled(config, RunFolder(tmp_path)).recipe.batch == 2
    assert config.recipe.batch is None


@pytest.mark.parametrize("batch", [2, 8])
def test_a_resumed_run_keeps_the_scans_a_step_that_it_began_with(
    config: TrainConfig, tmp_path: Path, batch: int
) -> None:
    run = began(tmp_path, replace(config, recipe=RecipeConfig(batch=batch)))
    assert began_with(run, "recipe.batch") == batch
    settled = _settled(config, run)
    assert settled.recipe.batch == batch
    refuse_other_config(run, settled)
    with pytest.raises(InputError, match=f"began with recipe.batch={batch} and now has recipe.batch=3"):
        refuse_other_config(run, _settled(replace(config, recipe=RecipeConfig(batch=3)), run))


def test_who_makes_the_batches_may_change(config: TrainConfig, tmp_path: Path) -> None:
    refuse_other_config(began(tmp_path, config), replace(config, trainer=TrainerConfig(loader_workers=2)))


def test_a_setting_that_is_new_is_no_change_by_default(config: TrainConfig, tmp_path: Path) -> None:
    run = began(tmp_path, config, "augment.elastic_probability", "augment.elastic_mm")
    refuse_other_config(run, config)
    with pytest.raises(InputError, match=r"augment.elastic_probability=0.0 and now has .*=0.5"):
        refuse_other_config(run, replace(config, augment=AugmentConfig(elastic_probability=0.5)))
