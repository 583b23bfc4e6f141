"""What a command costs in each phase, from samples of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.performance.process_tree import Cost, Sample, run
from benchmarks.performance.throughput import Archive, command_table, rates_table

SAMPLES = (
    Sample(wall=0.0, cpu=0.0, queued=0.0, memory=0.0, done=0),
    Sample(wall=4.0, cpu=4.0, queued=0.0, memory=1.0, done=0),
    Sample(wall=5.0, cpu=6.0, queued=0.0, memory=2.0, done=2),
    Sample(wall=35.0, cpu=60.0, queued=6.0, memory=1.5, done=92),
    Sample(wall=36.0, cpu=61.0, queued=6.0, memory=0.0, done=92),
)
COST = Cost(36.0, 61.0, 6.0, SAMPLES)
ARCHIVE = Archive(Path("92.json"), 92, cores=2)


def test_phases_end_with_the_first_and_the_last_study() -> None:
    rows = list(command_table("ours", ARCHIVE, COST))[2:]
    assert rows == [
        "| start-up | 5.0 | 13.9% | 6.0 | 60.0% | 60.0% |",
        "| studies | 30.0 | 83.3% | 54.0 | 90.0% | 100.0% |",
        "| end | 1.0 | 2.8% | 1.0 | 50.0% | 50.0% |",
        "| all | 36.0 | 100.0% | 61.0 | 84.7% | 93.1% |",
    ]


def test_rates_count_the_studies_of_a_phase() -> None:
    (row,) = list(rates_table({"ours": (ARCHIVE, COST)}))[2:]
    assert row == "| ours | 92 | 153 | 0.663 | 180 | 0.600 | 2.0 |"


def test_a_command_is_watched_with_its_children(tmp_path: Path) -> None:
    busy = "import time; s = b'x' * (50 << 20)\nwhile time.process_time() < 0.5: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    journal = tmp_path / "done"
    cost = run(
        [sys.executable, "-c", f"{code}; open({str(journal)!r}, 'w').write('12')"], None, lambda: journal.exists()
    )
    assert cost.cpu > 0.4
    assert cost.samples[0].done == 0
    assert cost.samples[-1].done == 1
    assert 0.05 < max(one.memory for one in cost.samples) < 1.0
    assert 0 < cost.busy(1) <= cost.wanted(1) <= 1


def test_a_command_that_fails_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="failed:\nno such study"):
        run([sys.executable, "-c", "raise SystemExit('no such study')"])
