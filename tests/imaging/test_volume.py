"""Every way into a Volume gives the same one; what is no volume is refused."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.imaging.volume import Volume, find_images, read_grid, read_volume, write_volume

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
