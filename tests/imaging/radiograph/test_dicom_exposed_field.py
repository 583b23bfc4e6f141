"""The exposed field of radiographs in DICOM, by collimator and shutter tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.imaging.radiograph.read import read_radiograph
from spinedet.imaging.suitability import Suitability

from .conftest import likeness, likeness_of
from .films import Film, as_integers, dicom, film, in_rim

REJECTED, DOUBTFUL = Suitability.REJECTED, Suitability.DOUBTFUL
TOP = 4095


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
