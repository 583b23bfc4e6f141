"""The view and the pixel size of radiographs in DICOM, from whichever tag states them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from spinedet.imaging.radiograph.read import Declared, read_radiograph
from spinedet.imaging.radiograph.records import SpacingSource
from spinedet.imaging.suitability import Suitability

from .conftest import likeness
from .films import Film, as_integers, dicom

REJECTED, DOUBTFUL = Suitability.REJECTED, Suitability.DOUBTFUL
TOP = 4095


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
