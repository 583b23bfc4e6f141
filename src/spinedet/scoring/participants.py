"""Who was tested or trained on: patients, scanners and lesions by split and centre, as files state it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import fmean, stdev

from pydantic import Field, FiniteFloat

from spinedet.core.reference import ReferenceStudy
from spinedet.core.types import Origin, Record, Study, is_none, is_number

# Attributes of a study that are counted by value.
CHOICES = ("sex", "vendor", "field_strength")


class Ages(Record):
    """Ages of studies in years; `sd` is null for a single one."""

    studies: int
    mean: FiniteFloat
    sd: FiniteFloat | None
    low: FiniteFloat
    high: FiniteFloat


class Participants(Record):
    """The studies of one split and centre.

    Attributes:
        simulated: whether they are phantoms, as the origin of a centre's lesions states.
        lesions: those to be ignored left out. lesion_free: studies without any lesion.
        age: None where no age is recorded. counts: studies by sex, vendor and field strength, by value.
        origins: lesions by where their boxes come from. severity: lesions by grade, where graded.
        missing: studies that lack an attribute, by its name.
    """

    split: str
    center: str
    simulated: bool
    patients: int
    studies: int
    series: int
    lesions: int
    lesion_free: int
    age: Ages | None = Field(default=None, exclude_if=is_none)
    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    origins: dict[str, int] = Field(default_factory=dict)
    severity: dict[str, int] = Field(default_factory=dict)
    missing: dict[str, int] = Field(default_factory=dict)


def participants(studies: Iterable[Study | ReferenceStudy]) -> tuple[Participants, ...]:
    """A record for each split and centre of the studies that are not excluded; a null split is `unsplit`."""
    used = sorted((study for study in studies if study.excluded is None), key=_part)
    phantoms = {study.center for study in used if any(one.origin is Origin.PHANTOM for one in study.lesions)}
    return tuple(_of_part(*part, list(those), phantoms) for part, those in groupby(used, key=_part))


def _part(study: Study | ReferenceStudy) -> tuple[str, str]:
    return study.split.value if study.split else "unsplit", study.center


def _of_part(split: str, center: str, studies: Sequence[Study | ReferenceStudy], phantoms: set[str]) -> Participants:
    lesions = [lesion for study in studies for lesion in study.lesions if not lesion.ignore]
    ages = [float(age) for study in studies if is_number(age := study.attributes.get("age"))]
    counts = {name: _counts(studies, name) for name in CHOICES}
    missing = {name: len(studies) - sum(each.values()) for name, each in counts.items()}
    missing["age"] = len(studies) - len(ages)
    return Participants(
        split=split,
        center=center,
        simulated=center in phantoms,
        patients=len({study.patient for study in studies}),
        studies=len(studies),
        series=sum(len(study.series) for study in studies),
        lesions=len(lesions),
        lesion_free=sum(not study.lesions for study in studies),
        age=_ages(ages) if ages else None,
        counts={name: each for name, each in counts.items() if each},
        origins=dict(Counter(lesion.origin.value for lesion in lesions)),
        severity=dict(sorted(Counter(f"{one.severity:g}" for one in lesions if one.severity >= 0).items())),
        missing={name: gap for name, gap in sorted(missing.items()) if gap},
    )


def _counts(studies: Sequence[Study | ReferenceStudy], name: str) -> dict[str, int]:
    stated = (study.attributes.get(name) for study in studies)
    words = (f"{value:g}" if isinstance(value, float) else str(value) for value in stated if value is not None)
    return dict(sorted(Counter(words).items()))


def _ages(ages: Sequence[float]) -> Ages:
    spread = round(stdev(ages), 2) if len(ages) > 1 else None
    return Ages(studies=len(ages), mean=round(fmean(ages), 2), sd=spread, low=min(ages), high=max(ages))
