"""Leakage between the parts of a cohort, of volumes and radiographs alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from spinedet.core.errors import InputError
from spinedet.core.types import Split


class PartedStudy(Protocol):
    """What leakage is detected from: who was examined where, the part of the study, and the SHA-256 of its images."""

    @property
    def id(self) -> str: ...
    @property
    def patient(self) -> str: ...
    @property
    def center(self) -> str: ...
    @property
    def split(self) -> Split | None: ...
    @property
    def digests(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Leak:
    """Two studies that must not be where they are.

    Attributes:
        what: `splits` or `centres` for one patient in two of these, `image` for one image in two splits.
        first, second: study ids, with the split or centre of each.
    """

    what: str
    patient: str
    first: tuple[str, str]
    second: tuple[str, str]


def leaks(studies: Iterable[PartedStudy]) -> Iterator[Leak]:
    """Every patient in two splits or two centres, and every image (by sha256) in two splits, each once."""
    homes: dict[tuple[str, str], tuple[str, str]] = {}
    reported: set[tuple[str, str]] = set()
    for study in studies:
        split = study.split.value if study.split else "null"
        values = [("splits", study.patient, split), ("centres", study.patient, study.center)]
        values += [("image", digest, split) for digest in study.digests]
        for what, key, value in values:
            first = homes.setdefault((what, key), (study.id, value))
            if first[1] != value and (what, key) not in reported:
                reported.add((what, key))
                yield Leak(what, study.patient, first, (study.id, value))


def refuse_leakage(studies: Iterable[PartedStudy], source: str) -> None:
    """Refuse `leaks`.

    Raises:
        InputError: names the patient or the two studies of the first one.
    """
    for leak in leaks(studies):
        (first, one), (second, other) = leak.first, leak.second
        if leak.what == "image":
            raise InputError(
                f"{source}: studies {first!r} ({one}) and {second!r} ({other}) hold the same image (equal sha256) in "
                "two splits; remove one"
            )
        raise InputError(
            f"{source}: patient {leak.patient!r} is in two {leak.what} ({one} and {other}, the latter by study "
            f"{second!r}); keep each patient in one"
        )
