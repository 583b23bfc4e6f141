"""Studies pulled from a PACS over DICOMweb, stripped of the patient before they reach the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from spinedet.core.errors import InputError
from spinedet.imaging.dicom.headers import HEADER_TAGS, words_in
from spinedet.imaging.dicom.pixels import PIXEL_TAGS
from spinedet.imaging.dicom.records import Pseudonyms

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
# Of enhanced files only these functional groups are kept: no frame dates, no comments, no private groups.
_KEPT_GROUPS = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "MREchoSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRImageFrameTypeSequence",
)
_KEPT = frozenset({*HEADER_TAGS, *PIXEL_TAGS}) - {"ProtocolName", *_GROUPS}

# Called with how many images have arrived.
Arrived = Callable[[int], None]


def pull_study(url: str, folder: Path, pseudonyms: Pseudonyms, authorization: str | None, arrived: Arrived) -> int:
    """Write every image of a study to `folder`, and return their number.

    What is written holds geometry, acquisition and pixels; identifiers are replaced by salted hashes, the description
    by its known words. Pixels are kept in the transfer syntax in which the PACS holds them.

    Args:
        url: of the study: the address of the DICOMweb service, `/studies/` and the StudyInstanceUID.
        folder: new or empty.
        pseudonyms: what replaces identifiers.
        authorization: value of the Authorization header, if the PACS requires one.
        arrived: called after every image.

    Raises:
        InputError: the address is none of a study, the PACS does not answer, or it does not have the study.
    """
    service, _, uid = url.partition("/studies/")
    if not service.startswith(("http://", "https://")) or not UID(uid).is_valid:
        raise InputError(f"study={url}: give http(s)://HOST/dicom-web/studies/STUDY_UID")
    headers = {"Authorization": authorization} if authorization else None
    count = 0
    try:
        client = DICOMwebClient(service, headers=headers)
        # Its own five attempts keep a user with a mistyped address waiting for half a minute.
        client.set_http_retry_params(max_attempts=3, wait_exponential_multiplier=500)
        for count, image in enumerate(_images(client, uid), start=1):
            stripped(image, pseudonyms).save_as(folder / f"{count:06d}.dcm", enforce_file_format=True)
            arrived(count)
    except (requests.RequestException, OSError, ValueError) as error:
        raise InputError(
            f"the PACS did not give the study ({type(error).__name__}); check study= and the access"
        ) from None
    if not count:
        raise InputError("the PACS has no images of this study; check the StudyInstanceUID")
    return count


def _images(client: DICOMwebClient, uid: str) -> Iterator[Dataset]:
    yield from client.iter_study(uid, media_types=(("application/dicom", "*"),))


def stripped(image: Dataset, pseudonyms: Pseudonyms) -> Dataset:
    """A data set with only what is known to be harmless and needed."""
    kept = Dataset()
    for keyword in sorted(_KEPT):
        if keyword in image:
            kept[keyword] = image[keyword]
    for keyword in _UIDS:
        setattr(kept, keyword, _uid(str(image.get(keyword, "")), pseudonyms))
    kept.PatientID = pseudonyms.of(str(image.get("PatientID") or ""))
    kept.SeriesDescription = " ".join(
        sorted(words_in(str(image.get("SeriesDescription") or image.get("ProtocolName") or "")))
    )
    for keyword in _GROUPS:
        if keyword in image:
            setattr(kept, keyword, Sequence([_groups(item) for item in image[keyword].value]))
    kept.file_meta = FileMetaDataset()
    kept.file_meta.TransferSyntaxUID = image.file_meta.TransferSyntaxUID
    kept.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    kept.file_meta.MediaStorageSOPInstanceUID = kept.SOPInstanceUID
    return kept


def _groups(item: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in _KEPT_GROUPS:
        if keyword in item:
            kept[keyword] = item[keyword]
    return kept


def _uid(uid: str, pseudonyms: Pseudonyms) -> str:
    """A UID of the 2.25 arc from the salted hash."""
    digest = hashlib.blake2b(uid.encode(), key=pseudonyms.salt, digest_size=15).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"
