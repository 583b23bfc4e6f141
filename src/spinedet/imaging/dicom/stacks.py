"""The slices of one series as stacks of parallel, evenly spaced slices: angled blocks, echoes and copies separated."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.geometry import LPS_TO_RAS, Array, Grid
from spinedet.imaging.dicom.headers import DAMAGE, read_with_pixels
from spinedet.imaging.dicom.records import GREY, Acquisition, Slice

# Directions of one stack agree to the digits that scanners write; 0.01 is about half a degree.
_SAME_DIRECTION = 0.01
_SAME_SPACING_MM = 1e-3
_SAME_POSITION_MM = 0.01
# Neighbouring slices may be unevenly spaced by this part of their pitch; a gap of 1.5 pitches is a lost slice.
_EVEN_PITCH = 0.05
_GAP = 1.5
_SIDEWAYS_MM = 1.0
_SAME_ECHO_MS = 1.0
# Stacks whose normal is nearer to left-right than this are sagittal: a hole in them is a lost slice, no next block.
_SAGITTAL_COSINE = 0.7


@dataclass(frozen=True, eq=False)
class Block:
    """One stack.

    Attributes:
        id: of the series, with `-block-1`, `-block-2`, ... from head to foot where the series has several.
        slices: in the order of their positions along the normal.
        fault: why it is no volume, with the remedy; None when it is one.
        notes: what was corrected or left out, in words.
    """

    id: str
    slices: tuple[Slice, ...]
    fault: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def acquisition(self) -> Acquisition:
        """How its first slice was made."""
        return self.slices[0].acquisition

    @property
    def has_position(self) -> bool:
        """Whether its slices have positions."""
        return all(piece.has_position for piece in self.slices)

    @property
    def grid(self) -> Grid:
        """Voxels (column, row, slice) in RAS mm; the pitch is that of the positions.

        Raises:
            InputError: the stack has a fault.
        """
        if self.fault:
            raise InputError(f"{self.id}: {self.fault}")
        first, matrix = self.slices[0], self.slices[0].matrix
        pitch = float(_heights(self.slices)[-1]) / (len(self.slices) - 1)
        affine = np.eye(4)
        affine[:3, :3] = matrix.directions.T * [matrix.spacing[1], matrix.spacing[0], pitch]
        affine[:3, 3] = first.position
        return Grid((matrix.shape[1], matrix.shape[0], len(self.slices)), LPS_TO_RAS @ affine)

    @property
    def summary(self) -> str:
        """Size and orientation in a few words."""
        rows, columns = self.slices[0].matrix.shape
        words = f"{len(self.slices)} image{'s' * (len(self.slices) > 1)} of {rows} x {columns}"
        if not self.has_position:
            return words
        normal = (LPS_TO_RAS[:3, :3] @ self.slices[0].matrix.directions[2]).round(2) + 0.0
        return f"{words}, normal {normal.tolist()}"


def split_series(name: str, slices: Sequence[Slice]) -> tuple[Block, ...]:
    """The stacks of a series called `name`: those with a usable geometry first, from head to foot.

    Two slices are copies of one image when their positions and their pixels agree, whatever their SOPInstanceUIDs are.
    """
    parts = [block for alike in _by_frame(slices) for block in _stacks(name, alike)]
    parts.sort(key=_from_head)
    blocks = [replace(part, notes=(*part.notes, *_spacing_notes(part))) for part in parts]
    if len(blocks) == 1:
        return tuple(blocks)
    return tuple(replace(block, id=f"{name}-block-{number}") for number, block in enumerate(blocks, start=1))


def _by_frame(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Slices of one matrix, pixel spacing and direction; those that are not placed, apart."""
    groups: list[list[Slice]] = []
    for alike in _grouped(slices, lambda piece: (piece.matrix, piece.has_position)):
        home = next((group for group in groups if _same_frame(group[0], alike[0])), None)
        if home is None:
            groups.append(alike)
        else:
            home.extend(alike)
    return groups


