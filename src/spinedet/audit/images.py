"""Faults of one study's images and of the boxes on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from spinedet.audit.faults import AuditLimits, Fault, Severity
from spinedet.core.anatomy import Plane, Region, level_rank
from spinedet.core.errors import InputError
from spinedet.core.geometry import Array, Grid, bounds, inside, iou
from spinedet.core.types import Lesion, Series, Study
from spinedet.imaging.image_files import matches_sha256
from spinedet.imaging.input_checks import DeclaredMetadata, check_input, declared_in_name
from spinedet.imaging.planes import plane_of, slice_axis
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import InputCheck, Suitability, overall_suitability
from spinedet.imaging.volume import Volume, read_volume

_BRIGHT = 99.0  # percentile of an image that represents its bright tissue
_BODY = 0.1  # of bright: above it a voxel is body, not air
_SIDES = {"left": -1.0, "right": 1.0}  # the patient's right is RAS +


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """Geometry and content of one image.

    Attributes:
        pixel, pitch: larger pixel edge, and distance of neighbouring slices, mm.
        content: digest of shape and voxels: equal for equal images, however they are stored.
        low, high: RAS mm limits of its bounding box.
        suitability: of the image for a detector of T2 series, as `predict` assesses it.
    """

    study: str
    series: str
    plane: Plane
    shape: tuple[int, int, int]
    pixel: float
    pitch: float
    content: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    suitability: Suitability


@dataclass(frozen=True)
class StudyFacts:
    """The facts and faults of a study's images."""

    study: str
    series: tuple[SeriesFacts, ...]
    faults: tuple[Fault, ...]


def examine(study: Study, limits: AuditLimits) -> tuple[StudyFacts, dict[str, Volume]]:
    """Open every image of a study; returns the volumes by series id, for pictures."""
    facts: list[SeriesFacts] = []
    faults: list[Fault] = []
    volumes: dict[str, Volume] = {}
    for series in study.series:
        where = (study.id, series.id)
        try:
            volume = read_volume(series.path)
        except InputError as error:
            faults.append(Fault("unreadable", Severity.UNREADABLE, where, str(error)))
            continue
        volumes[series.id] = volume
        checks = _checks(study, series, volume)
        facts.append(_facts(study, series, volume, overall_suitability(checks)))
        lesions = [lesion for lesion in study.lesions if lesion.series == series.id]
        faults += [*_file(where, series), *_geometry(where, series, volume.grid, limits)]
        faults += [
            *(intensities := tuple(_intensities(where, volume, limits))),
            *(() if any(fault.code == "not_mr" for fault in intensities) else _weighting(where, checks)),
            *_boxes(study.id, volume, lesions, limits),
        ]
    faults += _displaced(study.id, facts)
    return StudyFacts(study.id, tuple(facts), tuple(faults)), volumes


def _checks(study: Study, series: Series, volume: Volume) -> tuple[InputCheck, ...]:
    """The assessment of an image that the manifest declares to be of its weighting and region."""
    if series.weighting != "T2":
        return ()
    region = study.region or Region.LUMBAR
    declared = DeclaredMetadata(series.weighting, region, "manifest")
    return check_input(volume, series.plane, declared, region, EligibilityLimits())


def _weighting(where: tuple[str, ...], checks: tuple[InputCheck, ...]) -> Iterator[Fault]:
    """A T2 series whose pixels have the contrast of another weighting."""
    for one in checks:
        if one.question == "weighting" and one.suitability is not Suitability.OK:
            severity = Severity.ERROR if one.suitability is Suitability.REJECTED else Severity.WARNING
            yield Fault("weighting", severity, where, f"{one.reason}; check which image this is")


