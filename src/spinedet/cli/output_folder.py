"""The folder that a command writes to."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from spinedet.cli.console import console
from spinedet.cli.settings import CommonConfig
from spinedet.cli.sweep_jobs import job_number
from spinedet.core.files import claim_folder


def output_folder(config: CommonConfig, command: str) -> Path:
    """`out`, or a new folder under runs/; claimed by nobody yet."""
    return Path(config.out) if config.out else Path("runs") / command / _moment()


def requeued() -> bool:
    """Whether Slurm has started this job again: what it has done lies in its folder."""
    return int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0


def claim_output(config: CommonConfig, command: str, free_bytes: int = 16 << 20) -> Path:
    """Claim the output folder for this command and print where it is.

    Raises:
        InputError: the folder holds another run, cannot be written, or its disk is nearly full.
    """
    folder = output_folder(config, command)
    claim_folder(folder, free_bytes)
    console.print(f"writing to {folder}")
    return folder


def _moment() -> str:
    number = job_number()
    return timestamp() if number is None else f"{timestamp()}-{number}"


def timestamp() -> str:
    # A job that Slurm starts again has to find what it has done.
    slurm = os.environ.get("SLURM_JOB_ID")
    return f"slurm-{slurm}" if slurm else f"{datetime.now():%Y%m%d-%H%M%S-%f}"
