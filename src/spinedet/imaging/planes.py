"""The planes in which series are sliced, as values: array order, working spacing and field of view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import Array, Grid

if TYPE_CHECKING:
    from spinedet.imaging.volume import Volume  # which selects DICOM series by their planes

_DIRECTIONS = {
    "R": (1.0, 0.0, 0.0),
    "L": (-1.0, 0.0, 0.0),
    "A": (0.0, 1.0, 0.0),
    "P": (0.0, -1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "I": (0.0, 0.0, -1.0),
}
_ORDERS = tuple(permutations(range(3)))
# Slices stand this much further apart than pixels in a 2D stack; below it the volume counts as 3D.
_STACK_RATIO = 1.5
# Keeps the stack's slice axis the slice axis up to a tilt of 55 degrees, when an angled axial block has passed 45.
_SLICE_AXIS_BONUS = 0.5


# The network sees every region at about the size of the lumbar spine, so that what it learned there holds elsewhere: a
# neck's discs measure half as much in every direction. Not quite to scale, since voxels grow with its third power.
SCALES = {Region.LUMBAR: 1.0, Region.CERVICAL: 0.6}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of an image of one plane must not be too small.

    Attributes:
        name: in words. axes: array axes of which the shortest counts.
    """

    name: str
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlaneSpec:
    """How volumes of one plane reach the network, in working mm.

    Attributes:
        plane: the plane's name.
        codes: patient directions in which the array's axes (slice, row, column) increase.
        spacing: working spacing (slice, row, column), working mm.
        field_of_view: extent of a training crop (slice, row, column), working mm.
        coverage: what of an image must not be too small.
        least_cosine: of the normal of a stack of DICOM slices of this plane with the plane's own.
        scale: mm in the patient for one working mm.
    """

    plane: Plane
    codes: tuple[str, str, str]
    spacing: tuple[float, float, float]
    field_of_view: tuple[float, float, float]
    coverage: Coverage
    least_cosine: float
    scale: float = 1.0

    def of(self, region: Region | None) -> PlaneSpec:
        """For studies of this region; of the lumbar spine when it is not known."""
        return replace(self, scale=SCALES[region or Region.LUMBAR])

    @property
    def directions(self) -> Array:
        """Unit rows (3, 3): the RAS directions of `codes`."""
        return np.array([_DIRECTIONS[code] for code in self.codes])

    @property
    def left_right_axis(self) -> int:
        """The array axis that runs between the patient's left and right."""
        return next(axis for axis, code in enumerate(self.codes) if code in "LR")

    @property
    def caudal(self) -> tuple[int, int]:
        """The array axis that runs along the spine, and 1 where it runs to the feet, -1 where to the head."""
        axis = next(axis for axis, code in enumerate(self.codes) if code in "SI")
        return axis, 1 if self.codes[axis] == "I" else -1

    @property
    def posterior_axis(self) -> int:
        """The array axis that increases to the patient's back."""
        return self.codes.index("P")

    @property
    def stacked_head_to_foot(self) -> bool:
        """Whether the slices lie above each other, rather than each running from head to foot."""
        return self.codes[0] in "SI"

    @property
    def shows_canal(self) -> bool:
        """Whether a central slice shows the spinal canal lengthwise, behind the vertebrae."""
        return self.codes == ("R", "I", "P")

    @property
    def crop_shape(self) -> tuple[int, int, int]:
        """The field of view in voxels."""
        slices, rows, columns = (round(f / s) for f, s in zip(self.field_of_view, self.spacing, strict=True))
        return slices, rows, columns


# Rows run to the feet; the patient's front is at the left of the picture.
SAGITTAL = PlaneSpec(
    Plane.SAGITTAL,
    codes=("R", "I", "P"),
    spacing=(4.0, 1.6, 1.6),
    field_of_view=(64.0, 256.0, 204.8),
    coverage=Coverage("from head to foot", (1,)),
    least_cosine=0.707,
)
# As radiologists view it: from the feet, the patient's right at the left of the picture.
# Axial stacks follow discs, which tilt by up to 60 degrees.
AXIAL = PlaneSpec(
    Plane.AXIAL,
    codes=("S", "P", "L"),
    spacing=(4.0, 1.6, 1.6),
    field_of_view=(160.0, 153.6, 153.6),
    coverage=Coverage("wide", (1, 2)),
    least_cosine=0.5,
)
SPECS: dict[Plane, PlaneSpec] = {spec.plane: spec for spec in (SAGITTAL, AXIAL)}


def slice_axis(grid: Grid) -> int:
    """The stored axis along which slices were stacked.

    The axis with clearly the largest spacing; in a volume of near-isotropic voxels, the one along which it is
    thinnest, and of two equally thin ones that nearest left-right, as 3D spine volumes are slabs of sagittal slices.
    """
    by_spacing = np.argsort(grid.spacing)
    if grid.spacing[by_spacing[2]] >= _STACK_RATIO * grid.spacing[by_spacing[1]]:
        return int(by_spacing[2])
    thinnest = np.isclose(grid.extent, grid.extent.min(), rtol=1e-6)
    return int(np.argmax(np.where(thinnest, np.abs(grid.axes[:, 0]), -1.0)))


def plane_of(grid: Grid) -> Plane:
    """The plane of a series, by its geometry alone.

    Raises:
        InputError: the slices are nearest to coronal.
    """
    nearest = int(np.argmax(np.abs(grid.axes[slice_axis(grid)])))
    for spec in SPECS.values():
        if int(np.argmax(np.abs(spec.directions[0]))) == nearest:
            return spec.plane
    raise InputError("the slices are coronal; spinedet reads sagittal and axial series, set plane= if this is one")


def orient(volume: Volume, spec: PlaneSpec) -> Volume:
    """Axes permuted and flipped, never resampled, to the plane's order: (slice, row, column), C-contiguous."""
    grid = volume.grid
    cosines = grid.axes @ spec.directions.T  # stored axis against wanted axis
    fits = [_fit(order, np.abs(cosines), slice_axis(grid)) for order in _ORDERS]
    order = list(_ORDERS[int(np.argmax(fits))])
    flips = [cosines[axis, wanted] < 0 for wanted, axis in enumerate(order)]
    array = volume.array.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    shape = (array.shape[0], array.shape[1], array.shape[2])
    affine = np.eye(4)
    affine[:3, :3] = grid.affine[:3, order] * np.where(flips, -1.0, 1.0)
    first = np.zeros(3)  # the stored index of the new array's first voxel
    first[order] = np.where(flips, np.array(shape) - 1, 0)
    affine[:3, 3] = grid.affine[:3, :3] @ first + grid.affine[:3, 3]
    return replace(volume, array=np.ascontiguousarray(array), grid=Grid(shape, affine))


def _fit(order: tuple[int, ...], cosines: Array, stacked: int) -> float:
    """How well stored axes `order` stand for the wanted ones."""
    return float(sum(cosines[axis, wanted] for wanted, axis in enumerate(order))) + _SLICE_AXIS_BONUS * (
        order[0] == stacked
    )