def _grouped(slices: Sequence[Slice], key: Callable[[Slice], Hashable]) -> list[list[Slice]]:
    groups: dict[Hashable, list[Slice]] = defaultdict(list)
    for piece in slices:
        groups[key(piece)].append(piece)
    return list(groups.values())


def _same_frame(one: Slice, two: Slice) -> bool:
    if one.has_position != two.has_position or one.matrix.shape != two.matrix.shape or _colour(one) != _colour(two):
        return False
    return not one.has_position or (
        np.abs(np.subtract(one.matrix.spacing, two.matrix.spacing)).max() <= _SAME_SPACING_MM
        and np.abs(one.matrix.directions - two.matrix.directions).max() < _SAME_DIRECTION
    )


def _colour(piece: Slice) -> bool:
    return piece.matrix.samples > 1 or piece.matrix.photometric != GREY


def _stacks(name: str, alike: list[Slice]) -> list[Block]:
    """Blocks of slices that share a frame."""
    if _colour(alike[0]):
        kind = alike[0].matrix.photometric
        return [Block(name, tuple(alike), f"colour or inverted images ({kind}); give the original series")]
    if not alike[0].has_position:
        fault = "does not say where its images lie (a screenshot?); give the original series"
        return [Block(name, tuple(alike), fault)]
    columns = _columns(alike)
    if len(columns) > 1 and all(len(column) == 1 for column in columns):
        fault = "the slices are shifted sideways against each other; resample the stack first"
        return [Block(name, _sorted(alike), fault)]
    return [block for column in columns for block in _split_column(name, column)]


def _columns(alike: list[Slice]) -> list[list[Slice]]:
    """Slices that lie straight behind each other: blocks of one angle but another place come apart."""
    columns: list[list[Slice]] = []
    for piece in _sorted(alike):
        home = next((c for c in columns if _sideways(c[-1], piece) <= _SIDEWAYS_MM), None)
        if home is None:
            columns.append([piece])
        else:
            home.append(piece)
    return columns


def _sideways(one: Slice, two: Slice) -> float:
    """Distance of the slices' first pixels across their common normal, mm."""
    apart = np.subtract(two.position, one.position)
    return float(np.linalg.norm(one.matrix.directions[:2] @ apart))


