"""What every conversion of a data set has in common: reading all studies, and what could not be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from spinedet.cli.console import plain_table, show_labelled, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import write_json
from spinedet.core.manifest import UNUSED_FILE
from spinedet.core.types import Effect, UnusedAnnotation
from spinedet.formats.annotated_dataset import ReadStudy, UnreadStudy, Unused

# Reasons that a refusal names.
_MOST_REASONS = 3


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_Study = TypeVar("_Study", bound=_Identified)


@dataclass
class Outcome(Generic[_Study]):
    """What came of the studies, in their own order.

    Attributes:
        unused: annotations with the id of their study; empty where they belong to none that is here.
        skipped: reason by study, or by study and image.
    """

    studies: list[_Study] = field(default_factory=list)
    unused: list[tuple[str, Unused]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def lossless(self) -> bool:
        """Whether no annotation is missing from the manifest."""
        return all(unused.effect is Effect.NONE for _, unused in self.unused)

    def refuse_nothing(self, what: str) -> InputError:
        """The error where none can be used, with the first reasons."""
        reasons = [f"{name}: {reason}" for name, reason in self.skipped.items()]
        reasons += [f"{unused.where}: {unused.reason}" for _, unused in self.unused]
        listed = "; ".join(reasons[:_MOST_REASONS]) or "there is none"
        more = f"; and {len(reasons) - _MOST_REASONS} more" if len(reasons) > _MOST_REASONS else ""
        return InputError(f"no {what} can be used: {listed}{more}")

    def write_unused(self, folder: Path) -> None:
        """`unused.json`: every annotation that was not used, with the reason and what it does to its study."""
        if not self.unused:
            return
        rows = [UnusedAnnotation(study=study, **asdict(each)) for study, each in self.unused]
        write_json(folder / UNUSED_FILE, [row.model_dump(mode="json") for row in rows])
        show_labelled(f"{len(rows)} annotations could not be used;", f"see {UNUSED_FILE}")

    def status(self, folder: Path) -> Status:
        """List what was skipped; the status says whether anything was lost."""
        status = Skipped(self.skipped).report(folder)
        return status if self.lossless else Status.SKIPPED


@dataclass(frozen=True)
class StudyReader(Generic[_Study]):
    """How studies are read and completed.

    Attributes:
        complete: a study with its digests, centre and split; raises InputError when an image cannot be used.
        left_out: what of a study is not used, by study or image, with the reason.
    """

    complete: Callable[[_Study], _Study]
    left_out: Callable[[_Study], Iterable[tuple[str, str]]]

    def read(self, case: UnreadStudy[_Study]) -> ReadStudy[_Study] | InputError:
        """One study; the fault itself when it cannot be used, so that the others go on."""
        try:
            reading = case.read()
            return ReadStudy(self.complete(reading.study), reading.unused)
        except InputError as error:
            return error

    def read_all(
        self, outcome: Outcome[_Study], cases: Sequence[UnreadStudy[_Study]], name: str, processes: int
    ) -> None:
        """Add what comes of the cases to the outcome."""
        with ThreadPoolExecutor(processes) as pool, progress_bar(f"reading {name}") as progress:
            for done, (case, reading) in enumerate(zip(cases, pool.map(self.read, cases), strict=True), start=1):
                if isinstance(reading, InputError):
                    outcome.skipped[case.id] = str(reading)
                else:
                    outcome.studies.append(reading.study)
                    outcome.unused += [(reading.study.id, each) for each in reading.unused]
                    outcome.skipped |= dict(self.left_out(reading.study))
                progress(done, len(cases))


def show_facts(title: str, facts: Iterable[tuple[str, str]]) -> None:
    """A table of names and values."""
    table = plain_table("", "", title=title)
    table.show_header = False
    for name, value in facts:
        table.add_row(name, value)
    show_table(table)


def count_words(words: Iterable[str]) -> str:
    """`3 ap, 2 lateral`, or none."""
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items())) or "none"
