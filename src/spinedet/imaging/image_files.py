"""Image files (NIfTI, MHA, MHD, NRRD) as a float32 array (i, j, k) with its affine to RAS mm."""

from __future__ import annotations

import hashlib
import re
import warnings
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.geometry import LPS_TO_RAS, Array
from spinedet.imaging.padding import fill_padding, undeclared_padding
from spinedet.imaging.size_limits import check_voxels

if TYPE_CHECKING:
    import nibabel as nib
    import SimpleITK

_NIFTI = (".nii.gz", ".nii")
_ITK = (".mha", ".mhd", ".nrrd")
SUFFIXES = (*_NIFTI, *_ITK)
# A field that a writer leaves out when it does not know how the image lies; ITK then silently assumes identity.
_DIRECTION_FIELDS = {
    ".mha": (b"\ntransformmatrix", b"\nrotation", b"\norientation"),
    ".mhd": (b"\ntransformmatrix", b"\nrotation", b"\norientation"),
    ".nrrd": (b"\nspace directions:",),
}
_HEADER_BYTES = 1 << 14
# Where a header refers to voxels in files of their own.
_VOXEL_FILE = re.compile(r"^(?:ElementDataFile *=|data ?file:)(.*)$", re.IGNORECASE | re.MULTILINE)
_MOST_VOXEL_FILES = 1 << 14
_AXES = re.compile(rb"^\s*(?:ndims|dimension)\s*[=:]([^\n]*)", re.IGNORECASE | re.MULTILINE)
# The space that an NRRD header names, and the names that ITK knows.
_NRRD_SPACE = re.compile(rb"\nspace:([^\r\n]*)")
_NRRD_SPACES = {
    *(b"lps", b"left-posterior-superior", b"ras", b"right-anterior-superior", b"las", b"left-anterior-superior"),
}
# Deflate packs 258 bytes into two bits at best.
_LARGEST_GZIP_RATIO = 1032
# The bits of NIfTI's `xyzt_units` that give the unit of space, and what each unit has in mm.
_SPACE_UNIT = 7
_NIFTI_UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
# Beyond this, two descriptions of where one image lies are two different places.
_AGREEMENT_MM = 1.0


def read_file(path: Path) -> tuple[NDArray[np.float32], Array]:
    """Read one image file; trailing axes of length 1 are dropped, padding becomes background.

    Raises:
        InputError: an unknown file type, a damaged file, or colour, complex, 2D or 4D data.
    """
    name = path.name.lower()
    if name.endswith(_NIFTI):
        return _read_nifti(path)
    if name.endswith(_ITK):
        return _read_itk(path)
    raise _unknown(path)


def read_header(path: Path) -> tuple[tuple[int, int, int], Array]:
    """Shape and affine of one image file, without its voxels.

    Raises:
        InputError: as `read_file`, as far as the header shows it.
    """
    if path.name.lower().endswith(_NIFTI):
        image, affine = _open_nifti(path)
        shape = image.shape
    elif path.name.lower().endswith(_ITK):
        reader = _open_itk(path)
        shape, affine = reader.GetSize(), _itk_affine(reader)
    else:
        raise _unknown(path)
    return (shape[0], shape[1], shape[2]), affine


def _unknown(path: Path) -> InputError:
    return InputError(
        f"{path} is no image file that spinedet reads ({', '.join(SUFFIXES)}); for DICOM, give the series' folder"
    )


def _read_nifti(path: Path) -> tuple[NDArray[np.float32], Array]:
    image, affine = _open_nifti(path)
    try:
        array = image.get_fdata(dtype=np.float32, caching="unchanged")
        stored: Any = image.dataobj  # nibabel's proxy of the file, which knows its scale
    except _nifti_faults() as error:
        raise _damaged(path, error) from None
    return _without_padding(array.reshape(array.shape[:3], order="F"), stored.slope, stored.inter), affine


def _without_padding(array: NDArray[np.float32], slope: float = 1.0, intercept: float = 0.0) -> NDArray[np.float32]:
    padded = undeclared_padding(array, slope, intercept)
    if padded is not None and not padded.all():
        fill_padding(array, padded)
    return array


