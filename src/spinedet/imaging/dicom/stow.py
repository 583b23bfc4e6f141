"""DICOM documents sent to a PACS over DICOMweb (STOW-RS), to the address that is given and to no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from spinedet.core.errors import InputError
from spinedet.imaging.dicom.headers import DAMAGE

# Manufacturer of every document that outputs write.
WRITTEN_BY = "spinedet"


@dataclass(frozen=True, eq=False)
class StudyDocuments:
    """The documents of one examination."""

    study: str
    documents: tuple[Dataset, ...]


def documents_in(folder: Path) -> tuple[StudyDocuments, ...]:
    """The DICOM files (`*.dcm`) below a folder, by examination.

    Raises:
        InputError: there are none, or a file is damaged, half written, or no document of spinedet.
    """
    studies: dict[str, list[Dataset]] = {}
    for path in sorted(folder.rglob("*.dcm")):
        document = _document(path)
        studies.setdefault(str(document.StudyInstanceUID), []).append(document)
    if not studies:
        raise InputError(f"{folder} holds no DICOM documents; write them with outputs=[sr]")
    return tuple(StudyDocuments(study, tuple(documents)) for study, documents in studies.items())


def _document(path: Path) -> Dataset:
    """A document as it was written: a file that ends early reads without a complaint, but does not come back equal."""
    try:
        content = path.read_bytes()
        document = dcmread(BytesIO(content))
        again = BytesIO()
        document.save_as(again, enforce_file_format=True)
        document.StudyInstanceUID, document.SOPInstanceUID, document.SOPClassUID  # noqa: B018
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror}); nothing was sent") from None
    except (InvalidDicomError, *DAMAGE):
        raise InputError(f"{path.name} is no whole DICOM file; write it again, nothing was sent") from None
    if document.get("Manufacturer") != WRITTEN_BY:
        raise InputError(f"{path.name} was not written by spinedet; take it out of the folder, nothing was sent")
    if again.getvalue() != content:
        raise InputError(f"{path.name} is damaged or half written; write it again, nothing was sent")
    return document


class Pacs:
    """A PACS at an address; redirects to other addresses are refused."""

    def __init__(self, url: str, authorization: str | None) -> None:
        """Prepare; nothing is sent.

        Args:
            authorization: value of the Authorization header, if the PACS requires one.

        Raises:
            InputError: the address is none of a DICOMweb service.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError(f"url={url}: give http(s)://HOST/dicom-web")
        session = requests.Session()
        session.max_redirects = 0
        headers = {"Authorization": authorization} if authorization else None
        self._client = DICOMwebClient(url.rstrip("/"), session=session, headers=headers)
        self._client.set_http_retry_params(max_attempts=3, wait_exponential_multiplier=500)

    def holds(self, study: str) -> bool:
        """Whether the PACS has images of an examination.

        Raises:
            InputError: it does not answer.
        """
        try:
            found = self._client.search_for_studies(search_filters={"StudyInstanceUID": study})
        except (requests.RequestException, OSError, ValueError) as error:
            raise InputError(_no_answer(error)) from None
        return bool(found)

    def store(self, documents: Sequence[Dataset], study: str) -> int:
        """Send documents; how many the PACS did not take. An answer of success may still name failures.

        Raises:
            InputError: it does not answer, or refuses all.
        """
        try:
            answer = self._client.store_instances(documents, study_instance_uid=study)
        except (requests.RequestException, OSError, ValueError) as error:
            raise InputError(_no_answer(error)) from None
        return len(answer.get("FailedSOPSequence") or ())


def _no_answer(error: Exception) -> str:
    """Without the address of the request, which names the examination."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = f"status {status}" if status else type(error).__name__
    return f"the PACS did not take the request ({reason}); check url= and the access"
