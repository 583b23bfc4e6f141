"""Stored values of a radiograph to grey values: modality table or rescale, then VOI table or window."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from spinedet.core.errors import InputError

Values = NDArray[np.float32]
_LINEAR, _EXACT, _SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"


def modality_values(stored: NDArray[Any], header: Dataset, where: str) -> tuple[Values, str]:
    """Values after the modality lookup table, or else the rescale, and what was done (DICOM PS3.3 C.11.1).

    Raises:
        InputError: a table that cannot be used.
    """
    if tables := header.get("ModalityLUTSequence"):
        return _through_table(stored, tables[0], header, where), "modality lookup table"
    # A slope of 0, which some writers leave for none, counts as 1.
    slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    values = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return values, "" if (slope, intercept) == (1, 0) else f"rescale: slope {slope:g}, intercept {intercept:g}"


def voi_values(values: Values, header: Dataset, where: str) -> tuple[Values, str]:
    """Values after the VOI lookup table, or else the first window, and what was done (DICOM PS3.3 C.11.2).

    A table goes before a window, and of several windows the first is meant. A window gives values in [0, 1].

    Raises:
        InputError: a table that cannot be used.
    """
    if tables := header.get("VOILUTSequence"):
        more = f", first of {len(tables)}" if len(tables) > 1 else ""
        return _through_table(np.rint(values), tables[0], header, where), f"VOI lookup table{more}"
    centers, widths = _numbers(header, "WindowCenter"), _numbers(header, "WindowWidth")
    if not centers or not widths:
        return values, ""
    function = str(header.get("VOILUTFunction") or _LINEAR).strip().upper()
    center, width = centers[0], widths[0]
    more = f", first of {len(centers)}" if len(centers) > 1 else ""
    name = f"{function} window: centre {center:g}, width {width:g}{more}"
    if function not in (_LINEAR, _EXACT, _SIGMOID) or width < (1 if function == _LINEAR else 0) or width == 0:
        return values, f"not used: {name}"
    windowed = _windowed(values, center, width, function)
    # Such as a window for other values than those that were exported.
    shows_nothing = windowed.size > 1 and float(windowed.min()) == float(windowed.max())
    return (values, f"not used: {name}") if shows_nothing else (windowed, name)


def _windowed(values: Values, center: float, width: float, function: str) -> Values:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, with an output from 0 to 1."""
    if function == _SIGMOID:
        exponent = np.clip(-4 * (values - center) / width, -80, 80)
        return (1 / (1 + np.exp(exponent))).astype(np.float32)
    if function == _EXACT:
        scaled = (values - center) / width + 0.5
    elif width == 1:
        scaled = (values > center - 0.5).astype(np.float32)
    else:
        scaled = (values - (center - 0.5)) / (width - 1) + 0.5
    return np.clip(scaled, 0, 1).astype(np.float32)


def _through_table(values: NDArray[Any], item: Dataset, header: Dataset, where: str) -> Values:
    """Values below the table's first get its first entry, those above its last the last one.

    pydicom's `apply_voi` counts in the type of the entries: a table of 4,096 entries of 8 bits wraps round at 256.
    """
    try:
        entries, first, _ = (int(number) for number in item.LUTDescriptor)
        table = _entries(item, entries or 1 << 16)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{where}: a lookup table cannot be used ({error}); export the image again") from None
    # The second number is as signed as the pixels; writers give it as unsigned.
    if header.get("PixelRepresentation") and first >= 1 << 15:
        first -= 1 << 16
    return table[np.clip(values.astype(np.int64) - first, 0, len(table) - 1)]


def _entries(item: Dataset, count: int) -> Values:
    data = item.LUTData
    if isinstance(data, bytes):
        # Two bytes for each entry, or one where the data are too short for that.
        wide = len(data) >= 2 * count
        table = np.frombuffer(data, dtype="<u2" if wide else "u1")
    else:
        table = np.atleast_1d(np.asarray(data, dtype=np.int64))
    if len(table) < count:
        raise ValueError(f"{len(table)} entries where {count} are announced")
    return table[:count].astype(np.float32)


def _numbers(header: Dataset, keyword: str) -> list[float]:
    """The finite numbers of a tag of one or many values; none when any is no number."""
    value = header.get(keyword)
    if value is None:
        return []
    try:
        numbers = [float(one) for one in (value if hasattr(value, "__iter__") else [value])]
    except (TypeError, ValueError):
        return []
    return numbers if np.isfinite(numbers).all() else []
