"""Every way into a Volume gives the same one; what is no volume is refused."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.geometry import Grid
from spinedet.imaging.image_files import image_sha256, matches_sha256
from spinedet.imaging.input_checks import DeclaredMetadata, check_input
from spinedet.imaging.planes import SPECS
from spinedet.imaging.resample import prepare, resample
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.volume import Volume, find_images, read_grid, read_volume, write_volume
from spinedet.report.reading_page import eight_bits

SHAPE = (3, 4, 5)
VALUES = np.arange(60, dtype=np.float32).reshape(SHAPE)
AFFINE = np.array([[0, 0, -4.0, 10], [-0.8, 0, 0, 20], [0, 0.5, 0, 30], [0, 0, 0, 1]])


def save(path: Path, values: np.ndarray, affine: np.ndarray | None = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def itk_image(values: np.ndarray = VALUES) -> SimpleITK.Image:
    """VALUES placed like AFFINE, written down in LPS."""
    image = SimpleITK.GetImageFromArray(values.transpose(2, 1, 0))
    image.SetSpacing([0.8, 0.5, 4.0])
    image.SetDirection([0, 0, 1, 1, 0, 0, 0, 1, 0])
    image.SetOrigin([-10, -20, 30])
    return image


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.mha", "x.mhd", "x.nrrd"])
def test_all_formats_give_the_same_volume(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if ".nii" in name:
        save(path, VALUES)
    else:
        SimpleITK.WriteImage(itk_image(), path)
    volume = read_volume(path)
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, VALUES)
    assert volume.grid.affine == pytest.approx(AFFINE)
    assert read_grid(path).affine == pytest.approx(AFFINE)
    assert read_grid(path).shape == SHAPE


@pytest.mark.parametrize(
    ("values", "dtype"), [(VALUES, np.int16), (VALUES / 7, np.float32), (VALUES * 1e4, np.float32)]
)
def test_what_is_written_is_read_back(tmp_path: Path, values: np.ndarray, dtype: type) -> None:
    volume = Volume(values.astype(np.float32), Grid(SHAPE, AFFINE))
    write_volume(tmp_path / "new" / "x.nii.gz", volume)
    again = read_volume(tmp_path / "new" / "x.nii.gz")
    assert np.array_equal(again.array, volume.array)
    assert again.grid.affine == pytest.approx(AFFINE, abs=1e-6)
    assert nib.load(tmp_path / "new" / "x.nii.gz").get_data_dtype() == dtype
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["x.nii.gz"]


def test_the_same_volume_is_the_same_file(tmp_path: Path) -> None:
    volume = Volume(VALUES, Grid(SHAPE, AFFINE))
    write_volume(tmp_path / "a" / "x.nii.gz", volume)
    write_volume(tmp_path / "b" / "x.nii.gz", volume)
    assert (tmp_path / "a" / "x.nii.gz").read_bytes() == (tmp_path / "b" / "x.nii.gz").read_bytes()


def test_a_trailing_axis_of_one_is_no_axis(tmp_path: Path) -> None:
    assert np.array_equal(read_volume(save(tmp_path / "x.nii", VALUES[..., None])).array, VALUES)
    SimpleITK.WriteImage(SimpleITK.JoinSeries([itk_image()]), tmp_path / "x.mha")
    assert read_volume(tmp_path / "x.mha").grid.affine == pytest.approx(AFFINE)
    assert read_grid(tmp_path / "x.mha").affine == pytest.approx(AFFINE)


def test_stored_scale_is_applied(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES.astype(np.int16), AFFINE)
    image.header.set_slope_inter(2, -3)
    nib.save(image, tmp_path / "x.nii")
    assert read_volume(tmp_path / "x.nii").array[0, 0, 4] == 4 * 2 - 3


def truncated(folder: Path) -> Path:
    noise = np.random.default_rng(0).random((20, 20, 20)).astype(np.float32)
    path = save(folder / "x.nii.gz", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def truncated_mha(folder: Path) -> Path:
    SimpleITK.WriteImage(itk_image(), folder / "x.mha")
    (folder / "x.mha").write_bytes((folder / "x.mha").read_bytes()[:-40])
    return folder / "x.mha"


def colour(folder: Path) -> Path:
    pixels = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    return save(folder / "x.nii", pixels)


def colour_mha(folder: Path) -> Path:
    SimpleITK.WriteImage(SimpleITK.Compose([itk_image()] * 3), folder / "x.mha")
    return folder / "x.mha"


def four_mha(folder: Path) -> Path:
    SimpleITK.WriteImage(SimpleITK.JoinSeries([itk_image()] * 2), folder / "x.mha")
    return folder / "x.mha"


def flat_mha(folder: Path) -> Path:
    SimpleITK.WriteImage(itk_image()[..., 0], folder / "x.mha")
    return folder / "x.mha"


def with_value(value: float) -> Callable[[Path], Path]:
    values = VALUES.copy()
    values[1, 2, 3] = value
    return lambda folder: save(folder / "x.nii", values)


def with_affine(change: np.ndarray) -> Callable[[Path], Path]:
    return lambda folder: save(folder / "x.nii", VALUES, AFFINE @ change)


def singular(folder: Path) -> Path:
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.header["srow_z"] = 0
    nib.Nifti1Image(VALUES, None, image.header).to_filename(folder / "x.nii")
    return folder / "x.nii"


def bad_quaternion(folder: Path) -> Path:
    image = nib.Nifti1Image(VALUES, None)
    image.header["qform_code"], image.header["quatern_b"] = 1, 2.0
    raw = image.header.binaryblock + bytes(4) + VALUES.tobytes(order="F")
    (folder / "x.nii").write_bytes(raw)
    return folder / "x.nii"


def unplaced_mha(folder: Path) -> Path:
    SimpleITK.WriteImage(itk_image(), folder / "x.mha")
    lines = (folder / "x.mha").read_bytes().split(b"\n")
    (folder / "x.mha").write_bytes(b"\n".join(line for line in lines if not line.startswith(b"TransformMatrix")))
    return folder / "x.mha"


def named(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


SHEAR = np.eye(4) + 0.2 * np.eye(4, k=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "no.nii", "does not exist"),
        (truncated, "cannot be read.*copy it again"),
        (truncated_mha, "cannot be read.*copy it again"),
        (named("x.nii.gz", b"no image at all"), "cannot be read"),
        (named("x.nii", b""), "cannot be read"),
        (named("x.nrrd", b"NRRD0004\n"), "cannot be read"),
        (named("x.jpg", b""), "no image file that spinedet reads"),
        (named("x.dcm", b""), "give the series' folder"),
        (lambda folder: save(folder / "x.nii", VALUES[0]), "2D"),
        (lambda folder: save(folder / "x.nii", VALUES[:1, :, :1]), "2D"),
        (flat_mha, "2D"),
        (lambda folder: save(folder / "x.nii", np.stack([VALUES] * 2, axis=-1)), "several volumes"),
        (four_mha, "several volumes"),
        (colour, "colour"),
        (colour_mha, "colour"),
        (lambda folder: save(folder / "x.nii", VALUES.astype(np.complex64)), "complex"),
        (with_value(np.nan), "NaN or infinite"),
        (with_value(-np.inf), "NaN or infinite"),
        (lambda folder: save(folder / "x.nii", np.full(SHAPE, 7, np.int16)), r"constant \(every voxel is 7\)"),
        (singular, "singular"),
        (bad_quaternion, "cannot be read"),
        (with_affine(SHEAR), "sheared"),
        (lambda folder: save(folder / "x.nii", VALUES, None), "does not say how it lies"),
        (unplaced_mha, "does not say how it lies"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    path = make(tmp_path)
    with pytest.raises(InputError, match=message) as refusal:
        read_volume(path)
    assert str(path) in str(refusal.value)


def test_a_single_slice_is_a_volume(tmp_path: Path) -> None:
    volume = read_volume(save(tmp_path / "x.nii", VALUES[..., :1]))
    assert volume.array.shape == (*VALUES.shape[:2], 1)


def test_the_qform_serves_when_there_is_no_sform(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES, None)
    image.set_qform(AFFINE, code="scanner")
    nib.save(image, tmp_path / "x.nii")
    assert read_volume(tmp_path / "x.nii").grid.affine == pytest.approx(AFFINE, abs=1e-5)


def test_two_places_for_one_image_are_told(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.set_qform(np.diag([-1.0, 1, 1, 1]) @ AFFINE, code="scanner")
    nib.save(image, tmp_path / "x.nii")
    with pytest.warns(UserWarning, match="place the image differently"):
        assert read_volume(tmp_path / "x.nii").grid.affine == pytest.approx(AFFINE)


def test_images_are_found_in_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, second = save(tmp_path / "a.nii.gz", VALUES), save(tmp_path / "b" / "c.d.nii", VALUES)
    (tmp_path / "notes.txt").write_text("")
    assert [(s.id, s.path) for s in find_images(tmp_path)] == [("a", first), ("b-c.d", second)]
    assert [source.id for source in find_images(second)] == ["c.d"]
    with pytest.raises(InputError, match="does not exist"):
        find_images(tmp_path / "nowhere")


def test_a_volume_fits_its_grid() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Volume(VALUES, Grid((5, 4, 3), AFFINE))
    with pytest.raises(ValueError, match="float64"):
        Volume(VALUES.astype(np.float64), Grid(SHAPE, AFFINE))  # type: ignore[arg-type]


@pytest.mark.parametrize(("unit", "per_mm"), [("mm", 1.0), ("micron", 1000.0), ("meter", 0.001), ("unknown", 1.0)])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_nifti_units_are_converted_to_mm(tmp_path: Path, kind: type, unit: str, per_mm: float) -> None:
    affine = AFFINE.copy()
    affine[:3] *= per_mm
    image = kind(VALUES, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units(unit, "sec")
    nib.save(image, tmp_path / "x.nii.gz")
    grid = read_volume(tmp_path / "x.nii.gz").grid
    assert grid.affine == pytest.approx(AFFINE, abs=1e-5)
    assert read_grid(tmp_path / "x.nii.gz").affine == pytest.approx(grid.affine)


@pytest.mark.parametrize(("unit", "per_mm"), [("unknown", 1000.0), ("unknown", 0.001), ("micron", 1.0)])
def test_a_wrong_unit_is_refused(tmp_path: Path, unit: str, per_mm: float) -> None:
    affine = AFFINE.copy()
    affine[:3] *= per_mm
    image = nib.Nifti1Image(VALUES, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "x.nii")
    for read in (read_volume, read_grid):
        with pytest.raises(InputError, match=r"x\.nii would measure .* mm; .* in another unit"):
            read(tmp_path / "x.nii")


@pytest.mark.parametrize("shape", [(32767, 32767, 32767), (4096, 4096, 1024)])
def test_a_size_beyond_memory_is_refused_before_memory_is_taken(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    path = save(tmp_path / "x.nii", VALUES)
    content = bytearray(path.read_bytes())
    content[42:48] = np.array(shape, dtype="<i2").tobytes()
    path.write_bytes(content)
    for read in (read_volume, read_grid):
        with pytest.raises(InputError, match=rf"x\.nii has {shape[0]} x .* voxels"):
            read(path)


def write_detached(folder: Path, values: np.ndarray, name: str = "out.mhd") -> Path:
    """VALUES placed like AFFINE, with the voxels in a file of their own."""
    folder.mkdir()
    SimpleITK.WriteImage(itk_image(values), folder / name)
    return folder / name


def test_images_with_equal_headers_are_known_by_their_voxels(tmp_path: Path) -> None:
    one, same, other = (
        write_detached(tmp_path / name, values) for name, values in (("a", VALUES), ("b", VALUES), ("c", VALUES + 1))
    )
    assert one.read_bytes() == other.read_bytes()
    assert image_sha256(one) == image_sha256(same) != image_sha256(other)
    assert matches_sha256(one, image_sha256(one))
    assert matches_sha256(one, sha256(one)), "as manifests written by earlier versions say"
    assert not matches_sha256(other, image_sha256(one))
    (one.parent / "out.raw").unlink()
    with pytest.raises(InputError, match=r"out\.mhd keeps its voxels in out\.raw, which is missing"):
        image_sha256(one)


@pytest.mark.parametrize("listed", ["LIST\nslice1.raw\nslice2.raw\nslice3.raw\n", "slice%d.raw 1 3 1\n"])
def test_images_in_several_files_are_known_by_all_of_them(tmp_path: Path, listed: str) -> None:
    path = write_detached(tmp_path / "a", VALUES.astype(np.int16))
    raw = (path.parent / "out.raw").read_bytes()
    values = np.frombuffer(raw, "<i2").reshape(5, 4, 3)
    header = path.read_text().replace("DimSize = 3 4 5", "DimSize = 3 4 3").partition("ElementDataFile")[0]
    path.write_text(f"{header}ElementDataFile = {listed}")
    for number in (1, 2, 3):
        (path.parent / f"slice{number}.raw").write_bytes(values[number].tobytes())
    before = image_sha256(path)
    assert read_volume(path).array.shape == (3, 4, 3)
    (path.parent / "slice3.raw").write_bytes(values[4].tobytes())
    assert image_sha256(path) != before


def test_a_header_with_its_voxels_behind_it_is_one_file(tmp_path: Path) -> None:
    for name in ("x.mha", "x.nrrd"):
        SimpleITK.WriteImage(itk_image(), tmp_path / name)
        assert image_sha256(tmp_path / name) == sha256(tmp_path / name)


NRRD = b"NRRD0004\ntype: float\ndimension: 3\nsizes: 3 4 5\nencoding: raw\nendian: little\n"


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        (b"space: left-posterior-superior", (-1, -1, 1)),
        (b"space: RAS", (1, 1, 1)),
        (b"space: left-anterior-superior", (-1, 1, 1)),
        (b"space: LAS", (-1, 1, 1)),
    ],
)
def test_nrrd_is_placed_by_the_space_that_it_names(
    tmp_path: Path, space: bytes, signs: tuple[int, int, int], recwarn: pytest.WarningsRecorder
) -> None:
    where = b"\nspace directions: (0,0.8,0) (0,0,0.5) (4,0,0)\nspace origin: (10,20,30)\n\n"
    (tmp_path / "x.nrrd").write_bytes(NRRD + space + where + VALUES.tobytes(order="F"))
    volume = read_volume(tmp_path / "x.nrrd")
    assert np.array_equal(volume.array, VALUES)
    expected = np.array([[0, 0, 4, 10], [0.8, 0, 0, 20], [0, 0.5, 0, 30]]) * np.array(signs)[:, None]
    assert volume.grid.affine[:3] == pytest.approx(expected)
    assert len(recwarn) == 0


def test_nrrd_that_names_no_space_is_assumed_to_be_lps_and_says_so(tmp_path: Path) -> None:
    where = b"space dimension: 3\nspace directions: (0,0.8,0) (0,0,0.5) (4,0,0)\nspace origin: (10,20,30)\n\n"
    (tmp_path / "x.nrrd").write_bytes(NRRD + where + VALUES.tobytes(order="F"))
    with pytest.warns(UserWarning, match=r"x\.nrrd names no space; its directions are assumed to be LPS"):
        volume = read_volume(tmp_path / "x.nrrd")
    assert volume.grid.affine[:3] == pytest.approx(np.array([[0, 0, -4, -10], [-0.8, 0, 0, -20], [0, 0.5, 0, 30]]))


def test_images_behind_links_are_found_once(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "elsewhere").mkdir()
    save(tmp_path / "elsewhere" / "x.nii.gz", VALUES)
    (tmp_path / "cohort" / "linked").symlink_to("../elsewhere")
    (tmp_path / "cohort" / "cycle").symlink_to(".")
    (tmp_path / "cohort" / "again.nii.gz").symlink_to("linked/x.nii.gz")
    with pytest.warns(UserWarning, match="left out: .*again.nii.gz .*cycle"):
        images = find_images(tmp_path / "cohort")
    assert [image.id for image in images] == ["linked-x"]


def test_resampling_to_a_size_beyond_memory_is_refused(lumbar: Volume) -> None:
    with pytest.raises(InputError, match=r"at the working spacing has .* voxels"):
        resample(lumbar, (1e-3, 1e-3, 1e-3))


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.mha", "x.nrrd"])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_the_lowest_number_of_a_type_outside_the_field_of_view_is_background(
    tmp_path: Path, name: str, dtype: type
) -> None:
    lowest = np.iinfo(np.int32 if dtype is np.int32 else np.int16).min
    values = (VALUES + 100).astype(dtype)
    values[:, 0] = lowest
    path = tmp_path / name
    if ".nii" in name:
        save(path, values)
    else:
        SimpleITK.WriteImage(itk_image(values), path)
    array = read_volume(path).array
    assert not array[:, 0].any()
    assert np.array_equal(array[:, 1:], (VALUES + 100)[:, 1:])


def test_scaled_padding_is_background_and_lies_below_what_was_measured(tmp_path: Path) -> None:
    values = (VALUES - 30).astype(np.int16)
    values[:, 0] = -32768
    image = nib.Nifti1Image(values, AFFINE)
    image.header.set_slope_inter(0.37, -5)
    nib.save(image, tmp_path / "x.nii.gz")
    array = read_volume(tmp_path / "x.nii.gz").array
    measured = (VALUES - 30)[:, 1:] * np.float32(0.37) - 5
    assert array[:, 1:] == pytest.approx(measured, abs=1e-4)
    assert array[:, 0] == pytest.approx(measured.min(), abs=1e-4)


def test_an_image_that_uses_the_whole_range_of_its_type_keeps_its_lowest_value(tmp_path: Path) -> None:
    values = np.linspace(-32768, 32767, 60).round().astype(np.int16).reshape(SHAPE)
    assert np.array_equal(read_volume(save(tmp_path / "x.nii", values)).array, values)


def test_padding_changes_neither_the_checks_nor_what_the_network_sees(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(20, 900, (12, 60, 50)).astype(np.int16)
    affine = np.array([[0, 0, -4.0, 10], [-4.0, 0, 0, 20], [0, 4.0, 0, 30], [0, 0, 0, 1]])
    volumes = []
    for number, outside in enumerate((0, -32768)):
        values[:, :6] = outside
        volumes.append(read_volume(save(tmp_path / f"{number}.nii.gz", values, affine)))
    plain, padded = volumes
    checks = [check_input(v, Plane.AXIAL, DeclaredMetadata(), Region.LUMBAR, EligibilityLimits()) for v in volumes]
    assert checks[0] == checks[1]
    spec = SPECS[Plane.AXIAL]
    assert np.array_equal(prepare(plain, spec).array, prepare(padded, spec).array)
    assert np.array_equal(eight_bits(plain.array), eight_bits(padded.array))
