"""Key images in DICOM: pictures with the boxes drawn in as secondary captures, and a selection of the slices."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from io import BytesIO

import highdicom as hd
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from spinedet import __version__
from spinedet.core.anatomy import Region
from spinedet.formats.dicom_report import (
    DESCRIPTION,
    MANUFACTURER,
    SERIES_NUMBER,
    ReportContent,
    ReportedFinding,
    named_uid,
)

_CAPTURES, _SELECTION = 2, 3  # added to the series number of the report
# Directions that DICOM calls otherwise.
_DIRECTIONS = {"S": "H", "I": "F"}
# Defined terms of BodyPartExamined.
_BODY_PARTS = {Region.LUMBAR: "LSPINE", Region.CERVICAL: "CSPINE"}


@dataclass(frozen=True)
class Picture:
    """A picture of one series as a PNG.

    Attributes:
        number: from 1. directions: patient directions (of R, L, A, P, S, I) along its rows and down its columns.
    """

    png: bytes
    number: int
    directions: tuple[str, str]


def capture(picture: Picture, content: ReportContent, report: Dataset) -> Dataset:
    """A picture as a secondary capture of the study, colour, that refers to the report whose findings it shows."""
    source = content.stacks[0].slices[0].image
    along, down = picture.directions
    image = hd.sc.SCImage.from_ref_dataset(
        source,
        pixel_array=np.asarray(Image.open(BytesIO(picture.png)).convert("RGB")),
        photometric_interpretation=hd.PhotometricInterpretationValues.RGB,
        bits_allocated=8,
        coordinate_system=hd.CoordinateSystemNames.PATIENT,
        series_instance_uid=named_uid("captures", report.SeriesInstanceUID),
        series_number=SERIES_NUMBER + _CAPTURES,
        sop_instance_uid=f"2.25.{uuid.uuid4().int}",
        instance_number=picture.number,
        manufacturer=MANUFACTURER,
        patient_orientation=(_DIRECTIONS.get(along, along), _DIRECTIONS.get(down, down)),
    )
    image.Modality = "OT"
    image.SeriesDescription = DESCRIPTION
    image.SoftwareVersions = __version__
    image.BodyPartExamined = _BODY_PARTS[content.region]
    image.BurnedInAnnotation = "NO"
    image.ReferencedInstanceSequence = [_reference(report)]
    return image


def selection(content: ReportContent) -> Dataset | None:
    """A key object that names the middle slice of each finding; None without findings."""
    images = {str(image.SOPInstanceUID): image for image in map(_middle, content.findings)}
    if not images:
        return None
    chosen = list(images.values())
    key = hd.ko.KeyObjectSelection(codes.DCM.OfInterest, chosen, description=DESCRIPTION)
    return hd.ko.KeyObjectSelectionDocument(
        evidence=chosen,
        content=key,
        series_instance_uid=f"2.25.{uuid.uuid4().int}",
        series_number=SERIES_NUMBER + _SELECTION,
        sop_instance_uid=f"2.25.{uuid.uuid4().int}",
        instance_number=1,
        manufacturer=MANUFACTURER,
        series_description=DESCRIPTION,
    )


def _middle(one: ReportedFinding) -> Dataset:
    """The header of the middle one of the slices that show a finding."""
    covered = one.stack.covered(one.finding.box)
    return one.stack.slices[covered[len(covered) // 2]].image


def _reference(report: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = report.SOPClassUID
    item.ReferencedSOPInstanceUID = report.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [hd.sr.CodedConcept.from_code(codes.DCM.SourceDocument)]
    return item
