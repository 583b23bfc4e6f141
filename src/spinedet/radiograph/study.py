"""`python -m spinedet.radiograph.study size=demo`: all three tasks on phantoms, a page each and an index."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.radiograph.experiment.sizes import SIZES, TaskSize
from spinedet.scoring import BootstrapSettings


@dataclass
class RadiographStudyConfig(CommonConfig):
    """The study of radiographs.

    Attributes:
        size: how many phantoms, how long trainings; demo, papers, or smoke, whose numbers mean nothing.
        tasks: names of those of the size that are taken; all of them when empty.
        seeds: so many trainings of everything, from `seed` on, on the same phantoms.
        weights: that the trainings of EfficientNet-Lite0 begin with, a local .pth or .safetensors, or none for random
            ones; those that ship when null.
        bootstrap: intervals on the pages of the tasks.
    """

    size: str = "demo"
    tasks: list[str] = field(default_factory=list)
    seeds: int = 1
    weights: str | None = None
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)

    @property
    def chosen(self) -> list[TaskSize]:
        """The tasks that are taken."""
        return [task for task in SIZES[self.size].tasks if not self.tasks or task.cohort.task in self.tasks]

    @property
    def steps_at_once(self) -> int:
        """Trainings with one thread each share the cores; others have all of them, or the GPU, to themselves."""
        alone = all("trainer.deterministic=true" in task.words for task in self.chosen)
        return self.processes if alone else 1

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"seeds={self.seeds}: at least one training of everything is needed")
        if self.size not in SIZES:
            raise InputError(f"size={self.size}: choose one of {', '.join(SIZES)}")
        known = [task.cohort.task for task in SIZES[self.size].tasks]
        for name in self.tasks:
            if name not in known:
                raise InputError(f"tasks=[{name}]: this size has {', '.join(known)}")


def main() -> None:
    """Entry point."""
    register(RadiographStudyConfig, "radiograph.study")
    run_command("radiograph.study", "spinedet.radiograph.commands.study:study")


if __name__ == "__main__":
    run_as_script("radiograph.study")
