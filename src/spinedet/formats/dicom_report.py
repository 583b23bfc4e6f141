"""Findings as a DICOM Structured Report, TID 1500: one measurement group per finding, with its boxes on the images."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from spinedet import __version__
from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import LPS, Array
from spinedet.core.types import Box, Finding, FiniteJson
from spinedet.formats.clinical_codes import (
    ClinicalCode,
    code_table,
    designator,
    finding_code,
    level_code,
    private_code,
    region_code,
)
from spinedet.formats.dicom_sources import SourceSlice, SourceStack

MANUFACTURER = "spinedet"
DESCRIPTION = "Research software, no diagnosis: spine findings"
FUSED_DESCRIPTION = "Research software, no diagnosis: spine findings, series fused"
NO_PROBABILITY = "the score is the detector's own and no probability of disease"
# Series numbers that scanners do not use.
SERIES_NUMBER = 9900
_LONGEST_TEXT = 64
# Attributes without which the library of the images cannot describe one.
_DESCRIBED_BY = ("Modality", "PixelSpacing", "SliceThickness", "ImageOrientationPatient", "ImagePositionPatient")
# Of UUIDs that are made from names.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "spinedet")


@dataclass(frozen=True, eq=False)
class ReportedFinding:
    """A finding with the images that show it.

    Attributes:
        number: of the finding in its study, from 1. plane, threshold: of its series and category; None where unknown.
        decision: of a reader: `accepted`, `corrected` or `added`. comment: likewise.
        fused: of a finding of several series, in how many it was found and how many show its place.
    """

    number: int
    finding: Finding
    stack: SourceStack
    plane: Plane
    threshold: float | None
    decision: str | None = None
    comment: str | None = None
    fused: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class ReportContent:
    """The content of a report.

    Attributes:
        stacks: all series that were read, with findings or without.
        model: the description of the detector in the findings file. surfaces: boxes as surfaces in patient space in
            place of rectangles on the slices.
        fused: the findings are those of all series in patient space, a document of its own beside the series' own.
        reader: initials of the person whose decisions these are. previous: earlier versions of the document.
    """

    stacks: tuple[SourceStack, ...]
    findings: tuple[ReportedFinding, ...]
    region: Region
    model: Mapping[str, FiniteJson]
    surfaces: bool = False
    fused: bool = False
    reader: str | None = None
    previous: tuple[Dataset, ...] = field(default=())


def build_report(content: ReportContent) -> Dataset:
    """The document; it takes patient and study from the images.

    Raises:
        InputError: a finding lies outside of its images, or `surfaces` are requested without a frame of reference.
    """
    images = [image for stack in content.stacks for image in stack.images]
    kind = sr.Comprehensive3DSR if content.surfaces else sr.ComprehensiveSR
    variant = ["fused"] if content.fused else [content.surfaces]
    report = sr.MeasurementReport(
        observation_context=_observers(content),
        procedure_reported=codes.LN.MRIUnspecifiedBodyRegion,
        imaging_measurements=[_group(content, one) for one in content.findings] or [_nothing_found(content)],
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[image for image in images if all(name in image for name in _DESCRIBED_BY)] or None,
    )
    document = kind(
        evidence=images,
        content=report[0],
        series_instance_uid=named_uid("report series", images[0].StudyInstanceUID, _weights(content), *variant),
        series_number=SERIES_NUMBER + (2 if content.fused else int(content.surfaces)),
        sop_instance_uid=f"2.25.{uuid.uuid4().int}",
        instance_number=1 + max((int(one.InstanceNumber) for one in content.previous), default=0),
        manufacturer=MANUFACTURER,
        is_complete=True,
        previous_versions=content.previous or None,
        series_description=FUSED_DESCRIPTION if content.fused else DESCRIPTION,
        software_versions=__version__,
        manufacturer_model_name=_text(content.model.get("name")),
        device_serial_number=_weights(content)[:_LONGEST_TEXT],
        specific_character_set="ISO_IR 192",
    )
    document.CodingSchemeIdentificationSequence = [coding_scheme()]
    return document


def document_bytes(document: Dataset) -> bytes:
    """The file of a data set."""
    stream = BytesIO()
    document.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def named_uid(*parts: object) -> str:
    """A UID that the same parts give again."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, json.dumps([str(part) for part in parts])).int}"


