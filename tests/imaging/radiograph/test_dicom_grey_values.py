"""Grey values of radiographs in DICOM: polarity, lookup tables, windows, bit depth and colour."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from spinedet.core.errors import InputError
from spinedet.imaging.dicom.lookup_tables import voi_values
from spinedet.imaging.radiograph.read import read_radiograph
from spinedet.imaging.suitability import Suitability

from .conftest import found, likeness, likeness_of
from .films import Film, as_integers, dicom, lookup_table

REJECTED, DOUBTFUL = Suitability.REJECTED, Suitability.DOUBTFUL
TOP = 4095


# --- polarity, applied once ---


@pytest.mark.parametrize(
    ("photometric", "shape"),
    [("MONOCHROME2", None), ("MONOCHROME2", "IDENTITY"), ("MONOCHROME1", None), ("MONOCHROME1", "INVERSE")],
)
def test_bone_is_white_whatever_is_stored(path: Path, picture: Film, photometric: str, shape: str | None) -> None:
    stored = as_integers(picture if photometric == "MONOCHROME2" else 1 - picture)
    image = read_radiograph(dicom(path, stored, PhotometricInterpretation=photometric, PresentationLUTShape=shape))
    assert likeness(image, picture) > 0.99
    assert found(image) == {}
    assert (image.pixels.min(), image.pixels.max(), image.pixels.dtype) == (0, 1, np.float32)
    assert sum("polarity" in step for step in image.steps) == 1


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")])
def test_contradicting_tags_are_settled_by_the_pixels(
    path: Path, picture: Film, photometric: str, shape: str, inverted: bool
) -> None:
    stored = as_integers(1 - picture if inverted else picture)
    image = read_radiograph(dicom(path, stored, PhotometricInterpretation=photometric, PresentationLUTShape=shape))
    assert likeness(image, picture) > 0.99
    assert any("by the pixels" in step for step in image.steps)


def test_contradicting_tags_of_a_film_without_evidence_are_doubtful(path: Path) -> None:
    flat = np.random.default_rng(0).uniform(0.2, 0.8, (300, 300)).astype(np.float32)
    image = read_radiograph(
        dicom(path, as_integers(flat), PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")
    )
    assert likeness(image, flat) < -0.99  # PhotometricInterpretation is followed
    assert found(image) == {"polarity": DOUBTFUL}


def test_consistent_tags_are_followed_against_the_pixels_and_doubted(path: Path, picture: Film) -> None:
    image = read_radiograph(dicom(path, as_integers(1 - picture)))
    assert likeness(image, picture) < -0.99
    assert found(image) == {"polarity": DOUBTFUL}


# --- tables and windows, in their order ---


def test_a_voi_table_goes_before_a_window(path: Path, picture: Film) -> None:
    inverse = lookup_table([TOP - entry for entry in range(4096)], 0, 12)
    image = read_radiograph(
        dicom(path, as_integers(1 - picture), VOILUTSequence=[inverse], WindowCenter=10, WindowWidth=2)
    )
    assert likeness(image, picture) > 0.99
    assert [step for step in image.steps if "VOI lookup table" in step]


def test_a_table_of_4096_entries_of_8_bits_does_not_wrap_round(path: Path, picture: Film) -> None:
    table = lookup_table([entry // 16 for entry in range(4096)], 0, 8)
    assert likeness(read_radiograph(dicom(path, as_integers(picture), VOILUTSequence=[table])), picture) > 0.99


def test_a_modality_table_goes_before_the_window(path: Path, picture: Film) -> None:
    # Stored 0 to 63, which the table spreads to 0 to 4032, where the window lies.
    table = lookup_table([64 * entry for entry in range(64)], 0, 16)
    stored = as_integers(picture, 6)
    image = read_radiograph(dicom(path, stored, ModalityLUTSequence=[table], WindowCenter=2016, WindowWidth=4032))
    assert likeness(image, picture) > 0.99
    assert [step.partition(":")[0] for step in image.steps[1:3]] == ["modality lookup table", "LINEAR window"]


def test_a_negative_slope_inverts(path: Path, picture: Film) -> None:
    image = read_radiograph(dicom(path, as_integers(1 - picture), RescaleSlope=-1, RescaleIntercept=TOP))
    assert likeness(image, picture) > 0.99


def test_values_outside_a_table_take_its_ends(path: Path, picture: Film) -> None:
    table = lookup_table([0, 2000, 4000], 1000, 12)
    image = read_radiograph(dicom(path, as_integers(picture), VOILUTSequence=[table]))
    assert set(np.unique(image.pixels)) <= {0.0, 0.5, 1.0}


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_first_of_several_windows(path: Path, picture: Film, function: str | None) -> None:
    windows: dict[str, Any] = {"WindowCenter": [2048, 1], "WindowWidth": [4096, 1], "VOILUTFunction": function}
    image = read_radiograph(dicom(path, as_integers(picture), **windows))
    assert likeness(image, picture) > 0.98
    assert [step for step in image.steps if "first of 2" in step]


@pytest.mark.parametrize(
    ("function", "center", "width", "value"),
    [
        # PS3.3 C.11.2.1.2: y = (x - (c - 0.5)) / (w - 1) + 0.5
        ("LINEAR", 2048, 4096, (1000 - 2047.5) / 4095 + 0.5),
        ("LINEAR_EXACT", 2048, 4096, (1000 - 2048) / 4096 + 0.5),
        ("SIGMOID", 2048, 4096, 1 / (1 + np.exp(-4 * (1000 - 2048) / 4096))),
    ],
)
def test_the_formulas_of_windows(function: str, center: float, width: float, value: float) -> None:
    header = Dataset()
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = center, width, function
    windowed, _ = voi_values(np.full((1, 1), 1000, dtype=np.float32), header, "x")
    assert windowed[0, 0] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("width", "function"), [(0, "LINEAR"), (-5, "SIGMOID"), (100, "CUBIC")])
def test_a_window_that_cannot_be_used_is_doubtful(path: Path, picture: Film, width: float, function: str) -> None:
    image = read_radiograph(
        dicom(path, as_integers(picture), WindowCenter=2000, WindowWidth=width, VOILUTFunction=function)
    )
    assert likeness(image, picture) > 0.99
    assert found(image) == {"tables": DOUBTFUL}


@pytest.mark.parametrize(("center", "width"), [(40, 400), (-9000, 100), (2048, 1e30)])
def test_a_window_that_shows_nothing_is_not_used(path: Path, picture: Film, center: float, width: float) -> None:
    stored = as_integers(0.2 + 0.8 * picture)  # from 819 on
    image = read_radiograph(dicom(path, stored, WindowCenter=f"{center}", WindowWidth=f"{width}"))
    assert likeness(image, picture) > 0.99
    assert found(image) == {"tables": DOUBTFUL}


def test_a_table_that_is_too_short_is_refused(path: Path, picture: Film) -> None:
    table = lookup_table([1, 2, 3], 0, 12)
    table.LUTDescriptor = [4096, 0, 12]
    with pytest.raises(InputError, match=r"film\.dcm: a lookup table cannot be used \(3 entries where 4096"):
        read_radiograph(dicom(path, as_integers(picture), VOILUTSequence=[table]))


# --- intent, bits, padding, compression, colour ---


@pytest.mark.parametrize("sign", [1, -1])
def test_raw_detector_values_are_made_logarithmic_and_doubted(path: Path, picture: Film, sign: int) -> None:
    exposure = np.exp(-3 * picture)  # less behind bone
    raw = as_integers(exposure if sign == 1 else 1 - exposure, 14)
    tags = {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationship": "LIN"}
    # The photometric interpretation of raw files is not to be relied on.
    image = read_radiograph(
        dicom(path, raw, bits=14, PixelIntensityRelationshipSign=sign, PhotometricInterpretation="MONOCHROME2", **tags)
    )
    assert likeness(image, picture) > (0.99 if sign == 1 else 0.8)
    assert found(image)["intent"] is DOUBTFUL
    assert "logarithm of raw values" in image.steps


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_any_depth_gives_the_same_picture(path: Path, picture: Film, bits: int) -> None:
    stored = as_integers(picture, bits).astype(np.uint8 if bits == 8 else np.uint16)
    image = read_radiograph(dicom(path, stored, bits=bits))
    other = read_radiograph(dicom(path.with_name("12.dcm"), as_integers(picture)))
    assert np.abs(image.pixels - other.pixels).max() < 0.01


def test_signed_pixels(path: Path, picture: Film) -> None:
    stored = as_integers(picture).astype(np.int16) - 2048
    assert likeness(read_radiograph(dicom(path, stored)), picture) > 0.99


def test_padding_is_black_and_never_counted(path: Path, picture: Film) -> None:
    stored = as_integers(picture * 0.2, 12)
    stored[:, :60] = TOP  # as bright as nothing else
    image = read_radiograph(dicom(path, stored, PixelPaddingValue=TOP))
    assert image.pixels[:, :60].max() == 0
    assert likeness_of(image.pixels[:, 60:], picture[:, 60:]) > 0.99


def test_padding_is_no_clipping(path: Path, picture: Film) -> None:
    stored = np.full((600, 600), TOP, dtype=np.uint16)
    stored[140:460, 156:444] = as_integers(0.1 + 0.7 * picture)
    assert found(read_radiograph(dicom(path, stored, PixelPaddingValue=TOP))) == {}
    stored[stored == TOP] = 0
    assert found(read_radiograph(dicom(path, stored, PixelPaddingValue=0))) == {}


@pytest.mark.parametrize(("bits", "share", "how"), [(12, 0.05, DOUBTFUL), (8, 1.0, REJECTED)])
def test_pixels_of_more_bits_than_announced(
    path: Path, picture: Film, bits: int, share: float, how: Suitability
) -> None:
    stored = as_integers(picture, 12)
    stored[: round(share * len(stored))] |= 1 << bits  # a graphic in the unused bits, or 12 bits where 8 are announced
    image = read_radiograph(dicom(path, stored, bits=bits))
    assert found(image)["bits"] is how
    assert any(f"more bits than BitsStored says ({bits})" in check.reason for check in image.checks)


def test_the_sign_of_pixels_is_no_bit_too_many(path: Path, picture: Film) -> None:
    signed = as_integers(picture).astype(np.int16) - 2048
    assert found(read_radiograph(dicom(path, signed))) == {}
    assert found(read_radiograph(dicom(path, signed & 0xFFF, PixelRepresentation=1))) == {}


def test_compressed_pixels(path: Path, picture: Film) -> None:
    plain = dcmread(dicom(path, as_integers(picture)))
    plain.compress(RLELossless)
    plain.save_as(path)
    assert likeness(read_radiograph(path), picture) > 0.99


def test_a_file_without_preamble(path: Path, picture: Film) -> None:
    made = dcmread(dicom(path, as_integers(picture)))
    bare = Dataset()
    bare.update({element.tag: element for element in made})
    bare.save_as(path, implicit_vr=True, little_endian=True)
    moved = path.rename(path.with_suffix(".bin"))
    assert likeness(read_radiograph(moved), picture) > 0.99


def test_a_screenshot_in_colour(path: Path, picture: Film) -> None:
    grey = np.repeat(as_integers(picture, 8).astype(np.uint8)[..., None], 3, axis=2)
    image = read_radiograph(dicom(path, grey, bits=8, Modality="SC"))
    assert likeness(image, picture) > 0.99
    assert found(image) == {"modality": DOUBTFUL}


def test_colour_of_more_than_8_bits(path: Path, picture: Film) -> None:
    grey = np.repeat(as_integers(picture)[..., None], 3, axis=2)
    image = read_radiograph(dicom(path, grey, bits=12))
    assert likeness(image, picture) > 0.99
    assert found(image) == {}


@pytest.mark.parametrize("compressed", [False, True])
def test_luminance_and_chrominance(path: Path, picture: Film, compressed: bool) -> None:
    luminance = as_integers(picture, 8).astype(np.uint8)
    ybr = np.stack([luminance, np.full_like(luminance, 128), np.full_like(luminance, 128)], axis=2)
    dicom(path, ybr, bits=8, PhotometricInterpretation="YBR_FULL")
    if compressed:
        made, stream = dcmread(path), BytesIO()
        Image.fromarray(np.repeat(luminance[..., None], 3, axis=2)).save(stream, "JPEG")
        made.PixelData = encapsulate([stream.getvalue()])
        made["PixelData"].is_undefined_length = True
        made.PhotometricInterpretation = "YBR_FULL_422"
        made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        made.save_as(path)
    image = read_radiograph(path)
    assert likeness(image, picture) > 0.99
    assert found(image) == {}


def test_a_palette(path: Path, picture: Film) -> None:
    ramp = np.arange(256, dtype=np.uint16) * 257
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{colour}PaletteColorLookupTableData"] = ramp.tobytes()
    image = read_radiograph(dicom(path, as_integers(picture, 8).astype(np.uint8), bits=8, **tags))
    assert likeness(image, picture) > 0.99
