"""SPIDER (van der Graaf et al., Sci Data 11:264, 2024): disc masks and radiological gradings of lumbar MRI."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from spinedet.core.anatomy import DISCS, Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.types import Box, Effect, FiniteJson, Lesion, Negative, Origin, Series, Split, Study
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, reading_of
from spinedet.formats.csv_tables import Row, number, read_table
from spinedet.formats.mask_boxes import label_boxes, read_mask, refuse_other_grid
from spinedet.imaging.planes import plane_of
from spinedet.imaging.volume import read_volume

# Column of radiological_gradings.csv (spelling theirs) and the name of the attribute that it becomes.
GRADES = {
    "Pfirrman grade": "pfirrmann",
    "Disc bulging": "bulging",
    "Disc herniation": "herniation",
    "Disc narrowing": "narrowing",
    "Spondylolisthesis": "spondylolisthesis",
    "Modic": "modic",
    "UP endplate": "upper_endplate",
    "LOW endplate": "lower_endplate",
}
# Column of overview.csv and the name of the attribute. Its birth_date holds no dates but ages: over the 41 patients
# that have one it rises with the mean Pfirrmann grade (r = 0.60).
_ACQUISITION = {
    "Manufacturer": "vendor",
    "ManufacturerModelName": "scanner",
    "MagneticFieldStrength": "field_strength",
    "RepetitionTime": "repetition_time",
    "EchoTime": "echo_time",
    "SliceThickness": "slice_thickness",
    "SpacingBetweenSlices": "spacing_between_slices",
}
_WEIGHTINGS = {"t1": "T1", "t2": "T2", "t2_SPACE": "T2"}
_SPLITS = {"training": Split.TRAIN, "validation": Split.TUNE}
# Disc N of the masks carries label 200 + N; disc 1 lies on the sacrum, disc 0 below it where anatomy is transitional.
_DISC, _DISC_LABELS = 200, range(200, 226)
# From L5/S1 to the head in a spine with five lumbar vertebrae.
_UPWARD = tuple(disc for disc in reversed(DISCS) if "L6" not in disc and disc != "S1/S2")


@dataclass
class SpiderConfig:
    """What of SPIDER becomes a lesion.

    Attributes:
        weightings: of the series that are taken.
        findings: gradings that make a disc a lesion when they are above 0; see `GRADES`.
        minimum_pfirrmann: and so does this Pfirrmann grade, or a higher one.
        classes: `one` category, or the `types` apart: then a disc gives one lesion for each of its findings.
    """

    name: str = "spider"
    weightings: list[str] = field(default_factory=lambda: ["T2"])
    findings: list[str] = field(default_factory=lambda: ["bulging", "herniation"])
    minimum_pfirrmann: int = 4
    classes: str = "one"

    def __post_init__(self) -> None:
        unknown = [name for name in self.findings if name not in GRADES.values()]
        if unknown:
            raise InputError(f"source.findings={unknown}: use some of {sorted(GRADES.values())}")
        if self.classes not in ("one", "types"):
            raise InputError(f"source.classes={self.classes}: use one or types")
        if not self.weightings or set(self.weightings) - set(_WEIGHTINGS.values()):
            raise InputError(f"source.weightings={self.weightings}: use T1, T2 or both")

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of the manifest."""
        return ("degeneration", *self.findings) if self.classes == "types" else ("degeneration",)

    def findings_of(self, grades: Mapping[str, int]) -> list[str]:
        """The findings of a disc, `degeneration` for its Pfirrmann grade; none when it is no lesion."""
        worn = ["degeneration"] if grades["pfirrmann"] >= self.minimum_pfirrmann else []
        return worn + [name for name in self.findings if grades[name] > 0]

    def categories_of(self, grades: Mapping[str, int]) -> list[str]:
        """The categories of the lesions that a graded disc gives."""
        found = self.findings_of(grades)
        return found if self.classes == "types" else ["degeneration"] * bool(found)


@dataclass(frozen=True)
class _Patient:
    """The tables' rows of one patient, and the series that are here.

    Attributes:
        series: row of overview.csv by series name (`t2`).
        grades: gradings by disc number.
    """

    id: str
    root: Path
    series: Mapping[str, Row]
    grades: Mapping[int, Mapping[str, int]]
    unused: tuple[Unused, ...]

    @property
    def study(self) -> str:
        """The study's id, unlike that of any other data set."""
        return f"SPIDER-{self.id}"

    def file(self, folder: str, series: str) -> Path:
        return self.root / folder / f"{self.id}_{series}.mha"

    def level(self, disc: int) -> str | None:
        """The name of a disc, or None where an extra disc below L5/S1 leaves all names in doubt."""
        return None if 0 in self.grades or not 1 <= disc <= len(_UPWARD) else _UPWARD[disc - 1]


def open_spider(root: Path, config: SpiderConfig) -> Dataset:
    """SPIDER, or the part of it whose images lie in `root`, with `images`, `masks` and both tables.

    Raises:
        InputError: a table is missing or has other columns, or there is no image.
    """
    overview = read_table(root / "overview.csv", ["new_file_name", "sex", "birth_date", "subset", *_ACQUISITION])
    gradings, faults = _read_gradings(root / "radiological_gradings.csv")
    named = [(_split_name(row["new_file_name"]), row) for row in overview]
    series: dict[str, dict[str, Row]] = defaultdict(dict)
    for (patient, name), row in named:
        if (root / "images" / f"{patient}_{name}.mha").exists():
            series[patient][name] = row
    if not series:
        raise InputError(
            f"{root / 'images'} holds none of the images that overview.csv lists; root= is SPIDER's folder"
        )
    patients = [_Patient(p, root, series[p], gradings[p], tuple(faults[p])) for p in sorted(series, key=_order)]
    return Dataset(
        name="SPIDER",
        region=Region.LUMBAR,
        categories=config.categories,
        cases=tuple(Case(patient.study, partial(_read_patient, patient, config)) for patient in patients),
        rule=asdict(config) | {"box": "edges of the disc's mask", "levels": "assume five lumbar vertebrae"},
    )


