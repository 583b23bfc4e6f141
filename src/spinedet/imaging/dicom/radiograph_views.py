"""The view of a radiograph as DICOM tags write it: one table of words, codes and directions for each view."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset

from spinedet.core.radiograph.views import AP, LATERAL, ViewSpec
from spinedet.imaging.radiograph.records import DeclaredView, Orientation

# Along which patient axis each letter of PatientOrientation points, RAS.
_AXES = {"R": 0, "L": 0, "A": 1, "P": 1, "H": 2, "F": 2}


@dataclass(frozen=True)
class _Words:
    """How tags name a view.

    Attributes:
        positions: values of ViewPosition. codes: of ViewCodeSequence, SNOMED CT and RT (CID 4010).
        pattern: in free text.
    """

    spec: ViewSpec
    positions: frozenset[str]
    codes: frozenset[str]
    pattern: re.Pattern[str]


_TABLE = (
    _Words(
        AP,
        frozenset({"AP", "PA", "FRONTAL", "A-P", "P-A"}),
        frozenset({"399348003", "272479007", "399033003", "R-10206", "R-10214", "R-40888", "R-10202"}),
        re.compile(r"(?<![a-z])(a\W?p|p\W?a|frontal|ant\w*\W*post\w*|post\w*\W*ant\w*)(?![a-z])", re.IGNORECASE),
    ),
    _Words(
        LATERAL,
        frozenset({"LL", "RL", "LAT", "LATERAL", "LLD", "RLD", "LLAT", "RLAT"}),
        frozenset({"399067008", "399173006", "399198007", "R-102CD", "R-10236", "R-10232"}),
        re.compile(r"(?<![a-z])(lat|lateral|seit|profil)(?![a-z])", re.IGNORECASE),
    ),
)
# Oblique projections and the like, which are neither: their codes say so, and positions such as RAO.
_OBLIQUE = re.compile(r"obl|^[LR][AP]O$|axial|tangent", re.IGNORECASE)


def declared_view(header: Dataset, orientation: Orientation) -> DeclaredView:
    """By ViewPosition, else ViewCodeSequence, else PatientOrientation, else (0018,1400), where Fuji writes it."""
    position = str(header.get("ViewPosition") or "").strip()
    if position:
        named = _one_of(position.upper(), position)
        return DeclaredView(named, "ViewPosition", None if named else _foreign(position))
    for item in header.get("ViewCodeSequence") or []:
        meaning, code = str(item.get("CodeMeaning") or ""), str(item.get("CodeValue") or "").strip()
        by_code = next((words.spec.name for words in _TABLE if code in words.codes), None)
        named = by_code or (None if _OBLIQUE.search(meaning) else _in_text(meaning))
        return DeclaredView(named, "ViewCodeSequence", None if named else _foreign(meaning))
    if by_directions := _by_directions(orientation):
        return DeclaredView(by_directions, "PatientOrientation")
    if by_text := _in_text(str(header.get("AcquisitionDeviceProcessingDescription") or "")):
        return DeclaredView(by_text, "AcquisitionDeviceProcessingDescription")
    return DeclaredView()


def _foreign(text: str) -> str:
    """What another view is called, without anything that a free text may hold."""
    return "oblique" if _OBLIQUE.search(text) else "none of the views that are read"


def _one_of(position: str, text: str) -> str | None:
    exact = next((words.spec.name for words in _TABLE if position in words.positions), None)
    return exact or (None if _OBLIQUE.search(text) else _in_text(text))


def _in_text(text: str) -> str | None:
    """The one view that a text names; None for none or several."""
    found = [words.spec.name for words in _TABLE if words.pattern.search(text.replace("_", " "))]
    return found[0] if len(found) == 1 else None


def declared_orientation(header: Dataset) -> Orientation:
    """PatientOrientation by its first letters; empty where it is absent or no pair of directions."""
    value = header.get("PatientOrientation") or ()
    letters = [str(part)[:1].upper() for part in ([value] if isinstance(value, str) else value)]
    if len(letters) != 2 or any(letter not in _AXES for letter in letters):
        return Orientation()
    return Orientation(*letters) if _AXES[letters[0]] != _AXES[letters[1]] else Orientation()


def _by_directions(orientation: Orientation) -> str | None:
    """The view whose columns and rows run along these axes, in whichever direction."""
    if not orientation.columns:
        return None
    axes = (_AXES[orientation.columns], _AXES[orientation.rows])
    for words in _TABLE:
        spec = words.spec
        if axes == tuple(next(axis for axis in range(3) if way[axis]) for way in (spec.columns, spec.rows)):
            return spec.name
    return None


def flips(orientation: Orientation, view: str | None) -> tuple[bool, bool]:
    """Whether columns and whether rows run against the view's usual display; no for what is not declared.

    Columns of a view that is as usual mirrored are left as they are.
    """
    spec = next((words.spec for words in _TABLE if words.spec.name == view), None)
    if spec is None or not orientation.columns or _by_directions(orientation) != spec.name:
        return False, False
    along = [_direction(letter) for letter in (orientation.columns, orientation.rows)]
    return along[0] != spec.columns and not spec.mirror, along[1] != spec.rows


def _direction(letter: str) -> tuple[int, int, int]:
    """RAS direction of a letter."""
    sign = 1 if letter in "RAH" else -1
    axis = _AXES[letter]
    return (sign * (axis == 0), sign * (axis == 1), sign * (axis == 2))