def _nifti_faults() -> tuple[type[Exception], ...]:
    """The errors that a damaged file raises in nibabel."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    own = (ImageFileError, HeaderDataError)
    return OSError, EOFError, zlib.error, ArithmeticError, ValueError, MemoryError, *own


def _open_nifti(path: Path) -> tuple[nib.Nifti1Image, Array]:
    import nibabel as nib  # only where it is used: `--help` would wait for it

    try:
        image = nib.load(path)
    except _nifti_faults() as error:
        raise _damaged(path, error) from None
    if not isinstance(image, nib.Nifti1Image):
        raise _damaged(path, TypeError("another format under this name"))
    _refuse_pixels(path, image.get_data_dtype().names is not None, image.get_data_dtype().kind == "c")
    _refuse_shape(path, image.shape)
    if prod(image.shape) * image.get_data_dtype().itemsize > _most_content(path):
        raise _damaged(path, ValueError("the file is shorter than its header says"))
    return image, _nifti_affine(path, image)


def _most_content(path: Path) -> int:
    """Bytes that a file can hold, unpacked."""
    return path.stat().st_size * (_LARGEST_GZIP_RATIO if path.suffix.lower() == ".gz" else 1)


def _nifti_affine(path: Path, image: nib.Nifti1Image) -> Array:
    """The sform, else the qform, in mm; an image of unknown unit is taken to be in mm.

    An image with neither is refused: which side is left and which end is the head would be a guess.
    """
    from nibabel.spatialimages import HeaderDataError

    try:
        (qform, qcode), (sform, scode) = image.get_qform(coded=True), image.get_sform(coded=True)
    except HeaderDataError as error:
        raise _damaged(path, error) from None
    if qcode == 0 and scode == 0:
        raise InputError(
            f"{path} does not say how it lies in the patient (qform_code and sform_code are 0); "
            "convert it again from its DICOM files"
        )
    if qcode > 0 and scode > 0 and not _same_place(qform, sform, image.shape[:3]):
        warnings.warn(f"{path}: qform and sform place the image differently; the sform is used", stacklevel=2)
    affine = np.array(sform if scode > 0 else qform, dtype=np.float64)
    affine[:3] *= _NIFTI_UNIT_MM.get(int(image.header["xyzt_units"]) & _SPACE_UNIT, 1.0)
    return affine


def _same_place(first: Array, second: Array, shape: tuple[int, ...]) -> bool:
    corners = np.array([[x, y, z, 1] for x in (0, shape[0]) for y in (0, shape[1]) for z in (0, shape[2])])
    return bool(np.abs(corners @ (first - second).T).max() <= _AGREEMENT_MM)


def _read_itk(path: Path) -> tuple[NDArray[np.float32], Array]:
    import SimpleITK  # only where it is used: `--help` would wait for it

    reader = _open_itk(path)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _damaged(path, error) from None
    while image.GetDimension() > 3:
        image = image[..., 0]
    return _without_padding(SimpleITK.GetArrayViewFromImage(image).T.astype(np.float32)), _itk_affine(reader)


def _open_itk(path: Path) -> SimpleITK.ImageFileReader:
    """A reader that has read the header and found it usable."""
    import SimpleITK  # only where it is used: `--help` would wait for it

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    _refuse_dimensions(path)
    try:
        reader.ReadImageInformation()
        kind = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID()).lower()
        _refuse_pixels(path, reader.GetNumberOfComponents() > 1, "complex" in kind)
        _refuse_shape(path, reader.GetSize())
        _refuse_unplaced(path)
    except RuntimeError as error:
        raise _damaged(path, error) from None
    return reader


def _itk_affine(reader: SimpleITK.ImageFileReader) -> Array:
    """Of the first three axes, to RAS mm."""
    affine, axes = np.eye(4), reader.GetDimension()
    directions = np.reshape(reader.GetDirection(), (axes, axes))
    affine[:3, :3] = directions[:3, :3] * reader.GetSpacing()[:3]
    affine[:3, 3] = reader.GetOrigin()[:3]
    return LPS_TO_RAS @ affine


def _refuse_unplaced(path: Path) -> None:
    suffix = path.suffix.lower()
    header = _itk_header(path).lower()
    if not any(field in header for field in _DIRECTION_FIELDS[suffix]):
        raise InputError(
            f"{path} does not say how it lies in the patient (its header has no directions); "
            "convert it again from its DICOM files"
        )
    space = _NRRD_SPACE.search(header)
    if suffix == ".nrrd" and (space is None or space[1].strip() not in _NRRD_SPACES):
        named = f"the space {space[1].strip().decode('ascii', 'replace')!r}" if space else "no space"
        warnings.warn(f"{path} names {named}; its directions are assumed to be LPS, as ITK does", stacklevel=2)


def _refuse_dimensions(path: Path) -> None:
    """Refuse a number of axes with which ITK would crash or take endless memory."""
    named = [field[1].strip() for field in _AXES.finditer(_itk_header(path))]
    if not named or not all(re.fullmatch(rb"[1-5]", number) for number in named):
        raise _damaged(path, ValueError("its header does not say how many axes it has"))


def _itk_header(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEADER_BYTES)


def image_sha256(path: Path) -> str:
    """Hex digest of an image: of its file or folder, and of the voxel files that a MetaImage or NRRD header names.

    Raises:
        InputError: the header cannot be read or names files that are not there.
    """
    files = _voxel_files(path) if path.is_file() and path.suffix.lower() in _ITK else ()
    if not files:
        return sha256(path)
    digest = hashlib.sha256(sha256(path).encode())
    for file in files:
        if not file.is_file():
            raise InputError(f"{path} keeps its voxels in {file.name}, which is missing; copy both files")
        digest.update(sha256(file).encode())
    return digest.hexdigest()


def matches_sha256(path: Path, expected: str) -> bool:
    """Whether an image is the one with this digest; a header alone may be meant, as earlier manifests have it.

    Raises:
        InputError: as `image_sha256`.
    """
    return expected == image_sha256(path) or (path.is_file() and expected == sha256(path))


def _voxel_files(path: Path) -> tuple[Path, ...]:
    """The files that a header refers to for the voxels; none when they follow the header."""
    header = _itk_header(path).decode("latin-1")
    found = _VOXEL_FILE.search(header.partition("\n\n")[0] if path.suffix.lower() == ".nrrd" else header)
    if found is None or found[1].strip() == "LOCAL":
        return ()
    name, *numbers = found[1].split() if "%" in found[1] else [found[1].strip()]
    if name.startswith("LIST"):
        names = header[found.end() :].split("\n")
        return tuple(path.parent / each.strip() for each in names if each.strip())
    if not numbers:
        return (path.parent / name,)
    try:
        first, last, step = map(int, [*numbers, "1"][:3])
        counted = range(first, last + 1, max(1, step))[:_MOST_VOXEL_FILES]
        return tuple(path.parent / (name % number) for number in counted)
    except (TypeError, ValueError):
        raise InputError(f"{path} names its voxel files by {found[1]!r}; write the image as one file") from None


def _refuse_pixels(path: Path, several_channels: bool, is_complex: bool) -> None:
    if several_channels:
        raise InputError(f"{path} is a colour or vector image; give the scanner's grey values")
    if is_complex:
        raise InputError(f"{path} holds complex values; give the magnitude image")


def _refuse_shape(path: Path, shape: tuple[int, ...]) -> None:
    if len(shape) < 3 or min(shape) < 1 or sorted(shape[:3])[1] < 2:
        raise InputError(f"{path} is a 2D image (shape {shape}); give the whole stack of slices as one volume")
    check_voxels(shape, str(path))
    if any(length != 1 for length in shape[3:]):
        raise InputError(f"{path} holds several volumes (shape {shape}); give the one T2 volume as its own file")


def _damaged(path: Path, error: BaseException) -> InputError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return InputError(f"{path} cannot be read ({reason}); it may be cut short or no such image, copy it again")