def _facts(study: Study, series: Series, volume: Volume, suitability: Suitability) -> SeriesFacts:
    grid, stacked = volume.grid, slice_axis(volume.grid)
    hull = np.array([grid.corner, grid.corner + grid.axes.T @ grid.extent])
    reach = np.abs(grid.axes.T * grid.extent).sum(axis=1) / 2
    digest = hashlib.sha256(repr(volume.array.shape).encode())
    digest.update(np.ascontiguousarray(volume.array).data)
    return SeriesFacts(
        study=study.id,
        series=series.id,
        plane=series.plane,
        shape=grid.shape,
        pixel=float(np.delete(grid.spacing, stacked).max()),
        pitch=float(grid.spacing[stacked]),
        content=digest.hexdigest(),
        low=tuple((hull.mean(axis=0) - reach).tolist()),
        high=tuple((hull.mean(axis=0) + reach).tolist()),
        suitability=suitability,
    )


def _file(where: tuple[str, ...], series: Series) -> Iterator[Fault]:
    if series.sha256 is not None and not matches_sha256(series.path, series.sha256):
        message = "the file is not the one that the manifest means (sha256 differs); restore it or correct the manifest"
        yield Fault("sha256", Severity.UNREADABLE, where, message)
    named = declared_in_name(series.path.name).weighting
    if series.weighting == "T2" and named not in (None, "T2"):
        message = f"the file's name says {named} where the manifest says T2; check which it is"
        yield Fault("weighting", Severity.WARNING, where, message)


def _geometry(where: tuple[str, ...], series: Series, grid: Grid, limits: AuditLimits) -> Iterator[Fault]:
    try:
        found = plane_of(grid).value
    except InputError:
        found = "coronal"
    if found != series.plane.value:
        message = f"the manifest says {series.plane.value}, the image's slices are {found}; correct one of them"
        yield Fault("plane", Severity.ERROR, where, message)
    tilt = _tilt(grid)
    if found == Plane.SAGITTAL.value and tilt > limits.max_tilt_degrees:
        message = f"the slices are turned by {tilt:.0f} degrees against the patient; check the image's orientation"
        yield Fault("tilt", Severity.WARNING, where, message)
    pitch = float(grid.spacing[slice_axis(grid)])
    pixel = float(np.delete(grid.spacing, slice_axis(grid)).max())
    if pixel > limits.max_pixel_mm or pitch > limits.max_pitch_mm:
        message = f"pixels of {pixel:.2f} mm and slices {pitch:.2f} mm apart are coarse; check the spacing"
        yield Fault("coarse", Severity.WARNING, where, message)


def _tilt(grid: Grid) -> float:
    """Angle of the slices' normal to the nearest patient axis, degrees."""
    return float(np.degrees(np.arccos(min(1.0, np.abs(grid.axes[slice_axis(grid)]).max()))))


def _intensities(where: tuple[str, ...], volume: Volume, limits: AuditLimits) -> Iterator[Fault]:
    """Intensities that are clipped, constant over whole slices, or negative as in CT."""
    array, top = volume.array, float(volume.array.max())
    bright = float(np.percentile(array, _BRIGHT))
    body = array > _BODY * bright
    saturated = float((array == top).sum() / max(1, body.sum())) if bright > 0 else 0.0
    if saturated > limits.saturated:
        message = f"{saturated:.0%} of the body has the highest grey value; export the image again with its full range"
        yield Fault("saturated", Severity.WARNING, where, message)
    slices = np.moveaxis(array, slice_axis(volume.grid), 0).reshape(array.shape[slice_axis(volume.grid)], -1)
    empty = float((np.ptp(slices, axis=1) == 0).mean())
    if empty > limits.empty_slices:
        message = f"{empty:.0%} of the slices are constant; check that the export is complete"
        yield Fault("empty_slices", Severity.WARNING, where, message)
    if float(np.percentile(array, 5)) < -_BODY * max(bright, 1.0):
        message = "many voxels are far below zero, as in CT; give a T2-weighted MR image"
        yield Fault("not_mr", Severity.ERROR, where, message)


