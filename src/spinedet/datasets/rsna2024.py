"""RSNA 2024 Lumbar Spine Degenerative Classification (LumbarDISC): graded points on DICOM series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of, refuse_repeats
from spinedet.core.geometry import Array
from spinedet.core.types import Box, Effect, FiniteJson, Lesion, Negative, Origin, Series, Split, Study
from spinedet.datasets.rsna2024_faults import SWAPPED_SIDES, UNRELIABLE_SERIES, UNRELIABLE_STUDIES
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, reading_of, separate
from spinedet.formats.csv_tables import Row, number, read_table
from spinedet.formats.dicom_slices import Stack, folder_of, point_box, read_stacks

# Condition without its side, as the tables write it, and the category it becomes.
CONDITIONS = {
    "spinal_canal_stenosis": "central_stenosis",
    "neural_foraminal_narrowing": "foraminal_stenosis",
    "subarticular_stenosis": "subarticular_stenosis",
}
# Planes on whose T2 series a finding of the category is looked for; its point may stand on another series.
_SEEN_ON = {
    "central_stenosis": (Plane.SAGITTAL, Plane.AXIAL),
    "foraminal_stenosis": (Plane.SAGITTAL,),
    "subarticular_stenosis": (Plane.AXIAL,),
}
GRADES = ("Normal/Mild", "Moderate", "Severe")
_DESCRIPTIONS = {"Sagittal T1": "T1", "Sagittal T2/STIR": "T2", "Axial T2": "T2"}


@dataclass
class RsnaConfig:
    """What of the points becomes a lesion, and how large its box is.

    Attributes:
        weightings: of the series that are taken.
        positive: grades that are lesions; other graded points are places found sound, ungraded ones are ignored.
        classes: `one` category, or the `types` of stenosis apart.
        central_mm, foraminal_mm, subarticular_mm: the box around a point, left-right, front-back, up-down.
        max_distance_mm: a point goes onto another series only when a slice lies this near, or half a pitch if that is
            less.
        known_faults: exclude the studies that participants found faulty, or keep them.
    """

    name: str = "rsna2024"
    weightings: list[str] = field(default_factory=lambda: ["T2"])
    positive: list[str] = field(default_factory=lambda: ["Moderate", "Severe"])
    classes: str = "one"
    central_mm: list[float] = field(default_factory=lambda: [25.0, 24.0, 24.0])
    foraminal_mm: list[float] = field(default_factory=lambda: [18.0, 22.0, 22.0])
    subarticular_mm: list[float] = field(default_factory=lambda: [20.0, 20.0, 8.0])
    max_distance_mm: float = 5.0
    known_faults: str = "exclude"

    def __post_init__(self) -> None:
        if not self.positive or set(self.positive) - set(GRADES):
            raise InputError(f"source.positive={self.positive}: use some of {list(GRADES)}")
        if self.classes not in ("one", "types"):
            raise InputError(f"source.classes={self.classes}: use one or types")
        if not self.weightings or set(self.weightings) - {"T1", "T2"}:
            raise InputError(f"source.weightings={self.weightings}: use T1, T2 or both")
        if self.known_faults not in ("exclude", "keep"):
            raise InputError(f"source.known_faults={self.known_faults}: use exclude or keep")
        if any(len(size) != 3 or min(size) <= 0 for size in self.sizes.values()) or self.max_distance_mm <= 0:
            raise InputError("source.*_mm must be three lengths above 0, and source.max_distance_mm above 0")

    @property
    def sizes(self) -> dict[str, list[float]]:
        """Box by category, mm along R, A, S."""
        sizes = (self.central_mm, self.foraminal_mm, self.subarticular_mm)
        return dict(zip(CONDITIONS.values(), sizes, strict=True))

    def category(self, kind: str) -> str:
        """What a finding of this kind is called in the manifest."""
        return kind if self.classes == "types" else "degeneration"


@dataclass(frozen=True)
class _Point:
    """One row of train_label_coordinates.csv with its grade; `side` is empty for the canal."""

    where: str
    series: str
    instance: str
    column: float
    row: float
    kind: str
    side: str
    level: str
    grade: str

    @property
    def column_of_grade(self) -> str:
        """The column of train.csv that grades it."""
        condition = next(name for name, kind in CONDITIONS.items() if kind == self.kind)
        side = f"{self.side}_" if self.side else ""
        return f"{side}{condition}_{self.level.lower().replace('/', '_')}"


@dataclass(frozen=True)
class _Scan:
    """A volume of a series that goes into the manifest."""

    id: str
    series: str
    weighting: str
    plane: Plane
    stack: Stack
    folder: Path


@dataclass(frozen=True)
class _Exam:
    """The tables' rows of one study."""

    id: str
    folder: Path
    links: Path
    descriptions: Mapping[str, str]
    points: tuple[_Point, ...]
    unused: tuple[Unused, ...]
    excluded: str | None


