"""Jobs of a multirun: how each ended, also on other machines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from spinedet.cli.exit_status import Status


@dataclass(frozen=True)
class SweepJob:
    """One job of a multirun: its overrides, its folder, and how it ended and why."""

    words: tuple[str, ...]
    folder: Path
    status: Status
    reason: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """For a file."""
        return {"words": self.words, "folder": str(self.folder), "status": self.status, "reason": self.reason}

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> SweepJob:
        """The job of a record."""
        return cls(tuple(record["words"]), Path(record["folder"]), Status(record["status"]), record["reason"])


def read_ledger(ledger: Path) -> list[SweepJob]:
    """How jobs on other machines ended, in the sweep's order; what they wrote down is removed."""
    files = sorted(ledger.glob("*.json"), key=lambda file: int(file.stem))
    jobs = [SweepJob.parse(json.loads(file.read_text())) for file in files]
    shutil.rmtree(ledger, ignore_errors=True)
    return jobs


def died_elsewhere(stop: SystemExit) -> bool:
    """Whether Hydra gave up because of a job that a launcher had sent away, and not because of the config."""
    from submitit.core.utils import FailedSubmissionError, UncompletedJobError  # only a sweep needs it

    return isinstance(stop.__context__, FailedSubmissionError | UncompletedJobError)


def job_number() -> int | None:
    """Of this job within a multirun; None outside of one."""
    job = OmegaConf.create({"job": HydraConfig.get().job})
    return OmegaConf.select(job, "job.num", throw_on_missing=False)
