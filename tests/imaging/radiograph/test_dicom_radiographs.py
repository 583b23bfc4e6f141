"""Radiographs in DICOM, a file for each trap: read as it is meant, refused, or doubted with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from spinedet.core.errors import InputError
from spinedet.imaging.dicom.lookup_tables import voi_values
from spinedet.imaging.radiograph.read import Declared, read_radiograph
from spinedet.imaging.radiograph.records import SpacingSource
from spinedet.imaging.suitability import Suitability

from .conftest import found, likeness
from .films import Film, as_integers, dicom, film, in_rim, lookup_table

REJECTED, DOUBTFUL = Suitability.REJECTED, Suitability.DOUBTFUL
TOP = 4095


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "film.dcm"


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


def likeness_of(first: Any, second: Any) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


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


def test_a_palette(path: Path, picture: Film) -> None:
    ramp = np.arange(256, dtype=np.uint16) * 257
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{colour}PaletteColorLookupTableData"] = ramp.tobytes()
    image = read_radiograph(dicom(path, as_integers(picture, 8).astype(np.uint8), bits=8, **tags))
    assert likeness(image, picture) > 0.99


# --- what it is ---


@pytest.mark.parametrize(
    ("tags", "question", "suitability"),
    [
        ({"Modality": "CR"}, None, None),
        ({"Modality": "RG"}, None, None),
        ({"Modality": "RF"}, "modality", DOUBTFUL),
        ({"Modality": "XA"}, "modality", DOUBTFUL),
        ({"Modality": "SC"}, "modality", DOUBTFUL),
        ({"Modality": None}, "modality", DOUBTFUL),
        ({"Modality": "MR"}, "modality", REJECTED),
        ({"Modality": "CT"}, "modality", REJECTED),
        ({"Modality": "MG"}, "modality", REJECTED),
        ({"BodyPartExamined": "HAND"}, "body part", REJECTED),
        ({"BodyPartExamined": "SKULL"}, "body part", REJECTED),
        ({"BodyPartExamined": "CHEST"}, "body part", DOUBTFUL),
        ({"BodyPartExamined": "L-SPINE"}, None, None),
        ({"BodyPartExamined": None}, None, None),
        ({"BurnedInAnnotation": "YES"}, "annotation", DOUBTFUL),
        ({"PresentationIntentType": "FOR PROCESSING"}, "intent", DOUBTFUL),
    ],
)
def test_what_the_tags_say_it_is(
    path: Path, picture: Film, tags: dict[str, Any], question: str | None, suitability: Suitability | None
) -> None:
    image = read_radiograph(dicom(path, as_integers(picture), **tags))
    assert found(image) == ({question: suitability} if question else {})
    assert likeness(image, picture) > 0.99


def test_nothing_read_names_the_patient(path: Path, picture: Film) -> None:
    tags = {"BodyPartExamined": "DOE JANE", "ViewPosition": "DOE", "Modality": "DOE^JANE"}
    image = read_radiograph(dicom(path, as_integers(picture), **tags))
    text = " ".join([*image.steps, *(check.reason for check in image.checks), repr(image.view)])
    assert "DOE" not in text.upper()


# --- what cannot be read ---


def test_several_frames_are_refused(path: Path, picture: Film) -> None:
    both = np.stack([as_integers(picture)] * 2)
    dicom(path, both[0], NumberOfFrames=2)
    with pytest.raises(InputError, match="holds 2 frames; a radiograph has one"):
        read_radiograph(path)


def test_a_report_without_an_image_is_refused(path: Path, picture: Film) -> None:
    made = dcmread(dicom(path, as_integers(picture)))
    del made.PixelData
    made.save_as(path)
    with pytest.raises(InputError, match="holds no image"):
        read_radiograph(path)


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.95])
def test_a_file_cut_short_is_refused(path: Path, picture: Film, keep: float) -> None:
    content = dicom(path, as_integers(picture)).read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(InputError, match=r"film\.dcm"):
        read_radiograph(path)


def test_one_grey_throughout_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="all pixels are of one grey"):
        read_radiograph(dicom(path, np.full((300, 300), 7, np.uint16)))


def test_a_header_of_endless_size_is_refused(path: Path, picture: Film) -> None:
    with pytest.raises(InputError, match="damaged"):
        read_radiograph(dicom(path, as_integers(picture), Rows=65000, Columns=65000))


# --- the view ---


def coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


@pytest.mark.parametrize(
    ("tags", "name", "source"),
    [
        ({"ViewPosition": "AP"}, "ap", "ViewPosition"),
        ({"ViewPosition": "PA"}, "ap", "ViewPosition"),
        ({"ViewPosition": "LL"}, "lateral", "ViewPosition"),
        ({"ViewPosition": "RLD"}, "lateral", "ViewPosition"),
        ({"ViewPosition": "lateral"}, "lateral", "ViewPosition"),
        ({"ViewPosition": "RAO"}, None, "ViewPosition"),
        ({"ViewPosition": None}, None, "nothing"),
        ({"ViewPosition": "LL", "PatientOrientation": ["L", "F"]}, "lateral", "ViewPosition"),
        ({"ViewCodeSequence": [coded("399198007", "right lateral")]}, "lateral", "ViewCodeSequence"),
        ({"ViewCodeSequence": [coded("272479007", "postero-anterior")]}, "ap", "ViewCodeSequence"),
        ({"ViewCodeSequence": [coded("unknown", "antero-posterior")]}, "ap", "ViewCodeSequence"),
        ({"ViewCodeSequence": [coded("399135007", "left anterior oblique")]}, None, "ViewCodeSequence"),
        ({"PatientOrientation": ["L", "F"]}, "ap", "PatientOrientation"),
        ({"PatientOrientation": ["RPH", "FA"]}, "ap", "PatientOrientation"),
        ({"PatientOrientation": ["A", "F"]}, "lateral", "PatientOrientation"),
        ({"PatientOrientation": ["P", "FL"]}, "lateral", "PatientOrientation"),
        ({"PatientOrientation": ["L", "P"]}, None, "nothing"),
        (
            {"AcquisitionDeviceProcessingDescription": "L-SPINE LAT"},
            "lateral",
            "AcquisitionDeviceProcessingDescription",
        ),
        ({"AcquisitionDeviceProcessingDescription": "T_SPINE AP"}, "ap", "AcquisitionDeviceProcessingDescription"),
        ({"AcquisitionDeviceProcessingDescription": "SPINE AP/LAT"}, None, "nothing"),
    ],
)
def test_the_view_that_tags_declare(
    path: Path, picture: Film, tags: dict[str, Any], name: str | None, source: str
) -> None:
    view = read_radiograph(dicom(path, as_integers(picture), **({"ViewPosition": None} | tags))).view
    assert (view.name, view.source) == (name, source)
    assert (view.foreign is not None) == (name is None and source != "nothing")


@pytest.mark.parametrize(
    ("view", "orientation", "flipped"),
    [
        ("AP", ["L", "F"], (False, False)),
        ("AP", ["R", "F"], (True, False)),  # as seen from behind
        ("AP", ["R", "H"], (True, True)),
        ("LL", ["A", "F"], (False, False)),  # patients face either way
        ("LL", ["P", "F"], (False, False)),
        ("LL", ["P", "H"], (False, True)),
        ("LL", ["R", "F"], (False, False)),  # of no lateral film: not believed
    ],
)
def test_films_are_turned_to_the_usual_display(
    path: Path, picture: Film, view: str, orientation: list[str], flipped: tuple[bool, bool]
) -> None:
    image = read_radiograph(dicom(path, as_integers(picture), ViewPosition=view, PatientOrientation=orientation))
    across, down = flipped
    assert image.flipped == flipped
    assert likeness(image, picture[:: -1 if down else 1, :: -1 if across else 1]) > 0.99
    assert image.flip_box(image.flip_box((10, 20, 30, 60))) == (10, 20, 30, 60)
    assert sum("flipped" in step for step in image.steps) == across + down


def test_a_box_follows_the_flip(path: Path, picture: Film) -> None:
    image = read_radiograph(dicom(path, as_integers(picture), PatientOrientation=["R", "F"]))
    columns = picture.shape[1]
    assert image.flip_box((10, 20, 30, 60)) == (columns - 30, 20, columns - 10, 60)


# --- spacing and its source ---


@pytest.mark.parametrize(
    ("tags", "mm", "source"),
    [
        ({"PixelSpacing": [0.12, 0.12], "ImagerPixelSpacing": [0.15, 0.15]}, 0.12, SpacingSource.CALIBRATED),
        ({"PixelSpacing": [0.12, 0.12], "PixelSpacingCalibrationType": "FIDUCIAL"}, 0.12, SpacingSource.CALIBRATED),
        ({"PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.15, 0.15]}, 0.15, SpacingSource.DETECTOR),
        ({"ImagerPixelSpacing": [0.15, 0.15]}, 0.15, SpacingSource.DETECTOR),
        ({"NominalScannedPixelSpacing": [0.175, 0.175]}, 0.175, SpacingSource.DETECTOR),
        ({"PixelSpacing": [0.2, 0.2]}, 0.2, SpacingSource.UNSTATED),
        ({"PixelSpacing": [0, 0]}, None, None),
        ({}, None, None),
    ],
)
def test_the_spacing_says_what_it_refers_to(
    path: Path, picture: Film, tags: dict[str, Any], mm: float | None, source: SpacingSource | None
) -> None:
    spacing = read_radiograph(dicom(path, as_integers(picture), **tags)).spacing
    assert (None if spacing is None else (spacing.mm, spacing.source)) == (None if mm is None else (mm, source))


def test_the_manifest_goes_before_the_file(path: Path, picture: Film) -> None:
    spacing = read_radiograph(dicom(path, as_integers(picture), PixelSpacing=[0.2, 0.2]), Declared(mm=0.1)).spacing
    assert spacing is not None
    assert (spacing.mm, spacing.source) == (0.1, SpacingSource.MANIFEST)


# --- the exposed field, by tags ---


@pytest.mark.parametrize("name", ["Collimator", "Shutter"])
def test_a_rectangle_of_the_tags(path: Path, picture: Film, name: str) -> None:
    tags = {
        f"{name}Shape": "RECTANGULAR",
        f"{name}LeftVerticalEdge": 40,
        f"{name}RightVerticalEdge": 249,
        f"{name}UpperHorizontalEdge": 20,
        f"{name}LowerHorizontalEdge": 301,
    }
    image = read_radiograph(dicom(path, as_integers(picture), **tags))
    assert image.field.box == (40, 20, 248, 300)
    assert image.field.source == f"{name.lower()} tags"
    outside = np.ones(picture.shape, dtype=bool)
    outside[20:300, 40:248] = False
    assert image.pixels[outside].max() == 0
    assert image.pixels[~outside].min() == 0
    assert image.pixels[~outside].max() == 1


def test_a_circle_and_a_polygon_of_the_tags(path: Path, picture: Film) -> None:
    tags: dict[str, Any] = {
        "CollimatorShape": "CIRCULAR",
        "CenterOfCircularCollimator": [160, 144],
        "RadiusOfCircularCollimator": 100,
    }
    image = read_radiograph(dicom(path, as_integers(picture), **tags))
    assert image.pixels[160, 30] == image.pixels[20, 144] == 0
    assert float((image.pixels > 0).mean()) == pytest.approx(np.pi * 100**2 / picture.size, rel=0.03)
    tags = {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 144, 320, 1, 320, 288]}
    image = read_radiograph(dicom(path, as_integers(picture), **tags))
    assert image.pixels[10, 20] == 0
    assert image.pixels[300, 100] > 0


def test_both_shutters_count(path: Path, picture: Film) -> None:
    tags: dict[str, Any] = {}
    for name, left in (("Collimator", 40), ("Shutter", 60)):
        tags |= {f"{name}Shape": "RECTANGULAR", f"{name}LeftVerticalEdge": left, f"{name}RightVerticalEdge": 289}
        tags |= {f"{name}UpperHorizontalEdge": 0, f"{name}LowerHorizontalEdge": 321}
    image = read_radiograph(dicom(path, as_integers(picture), **tags))
    assert (image.field.source, image.field.box[0]) == ("collimator and shutter tags", 60)
    assert image.pixels[:, :60].max() == 0


@pytest.mark.parametrize(
    "tags",
    [
        {"CollimatorShape": "RECTANGULAR"},
        {
            "CollimatorShape": "RECTANGULAR",
            "CollimatorLeftVerticalEdge": 5000,
            "CollimatorRightVerticalEdge": 6000,
            "CollimatorUpperHorizontalEdge": 0,
            "CollimatorLowerHorizontalEdge": 300,
        },
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 1, 1]},
    ],
)
def test_nonsense_in_the_tags_is_not_used(path: Path, picture: Film, tags: dict[str, Any]) -> None:
    image = read_radiograph(dicom(path, as_integers(picture), **tags))
    assert image.field.is_whole
    assert likeness(image, picture) > 0.99


def test_a_white_rim_does_not_wash_out_the_film(path: Path) -> None:
    rimmed = in_rim(film() * 0.3, rim=1.0)
    image = read_radiograph(dicom(path, as_integers(rimmed)))
    assert image.field.source == "pixels"
    assert image.pixels[:36].max() == 0
    assert likeness_of(image.pixels[44:-44, 44:-44], film()[44:-44, 44:-44]) > 0.99
