"""DICOM studies on disk with findings made by hand, for the documents that go back to a PACS."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import EdgeBox
from spinedet.core.types import Box, Finding
from spinedet.formats.dicom_report import ReportContent, ReportedFinding
from spinedet.formats.dicom_sources import SourceStack, open_stack
from spinedet.imaging.volume import index_images

from ..imaging.dicom.conftest import SAGITTAL, T2_TAGS, Cut, Hospital, tilted_axial

FRAME_OF_REFERENCE = "1.2.826.0.1.3680043.8.498.1"
TAGS: dict[str, object] = {
    **T2_TAGS,
    "FrameOfReferenceUID": FRAME_OF_REFERENCE,
    "SliceThickness": 4.0,
    "StudyDate": "20250102",
    "StudyTime": "101112",
    "StudyID": "7",
    "AccessionNumber": "secret-accession",
    "PatientSex": "F",
    "ReferringPhysicianName": "Secret^Doctor",
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Sécret^Näme",
}
IDENTIFIERS = ("Sécret", "Secret", "secret-id", "secret-accession", "19500101", FRAME_OF_REFERENCE)
MODEL = {"name": "toy", "version": "1.2", "weights_sha256": "ab" * 32, "operating_point_sha256": "cd" * 32}
BACK = Cut(SAGITTAL, (0, 0, 0), slices=6, shape=(100, 70))
DISCS = [Cut(tilted_axial(angle), (0, 0, z), 3, shape=(70, 70)) for angle, z in ((-5, 40), (25, 0))]
# Each kind of study: numbers of series, and the stacks that each holds.
KINDS: dict[str, dict[int, list[Cut]]] = {
    "sagittal": {2: [BACK]},
    "tilted axial": {2: [replace(DISCS[1], slices=7)]},
    "several blocks": {2: [BACK], 3: DISCS},
}


def write_study(folder: Path, kind: str, enhanced: bool = False) -> Hospital:
    """The files of a study of this kind."""
    hospital = Hospital(folder)
    for number, cuts in KINDS[kind].items():
        if enhanced:
            hospital.enhanced(number, cuts[0], TAGS)
        else:
            hospital.series(number, cuts, TAGS)
    return hospital


@dataclass(frozen=True)
class Stack:
    """A series as it was read, and its files."""

    plane: Plane
    source: SourceStack


def stacks_of(folder: Path) -> list[Stack]:
    """The series of a folder that prediction would read."""
    found = []
    for image in index_images(folder).images:
        assert image.block is not None
        assert image.plane is not None
        files = tuple(dict.fromkeys(piece.path for piece in image.block.slices))
        found.append(Stack(image.plane, open_stack(files, image.read().grid, image.id)))
    return found


def random_box(source: SourceStack, rng: np.random.Generator) -> Box:
    """A box within the images."""
    limit = np.array(source.grid.shape, dtype=float)
    low = rng.random(3) * limit * 0.6
    return source.grid.world(EdgeBox(low, low + 0.3 + rng.random(3) * (limit - low - 0.3)))


def findings_in(stacks: list[Stack], each: int = 3) -> tuple[ReportedFinding, ...]:
    """Random boxes in every series, with a level, without one, and with one that has no code."""
    rng, found = np.random.default_rng(5), []
    levels = ("L4/L5", None, "L5/L6")
    for one in stacks:
        for number in range(each):
            finding = Finding(
                series=one.source.series,
                category=("degeneration", "bulge", "own_kind")[number % 3],
                score=0.3 + 0.1 * number,
                level=levels[number % 3],
                ordinal=None if levels[number % 3] else 2,
                box=random_box(one.source, rng),
                above_operating_point=number > 0,
                grades={"pfirrmann": 3.25} if number == 0 else None,
                severity=1.5 if number == 1 else None,
            )
            found.append(ReportedFinding(len(found) + 1, finding, one.source, one.plane, 0.35))
    return tuple(found)


def content_of(folder: Path, each: int = 3, surfaces: bool = False) -> ReportContent:
    """A report on random findings in a folder's study."""
    stacks = stacks_of(folder)
    sources = tuple(one.source for one in stacks)
    return ReportContent(sources, findings_in(stacks, each), Region.LUMBAR, MODEL, surfaces)


def largest_difference(first: Box, second: Box) -> float:
    """Over centre, size (mm) and axes (cosines)."""
    pairs = ((first.center, second.center), (first.size, second.size), (first.axes, second.axes))
    return max(float(np.abs(np.subtract(one, two)).max()) for one, two in pairs)


DCIODVFY = shutil.which("dciodvfy")
needs_dciodvfy = pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy of the Debian package dicom3tools is missing")


def errors_of(file: Path) -> list[str]:
    """The errors that dciodvfy finds in a file."""
    done = subprocess.run([str(DCIODVFY), str(file)], capture_output=True, text=True, timeout=60, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
