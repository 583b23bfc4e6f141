"""The runs of a sweep: how many were tried, in what they differ, and which is best on the tuning split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from spinedet.checklists.found import CONFIG, RUN
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, read_text
from spinedet.runs.provenance import RunRecord, read_run_record

# Settings that differ between all runs, or say where they lie.
_WHERE = ("out", "data.folder", "logger", "resume", "workers")
TESTS = "sweep.json"


@dataclass(frozen=True)
class SweepRun:
    """A finished training: the name of its folder, and its average precision on the tuning split by plane."""

    name: str
    tuning_ap: Mapping[str, float]

    @property
    def mean(self) -> float | None:
        """Over planes; None where nothing was measured."""
        return fmean(self.tuning_ap.values()) if self.tuning_ap else None


@dataclass(frozen=True)
class Sweep:
    """The trainings of one sweep, one of which is at hand.

    Attributes:
        own: name of the run at hand. runs: those that finished, in the order of their names.
        unfinished: how many began and left no record. varied: settings in which runs differ.
        tested: names of finished detectors that one sweep of `evaluate` tested; `runs` is then empty.
    """

    own: str
    runs: tuple[SweepRun, ...] = ()
    unfinished: int = 0
    varied: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()

    @property
    def best(self) -> str | None:
        """The run with the highest mean; None where one of them has none."""
        means = {one.name: one.mean for one in self.runs}
        known = {name: mean for name, mean in means.items() if mean is not None}
        return max(known, key=lambda name: known[name]) if known and len(known) == len(means) else None


def best_of_sweep(root: Path) -> Path | None:
    """The folder of the best run of a sweep of trainings; None where the folder is no such sweep.

    Raises:
        InputError: a run records no average precision on the tuning split, so that there is no best one.
    """
    records = _trainings(root)
    if not records:
        return None
    best = _sweep(root, records, "").best
    if best is None:
        raise InputError(f"run={root} is a sweep whose runs record no tuning_ap; pass the run that was chosen")
    return root / best


def sweep_around(root: Path) -> Sweep | None:
    """The sweep that a run belongs to, where its other runs lie beside it."""
    home = root.resolve().parent
    if (home / TESTS).is_file():
        return _tested(home, root.resolve().name)
    record = root / RUN
    if not record.is_file() or read_run_record(record).sweep_job is None:
        return None
    records = _trainings(home)
    return _sweep(home, records, root.resolve().name) if len(records) > 1 else None


def _trainings(home: Path) -> dict[str, RunRecord]:
    """Records of the finished runs of a sweep by the names of their folders; other folders count for nothing."""
    files = sorted(home.glob(f"*/{RUN}"), key=lambda file: (len(file.parent.name), file.parent.name))
    return {file.parent.name: read_run_record(file) for file in files if _of_sweep(file)}


def _of_sweep(file: Path) -> bool:
    raw = read_json(file)
    return isinstance(raw, dict) and raw.get("sweep_job") is not None


def _sweep(home: Path, records: Mapping[str, RunRecord], own: str) -> Sweep:
    began = {file.parent.name for file in home.glob(f"job-*/{CONFIG}")}
    settings = [dict(_flat(config_as_text(home / name / CONFIG))) for name in records]
    keys = dict.fromkeys(key for each in settings for key in each)
    varied = (key for key in keys if len({each.get(key) for each in settings}) > 1)
    return Sweep(
        own=own,
        runs=tuple(SweepRun(name, _known(record.tuning_ap)) for name, record in records.items()),
        unfinished=len(began - set(records)),
        varied=tuple(key for key in varied if not key.startswith(_WHERE)),
    )


def _known(tuning_ap: Mapping[str, float | None]) -> dict[str, float]:
    return {plane: value for plane, value in tuning_ap.items() if value is not None}


def _tested(home: Path, own: str) -> Sweep | None:
    content = read_json(home / TESTS)
    results = content.get("results", []) if isinstance(content, dict) else []
    names = tuple(dict.fromkeys(str(one.get("run")) for one in results))
    return Sweep(own, tested=names) if names else None


def config_as_text(path: Path) -> Mapping[str, Any]:
    """The settings of a `config.yaml`, values as text; none where there is no such file."""
    if not path.is_file():
        return {}
    raw = yaml.load(read_text(path), Loader=yaml.BaseLoader)  # noqa: S506  # makes strings, lists and mappings only
    return raw if isinstance(raw, dict) else {}


def _flat(content: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings by dotted key, values as text."""
    if isinstance(content, dict):
        for name, part in content.items():
            yield from _flat(part, f"{prefix}.{name}" if prefix else str(name))
    else:
        yield prefix, str(content)
