"""Who trains together: told by torchrun, by srun, or by the config."""

from __future__ import annotations

from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.pipelines.launch import Team, launched, team_of
from spinedet.training.settings import TRAINERS, TrainerConfig

TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
TORCHRUN |= {"GROUP_RANK": "1"}
SRUN = {"SLURM_STEP_NUM_TASKS": "5", "SLURM_PROCID": "4", "SLURM_LOCALID": "0", "SLURM_NODEID": "2"}
SRUN |= {"SLURM_STEP_TASKS_PER_NODE": "2(x2),1", "SLURM_JOB_ID": "7"}


def test_torchrun_and_srun_tell_who_a_process_is() -> None:
    assert launched(TORCHRUN) == Team(rank=3, size=4, local_rank=1, local_size=2, node=1)
    assert launched(SRUN) == Team(rank=4, size=5, local_rank=0, local_size=1, node=2)
    assert launched({}) is None


def test_a_batch_script_is_no_job_step() -> None:
    assert launched({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None


@pytest.mark.parametrize(
    ("words", "environment", "size"),
    [
        ({}, {}, 1),
        ({"devices": 2}, {}, 2),
        ({"devices": "-1", "accelerator": "cpu"}, {}, 1),
        ({}, TORCHRUN, 4),
        ({"devices": 2, "num_nodes": 2}, TORCHRUN, 4),
        ({}, SRUN, 5),
    ],
)
def test_config_and_launcher_agree(words: dict[str, Any], environment: dict[str, str], size: int) -> None:
    assert team_of(TrainerConfig(**words), environment).size == size


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        ({"devices": 2}, TORCHRUN, r"4 processes were started and trainer.devices=2 on trainer.num_nodes=1 makes 2"),
        ({"num_nodes": 2}, {}, "start the command with srun or torchrun"),
        ({"devices": "two"}, {}, "use a number"),
    ],
)
def test_where_they_do_not_both_are_named(words: dict[str, Any], environment: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        team_of(TrainerConfig(**words), environment)


def test_ddp_takes_all_that_a_node_has() -> None:
    assert TRAINERS["ddp"].devices == -1
