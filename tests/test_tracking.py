"""Where metrics go, and what must not go with them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import wandb

from spinedet.tracking import CsvLoggerConfig, NoLoggerConfig, WandbLoggerConfig, make_loggers


def test_none_is_none(tmp_path: Path) -> None:
    assert make_loggers(NoLoggerConfig(), tmp_path, "sagittal") == []


def test_csv_lies_in_the_run(tmp_path: Path) -> None:
    (logger,) = make_loggers(CsvLoggerConfig(), tmp_path, "sagittal")
    logger.log_metrics({"loss": 1.5}, step=3)
    logger.finalize("success")
    assert "1.5" in (tmp_path / "logs/sagittal/metrics.csv").read_text()


def test_wandb_without_a_key_is_offline_and_says_nothing_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    (logger,) = make_loggers(WandbLoggerConfig(), tmp_path, "sagittal")
    deadline = time.monotonic() + 60
    while b"loss" not in (content := log_of(tmp_path)) and time.monotonic() < deadline:
        logger.log_metrics({"loss": 1.5})  # W&B writes from a process of its own, when it sees fit
        time.sleep(0.2)
    wandb.finish()
    assert b"loss" in content
    assert str(tmp_path).encode() not in content
    assert str(Path(__file__).parent).encode() not in content


def log_of(folder: Path) -> bytes:
    """What the offline run has written so far."""
    return b"".join(file.read_bytes() for file in folder.glob("wandb/offline-run-*/run-*.wandb"))