def _sorted(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """By position along the normal, along which slices were found in files of any name and number."""
    normal = slices[0].matrix.directions[2]
    return tuple(sorted(slices, key=lambda piece: float(normal @ np.array(piece.position))))


def _heights(stack: Sequence[Slice]) -> Array:
    """Positions along the first slice's normal, mm from the first slice."""
    positions = np.array([piece.position for piece in stack])
    return (positions - positions[0]) @ stack[0].matrix.directions[2]


def _split_column(name: str, column: list[Slice]) -> list[Block]:
    """A column of slices cut where it holds several images of one place, or none."""
    stack, copies = _without_copies(column)
    notes = (f"{copies} {'copy' if copies == 1 else 'copies'} (equal position and pixels) left out",) if copies else ()
    return [replace(block, notes=notes) for echo in _separate_echoes(stack) for block in _refuse_repeats(name, echo)]


def _refuse_repeats(name: str, stack: list[Slice]) -> list[Block]:
    repeated = _repeats(stack)
    return [Block(name, tuple(stack), repeated)] if repeated else _cut(name, stack)


def _separate_echoes(column: list[Slice]) -> list[list[Slice]]:
    """Echoes or kinds of image that fill the same places; the whole column when there are none."""
    places = 1 + int((np.diff(_heights(column)) >= _SAME_POSITION_MM).sum())
    if places == len(column):
        return [column]
    for key in (_echo, _kinds):
        parts = _grouped(column, key)
        if len(parts) > 1 and max(len(part) for part in parts) <= places:
            return parts
    return [column]


def _echo(piece: Slice) -> Hashable:
    echo = piece.acquisition.echo_time
    return None if echo is None else round(echo / _SAME_ECHO_MS)


def _kinds(piece: Slice) -> Hashable:
    return piece.acquisition.kinds


def _without_copies(column: list[Slice]) -> tuple[list[Slice], int]:
    """Slices with the pixels of another at their place left out; pixels are read only where a place is filled twice."""
    starts = np.flatnonzero(np.diff(_heights(column), prepend=-np.inf) >= _SAME_POSITION_MM)
    places = [column[start:end] for start, end in pairwise([*starts.tolist(), len(column)])]
    digests: dict[str, bytes] = {}
    kept = [piece for place in places for piece in _different(place, digests)]
    return kept, len(column) - len(kept)


def _different(place: list[Slice], digests: dict[str, bytes]) -> list[Slice]:
    """One of each image at a place; echoes and kinds of image are different whatever their pixels are."""
    kept: list[Slice] = []
    for alike in _grouped(place, lambda piece: (_echo(piece), _kinds(piece))):
        contents = [_content(piece, digests) for piece in alike] if len(alike) > 1 else []
        kept += [piece for n, piece in enumerate(alike) if not contents or contents[n] not in contents[:n]]
    return kept


def _content(piece: Slice, digests: dict[str, bytes]) -> Hashable:
    """What the pixels of a slice are known by: the digest of its file's pixels, and its frame."""
    if piece.file not in digests:
        try:
            pixels = read_with_pixels(piece.file, ["PixelData"]).PixelData
            digests[piece.file] = hashlib.sha256(pixels).digest()
        except DAMAGE:
            digests[piece.file] = piece.file.encode()
    return digests[piece.file], piece.frame


def _repeats(stack: Sequence[Slice]) -> str | None:
    steps = np.diff(_heights(stack))
    places = 1 + int((steps >= _SAME_POSITION_MM).sum())
    if places == len(stack):
        return None
    if len(stack) == places * (len(stack) // places):
        count = len(stack) // places
        return f"{count} images at each of {places} positions (time points or repetitions); give one volume"
    again = next(two for (_, two), step in zip(pairwise(stack), steps, strict=True) if step < _SAME_POSITION_MM)
    return f"{again.path.name} lies where another slice lies already; remove the duplicate"


def _cut(name: str, stack: list[Slice]) -> list[Block]:
    """Blocks between gaps; a hole in a sagittal stack is a fault instead."""
    if len(stack) < 2:
        return [Block(name, tuple(stack), "a single slice; give the whole series")]
    steps = np.diff(_heights(stack))
    pitch = float(np.median(steps))
    holes = [index + 1 for index, step in enumerate(steps) if step > _GAP * pitch]
    if holes and abs(stack[0].matrix.directions[2, 0]) > _SAGITTAL_COSINE:
        lost = int(np.round(steps / pitch - 1).sum())
        return [Block(name, tuple(stack), f"{lost} slice(s) are missing between the others; export the series again")]
    parts = [tuple(stack[start:end]) for start, end in pairwise([0, *holes, len(stack)])]
    return [Block(name, part, _uneven(part)) for part in parts]


def _uneven(stack: Sequence[Slice]) -> str | None:
    if len(stack) < 2:
        return "a single slice; give the whole series"
    steps = np.diff(_heights(stack))
    pitch = float(np.median(steps))
    if np.abs(steps - pitch).max() > _EVEN_PITCH * pitch:
        return f"the slices are unevenly spaced ({steps.min():.2f} to {steps.max():.2f} mm); export the series again"
    if _sideways(stack[0], stack[-1]) > _SIDEWAYS_MM:
        return "the slices are shifted sideways against each other; resample the stack first"
    return None


def _spacing_notes(block: Block) -> tuple[str, ...]:
    """Where SpacingBetweenSlices contradicts the positions, which are believed."""
    between = block.acquisition.between
    if block.fault or between is None:
        return ()
    pitch = float(block.grid.spacing[2])
    if abs(abs(between) - pitch) <= _EVEN_PITCH * pitch:
        return ()
    return (f"SpacingBetweenSlices says {between:g} mm, the positions {pitch:.2f} mm: positions used",)


def _from_head(block: Block) -> tuple[bool, float]:
    """Blocks without a place last."""
    return (False, -block.slices[0].position[2]) if block.has_position else (True, 0.0)
