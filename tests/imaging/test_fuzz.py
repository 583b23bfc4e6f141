"""Damaged and hostile headers give a volume or one clear sentence, in bounded time and memory."""

from __future__ import annotations

import gzip
import resource
import struct
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword

from spinedet.core.errors import InputError
from spinedet.imaging.image_files import image_sha256
from spinedet.imaging.volume import Volume, index_images, read_grid, read_volume

from ..conftest import FUZZ_AT_RANDOM, FUZZ_EXAMPLES
from .dicom.conftest import SAGITTAL, T2_TAGS, Cut, Hospital

SHAPE = (6, 7, 5)
VALUES = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
AFFINE = np.array([[0, 0, -4.0, 10], [-0.8, 0, 0, 20], [0, 0.5, 0, 30], [0, 0, 0, 1]])
SECONDS = 5.0
MEBIBYTES = 600

fuzz = settings(
    max_examples=FUZZ_EXAMPLES,
    deadline=None,
    derandomize=not FUZZ_AT_RANDOM,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def is_bounded(read: object, path: Path) -> None:
    """Call one reader on a path: nothing but a result or an `InputError`, quickly, without much memory."""
    assert callable(read)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = read(path)
        except InputError:
            found = None
    if isinstance(found, Volume):
        assert np.isfinite(found.array).all()
        assert np.isfinite(found.grid.affine).all()
    assert time.process_time() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEBIBYTES << 10


# --- image files ---

# Offset and format of every NIfTI-1 field that decides what is read.
FIELDS = {
    0: "i",  # sizeof_hdr
    40: "8h",  # dim
    70: "h",  # datatype
    72: "h",  # bitpix
    76: "8f",  # pixdim
    108: "f",  # vox_offset
    112: "f",  # scl_slope
    116: "f",  # scl_inter
    123: "B",  # xyzt_units
    252: "h",  # qform_code
    254: "h",  # sform_code
    256: "6f",  # quaternion and offset
    280: "12f",  # sform
    344: "4s",  # magic
}


@st.composite
def edits(draw: st.DrawFn, length: int) -> list[tuple[int, bytes]]:
    """Bytes to write at places of a header of this length."""
    places = st.integers(0, length - 1)
    return draw(st.lists(st.tuples(places, st.binary(min_size=1, max_size=8)), max_size=6))


@st.composite
def field_edits(draw: st.DrawFn) -> list[tuple[int, bytes]]:
    """One element of some fields, replaced by values of the field's own type, extreme ones among them."""
    made = []
    for offset in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=4)):
        kind = FIELDS[offset][-1]
        size = struct.calcsize(kind) if kind != "s" else 4
        place = 0 if kind == "s" else draw(st.integers(0, struct.calcsize(FIELDS[offset]) // size - 1))
        value: bytes
        if kind == "s":
            value = draw(st.sampled_from([b"n+1\0", b"ni1\0", b"n+2\0", b"\0\0\0\0"]))
        elif kind == "f":
            value = struct.pack("<f", draw(st.floats(width=32)))
        else:
            value = struct.pack(f"<{kind}", draw(st.integers(*bounds(kind))))
        made.append((offset + place * size, value))
    return made


def bounds(kind: str) -> tuple[int, int]:
    bits = 8 * struct.calcsize(kind)
    return (0, (1 << bits) - 1) if kind.isupper() else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def edited(content: bytes, changes: list[tuple[int, bytes]], cut: int | None) -> bytes:
    made = bytearray(content)
    for place, value in changes:
        made[place : place + len(value)] = value
    return bytes(made[:cut])


def nifti(kind: type) -> bytes:
    image = kind(VALUES, AFFINE)
    image.header.set_xyzt_units("mm")
    return bytes(image.to_bytes())


NIFTI = {1: nifti(nib.Nifti1Image), 2: nifti(nib.Nifti2Image)}


@fuzz
@given(
    version=st.sampled_from([1, 1, 1, 2]),
    fields=field_edits(),
    anywhere=edits(600),
    cut=st.none() | st.integers(0, 1000),
    packed=st.booleans(),
)
def test_fuzz_nifti_headers(
    tmp_path: Path,
    version: int,
    fields: list[tuple[int, bytes]],
    anywhere: list[tuple[int, bytes]],
    cut: int | None,
    packed: bool,
) -> None:
    changes = (fields if version == 1 else []) + anywhere[: 2 if fields else None]
    content = edited(NIFTI[version], changes, cut)
    path = tmp_path / ("x.nii.gz" if packed else "x.nii")
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    for read in (read_volume, read_grid):
        is_bounded(read, path)


def itk_file(folder: Path, name: str) -> bytes:
    image = SimpleITK.GetImageFromArray(VALUES.transpose(2, 1, 0))
    image.SetDirection([0, 0, 1, 1, 0, 0, 0, 1, 0])
    SimpleITK.WriteImage(image, folder / name)
    return (folder / name).read_bytes()


@fuzz
@given(
    name=st.sampled_from(["x.mha", "x.mhd", "x.nrrd"]),
    anywhere=edits(340),
    line=st.integers(0, 20),
    value=st.none()
    | st.text(st.characters(codec="ascii"), max_size=30)
    | st.integers().map(str)
    | st.floats().map(str),
    cut=st.none() | st.integers(0, 700),
)
def test_fuzz_metaimage_and_nrrd_headers(
    tmp_path: Path, name: str, anywhere: list[tuple[int, bytes]], line: int, value: str | None, cut: int | None
) -> None:
    content = itk_file(tmp_path, name)
    if value is not None:
        header, rest = content[:340], content[340:]
        lines = header.split(b"\n")
        key = lines[line % len(lines)].replace(b":", b"=").partition(b"=")[0]
        sign = b": " if name.endswith("nrrd") else b"= "
        lines[line % len(lines)] = key + sign + value.encode("ascii", "replace")
        content = b"\n".join(lines) + rest
    (tmp_path / name).write_bytes(edited(content, anywhere, cut))
    for read in (read_volume, read_grid, image_sha256):
        is_bounded(read, tmp_path / name)


# --- DICOM ---

TAGS = (
    *("SOPClassUID", "SeriesNumber", "ImageType", "EchoTime", "RepetitionTime", "Rows", "Columns", "SamplesPerPixel"),
    *("PhotometricInterpretation", "NumberOfFrames", "PixelSpacing", "ImageOrientationPatient"),
    *("ImagePositionPatient", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope"),
    *("RescaleIntercept", "SpacingBetweenSlices", "PixelPaddingValue", "PixelPaddingRangeLimit", "Modality"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "SharedFunctionalGroupsSequence"),
    *("PerFrameFunctionalGroupsSequence", "PixelData", "SeriesDescription", "ScanningSequence"),
)
VALUES_OF_TAGS = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.integers(-(1 << 40), 1 << 40).map(lambda n: str(n).encode()),
    st.integers(0, 65535).map(lambda n: struct.pack("<H", n)),
    st.lists(st.floats(), max_size=7).map(lambda many: "\\".join(map(str, many)).encode()),
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e300, 1e-300]), max_size=7).map(
        lambda many: "\\".join(map(str, many)).encode()
    ),
)
KINDS = (b"US", b"SS", b"DS", b"IS", b"CS", b"UI", b"LO", b"SQ", b"OW", b"OB", b"UN", b"FD", b"ZZ")


