"""One radiograph of a DICOM file (CR, DX, RG), its tables and windows applied, its tags read, without the patient."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import ImplicitVRLittleEndian

from spinedet.core.errors import InputError
from spinedet.imaging.dicom.headers import DAMAGE, read_with_pixels
from spinedet.imaging.dicom.lookup_tables import modality_values, voi_values
from spinedet.imaging.dicom.pixels import padding_mask
from spinedet.imaging.dicom.radiograph_views import declared_orientation, declared_view
from spinedet.imaging.radiograph.raster import grey_of_colour
from spinedet.imaging.radiograph.records import (
    DeclaredView,
    ExposedField,
    Mask,
    Pixels,
    Point,
    Polarity,
    Spacing,
    SpacingSource,
    StoredRadiograph,
)
from spinedet.imaging.size_limits import check_pixels
from spinedet.imaging.suitability import InputCheck, Suitability

# Nothing that names somebody is among them.
_TAGS = [
    *("SOPClassUID", "Modality", "BodyPartExamined", "ViewPosition", "ViewCodeSequence", "PatientOrientation"),
    *("AcquisitionDeviceProcessingDescription", "PresentationIntentType", "PixelIntensityRelationship"),
    *("PixelIntensityRelationshipSign", "PresentationLUTShape", "BurnedInAnnotation", "NumberOfFrames"),
    *("Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "VOILUTFunction"),
    *("WindowCenter", "WindowWidth", "PixelSpacing", "PixelSpacingCalibrationType", "ImagerPixelSpacing"),
    *("NominalScannedPixelSpacing", "CollimatorShape", "CollimatorLeftVerticalEdge", "CollimatorRightVerticalEdge"),
    *("CollimatorUpperHorizontalEdge", "CollimatorLowerHorizontalEdge", "CenterOfCircularCollimator"),
    *("RadiusOfCircularCollimator", "VerticesOfThePolygonalCollimator", "ShutterShape", "ShutterLeftVerticalEdge"),
    *("ShutterRightVerticalEdge", "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge"),
    *("CenterOfCircularShutter", "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter"),
    *("RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor"),
    *("BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData"),
    *("BluePaletteColorLookupTableData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData"),
]
_RADIOGRAPHS, _LIKELY = frozenset({"CR", "DX", "RG"}), frozenset({"RF", "XA", "SC", "OT"})
_SPINE = ("SPINE", "SACRUM", "COCCYX", "SSPINE", "TSPINE", "LSPINE", "CSPINE", "LUMBAR", "THORACIC", "CERVICAL")
_AROUND = ("CHEST", "ABDOMEN", "PELVIS", "TRUNK", "TORSO", "WHOLEBODY", "BODY", "NECK")
_GREY = {"MONOCHROME1": False, "MONOCHROME2": True}  # whether the highest value is white
_CALIBRATED = frozenset({"GEOMETRY", "FIDUCIAL"})
_CORNERS_OF_A_CIRCLE = 48
# From this share of pixels with more bits than announced, the grey values are lost.
_MANY_ABOVE = 0.1


def read_dicom_radiograph(path: Path) -> StoredRadiograph:
    """A radiograph with its tags' declarations; values after modality and VOI tables, before polarity.

    Raises:
        InputError: no image, several frames, damaged, too large, or a table that cannot be used.
    """
    header = _parse(path)
    try:
        return _read(path, header)
    except InputError:
        raise
    except (*DAMAGE, RuntimeError) as error:  # tags are parsed when they are asked for
        raise _damaged(path, error) from None


def _read(path: Path, header: Dataset) -> StoredRadiograph:
    stored = _stored_values(path, header)
    photometric = str(header.get("PhotometricInterpretation", "")).strip().upper()
    form = f"DICOM {_modality(header) or 'without modality'}, {stored.shape[1]} x {stored.shape[0]}, {photometric}"
    doubts = (*_doubts(header), *_bits(header))
    if stored.ndim == 3:
        grey, coloured = grey_of_colour(_in_8_bits(stored, header))
        return _described(header, grey.astype(np.float32), grey, (*doubts, *coloured), (form, "colour to luminance"))
    padded = padding_mask(header, stored) if header.get("PixelPaddingValue") is not None else None
    values, by_modality = modality_values(stored, header, str(path))
    processing, done = _for_display(values, header)
    values, by_voi = (processing, done) if done else voi_values(values, header, str(path))
    if by_voi.startswith("not used"):
        doubts = (*doubts, InputCheck("tables", Suitability.DOUBTFUL, f"{by_voi[10:]} cannot be used"))
    steps = tuple(filter(None, (form, by_modality, by_voi)))
    return _described(header, values, stored, doubts, steps, padded)


def read_declared_view(path: Path) -> DeclaredView:
    """The view that the tags of a file declare; its pixels are not decoded.

    Raises:
        InputError: as `read_dicom_radiograph`, as far as the header shows it.
    """
    header = _parse(path)
    try:
        return declared_view(header, declared_orientation(header))
    except (*DAMAGE, RuntimeError) as error:
        raise _damaged(path, error) from None


def _parse(path: Path) -> Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = read_with_pixels(path, _TAGS)
        _refuse_other_content(path, header)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read; check its permissions") from None
    except DAMAGE as error:
        raise _damaged(path, error) from None
    return header


def _refuse_other_content(path: Path, header: Dataset) -> None:
    """Refuse what is no single image of a size that fits into memory."""
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        raise InputError(f"{path} holds {frames} frames; a radiograph has one, export it as a single image")
    if not header.get("PixelData") or not header.get("Rows") or not header.get("Columns"):
        raise InputError(f"{path} holds no image (a report or presentation state, or cut short); give the radiograph")
    check_pixels(int(header.Columns), int(header.Rows), str(path))


def _damaged(path: Path, error: BaseException) -> InputError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return InputError(f"{path}: no pixels can be read ({reason}); export it again, uncompressed")


def _stored_values(path: Path, header: Dataset) -> NDArray[Any]:
    """(row, column), or (row, column, 3) in RGB, into which pydicom turns YBR."""
    try:
        header.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values: NDArray[Any] = header.pixel_array
            photometric = str(header.get("PhotometricInterpretation", "")).strip().upper()
            if photometric == "PALETTE COLOR":
                return np.asarray(apply_color_lut(values, header))
    except (*DAMAGE, RuntimeError) as error:
        raise _damaged(path, error) from None
    if values.shape[:2] != (header.Rows, header.Columns) or values.ndim > 3:
        raise _damaged(path, ValueError(f"pixels of shape {values.shape}"))
    return values


def _in_8_bits(channels: NDArray[Any], header: Dataset) -> NDArray[np.uint8]:
    """(row, column, 3) of any depth by its highest 8 bits; a palette uses all of its type's."""
    palette = "RedPaletteColorLookupTableData" in header
    bits = 8 * channels.dtype.itemsize if palette else int(header.BitsStored)
    return (channels >> max(0, bits - 8)).astype(np.uint8)