def coding_scheme() -> Dataset:
    """The item that declares the private codes."""
    own = code_table()["designator"]
    item = Dataset()
    item.CodingSchemeDesignator = designator()
    item.CodingSchemeName = own["meaning"]
    item.CodingSchemeResponsibleOrganization = own["responsible_organization"]
    return item


def _weights(content: ReportContent) -> str:
    return str(content.model.get("weights_sha256", "unknown"))


def _text(value: object) -> str:
    return str(value)[:_LONGEST_TEXT] if value else "unknown"


def _observers(content: ReportContent) -> sr.ObservationContext:
    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=named_uid("device", _weights(content)),
            name="spinedet",
            manufacturer_name=MANUFACTURER,
            model_name=_text(content.model.get("name")),
            serial_number=_text(content.model.get("version")),
        ),
    )
    person = None
    if content.reader:
        person = sr.ObserverContext(
            observer_type=codes.DCM.Person,
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name=person_name(content.reader)),
        )
    return sr.ObservationContext(observer_person_context=person, observer_device_context=device)


def person_name(text: str) -> str:
    """A reader's initials as a family name; characters that part names or values are left out."""
    plain = "".join(letter for letter in text if letter not in "^=\\" and letter.isprintable()).strip()
    return f"{plain[: _LONGEST_TEXT - 1] or 'unknown'}^"


def _group(content: ReportContent, one: ReportedFinding) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    finding, stack = one.finding, one.stack
    edges = stack.edges(finding.box)
    if (edges.high <= edges.low).any():
        raise InputError(f"finding {one.number} lies outside of the images of {stack.series}; correct or reject it")
    site = level_code(finding.level) or region_code(content.region)
    group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=_tracking_uid(content, one), identifier=_tracking_name(one)),
        finding_category=codes.SCT.MorphologicallyAbnormalStructure,
        finding_type=_code(finding_code(finding.category)),
        finding_sites=[sr.FindingSite(_code(site))],
        algorithm_id=None if one.decision == "added" else _algorithm(content, _series_parameters(one)),
        geometric_purpose=codes.SCT.BoundedBy,
        measurements=list(_measurements(one)),
        qualitative_evaluations=list(_evaluations(one)),
        referenced_regions=None if content.surfaces else list(_rectangles(stack, finding.box)),
        referenced_volume_surface=_surface(stack, finding.box) if content.surfaces else None,
    )
    if one.comment:
        comment = sr.TextContentItem(codes.DCM.Comment, one.comment, sr.RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(comment)
    return group


def _nothing_found(content: ReportContent) -> sr.MeasurementsAndQualitativeEvaluations:
    """The group of a report without findings, which has to state that the images were read."""
    series = [stack.slices[0].image.SeriesInstanceUID for stack in content.stacks]
    uid = named_uid("nothing", *series, _weights(content))
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=uid, identifier="no finding"),
        finding_sites=[sr.FindingSite(_code(region_code(content.region)))],
        algorithm_id=_algorithm(content, []),
        qualitative_evaluations=[sr.QualitativeEvaluation(_private("any"), codes.SCT.No)],
    )


def _code(one: ClinicalCode) -> Code:
    return Code(one.value, one.scheme, one.meaning)


def _private(name: str) -> Code:
    return _code(private_code(name))


def _tracking_uid(content: ReportContent, one: ReportedFinding) -> str:
    series = one.stack.slices[0].image.SeriesInstanceUID
    kind = "finding" if one.fused is None else "fused finding"
    return named_uid(kind, series, _weights(content), one.finding.category, one.finding.box.model_dump_json())


def _tracking_name(one: ReportedFinding) -> str:
    ordinal = one.finding.ordinal
    place = "" if ordinal is None or one.finding.level else f", disc {ordinal} from below"
    return f"{'finding' if one.fused is None else 'fused finding'} {one.number}{place}"


def _series_parameters(one: ReportedFinding) -> list[str]:
    if one.fused is not None:
        found, shown = one.fused
        return [f"found in {found} of the {shown} series that show the place", "score: mean over these series"]
    threshold = "unknown" if one.threshold is None else f"{one.threshold:.6g}"
    return [f"plane {one.plane.value}", f"threshold {threshold}"]