def _boxes(study: str, volume: Volume, lesions: list[Lesion], limits: AuditLimits) -> Iterator[Fault]:
    bright = float(np.percentile(volume.array, _BRIGHT))
    for lesion in lesions:
        where = (study, lesion.series, lesion.id)
        edges = min(lesion.box.size), max(lesion.box.size)
        if edges[0] < limits.smallest_edge_mm or edges[1] > limits.largest_edge_mm:
            message = f"a box of {' x '.join(f'{edge:.1f}' for edge in lesion.box.size)} mm; check its units"
            yield Fault("box_size", Severity.WARNING, where, message)
        if not inside(lesion.box, volume.grid, limits.box_outside_mm):
            message = "the box lies outside the image; check that the manifest is in RAS mm and belongs to this image"
            yield Fault("box_outside", Severity.ERROR, where, message)
        elif _mean(volume, lesion) < limits.air * bright:
            message = "the box lies on air; check its coordinates, for example their signs"
            yield Fault("box_in_air", Severity.WARNING, where, message)
        yield from _side(where, lesion, volume.grid, limits)
    yield from _same_box(study, lesions, limits)
    yield from _level_order(study, lesions, limits)


def _mean(volume: Volume, lesion: Lesion) -> float:
    """Mean grey value of the voxels that the box touches."""
    edges = volume.grid.edges(lesion.box)
    low = np.clip(np.floor(edges.low).astype(int), 0, np.array(volume.grid.shape) - 1)
    high = np.clip(np.ceil(edges.high).astype(int), low + 1, volume.grid.shape)
    return float(volume.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].mean())


def _side(where: tuple[str, ...], lesion: Lesion, grid: Grid, limits: AuditLimits) -> Iterator[Fault]:
    """`attributes.side` against the patient's x; a box across the midline, as of a whole disc, has no side."""
    side = lesion.attributes.get("side")
    sign = _SIDES.get(side.lower(), 0.0) if isinstance(side, str) else 0.0
    middle = float((grid.corner + grid.axes.T @ (grid.extent / 2))[0])
    low, high = bounds([lesion.box])
    clear = max(low[0, 0] - middle, middle - high[0, 0])
    off = lesion.box.center[0] - middle
    if clear > 0 and off * sign < -limits.side_mm:
        there = "right" if off > 0 else "left"
        message = (
            f"marked {side}, but {abs(off):.0f} mm to the patient's {there} of the middle; left and right are swapped"
        )
        yield Fault("side", Severity.ERROR, where, message)


def _same_box(study: str, lesions: list[Lesion], limits: AuditLimits) -> Iterator[Fault]:
    for one, two in combinations(lesions, 2):
        if one.category == two.category and float(iou([one.box], [two.box])[0, 0]) > limits.same_box:
            message = f"lesion {two.id!r} has the same box and category as {one.id!r}; remove one"
            yield Fault("same_box", Severity.ERROR, (study, two.series, two.id), message)


def _level_order(study: str, lesions: list[Lesion], limits: AuditLimits) -> Iterator[Fault]:
    """Levels from head to foot must have falling S coordinates."""
    named = sorted((level_rank(le.level), -le.box.center[2], le.id, le) for le in lesions if le.level)
    for (rank, _, _, upper), (next_rank, _, _, lower) in pairwise(named):
        if next_rank > rank and lower.box.center[2] > upper.box.center[2] + limits.level_mm:
            message = (
                f"{lower.level} lies above {upper.level} (lesion {upper.id!r}); check levels and head-to-foot direction"
            )
            yield Fault("level_order", Severity.ERROR, (study, lower.series, lower.id), message)


def _displaced(study: str, facts: list[SeriesFacts]) -> Iterator[Fault]:
    """Series of one study must overlap in the patient frame."""
    for one, two in combinations(facts, 2):
        gap: Array = np.maximum(np.subtract(one.low, two.high), np.subtract(two.low, one.high))
        if gap.max() > 0:
            message = f"{one.series!r} and {two.series!r} do not overlap in space; one of them has a wrong position"
            yield Fault("apart", Severity.WARNING, (study, two.series), message)
