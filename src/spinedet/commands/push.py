"""`python -m spinedet.push out=FOLDER url=URL`: DICOM documents to a PACS over DICOMweb (STOW-RS)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, show_table
from spinedet.cli.exit_status import Status
from spinedet.core.errors import InputError
from spinedet.imaging.dicom.stow import Pacs, StudyDocuments, documents_in
from spinedet.push import PushConfig


def push(config: PushConfig) -> Status:
    """Check that the PACS has every examination, then send; with `dry_run` list what would be sent."""
    folder = Path(config.out)
    studies = documents_in(folder / "dicom")
    pacs = Pacs(config.url, os.environ.get(config.auth))
    _show(studies)
    if config.dry_run:
        console.print("nothing was sent; dry_run=false sends it")
        return Status.DONE
    unknown = sum(not pacs.holds(one.study) for one in studies)
    if unknown:
        raise InputError(f"the PACS has no images of {unknown} of {len(studies)} examinations; nothing was sent")
    failed = sum(pacs.store(one.documents, one.study) for one in studies)
    sent = sum(len(one.documents) for one in studies) - failed
    console.print(f"{sent} documents stored, {failed} refused by the PACS")
    tracking.log_metrics(config.logger, folder, {"stored": sent, "refused": failed})
    return Status.FAILED if failed else Status.DONE


def _show(studies: tuple[StudyDocuments, ...]) -> None:
    """Counts alone: a terminal is often logged, and identifiers name the patient."""
    table = plain_table("kind", "documents", title=f"DICOM documents of {len(studies)} examinations")
    kinds = Counter(document.SOPClassUID.name for one in studies for document in one.documents)
    for kind, count in sorted(kinds.items()):
        table.add_row(kind, str(count))
    show_table(table)