def _algorithm(content: ReportContent, parameters: list[str]) -> sr.AlgorithmIdentification:
    known = content.model
    return sr.AlgorithmIdentification(
        name=_text(known.get("name")),
        version=_text(known.get("version")),
        family=codes.DCM.ArtificialIntelligence,
        parameters=[
            f"weights sha256 {_weights(content)}",
            f"operating point sha256 {known.get('operating_point_sha256', 'unknown')}",
            *parameters,
            NO_PROBABILITY,
        ],
    )


def _measurements(one: ReportedFinding) -> Iterator[sr.Measurement]:
    finding = one.finding
    if one.decision != "added":
        certainty = min(max(finding.score, 0.0), 1.0) * 100
        yield sr.Measurement(codes.DCM.CertaintyOfFinding, certainty, codes.UCUM.Percent)
    if finding.severity is not None:
        yield sr.Measurement(_private("severity"), finding.severity, codes.UCUM.NoUnits)
    for name, value in (finding.grades or {}).items():
        yield sr.Measurement(_private(name), value, codes.UCUM.NoUnits)
    if one.fused is not None:  # its box lies along R, A and S, not along slices
        return
    low, high = faces(one.stack, finding.box)
    yield sr.Measurement(_private("low"), low, codes.UCUM.Millimeter)
    yield sr.Measurement(_private("high"), high, codes.UCUM.Millimeter)


def faces(stack: SourceStack, box: Box) -> tuple[float, float]:
    """Where a box begins and ends along the normal of its slices, mm from the centre of the first slice."""
    edges = stack.edges(box)
    pitch = float(stack.grid.spacing[2])
    return float(edges.low[2] - 0.5) * pitch, float(edges.high[2] - 0.5) * pitch


def _evaluations(one: ReportedFinding) -> Iterator[sr.QualitativeEvaluation]:
    finding = one.finding
    if finding.above_operating_point is not None:
        yield sr.QualitativeEvaluation(
            _private("above"), codes.SCT.Yes if finding.above_operating_point else codes.SCT.No
        )
    if finding.level and level_code(finding.level) is None:
        yield sr.QualitativeEvaluation(_private("level"), _private(finding.level))
    if one.decision:
        yield sr.QualitativeEvaluation(_private("decision"), _private(one.decision))


def _rectangles(stack: SourceStack, box: Box) -> Iterator[sr.ImageRegion]:
    """The box on every slice that it covers; (column, row) from the outer corner of the first pixel."""
    low, high = stack.edges(box).low, stack.edges(box).high
    corners = np.array([(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]), (low[0], low[1])])
    for number in stack.covered(box):
        source = stack.slices[number]
        reference = sr.SourceImageForRegion(source.image.SOPClassUID, source.image.SOPInstanceUID, source.frame_numbers)
        yield sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, corners, reference)


def _surface(stack: SourceStack, box: Box) -> sr.VolumeSurface:
    """The two faces of the box across its third axis as closed polygons, LPS mm."""
    frame = stack.slices[0].image.get("FrameOfReferenceUID")
    if not frame:
        raise InputError(f"{stack.series} has no FrameOfReferenceUID; use sr.geometry=slices")
    return sr.VolumeSurface(
        graphic_type=sr.GraphicTypeValues3D.POLYGON,
        graphic_data=list(_end_faces(box)),
        frame_of_reference_uid=frame,
        source_images=list(_sources([stack.slices[number] for number in stack.covered(box)])),
    )


def _end_faces(box: Box) -> Iterator[Array]:
    axes, half = np.asarray(box.axes), np.asarray(box.size) / 2
    for side in (-1, 1):
        signs = [(-1, -1, side), (1, -1, side), (1, 1, side), (-1, 1, side), (-1, -1, side)]
        yield (np.asarray(box.center) + (np.array(signs) * half) @ axes) * LPS


def _sources(slices: Sequence[SourceSlice]) -> Iterator[sr.SourceImageForSegmentation]:
    """Each file once, with all of its frames."""
    for image in {str(one.image.SOPInstanceUID): one.image for one in slices}.values():
        frames = [frame for one in slices if one.image is image for frame in one.frame_numbers or ()]
        yield sr.SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID, frames or None)
