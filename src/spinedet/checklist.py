"""`python -m spinedet.checklist run=RUN name=claim-2024`: fill in a reporting checklist or write a card."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError

NAMES = ("claim-2024", "tripod-ai", "stard-ai", "model-card", "data-card", "review-row")


@dataclass
class ChecklistConfig(CommonConfig):
    """What is filled in, and from what.

    Attributes:
        run: folder of a run, an evaluation, a score, a study, a cross-validation or one of its folds, or a sweep, or
            `shipped` for the weights that come with spinedet.
        name: claim-2024, tripod-ai, stard-ai, model-card, data-card or review-row; several in brackets.
        manifest: the data that a data-card describes.
        answers: file of people's answers; answers.yaml in the folder of the run or manifest when null. It is made with
            all open questions where it is missing, and only ever appended to.
        strict: exit with status 1 while items are open.
    """

    run: str | None = None
    name: list[str] = field(default_factory=lambda: ["claim-2024"])
    manifest: str | None = None
    answers: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.name if name not in NAMES]
        if unknown or not self.name:
            raise InputError(f"name={unknown[0] if unknown else '[]'}: use some of {', '.join(NAMES)}")
        if self.run is None and set(self.name) != {"data-card"}:
            raise InputError("run= is needed: a run, an evaluation, a score, a study, or shipped")
        if "data-card" in self.name and self.manifest is None:
            raise InputError("name=data-card describes data: pass manifest=")


def main() -> None:
    """Entry point."""
    register(ChecklistConfig, "checklist")
    run_command("checklist", "spinedet.commands.checklist:checklist")


if __name__ == "__main__":
    run_as_script("checklist")
