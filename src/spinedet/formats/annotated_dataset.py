"""What every converter gives: a data set as published, opened, and its studies one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from spinedet.core.anatomy import Region
from spinedet.core.types import Effect, Study

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Unused:
    """An annotation that gave no lesion: where it stands in the data set, why, and what that does to its study."""

    where: str
    reason: str
    effect: Effect = Effect.EXCLUDED


@dataclass(frozen=True)
class ReadStudy(Generic[_T]):
    """One study as the manifest will hold it, paths absolute, and its annotations that could not be used.

    `study.excluded` is the reason why a study that was read is not used; a study that cannot be read raises instead.
    """

    study: _T
    unused: tuple[Unused, ...] = ()


@dataclass(frozen=True)
class UnreadStudy(Generic[_T]):
    """A study that is still on disk; `read` raises InputError when it cannot be used."""

    id: str
    read: Callable[[], ReadStudy[_T]]


Reading: TypeAlias = ReadStudy[Study]
Case: TypeAlias = UnreadStudy[Study]


def reading_of(study: Study, unused: Iterable[Unused]) -> Reading:
    """The study, excluded where an annotation without a known place may be a finding.

    Such a study would otherwise count as free of what could not be read.
    """
    listed = tuple(unused)
    lost = [each for each in listed if each.effect is Effect.EXCLUDED]
    if not lost or study.excluded:
        return Reading(study, listed)
    more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
    reason = f"an annotation cannot be used: {lost[0].where}: {lost[0].reason}{more}"
    return Reading(study.model_copy(update={"excluded": reason}), listed)


@dataclass(frozen=True)
class Dataset:
    """A data set as published: what its studies share, and each of them unread.

    Attributes:
        name: of the manifest, and of the centre unless the user names it.
        rule: what made lesions of annotations, as it shall stand in the manifest.
        unused: annotations that belong to no study that is here.
    """

    name: str
    region: Region
    categories: tuple[str, ...]
    cases: tuple[Case, ...]
    rule: dict[str, Any]
    unused: tuple[Unused, ...] = field(default=())


def separate(made: Iterable[_T | Unused]) -> tuple[tuple[_T, ...], tuple[Unused, ...]]:
    """What could be used, and what could not."""
    good: list[_T] = []
    bad: list[Unused] = []
    for one in made:
        if isinstance(one, Unused):
            bad.append(one)
        else:
            good.append(one)
    return tuple(good), tuple(bad)
