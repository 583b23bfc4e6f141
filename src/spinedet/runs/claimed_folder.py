"""A run's folder: what it is called inside, whose it is, and the config that it began with."""

from __future__ import annotations

from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from spinedet.cli.console import console
from spinedet.core.errors import InputError
from spinedet.core.files import check_writable, claim_folder, lock_folder, write_text

# Free disk that a training run needs before it starts: checkpoints, prepared scans and phantoms of a small cohort.
ROOM_NEEDED = 512 << 20
# What may differ between a run and its continuation: where it runs and how long, not what it is.
MAY_CHANGE = frozenset(
    {"out", "resume", "workers", "trainer.loader_workers"}
    | {
        f"trainer.{name}"
        for name in ("max_epochs", "max_steps", "max_time", "accelerator", "devices", "num_nodes", "checkpoint_minutes")
    }
)


@dataclass(frozen=True)
class RunFolder:
    """Names of what a finished run holds."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def record(self) -> Path:
        return self.root / "run.json"

    @property
    def splits(self) -> Path:
        return self.root / "splits.json"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def operating_point(self) -> Path:
        return self.root / "operating_point.json"

    @property
    def findings(self) -> Path:
        return self.root / "findings.json"

    @property
    def scores(self) -> Path:
        return self.root / "scores.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def finished(self) -> bool:
        """Whether a training came to its end here; `run.json` is what it writes last."""
        return self.report.is_file() and self.record.is_file()


def claim_run(folder: Path, resume: bool) -> RunFolder:
    """A new run's folder, or with `resume` the one that holds its unfinished run.

    Raises:
        InputError: the folder belongs to something else, is being written to, cannot be written, or its disk is
            nearly full.
    """
    run = RunFolder(folder)
    if resume and run.config.is_file():
        check_writable(folder, ROOM_NEEDED)
        console.print(f"going on in {folder}")
    else:
        claim_folder(folder, ROOM_NEEDED)
        console.print(f"writing to {folder}")
    lock_folder(folder)
    return run


def refuse_other_config(run: RunFolder, config: Any) -> None:
    """Refuse to go on with a run under another config than it began with.

    A setting that the run does not know, because an older spinedet began it, was then what it is by default.

    Raises:
        InputError: names the first key that differs.
    """
    if not run.config.is_file():
        return
    before, now = (_flat(OmegaConf.create(text)) for text in (run.config.read_text(), _as_yaml(config)))
    before = _defaults(config) | before
    changed = sorted(key for key in before | now if key not in MAY_CHANGE and before.get(key) != now.get(key))
    if changed:
        key = changed[0]
        raise InputError(
            f"{run.root} began with {key}={before.get(key)} and now has {key}={now.get(key)}; "
            "resume with the same settings, or choose another out="
        )


def began_with(run: RunFolder, key: str) -> Any:
    """The value of a dotted key in the run's config; None when the run begins now."""
    return OmegaConf.select(OmegaConf.load(run.config), key) if run.config.is_file() else None


def _defaults(config: Any, prefix: str = "") -> dict[str, Any]:
    """The defaults of these dataclasses, by dotted key."""
    found: dict[str, Any] = {}
    for one in fields(config):
        name, value = prefix + one.name, getattr(config, one.name)
        if is_dataclass(value):
            found |= _defaults(value, f"{name}.")
        elif one.default is not NO_DEFAULT:
            found[name] = one.default
    return found


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Settings by dotted key."""
    content = OmegaConf.to_container(config) if OmegaConf.is_config(config) else config
    if not isinstance(content, dict):
        return {prefix.rstrip("."): content}
    return {key: value for name, part in content.items() for key, value in _flat(part, f"{prefix}{name!s}.").items()}


def write_config(run: RunFolder, config: Any) -> None:
    """The resolved config, as it can be read back."""
    write_text(run.config, _as_yaml(config))


def _as_yaml(config: Any) -> str:
    return OmegaConf.to_yaml(OmegaConf.structured(config))
