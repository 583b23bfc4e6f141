"""`python -m spinedet.study`: the seed study, lumbar and its external tests, transfer to the neck, on one page."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.experiments.transfer.sizes import SIZES, SizeConfig


@dataclass
class StudyConfig(CommonConfig):
    """The study.

    Attributes:
        size: how many phantoms, how long trainings; `demo` or `yi2023`.
        seeds: so many trainings of everything, from `seed` on; each repeats all but the drawing of the cohorts.
    """

    size: SizeConfig = MISSING
    seeds: int = 1

    @property
    def steps_at_once(self) -> int:
        """Trainings with one thread each share the cores; others have all of them, or the GPU, to themselves."""
        return self.processes if "trainer.deterministic=true" in self.size.source else 1

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"seeds={self.seeds}: at least one training of everything is needed")
        steps, longer = self.size.steps, self.size.control_steps
        if steps != sorted(set(steps)) or self.size.equal_steps not in steps or steps[0] < 1:
            raise InputError(
                f"size.steps={steps} must be rising numbers of at least 1, and "
                f"size.equal_steps={self.size.equal_steps} one of them"
            )
        if steps + longer != sorted(set(steps + longer)):
            raise InputError(f"size.control_steps={longer} must be rising numbers above those of size.steps={steps}")
        if self.size.compared not in self.size.patients:
            raise InputError(f"size.compared={self.size.compared} must be one of size.patients={self.size.patients}")


def main() -> None:
    """Entry point."""
    register(StudyConfig, "study", {"size": SIZES})
    run_command("study", "spinedet.commands.study:study")


if __name__ == "__main__":
    run_as_script("study")
