"""What is kept of a DICOM file: where its pixels lie, how they were acquired, and nothing of the patient."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from spinedet.core.geometry import Array

GREY = "MONOCHROME2"
# Of a direction or of the normal of two; less is no direction.
_LEAST_LENGTH = 0.5


@dataclass(frozen=True)
class Pseudonyms:
    """Identifiers as salted hashes: the same under one salt, not to be linked under two.

    Attributes:
        salt: a secret of the site; new and forgotten at the end of the process when none is given.
    """

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @classmethod
    def of_salt(cls, salt: str | None) -> Pseudonyms:
        """From a secret text; null for a new salt."""
        return cls(hashlib.sha256(salt.encode()).digest()) if salt else cls()

    def of(self, identifier: str) -> str:
        """Twelve hexadecimal digits that stand for the identifier (BLAKE2b, keyed)."""
        return hashlib.blake2b(identifier.encode(), key=self.salt, digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class PixelMatrix:
    """The pixel matrix of an image and its directions, LPS; what is not in the file is empty.

    Attributes:
        shape: rows, columns. spacing: between rows, between columns, mm.
        orientation: direction cosines along increasing column, then along increasing row.
    """

    shape: tuple[int, int]
    spacing: tuple[float, ...]
    orientation: tuple[float, ...]
    samples: int
    photometric: str

    @property
    def directions(self) -> Array:
        """Unit rows (3, 3), LPS: along increasing column, along increasing row, and their normal."""
        return _directions(self.orientation)

    @property
    def has_geometry(self) -> bool:
        """Whether the file gives the spacing and orientation of its pixels."""
        return (
            (len(self.spacing), len(self.orientation)) == (2, 6)
            and min(self.spacing) > 0
            and bool(np.isfinite(self.directions).all())
        )


@lru_cache(maxsize=4096)
def _directions(orientation: tuple[float, ...]) -> Array:
    """As `PixelMatrix.directions`; NaN when the two directions are one."""
    along_columns, along_rows = np.reshape(orientation, (2, 3)).astype(np.float64)
    normal = np.cross(along_columns, along_rows)
    rows = np.stack([along_columns, np.cross(normal, along_columns), normal])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > _LEAST_LENGTH, lengths, np.nan)


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How an image was made; times in ms, None where not in the file.

    Attributes:
        kinds: the values of ImageType. sequence: of ScanningSequence. options: of ScanOptions.
        contrast: AcquisitionContrast of enhanced files.
        words: the series description, in the words of `headers.VOCABULARY` and no others.
        thickness, between: SliceThickness and SpacingBetweenSlices, mm; for notes, never for geometry.
    """

    modality: str = ""
    secondary_capture: bool = False
    kinds: frozenset[str] = frozenset()
    sequence: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    contrast: str = ""
    echo_time: float | None = None
    repetition_time: float | None = None
    inversion_time: float | None = None
    b_value: float | None = None
    field_strength: float | None = None
    thickness: float | None = None
    between: float | None = None
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Slice:
    """One image: a file, or one frame of a multi-frame file.

    Attributes:
        file: where it is. frame: its number in the file, from 0.
        position: centre of the first pixel, LPS mm; empty when not in the file.
    """

    file: str
    frame: int
    matrix: PixelMatrix
    acquisition: Acquisition
    position: tuple[float, ...]

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)

    @property
    def has_position(self) -> bool:
        """Whether the file gives the position of its pixels."""
        return self.matrix.has_geometry and len(self.position) == 3
