"""`python -m spinedet.evaluate run=RUN data.manifests=[...]`: external test at the run's frozen operating point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import InferenceConfig
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.pipelines.settings import COHORTS, DataConfig, TestConfig
from spinedet.runs.sharding import ArchiveConfig


@dataclass
class EvaluateConfig(ArchiveConfig, InferenceConfig):
    """An external test.

    Attributes:
        run: folder of a finished run. split: only the studies of this split; all that are not excluded when null.
        center, plane: only this centre's studies, only this plane's series; all when null.
        plan: a registered plan (YAML); its hash is written before the data are opened, and departures are reported.
        categories: other names for the manifest's categories, such as {degenerated: degeneration}.
    """

    run: str = MISSING
    split: str | None = None
    center: str | None = None
    plane: str | None = None
    plan: str | None = None
    categories: Any = None  # a dict of names; Hydra can replace it as a whole only when its type is not declared
    data: DataConfig = field(default_factory=DataConfig)
    test: TestConfig = field(default_factory=TestConfig)

    def __post_init__(self) -> None:
        if self.split not in (None, *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use train, tune or test, or leave it out for all studies")
        named = self.categories or {}
        if not isinstance(named, dict) or not all(isinstance(word, str) for pair in named.items() for word in pair):
            raise InputError(f"categories={self.categories}: write {{name in the manifest: name in the run}}")
        self.check_inference()


def main() -> None:
    """Entry point."""
    register(EvaluateConfig, "evaluate", {"data": COHORTS})
    run_command("evaluate", "spinedet.commands.evaluate:evaluate", "spinedet.experiments.sweep:collect_sweep")


if __name__ == "__main__":
    run_as_script("evaluate")