def open_rsna(root: Path, links: Path, config: RsnaConfig) -> Dataset:
    """The competition's folder: three tables and train_images. Angled blocks are told apart through links in `links`.

    Raises:
        InputError: a table is missing or has other columns, or no study's images are here.
    """
    names = [f"{c}_{level}" for c in _columns() for level in ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")]
    rows = read_table(root / "train.csv", ["study_id", *names])
    refuse_repeats((row["study_id"] for row in rows), str(root / "train.csv"), "study")
    grades = {row["study_id"]: row for row in rows}
    descriptions: dict[str, dict[str, str]] = defaultdict(dict)
    for row in read_table(root / "train_series_descriptions.csv", ["study_id", "series_id", "series_description"]):
        descriptions[row["study_id"]][row["series_id"]] = row["series_description"]
    points: dict[str, list[_Point | Unused]] = defaultdict(list)
    columns = ["study_id", "series_id", "instance_number", "condition", "level", "x", "y"]
    for line, row in enumerate(read_table(root / "train_label_coordinates.csv", columns), start=2):
        points[row["study_id"]].append(_point(line, row, grades.get(row["study_id"], {}), config))
    images = root / "train_images"
    here = [study for study in grades if (images / study).is_dir()]
    if not here:
        raise InputError(f"{images} holds no study of train.csv; unpack the competition's images there")
    for study in here:
        points[study] += _without_point(grades[study], points[study], config)
    exams = [_exam(study, images, links, (descriptions[study], points[study]), config) for study in here]
    return Dataset(
        name="RSNA-2024",
        region=Region.LUMBAR,
        categories=tuple(dict.fromkeys(config.category(kind) for kind in CONDITIONS.values())),
        cases=tuple(Case(f"RSNA-{exam.id}", partial(_read, exam, config)) for exam in exams),
        rule=asdict(config) | {"box": "a fixed size around the point: IoU measures centres only"},
    )


def _columns() -> Iterator[str]:
    for condition in CONDITIONS:
        yield from [condition] if condition.startswith("spinal") else [f"left_{condition}", f"right_{condition}"]


def _exam(
    study: str,
    images: Path,
    links: Path,
    tables: tuple[Mapping[str, str], list[_Point | Unused]],
    config: RsnaConfig,
) -> _Exam:
    descriptions, rows = tables
    good, bad = separate(rows)
    excluded = None
    if config.known_faults == "exclude":
        descriptions = {name: text for name, text in descriptions.items() if name not in UNRELIABLE_SERIES}
        excluded = (
            "participants report left and right swapped"
            if study in SWAPPED_SIDES
            else "participants report unreliable labels"
            if study in UNRELIABLE_STUDIES
            else None
        )
    return _Exam(study, images / study, links / file_name_of(study), descriptions, good, bad, excluded)


def _without_point(
    grades: Mapping[str, str], points: Iterable[_Point | Unused], config: RsnaConfig
) -> Iterator[Unused]:
    """Lesions of train.csv that have no row in the table of points."""
    located = {point.column_of_grade for point in points if isinstance(point, _Point)}
    for name, grade in grades.items():
        if name != "study_id" and name not in located and _effect(grade, config) is Effect.EXCLUDED:
            yield Unused(f"train.csv, {name}", f"graded {grade}, but it has no usable point")


def _effect(grade: str, config: RsnaConfig) -> Effect:
    """What it does to a study that the place of this grade is unknown; a blank one is unknown."""
    return Effect.EXCLUDED if grade in config.positive or (grade and grade not in GRADES) else Effect.NONE


def _point(line: int, row: Row, grades: Mapping[str, str], config: RsnaConfig) -> _Point | Unused:
    """The row as a point, or why it is none."""
    where = f"train_label_coordinates.csv, line {line}"
    condition = row["condition"].lower().replace(" ", "_")
    side = next((side for side in ("left", "right") if condition.startswith(side)), "")
    kind = CONDITIONS.get(condition.removeprefix(f"{side}_") if side else condition)
    column, height = number(row["x"]), number(row["y"])
    grade = grades.get(f"{condition}_{row['level'].lower().replace('/', '_')}")
    if kind is None or grade is None:
        # A lesion of this study that lacks its point because of it is listed on its own.
        return Unused(where, f"train.csv has no grade for {row['condition']!r} at {row['level']!r}", Effect.NONE)
    if column is None or height is None:
        return Unused(where, "x or y is no number", _effect(grade, config))
    instance = row["instance_number"].partition(".")[0]
    return _Point(where, row["series_id"], instance, column, height, kind, side, row["level"], grade)


def _read(exam: _Exam, config: RsnaConfig) -> Reading:
    """One study: each point on its own series when that is taken, and on the others that show its place."""
    stacks = {name: read_stacks(exam.folder / name) for name in exam.descriptions if (exam.folder / name).is_dir()}
    scans = [scan for name in sorted(stacks) for scan in _scans(exam, name, stacks[name], config)]
    lesions: list[Lesion] = []
    negatives: list[Negative] = []
    unused = list(exam.unused)
    for point in exam.points:
        places = _places(point, stacks.get(point.series, []), scans, config)
        if isinstance(places, Unused):
            unused.append(places)
            continue
        if point.grade and point.grade not in GRADES:
            unused.append(Unused(point.where, f"unknown grade {point.grade!r}", Effect.IGNORED))
        if point.grade in config.positive or point.grade not in GRADES:
            lesions += [_lesion(len(lesions) + n, point, scan, box, config) for n, (scan, box) in enumerate(places, 1)]
        else:
            negatives += [
                Negative(series=scan.id, level=point.level, box=box, attributes=_attributes(point))
                for scan, box in places
            ]
    study = Study(
        id=f"RSNA-{exam.id}",
        patient=f"RSNA-{exam.id}",
        center="RSNA-2024",
        split=Split.TRAIN,
        series=tuple(Series(id=s.id, plane=s.plane, weighting=s.weighting, path=s.folder.absolute()) for s in scans),
        lesions=tuple(lesions),
        excluded=exam.excluded or (None if scans else f"no {' or '.join(config.weightings)} series here"),
        negatives=tuple(negatives),
    )
    return reading_of(study, unused)


def _scans(exam: _Exam, series: str, stacks: list[Stack], config: RsnaConfig) -> Iterator[_Scan]:
    """The volumes of a series that is wanted, numbered where angled blocks make several."""
    weighting = _DESCRIPTIONS.get(exam.descriptions[series])
    for count, stack in enumerate(stacks, start=1):
        name = series if len(stacks) == 1 else f"{series}-{count}"
        plane = stack.plane
        if weighting in config.weightings and plane is not None:
            yield _Scan(name, series, str(weighting), plane, stack, folder_of(stack, exam.links / file_name_of(name)))


def _places(
    point: _Point, stacks: list[Stack], scans: list[_Scan], config: RsnaConfig
) -> list[tuple[_Scan, Box]] | Unused:
    """The scans that the point goes on, with its box in each one's axes; or why it goes on none."""
    here = next((stack for stack in stacks if stack.index(point.instance) is not None), None)
    index = here.index(point.instance) if here else None
    if here is None or index is None:
        reason = f"no volume of series {point.series} has an image {point.instance}.dcm"
        return Unused(point.where, reason, _effect(point.grade, config))
    if not here.holds(point.column, point.row):
        return Unused(point.where, "the point lies outside its image", _effect(point.grade, config))
    place = here.point(point.column, point.row, index)
    others = [scan for scan in scans if scan.series != point.series and scan.plane in _SEEN_ON[point.kind]]
    near = [scan for scan in scans if scan.stack is here] + [scan for scan in others if _reaches(scan, place, config)]
    boxes = [(scan, point_box(place, config.sizes[point.kind], scan.stack.grid)) for scan in near]
    found = [(scan, box) for scan, box in boxes if box]
    # What no image shows is missing from none of them.
    return found or Unused(point.where, "no series that is taken has a slice there", Effect.NONE)


def _reaches(scan: _Scan, place: Array, config: RsnaConfig) -> bool:
    """Whether the scan has a slice near enough to show the place."""
    return scan.stack.distance(place) <= min(config.max_distance_mm, scan.stack.grid.spacing[2] / 2)


def _attributes(point: _Point) -> dict[str, FiniteJson]:
    graded: dict[str, FiniteJson] = {"finding": point.kind}
    if point.side:
        graded["side"] = point.side
    if point.grade in GRADES:
        graded |= {"grade": point.grade, "severity": GRADES.index(point.grade)}
    return graded


def _lesion(count: int, point: _Point, scan: _Scan, box: Box, config: RsnaConfig) -> Lesion:
    return Lesion(
        id=str(count),
        series=scan.id,
        category=config.category(point.kind),
        level=point.level,
        box=box,
        origin=Origin.POINT,
        ignore=point.grade not in GRADES,
        attributes=_attributes(point),
    )
