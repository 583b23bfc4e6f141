"""The processes that train together: started by us, by torchrun or by srun; the first one leads, the others help."""

from __future__ import annotations

import multiprocessing
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.core.errors import InputError
from spinedet.training.distributed import end_with_parent
from spinedet.training.preemption import Preempted
from spinedet.training.settings import TrainerConfig

# While the first process draws phantoms or reads images the others wait for it.
PATIENCE = timedelta(days=1)
# The error messages of gloo when another process has ended.
HUNG_UP = ("Connection closed", "Connection reset", "Broken pipe")


@dataclass(frozen=True)
class Team:
    """How many processes train together, and which one this is, overall and on its node."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    node: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """What torchrun would have set."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK")
        values = (self.rank, self.size, self.local_rank, self.local_size, self.node)
        return {name: str(value) for name, value in zip(names, values, strict=True)}


def launched(environment: Mapping[str, str] = os.environ) -> Team | None:
    """The team that torchrun or srun started; None when this process was started alone."""
    env = environment
    if "TORCHELASTIC_RUN_ID" in env:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK")
        return Team(*(int(env[name]) for name in names))
    # Only a job step has this; in a batch script SLURM_NTASKS is the number that srun would start.
    size = int(env.get("SLURM_STEP_NUM_TASKS", 1))
    if size == 1:
        return None
    node = int(env["SLURM_NODEID"])
    on_node = _tasks_per_node(env["SLURM_STEP_TASKS_PER_NODE"])[node]
    return Team(int(env["SLURM_PROCID"]), size, int(env["SLURM_LOCALID"]), on_node, node)


def _tasks_per_node(text: str) -> list[int]:
    """Slurm's `2(x3),1` is [2, 2, 2, 1]."""
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", text)
    return [int(tasks) for tasks, nodes in found for _ in range(int(nodes or 1))]


def team_of(config: TrainerConfig, environment: Mapping[str, str] = os.environ) -> Team:
    """The team that the config asks for, as it was started or is to be started on this machine.

    Raises:
        InputError: another number of processes was started, or other nodes are needed and nobody started them.
    """
    team, devices = launched(environment), _devices(config)
    if team is None and config.num_nodes > 1:
        raise InputError(
            f"trainer.num_nodes={config.num_nodes} needs processes on other machines; start the command with srun or "
            "torchrun (see docs/cluster.md)"
        )
    if team is None:
        return Team(size=devices or 1, local_size=devices or 1)
    if devices is not None and team.size != devices * config.num_nodes:
        raise InputError(
            f"{team.size} processes were started and trainer.devices={config.devices} on "
            f"trainer.num_nodes={config.num_nodes} makes {devices * config.num_nodes}; make them agree"
        )
    return team


def _devices(config: TrainerConfig) -> int | None:
    """Processes on each node; None leaves it to whoever starts them."""
    text = str(config.devices)
    if text == "auto":
        return None
    if text == "-1":
        return max(1, torch.cuda.device_count()) if config.accelerator != "cpu" else 1
    if not text.isdigit() or text == "0":
        raise InputError(f"trainer.devices={config.devices}: use a number, -1 for all, or auto")
    return int(text)


def on_rank_zero(command: Callable[[Any], Status]) -> Callable[[Any], Status]:
    """The command as its first process runs it; on the others, help with what the first one calls for."""

    @wraps(command)
    def run(config: Any) -> Status:
        team = team_of(config.trainer)
        if team.size == 1:
            return command(config)
        if launched() is None:
            return _with_helpers(team, lambda: command(config))
        with process_group(team):
            return _lead(lambda: command(config)) if team.rank == 0 else _help()

    return run


def call_helpers(work: Callable[[], None]) -> None:
    """Let every other process of the team do its part of the work; without a team, nothing."""
    if dist.is_initialized():
        dist.broadcast_object_list([work], src=0)


def _lead(command: Callable[[], Status]) -> Status:
    """The command, then leave for the others; when it fails they see the connection close, wherever they wait."""
    status = command()
    with suppress(RuntimeError):  # some may have left already
        dist.broadcast_object_list([None], src=0)
    return status


def _help() -> Status:
    while True:
        order: list[Callable[[], None] | None] = [None]
        dist.broadcast_object_list(order, src=0)
        if order[0] is None:
            return Status.DONE
        order[0]()


@contextmanager
def process_group(team: Team) -> Iterator[None]:
    """Inside, the processes of the team can talk to each other.

    Raises:
        BrokenProcessPool: one of the other processes has ended.
    """
    before = dict(os.environ)
    os.environ.update(team.environment)
    if "MASTER_ADDR" not in os.environ:
        os.environ.update(_meeting_point())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistBackendError) or any(words in str(error) for words in HUNG_UP):
            raise BrokenProcessPool(str(error)) from error
        raise
    finally:
        dist.destroy_process_group()
        os.environ.clear()
        os.environ.update(before)


def _meeting_point() -> dict[str, str]:
    """Where the processes of a Slurm job step meet: on its first node, at a port of the step's own."""
    nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ["SLURM_NODELIST"]
    job, step = int(os.environ["SLURM_JOB_ID"]), int(os.environ["SLURM_STEP_ID"])
    address = SLURMEnvironment.resolve_root_node_address(nodes)
    return {"MASTER_ADDR": address, "MASTER_PORT": str(15000 + (31 * job + step) % 15000)}


def _with_helpers(team: Team, command: Callable[[], Status]) -> Status:
    """Start the other processes of a team on this machine, and lead them."""
    port = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    context = multiprocessing.get_context("spawn")
    others = [Team(rank, team.size, rank, team.local_size) for rank in range(1, team.size)]
    helpers = [context.Process(target=_helper, args=(other, port)) for other in others]
    for helper in helpers:
        helper.start()
    before = {name: os.environ.get(name) for name in port}
    os.environ.update(port)
    try:
        with process_group(team):
            return _lead(command)
    finally:
        _restore(before)
        for helper in helpers:
            helper.join(timeout=10)
            helper.kill()


def _restore(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _helper(team: Team, meeting_point: dict[str, str]) -> None:
    """The main function of a process that we started."""
    end_with_parent()
    os.environ.update(meeting_point)
    try:
        with process_group(team):
            _help()
    except InputError as error:
        console.print(f"process {team.rank + 1} of {team.size}: {error}")
        sys.exit(1)
    except (Preempted, RuntimeError):
        sys.exit(1)  # the first process prints the reason
