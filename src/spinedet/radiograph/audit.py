"""Faults of manifests of radiographs and of their images, all of them rather than the first."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinedet.audit.faults import Fault, Severity
from spinedet.core.errors import InputError
from spinedet.core.files import check_header, read_json, repeated, sha256, validate
from spinedet.core.leakage import leaks
from spinedet.core.radiograph import Radiograph, RadiographManifest, RadiographStudy, Task
from spinedet.core.radiograph.manifest import FORMAT, locate, study_faults, task_difference
from spinedet.imaging.radiograph.checks import Expected, check_radiograph
from spinedet.imaging.radiograph.content import foreign_content
from spinedet.imaging.radiograph.read import Declared, read_radiograph
from spinedet.imaging.radiograph.records import RadiographImage, Spacing
from spinedet.imaging.suitability import InputCheck, Suitability, overall_suitability
from spinedet.radiograph.cohort_settings import RadiographAuditLimits
from spinedet.report.number_format import counted


@dataclass(frozen=True)
class LenientReading:
    """What could be read of a manifest, and the faults of the rest; no manifest where its head is unusable."""

    path: Path
    manifest: RadiographManifest | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the file of one image holds.

    Attributes:
        shape: rows, columns. content: digest of the pixels: equal for equal images, however they are stored.
        view: as it will be read, None if nothing says. checks: what is doubtful or unfit. steps: how it was read.
    """

    study: str
    image: str
    shape: tuple[int, int]
    content: str
    view: str | None
    spacing: Spacing | None
    checks: tuple[InputCheck, ...]
    steps: tuple[str, ...]

    @property
    def suitability(self) -> Suitability:
        """The least favourable result."""
        return overall_suitability(self.checks)


def read_leniently(path: Path) -> LenientReading:
    """A manifest with all studies that can be read."""
    try:
        raw = read_json(path)
        check_header(path, raw, FORMAT, space=None)
    except InputError as error:
        return LenientReading(path, None, (Fault("manifest", Severity.ERROR, (path.name,), str(error)),))
    head = {key: value for key, value in raw.items() if key not in ("format", "version", "studies")}
    try:
        manifest = validate(path, RadiographManifest, {**head, "studies": []})
    except InputError as error:
        return LenientReading(path, None, (Fault("format", Severity.ERROR, (path.name,), str(error)),))
    studies, faults = [], []
    rows = raw.get("studies")
    for number, row in enumerate(rows if isinstance(rows, list) else [None]):
        try:
            study = validate(path, RadiographManifest, {**head, "studies": [row]}).studies[0]
        except InputError as error:
            name = str(row.get("id", number)) if isinstance(row, dict) else str(number)
            faults.append(Fault("format", Severity.ERROR, (name,), str(error)))
            continue
        studies.append(locate(study, path.parent.resolve()))
        for fault in study_faults(study, manifest.task):
            faults.append(Fault(fault.kind, Severity.ERROR, (study.id, fault.part), fault.message))
    return LenientReading(path, manifest.model_copy(update={"studies": tuple(studies)}), tuple(faults))


def examine(
    study: RadiographStudy, image: Radiograph, task: Task
) -> tuple[ImageFacts | None, RadiographImage | None, tuple[Fault, ...]]:
    """Read one image: its facts, its pixels for pictures, and its faults; faults alone where it cannot be read."""
    where = (study.id, image.id)
    try:
        read = read_radiograph(image.path, Declared(image.mm))
    except InputError as error:
        return None, None, (Fault("unreadable", Severity.UNREADABLE, where, str(error)),)
    checks = check_radiograph(read, Expected(task.views), foreign_content(read), image.view)
    rows, columns = read.pixels.shape
    digest = hashlib.sha256(f"{rows} {columns}".encode())
    digest.update((read.pixels * 255).astype(np.uint8).tobytes())
    view = image.view or read.view.name
    facts = ImageFacts(*where, (rows, columns), digest.hexdigest(), view, read.spacing, checks, read.steps)
    return facts, read, (*_of_file(where, image), *_of_boxes(where, image, facts), *_of_checks(where, checks))


def _of_file(where: tuple[str, str], image: Radiograph) -> Iterator[Fault]:
    if image.sha256 and image.sha256 != sha256(image.path):
        message = f"{image.path} is not the file that the manifest means (another sha256); restore it or hash it again"
        yield Fault("sha256", Severity.UNREADABLE, where, message)


def _of_boxes(where: tuple[str, str], image: Radiograph, facts: ImageFacts) -> Iterator[Fault]:
    rows, columns = facts.shape
    named = [("truth", box) for box in image.truth] + [(place.name, place.box) for place in image.places]
    for name, (_, _, x1, y1) in named:
        if x1 > columns or y1 > rows:
            message = f"box {name!r} reaches {x1:g}, {y1:g} in an image of {columns} x {rows} pixels; check its scale"
            yield Fault("box_outside", Severity.ERROR, where, message)


def _of_checks(where: tuple[str, str], checks: Sequence[InputCheck]) -> Iterator[Fault]:
    for one in checks:
        if one.suitability is Suitability.REJECTED:
            yield Fault("unfit", Severity.UNREADABLE, where, f"{one.question}: {one.reason}")
        elif one.suitability is Suitability.DOUBTFUL:
            yield Fault("doubtful", Severity.WARNING, where, f"{one.question}: {one.reason}")


def audit_cohort(
    readings: Sequence[LenientReading], facts: Sequence[ImageFacts], limits: RadiographAuditLimits
) -> tuple[Fault, ...]:
    """Leakage, duplicates, outliers and gaps over all manifests together."""
    manifests = [(reading.path, reading.manifest) for reading in readings if reading.manifest]
    if not manifests:
        return ()
    studies = {study.id: study for _, manifest in manifests for study in manifest.studies}
    task = manifests[0][1].task
    return (
        *_tasks(manifests),
        *_repeated(manifests),
        *_leaks(manifests),
        *_same_pictures(facts, studies),
        *_odd_spacings(facts, studies, limits),
        *_equal_squares(facts, studies, limits),
        *_missing_views(studies, task, limits),
        *_labels(studies, task, limits),
    )