def element(keyword: str, kind: bytes, value: bytes, length: int | None) -> bytes:
    """One explicit little endian data element, with a length that need not be the value's."""
    tag = int(tag_for_keyword(keyword) or 0)
    value += b" " * (len(value) % 2)
    size = len(value) if length is None else length
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind
    if kind in (b"SQ", b"OW", b"OB", b"UN"):
        return start + struct.pack("<HI", 0, size & 0xFFFFFFFF) + value
    return start + struct.pack("<H", size & 0xFFFF) + value


def elements(content: bytes) -> list[tuple[int, bytes]]:
    """Tag and bytes of every element behind the file meta group of an explicit little endian file."""
    place, found = 132, []
    while place < len(content):
        group, number = struct.unpack_from("<HH", content, place)
        long = content[place + 4 : place + 6] in (b"OB", b"OW", b"SQ", b"UN")
        length = struct.unpack_from("<I" if long else "<H", content, place + (8 if long else 6))[0]
        end = place + (12 if long else 8) + length
        found.append((group << 16 | number, content[place:end]))
        place = end
    return found


Replacement = tuple[str, bytes, bytes | None, int | None]
REPLACEMENTS = st.lists(
    st.tuples(
        st.sampled_from(TAGS),
        st.sampled_from(KINDS),
        VALUES_OF_TAGS,
        st.none() | st.sampled_from([0, 1, 0xFFFFFFFF, 0xFFFE, 1 << 20]),
    ),
    max_size=4,
)


def rewritten(parts: list[tuple[int, bytes]], replacements: list[Replacement]) -> bytes:
    """The file with some elements replaced, added, or where the value is None left out."""
    made = dict(parts)
    for keyword, kind, value, length in replacements:
        tag = int(tag_for_keyword(keyword) or 0)
        made.pop(tag, None)
        if value is not None:
            made[tag] = element(keyword, kind, value, length)
    return bytes(128) + b"DICM" + b"".join(made[tag] for tag in sorted(made))


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The files of one small sagittal series."""
    hospital = Hospital(tmp_path_factory.mktemp("series") / "study")
    return [path.read_bytes() for path in hospital.series(1, [Cut(SAGITTAL, (0, 0, 0), 5, shape=(12, 10))], T2_TAGS)]


@fuzz
@given(
    replacements=REPLACEMENTS,
    anywhere=edits(900),
    everywhere=st.booleans(),
    cut=st.none() | st.integers(0, 1100),
)
def test_fuzz_dicom_headers(
    tmp_path: Path,
    series: list[bytes],
    replacements: list[Replacement],
    anywhere: list[tuple[int, bytes]],
    everywhere: bool,
    cut: int | None,
) -> None:
    for number, content in enumerate(series):
        spoilt = everywhere or number == 2
        if spoilt:
            content = edited(rewritten(elements(content), replacements), anywhere if not replacements else [], cut)
        (tmp_path / f"{number}.dcm").write_bytes(content)
    is_bounded(read_volume, tmp_path)
    is_bounded(read_grid, tmp_path)
    is_bounded(lambda path: [image.read() for image in index_images(path).images], tmp_path)