def _bits(header: Dataset) -> Iterator[InputCheck]:
    """Whether uncompressed pixels hold more bits than BitsStored says: pydicom cuts these off, and grey values wrap.

    A few may be a graphic that old writers put into the unused bits.
    """
    allocated, stored = int(header.BitsAllocated), int(header.BitsStored)
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_compressed or allocated not in (16, 32) or stored >= allocated:
        return
    order = "<" if syntax.is_little_endian else ">"
    above = np.frombuffer(header.PixelData, f"{order}u{allocated // 8}", int(header.Rows * header.Columns)) >> stored
    used = above != 0
    if header.get("PixelRepresentation"):
        used &= above != (1 << (allocated - stored)) - 1  # the sign of a negative value
    share = float(used.mean())
    if share:
        how = Suitability.REJECTED if share >= _MANY_ABOVE else Suitability.DOUBTFUL
        reason = f"{share:.1%} of the pixels hold more bits than BitsStored says ({stored}); export the image again"
        yield InputCheck("bits", how, reason)


def _modality(header: Dataset) -> str:
    text = str(header.get("Modality") or "").strip().upper()
    return text if len(text) <= 4 and text.isalpha() else ""


def _doubts(header: Dataset) -> Iterator[InputCheck]:
    """What the tags say against this being a radiograph of a spine."""
    modality = _modality(header)
    if modality not in _RADIOGRAPHS:
        likely = modality in _LIKELY or not modality
        reason = f"modality {modality or 'not given'}, where radiographs are CR, DX or RG"
        yield InputCheck("modality", Suitability.DOUBTFUL if likely else Suitability.REJECTED, reason)
    part = "".join(filter(str.isalpha, str(header.get("BodyPartExamined") or "").upper()))
    if part and not any(word in part for word in _SPINE):
        around = any(word in part for word in _AROUND)
        reason = (
            "the tags name a part of the body around the spine" if around else "the tags name another part of the body"
        )
        yield InputCheck("body part", Suitability.DOUBTFUL if around else Suitability.REJECTED, reason)
    if str(header.get("PresentationIntentType") or "").strip().upper() == "FOR PROCESSING":
        reason = "raw detector values (FOR PROCESSING), not processed as the maker displays them"
        yield InputCheck("intent", Suitability.DOUBTFUL, reason)
    if str(header.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        yield InputCheck("annotation", Suitability.DOUBTFUL, "text is burned into the pixels, maybe a name")


def _for_display(values: Pixels, header: Dataset) -> tuple[Pixels, str]:
    """Raw detector values as the logarithm of the exposure; as they are, and "", where the file is for presentation."""
    if str(header.get("PresentationIntentType") or "").strip().upper() != "FOR PROCESSING":
        return values, ""
    if str(header.get("PixelIntensityRelationship") or "").strip().upper() != "LIN":
        return values, "raw values, logarithmic as stored"
    return np.log(np.maximum(values, np.float32(1))), "logarithm of raw values"


def _described(
    header: Dataset,
    grey: Pixels,
    stored: NDArray[Any],
    doubts: tuple[InputCheck, ...],
    steps: tuple[str, ...],
    padded: Mask | None = None,
) -> StoredRadiograph:
    bits = int(header.get("BitsStored") or 8)
    signed = bool(header.get("PixelRepresentation"))
    lowest, highest = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    orientation = declared_orientation(header)
    return StoredRadiograph(
        grey=np.ascontiguousarray(grey, dtype=np.float32),
        polarity=declared_polarity(header),
        view=declared_view(header, orientation),
        orientation=orientation,
        spacing=declared_spacing(header),
        fields=tuple(_fields(header)),
        padded=padded,
        levels=len(np.unique(stored if padded is None else stored[~padded])),
        lowest=stored == lowest,
        highest=stored == highest,
        doubts=doubts,
        steps=steps,
    )


def declared_polarity(header: Dataset) -> Polarity:
    """Of the values after the VOI stage: MONOCHROME1 goes with INVERSE, MONOCHROME2 with IDENTITY.

    Raw detector values rise with the exposure, or fall with it, as PixelIntensityRelationshipSign says: bone is dark
    where they rise.
    """
    photometric = str(header.get("PhotometricInterpretation", "")).strip().upper()
    sign = header.get("PixelIntensityRelationshipSign")
    raw = str(header.get("PresentationIntentType") or "").strip().upper() == "FOR PROCESSING"
    if raw and sign in (1, -1):
        return Polarity(sign == -1, "PixelIntensityRelationshipSign")
    if photometric not in _GREY:
        return Polarity()
    white = _GREY[photometric]
    shape = str(header.get("PresentationLUTShape") or "").strip().upper()
    by_shape = {"IDENTITY": True, "INVERSE": False}.get(shape)
    return Polarity(white, "PhotometricInterpretation", by_shape is not None and by_shape != white)


def declared_spacing(header: Dataset) -> Spacing | None:
    """PixelSpacing when it is calibrated, else ImagerPixelSpacing, else what is there; None without any."""
    given, at_detector = _pair(header, "PixelSpacing"), _pair(header, "ImagerPixelSpacing")
    kind = str(header.get("PixelSpacingCalibrationType") or "").strip().upper()
    if given and (kind in _CALIBRATED or (at_detector and not np.allclose(given, at_detector, rtol=1e-3))):
        return Spacing(*given, SpacingSource.CALIBRATED)
    if at_detector := at_detector or _pair(header, "NominalScannedPixelSpacing"):
        return Spacing(*at_detector, SpacingSource.DETECTOR)
    return Spacing(*given, SpacingSource.UNSTATED) if given else None


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    value = header.get(keyword)
    try:
        rows, columns = (float(part) for part in value or ())
    except (TypeError, ValueError):
        return None
    usable = math.isfinite(rows) and math.isfinite(columns) and rows > 0 and columns > 0
    return (rows, columns) if usable else None


def _fields(header: Dataset) -> Iterator[ExposedField]:
    """By the collimator, and by the shutter; a shape that covers nothing of the image is not used."""
    for name in ("Collimator", "Shutter"):
        shapes = header.get(f"{name}Shape") or ()
        for shape in [shapes] if isinstance(shapes, str) else shapes:
            corners = _corners(header, name, str(shape).strip().upper())
            x, y = (sorted(values) for values in zip(*corners, strict=True)) if len(corners) > 2 else ([0.0], [0.0])
            inside = x[0] < header.Columns and y[0] < header.Rows
            if x[-1] - x[0] >= 2 and y[-1] - y[0] >= 2 and inside:
                yield ExposedField(tuple(corners), f"{name.lower()} tags")


def _corners(header: Dataset, name: str, shape: str) -> list[Point]:
    """(x, y) of pixel edges; DICOM counts rows and columns from 1, and these are the last ones outside."""
    try:
        if shape == "RECTANGULAR":
            edges = ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
            left, right, top, bottom = (float(header[f"{name}{edge}"].value) for edge in edges)
            left, top = max(left, 0.0), max(top, 0.0)
            right, bottom = min(right - 1, float(header.Columns)), min(bottom - 1, float(header.Rows))
            return [(left, top), (right, top), (right, bottom), (left, bottom)]
        if shape == "CIRCULAR":
            row, column = (float(value) for value in header[f"CenterOfCircular{name}"].value)
            radius = float(header[f"RadiusOfCircular{name}"].value)
            angles = np.linspace(0, 2 * np.pi, _CORNERS_OF_A_CIRCLE, endpoint=False)
            around = zip(np.cos(angles), np.sin(angles), strict=True)
            return [(column - 0.5 + radius * float(x), row - 0.5 + radius * float(y)) for x, y in around]
        if shape == "POLYGONAL":
            numbers = [float(value) for value in header[f"VerticesOfThePolygonal{name}"].value]
            return [(column - 0.5, row - 0.5) for row, column in zip(numbers[::2], numbers[1::2], strict=True)]
    except (KeyError, TypeError, ValueError):
        return []
    return []