_Manifests = Sequence[tuple[Path, RadiographManifest]]


def _tasks(manifests: _Manifests) -> Iterator[Fault]:
    first_path, first = manifests[0]
    for path, manifest in manifests[1:]:
        if difference := task_difference(first.task, manifest.task):
            message = f"its task has {difference} than that of {first_path.name}; use one task at a time"
            yield Fault("tasks", Severity.ERROR, (path.name,), message)


def _repeated(manifests: _Manifests) -> Iterator[Fault]:
    for name in repeated(study.id for _, manifest in manifests for study in manifest.studies):
        message = f"study id {name!r} appears more than once; give each study its own"
        yield Fault("repeated_id", Severity.ERROR, (name,), message)


def _leaks(manifests: _Manifests) -> Iterator[Fault]:
    for leak in leaks(study for _, manifest in manifests for study in manifest.studies):
        (first, one), (second, other) = leak.first, leak.second
        if leak.what == "image":
            message = f"the same sha256 as an image of {first}, in another split; remove one"
            yield Fault("same_picture", Severity.ERROR, (second,), message)
        else:
            message = f"one patient is in two {leak.what}: {first} in {one}, {second} in {other}; keep each in one"
            yield Fault(f"patient_in_two_{leak.what}", Severity.ERROR, (first, second), message)


def _same_pictures(facts: Sequence[ImageFacts], studies: dict[str, RadiographStudy]) -> Iterator[Fault]:
    """Equal pixels: an error across splits, patients or centres, a copy within one."""
    groups: dict[str, list[ImageFacts]] = defaultdict(list)
    for one in facts:
        groups[one.content].append(one)
    for first, *others in groups.values():
        for other in others:
            a, b = studies[first.study], studies[other.study]
            differ = [name for name in ("split", "patient", "center") if getattr(a, name) != getattr(b, name)]
            elsewhere = f", with another {' and '.join(differ)}".replace("center", "centre") if differ else ""
            message = f"the same picture as {first.study}/{first.image}{elsewhere}; remove one"
            severity = Severity.ERROR if differ else Severity.WARNING
            yield Fault("same_picture", severity, (other.study, other.image), message)


def _odd_spacings(
    facts: Sequence[ImageFacts], studies: dict[str, RadiographStudy], limits: RadiographAuditLimits
) -> Iterator[Fault]:
    groups: dict[tuple[str, str | None], list[tuple[ImageFacts, float]]] = defaultdict(list)
    for one in facts:
        if one.spacing is not None:
            groups[studies[one.study].center, one.view].append((one, one.spacing.mm))
    for group in groups.values():
        median = float(np.median([mm for _, mm in group]))
        for one, mm in group if len(group) >= limits.outliers_from else ():
            if max(mm / median, median / mm) > limits.odd_spacing:
                message = f"pixels of {mm:.3g} mm where {median:.3g} mm is usual; check the spacing"
                yield Fault("odd_spacing", Severity.WARNING, (one.study, one.image), message)


def _equal_squares(
    facts: Sequence[ImageFacts], studies: dict[str, RadiographStudy], limits: RadiographAuditLimits
) -> Iterator[Fault]:
    """A centre whose images are small squares of one size: they were resized, maybe without their aspect."""
    shapes: dict[str, Counter[tuple[int, int]]] = defaultdict(Counter)
    for one in facts:
        if not studies[one.study].phantom:
            shapes[studies[one.study].center][one.shape] += 1
    for center, counts in shapes.items():
        (rows, columns), count = counts.most_common(1)[0]
        enough = count >= limits.outliers_from and count >= limits.equal_squares * sum(counts.values())
        if rows == columns <= limits.small_side and enough:
            message = (
                f"{count} of {sum(counts.values())} images of centre {center} measure {columns} x {rows} pixels; they "
                "were resized and may be squashed, use the originals"
            )
            yield Fault("equal_squares", Severity.WARNING, (center,), message)


def _missing_views(studies: dict[str, RadiographStudy], task: Task, limits: RadiographAuditLimits) -> Iterator[Fault]:
    views = {name: {image.view for image in study.used} for name, study in studies.items() if study.excluded is None}
    for view in task.views:
        present = sum(view in there for there in views.values())
        for name, there in views.items() if present >= limits.missing_view * len(views) and views else ():
            if view not in there and None not in there:
                message = f"no {view} view, where {present} of {len(views)} studies have one"
                yield Fault("missing_view", Severity.WARNING, (name,), message)


def _labels(studies: dict[str, RadiographStudy], task: Task, limits: RadiographAuditLimits) -> Iterator[Fault]:
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    splits: set[str] = set()
    unlabelled = 0
    for study in studies.values():
        for image in study.used:
            try:
                label = study.label_of(image, task)
            except ValueError:
                continue  # reported with the study
            split = study.split.value if study.split else "null"
            splits.add(split)
            unlabelled += label is None
            if label is not None:
                patients[split, label].add(study.patient)
    if unlabelled:
        message = f"{unlabelled} images have no label; they are neither trained nor scored"
        yield Fault("no_label", Severity.WARNING, (), message)
    for split in sorted(splits):
        for label in task.labels:
            count = len(patients[split, label])
            if count < limits.few_patients:
                who = counted(count, "patient")
                message = f"{who} with label {label!r} in split {split}; nothing can be told of so few"
                yield Fault("few_patients", Severity.WARNING, (split, label), message)
