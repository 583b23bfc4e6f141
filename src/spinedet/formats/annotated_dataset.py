"""What every converter gives: a data set as published, opened, and its studies one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from spinedet.core.anatomy import Region
from spinedet.core.types import Study

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Unused:
    """An annotation that no lesion came of: where it stands in the data set, and why it could not be used."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One study as the manifest will hold it, series paths absolute, and its annotations that could not be used.

    `study.excluded` says why a study that was read cannot serve; a study that cannot be read raises instead.
    """

    study: Study
    unused: tuple[Unused, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A study that is still on disk; `read` raises InputError when it cannot be used."""

    id: str
    read: Callable[[], Reading]


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


def told_apart(made: Iterable[_T | Unused]) -> tuple[tuple[_T, ...], tuple[Unused, ...]]:
    """What could be used, and what could not."""
    good: list[_T] = []
    bad: list[Unused] = []
    for one in made:
        if isinstance(one, Unused):
            bad.append(one)
        else:
            good.append(one)
    return tuple(good), tuple(bad)
