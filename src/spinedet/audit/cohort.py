"""Faults that only a comparison of studies shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from spinedet.audit.faults import AuditLimits, Fault, Severity
from spinedet.audit.images import SeriesFacts, StudyFacts
from spinedet.audit.manifests import Reading
from spinedet.core.anatomy import Plane
from spinedet.core.leakage import leaks
from spinedet.core.types import Lesion, Study


def audit_cohort(readings: Sequence[Reading], facts: Sequence[StudyFacts], limits: AuditLimits) -> tuple[Fault, ...]:
    """Leakage, duplicates, outliers and gaps over all manifests together."""
    manifests = [reading.whole for reading in readings if reading.whole]
    studies = [study for manifest in manifests for study in manifest.studies]
    used = {study.id: study for study in studies if study.excluded is None}
    series = [one for each in facts for one in each.series if each.study in used]
    faults: list[Fault] = []
    regions = sorted({manifest.region.value for manifest in manifests})
    if len(regions) > 1:
        message = f"the manifests are of {' and '.join(regions)} spines; check one region at a time"
        faults.append(Fault("regions", Severity.ERROR, (), message))
    faults += _repeated_across(readings)
    pictures = tuple(_same_pictures(series, used))
    faults += [*_leaks(studies, pictures), *pictures]
    faults += _odd_spacings(series, used, limits)
    faults += _odd_sizes(used, limits)
    faults += _missing_planes(used, limits)
    message = (
        "the study has no series: nothing of it can be predicted or scored; add them, or exclude it with the reason"
    )
    faults += [
        Fault("no_series", Severity.WARNING, (name,), message) for name, study in used.items() if not study.series
    ]
    return tuple(faults)


def _repeated_across(readings: Sequence[Reading]) -> Iterator[Fault]:
    """One study id in two files."""
    paths_of: dict[str, set[Path]] = defaultdict(set)
    for reading in readings:
        for study in reading.whole.studies if reading.whole else ():
            paths_of[study.id].add(reading.path)
    for name, paths in paths_of.items():
        if len(paths) > 1:
            message = f"study id {name!r} is in {len(paths)} manifests; give each study its own id"
            yield Fault("repeated_id", Severity.ERROR, (name,), message)


def _leaks(studies: Sequence[Study], pictures: Sequence[Fault]) -> Iterator[Fault]:
    """What commands refuse: patients in two splits or centres, and images in two splits by the manifest's sha256.

    Args:
        pictures: faults of equal voxels, which are not reported twice.
    """
    known = {fault.where[0] for fault in pictures}
    for leak in leaks(studies):
        (first, one), (second, two) = leak.first, leak.second
        if leak.what != "image":
            message = f"one patient is in two {leak.what}: {first} in {one}, {second} in {two}; "
            yield Fault(f"patient_in_two_{leak.what}", Severity.ERROR, (first, second), message)
        elif second not in known:
            message = f"the same sha256 as an image of {first}, in another split; remove one"
            yield Fault("same_picture", Severity.ERROR, (second,), message)


def _same_pictures(series: Sequence[SeriesFacts], studies: dict[str, Study]) -> Iterator[Fault]:
    """Equal voxels: a leak across splits or patients, a copy within one."""
    groups: dict[str, list[SeriesFacts]] = defaultdict(list)
    for one in series:
        groups[one.content].append(one)
    for group in groups.values():
        for other in group[1:]:
            first, second = studies[group[0].study], studies[other.study]
            leak = (first.split, first.patient, first.center) != (second.split, second.patient, second.center)
            message = f"the same picture as {first.id}/{group[0].series}{_difference(first, second)}; remove one"
            severity = Severity.ERROR if leak else Severity.WARNING
            yield Fault("same_picture", severity, (other.study, other.series), message)


def _difference(first: Study, second: Study) -> str:
    pairs = (("split", first.split, second.split), ("centre", first.center, second.center))
    differ = [f"another {name}" for name, one, two in pairs if one != two]
    differ += ["another patient"] if first.patient != second.patient else []
    return f", in {' and '.join(differ)}" if differ else ""


def _odd_spacings(series: Sequence[SeriesFacts], studies: dict[str, Study], limits: AuditLimits) -> Iterator[Fault]:
    """Against the centre's median of the plane, or the cohort's where the centre is small."""
    by_plane: dict[Plane, list[SeriesFacts]] = defaultdict(list)
    by_center: dict[tuple[Plane, str], list[SeriesFacts]] = defaultdict(list)
    for one in series:
        by_plane[one.plane].append(one)
        by_center[one.plane, studies[one.study].center].append(one)
    for one in series:
        same_center = by_center[one.plane, studies[one.study].center]
        peers = same_center if len(same_center) >= limits.outliers_from else by_plane[one.plane]
        if len(peers) < limits.outliers_from:
            continue
        for name, value, median in (
            ("pixels", one.pixel, float(np.median([peer.pixel for peer in peers]))),
            ("slices", one.pitch, float(np.median([peer.pitch for peer in peers]))),
        ):
            if max(value / median, median / value) > limits.odd_spacing:
                message = f"{name} of {value:.2f} mm where {median:.2f} mm is usual; check the spacing"
                yield Fault("odd_spacing", Severity.WARNING, (one.study, one.series), message)


def _odd_sizes(studies: dict[str, Study], limits: AuditLimits) -> Iterator[Fault]:
    """A box's volume against the median of its plane and category."""
    groups: dict[tuple[Plane, str], list[tuple[Study, Lesion]]] = defaultdict(list)
    for study in studies.values():
        planes = {series.id: series.plane for series in study.series}
        for lesion in study.lesions:
            if lesion.series in planes:
                groups[planes[lesion.series], lesion.category].append((study, lesion))
    for group in groups.values():
        median = float(np.median([np.prod(lesion.box.size) for _, lesion in group]))
        for study, lesion in group if len(group) >= limits.outliers_from else ():
            factor = float(np.prod(lesion.box.size)) / median
            if max(factor, 1 / factor) > limits.odd_size:
                message = f"the box has {factor:.2g} times the usual volume of {lesion.category!r}; check its size"
                yield Fault("odd_size", Severity.WARNING, (study.id, lesion.series, lesion.id), message)


def _missing_planes(studies: dict[str, Study], limits: AuditLimits) -> Iterator[Fault]:
    planes = {study.id: {series.plane for series in study.series} for study in studies.values()}
    for plane in Plane:
        present = sum(plane in there for there in planes.values())
        if present < limits.missing_plane * len(planes):
            continue
        for name, there in planes.items():
            if plane not in there:
                message = f"no {plane.value} series, where {present} of {len(planes)} studies have one"
                yield Fault("missing_plane", Severity.WARNING, (name,), message)
