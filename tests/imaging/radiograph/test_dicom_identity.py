"""What a radiograph in DICOM is by its tags, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from spinedet.core.errors import InputError
from spinedet.imaging.radiograph.read import read_radiograph
from spinedet.imaging.suitability import Suitability

from .conftest import found, likeness
from .films import Film, as_integers, dicom

REJECTED, DOUBTFUL = Suitability.REJECTED, Suitability.DOUBTFUL
TOP = 4095


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