def _split_name(name: str) -> tuple[str, str]:
    patient, _, series = name.partition("_")
    return patient, series


def _order(patient: str) -> tuple[int, str]:
    return (int(patient) if patient.isdecimal() else 0, patient)


def _read_gradings(path: Path) -> tuple[dict[str, dict[int, dict[str, int]]], dict[str, list[Unused]]]:
    """Gradings by patient and disc number, and the rows that cannot be used by patient."""
    gradings: dict[str, dict[int, dict[str, int]]] = defaultdict(dict)
    faults: dict[str, list[Unused]] = defaultdict(list)
    for line, row in enumerate(read_table(path, ["Patient", "IVD label", *GRADES]), start=2):
        values = {name: number(row[column]) for column, name in {"IVD label": "disc", **GRADES}.items()}
        grades = {name: int(value) for name, value in values.items() if value is not None and value == int(value)}
        disc = grades.pop("disc", None)
        where = f"{path.name}, line {line}"
        if disc is None or len(grades) < len(GRADES):
            faults[row["Patient"]].append(
                Unused(where, "a grade or the disc's number is blank or no whole number", Effect.IGNORED)
            )
        elif disc in gradings[row["Patient"]]:
            faults[row["Patient"]].append(Unused(where, f"disc {disc} was graded before", Effect.NONE))
        else:
            gradings[row["Patient"]][disc] = grades
    return gradings, faults


def _read_patient(patient: _Patient, config: SpiderConfig) -> Reading:
    """One study: every series of the wanted weighting, each with the boxes of its own mask."""
    wanted = sorted(name for name in patient.series if _WEIGHTINGS.get(name) in config.weightings)
    series: list[Series] = []
    lesions: list[Lesion] = []
    negatives: list[Negative] = []
    unused = list(patient.unused)
    for name in wanted:
        boxes, plane = _disc_boxes(patient, name)
        series.append(_series(patient, name, plane))
        for disc, box in boxes.items():
            lesions += _lesions(patient, name, disc, box, config)
            negatives += _negatives(patient, name, disc, box, config)
        unused += [
            Unused(
                f"radiological_gradings.csv, disc {disc}",
                f"series {name} has no mask {_DISC + disc}",
                Effect.EXCLUDED if config.categories_of(grades) else Effect.NONE,
            )
            for disc, grades in patient.grades.items()
            if disc not in boxes
        ]
    row = patient.series[(wanted or sorted(patient.series))[0]]
    study = Study(
        id=patient.study,
        patient=patient.study,
        center="SPIDER",
        split=_SPLITS.get(row["subset"]),
        attributes=_person(row) | _acquisition(row),
        series=tuple(series),
        lesions=tuple(lesions),
        excluded=None if wanted else f"no {' or '.join(config.weightings)} series here",
        negatives=tuple(negatives),
    )
    return reading_of(study, unused)


def _disc_boxes(patient: _Patient, series: str) -> tuple[dict[int, Box], Plane]:
    """The box of each disc number, and the plane of the series.

    Raises:
        InputError: image or mask cannot be read, or they do not lie on one another.
    """
    image, mask = read_volume(patient.file("images", series)), read_mask(patient.file("masks", series))
    try:
        refuse_other_grid(mask.grid, image.grid)
        boxes = label_boxes(mask)
    except InputError as error:
        raise InputError(f"{patient.file('masks', series)}: {error}") from None
    return {label - _DISC: box for label, box in boxes.items() if label in _DISC_LABELS}, plane_of(image.grid)


def _lesions(patient: _Patient, series: str, disc: int, box: Box, config: SpiderConfig) -> Iterator[Lesion]:
    """What one disc gives: nothing when it is sound, a box to ignore when nobody graded it."""
    grades = patient.grades.get(disc)
    categories = config.categories if grades is None else config.categories_of(grades)
    for category in categories:
        yield Lesion(
            id="-".join((series, str(disc), *([category] if len(config.categories) > 1 else []))),
            series=series,
            category=category,
            level=patient.level(disc),
            box=box,
            origin=Origin.MASK,
            ignore=grades is None,
            attributes={"ivd_label": disc, **(grades or {})},
        )


def _negatives(patient: _Patient, series: str, disc: int, box: Box, config: SpiderConfig) -> Iterator[Negative]:
    """The disc as a place that was assessed and found sound."""
    grades = patient.grades.get(disc)
    if grades is not None and not config.findings_of(grades):
        attributes: dict[str, FiniteJson] = {"ivd_label": disc, **grades}
        yield Negative(series=series, level=patient.level(disc), box=box, attributes=attributes)


def _series(patient: _Patient, name: str, plane: Plane) -> Series:
    return Series(
        id=name,
        plane=plane,
        weighting=_WEIGHTINGS[name],
        path=patient.file("images", name).absolute(),
        acquisition=_acquisition(patient.series[name]),
    )


def _person(row: Row) -> dict[str, FiniteJson]:
    age = number(row["birth_date"])
    return {key: value for key, value in (("sex", row["sex"] or None), ("age", age)) if value is not None}


def _acquisition(row: Row) -> dict[str, FiniteJson]:
    """Scanner and protocol, numbers as numbers, what is blank left out."""
    cells = {name: row[column] for column, name in _ACQUISITION.items() if row[column]}
    return {name: text if (value := number(text)) is None else value for name, text in cells.items()}
