"""Radiographs as PNG, TIFF and JPEG, the exposed field by its pixels, polarity by its pixels, and metal."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from spinedet.core.errors import InputError
from spinedet.imaging.radiograph.checks import Expected, ViewEstimate, check_radiograph, view_of
from spinedet.imaging.radiograph.exposed_field import find_field
from spinedet.imaging.radiograph.metal import hardware_groups, metal_crop, metal_groups
from spinedet.imaging.radiograph.read import Declared, prepare, read_radiograph
from spinedet.imaging.radiograph.records import (
    DeclaredView,
    Orientation,
    RadiographImage,
    Spacing,
    SpacingSource,
    StoredRadiograph,
)
from spinedet.imaging.suitability import Suitability

from .conftest import found, likeness
from .films import Film, film, in_rim, save

REJECTED, DOUBTFUL = Suitability.REJECTED, Suitability.DOUBTFUL


@pytest.mark.parametrize(
    ("name", "bits"), [("a.png", 8), ("a.png", 16), ("a.tif", 8), ("a.tiff", 16), ("a.jpg", 8), ("a.jpeg", 8)]
)
def test_every_format_gives_the_film(tmp_path: Path, picture: Film, name: str, bits: int) -> None:
    image = read_radiograph(save(tmp_path / name, picture, bits))
    assert likeness(image, picture) > 0.99
    assert found(image) == {}
    assert image.spacing is None
    assert image.view == DeclaredView()
    assert name.rpartition(".")[2][0].upper() == image.steps[0][0]


def test_the_content_counts_and_not_the_name(tmp_path: Path, picture: Film) -> None:
    path = save(tmp_path / "a.png", picture)
    for name in ("a.xyz", "a.dcm"):
        path = path.rename(tmp_path / name)
        assert likeness(read_radiograph(path), picture) > 0.99


def test_a_tiff_of_32_bits_without_a_sign(tmp_path: Path, picture: Film) -> None:
    values = np.rint(picture.astype(np.float64) * (2**32 - 1)).astype(np.uint32)
    path = tmp_path / "a.tif"
    Image.fromarray(values.view(np.int32)).save(path)
    signed, unsigned = (struct.pack("<HHIHH", 339, 3, 1, kind, 0) for kind in (2, 1))  # SampleFormat
    assert signed in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(signed, unsigned))
    image = read_radiograph(path)
    assert likeness(image, picture) > 0.99
    assert found(image) == {}


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_tiff_in_which_white_is_zero(tmp_path: Path, picture: Film, depth: type[Any]) -> None:
    path = tmp_path / "a.tif"
    # Pillow inverts 8-bit files of this kind when it writes them, and deeper ones not.
    stored = picture if depth is np.uint8 else 1 - picture
    Image.fromarray(np.rint(stored * np.iinfo(depth).max).astype(depth)).save(path, tiffinfo={262: 0})
    with Image.open(path) as written:
        assert written.tag_v2[262] == 0  # type: ignore[attr-defined]
    image = read_radiograph(path)
    assert likeness(image, picture) > 0.99
    assert found(image) == {}


def test_a_film_stored_inverted_is_seen_by_its_pixels_and_doubted(tmp_path: Path, picture: Film) -> None:
    image = read_radiograph(save(tmp_path / "a.png", 1 - picture))
    assert likeness(image, picture) > 0.99
    assert found(image) == {"polarity": DOUBTFUL}


def test_a_photograph_is_rejected(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).uniform(0, 255, (10, 12, 3)).repeat(32, axis=0).repeat(32, axis=1)
    Image.fromarray(colours.astype(np.uint8)).save(tmp_path / "photo.jpg")
    assert found(read_radiograph(tmp_path / "photo.jpg"))["image"] is REJECTED


def test_coloured_marks_are_doubtful_and_grey_in_three_channels_is_not(tmp_path: Path, picture: Film) -> None:
    grey = np.repeat(np.rint(picture * 255).astype(np.uint8)[..., None], 3, axis=2)
    Image.fromarray(grey).save(tmp_path / "grey.jpg")
    assert found(read_radiograph(tmp_path / "grey.jpg")) == {}
    grey[10:20, 10:60] = (255, 255, 0)
    Image.fromarray(grey).save(tmp_path / "marked.png")
    image = read_radiograph(tmp_path / "marked.png")
    assert found(image) == {"image": DOUBTFUL}
    assert "colour to luminance" in image.steps


def test_transparency_and_palettes(tmp_path: Path, picture: Film) -> None:
    plain = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    for mode in ("LA", "P", "RGBA"):
        plain.convert(mode).save(tmp_path / f"{mode}.png")
        assert likeness(read_radiograph(tmp_path / f"{mode}.png"), picture) > 0.99


# --- what cannot be read ---


def _announcing(path: Path, side: int) -> Path:
    """A PNG whose header tells of a square of this side."""
    size = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + size + struct.pack(">I", zlib.crc32(size))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT")
    return path


def test_files_that_cannot_be_read(tmp_path: Path, picture: Film) -> None:
    cut = save(tmp_path / "cut.png", picture)
    cut.write_bytes(cut.read_bytes()[:2000])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").touch()
    black_and_white = tmp_path / "fax.png"
    Image.fromarray(picture > 0.5).save(black_and_white)
    pages = tmp_path / "pages.tif"
    one = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    one.save(pages, save_all=True, append_images=[one])
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    one.save(turned, exif=exif)
    holes = tmp_path / "nan.tif"
    Image.fromarray(np.where(picture > 0.5, np.nan, picture).astype(np.float32)).save(holes)
    one_grey = save(tmp_path / "black.png", np.zeros_like(picture))
    gif = tmp_path / "film.gif"
    one.save(gif)
    bomb, large = (_announcing(tmp_path / f"{side}.png", side) for side in (30_000, 10_000))
    for path, words in (
        (cut, "cannot be read"),
        (tmp_path / "text.png", "no radiograph that spinedet reads"),
        (tmp_path / "empty.png", "is empty"),
        (tmp_path, "is a folder"),
        (tmp_path / "absent.png", "does not exist"),
        (black_and_white, "black and white alone"),
        (pages, "holds 2 pages"),
        (turned, "EXIF"),
        (holes, "no finite numbers"),
        (one_grey, "one grey"),
        (gif, "no radiograph that spinedet reads"),
        (bomb, "far too many pixels"),
        (large, "has 10000 x 10000 pixels, more than 67,108,864"),
        (tmp_path / ("long" * 99), "File name too long"),
    ):
        with pytest.raises(InputError) as refused:
            read_radiograph(path)
        assert str(path) in str(refused.value)
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("made", "question", "suitability"),
    [
        (film(60, 200), "size", REJECTED),
        (film(200, 300), "size", DOUBTFUL),
        (np.round(film() * 5) / 5, "grey values", REJECTED),
        (np.round(film() * 30) / 30, "grey values", DOUBTFUL),
        (np.clip(film() * 3, 0, 1), "clipping", DOUBTFUL),
        ((film() > 0.4).astype(np.float32) * 0.999 + film() * 0.001, "clipping", REJECTED),
    ],
)
def test_too_small_too_few_greys_or_clipped(
    tmp_path: Path, made: Film, question: str, suitability: Suitability
) -> None:
    assert found(read_radiograph(save(tmp_path / "a.png", made)))[question] is suitability


@pytest.mark.parametrize("rim", [0.0, 1.0])
def test_a_small_field_is_not_clipped(tmp_path: Path, rim: float) -> None:
    made = np.full((900, 900), rim, dtype=np.float32)
    made[290:610, 306:594] = 0.2 + 0.6 * film()
    image = read_radiograph(save(tmp_path / "a.png", made))
    assert image.field.source == "pixels"
    assert found(image) == {}


@pytest.mark.parametrize("mm", [1e-300, 1e-4, 11.0, 1e300])
def test_a_pixel_size_that_cannot_be_right(tmp_path: Path, picture: Film, mm: float) -> None:
    image = read_radiograph(save(tmp_path / "a.png", picture), Declared(mm=mm))
    assert image.spacing is None
    assert found(image) == {"pixel size": DOUBTFUL}


# --- the exposed field by its pixels ---


def turned_field(degrees: float, rim: float = 0.0, noise: float = 0.0) -> tuple[Film, Film]:
    """A film collimated to a rectangle of 60 by 70 % that is turned, and the mask of it."""
    mask = np.zeros((400, 360), dtype=np.float32)
    mask[60:340, 72:288] = 1
    mask = (ndimage.rotate(mask, -degrees, reshape=False, order=1) > 0.5).astype(np.float32)
    made = film(400, 360) * mask + rim * (1 - mask)
    return np.clip(made + np.random.default_rng(1).normal(0, noise, made.shape), 0, 1).astype(np.float32), mask


@pytest.mark.parametrize("rim", [0.0, 0.35, 1.0])
@pytest.mark.parametrize("degrees", [0.0, 3.0, -4.5])
def test_a_turned_field_behind_a_rim_of_any_grey(rim: float, degrees: float) -> None:
    made, mask = turned_field(degrees, rim, noise=0.005)
    image = prepare(StoredRadiograph(made), "x")
    assert image.field.source == "pixels"
    assert image.field.turned == pytest.approx(degrees, abs=1.0)
    inside = image.pixels > 0
    overlap = (inside & (mask > 0)).sum() / (inside | (mask > 0)).sum()
    assert overlap > 0.93


def test_a_film_without_a_rim_is_exposed_throughout(picture: Film) -> None:
    search = find_field(picture)
    assert search.field.is_whole
    assert search.exposures == 1


def test_air_beside_the_body_is_no_rim() -> None:
    y, x = np.mgrid[0:400, 0:360] / np.array([400, 360])[:, None, None]
    body = np.clip(1 - ((x - 0.5) / 0.3) ** 2 - 0.3 * np.sin(3 * y), 0, 1)
    noise = np.random.default_rng(0).normal(0, 0.004, body.shape)
    image = prepare(StoredRadiograph((body + noise).astype(np.float32)), "x")
    assert np.corrcoef(image.pixels.ravel(), body.ravel())[0, 1] > 0.98


def test_two_exposures_on_one_image_are_rejected(tmp_path: Path) -> None:
    strip = np.zeros((320, 12), dtype=np.float32)
    both = np.hstack([film(320, 220, 1), strip, film(320, 220, 2)])
    assert found(read_radiograph(save(tmp_path / "strip.png", both)))["exposures"] is REJECTED
    rimmed = np.hstack([in_rim(film(320, 260, 1)), in_rim(film(320, 260, 2))])
    assert found(read_radiograph(save(tmp_path / "rims.png", rimmed)))["exposures"] is REJECTED


# --- metal ---


def with_screws(mm: float | None = 0.7) -> RadiographImage:
    """Two rods and four screws beside the spine, and a lead letter in the corner that is as bright."""
    made = film(480, 400) * 0.7
    for column in (175, 225):
        made[200:330, column - 4 : column + 4] = 1
        for row in (215, 310):
            made[row - 6 : row + 6, column - 12 : column + 12] = 1
    made[25:60, 340:352] = made[25:37, 340:375] = 1
    return prepare_of(made, mm)


def prepare_of(made: Film, mm: float | None) -> RadiographImage:
    spacing = None if mm is None else Spacing(mm, mm, SpacingSource.DETECTOR)
    return replace(read_from(made), spacing=spacing)


def read_from(made: Film) -> RadiographImage:
    return prepare(StoredRadiograph(made.astype(np.float32), view=DeclaredView("ap", "ViewPosition")), "x")


def test_the_crop_lies_around_the_screws_and_not_the_letter() -> None:
    image = with_screws()
    crop = metal_crop(image)
    assert crop is not None
    x0, y0, x1, y1 = crop
    assert (x1 - x0, y1 - y0) == pytest.approx((220 / 0.7, 220 / 0.7))
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((200, 265), abs=6)


def test_without_millimetres_the_crop_is_a_share_of_the_width() -> None:
    crop = metal_crop(with_screws(None))
    assert crop is not None
    assert crop[2] - crop[0] == pytest.approx(0.55 * 400)


def test_screws_before_a_white_pelvis() -> None:
    made = film(480, 400) * 0.5
    made[220:] = 0.86 + 0.2 * (made[220:] - 0.3)
    for row in (300, 350):
        made[row - 5 : row + 5, 180:260] = 1
    made[290:360, 256:266] = 1
    image = prepare_of(made, 0.7)
    assert metal_groups(image) == ()
    x0, y0, x1, y1 = hardware_groups(image)[0].box
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((223, 325), abs=8)
    assert hardware_groups(image)[0].certain == 0


def test_a_film_without_metal_has_no_crop() -> None:
    assert metal_crop(read_from(film(480, 400))) is None
    assert metal_groups(read_from(film(480, 400))) == ()


@pytest.mark.parametrize(
    ("metal", "screws", "suitability"),
    [(True, True, None), (True, False, REJECTED), (False, True, DOUBTFUL), (False, False, None), (None, True, None)],
)
def test_metal_where_the_model_needs_it_or_not(
    metal: bool | None, screws: bool, suitability: Suitability | None
) -> None:
    image = with_screws() if screws else read_from(film(480, 400))
    checks = {one.question: one.suitability for one in check_radiograph(image, Expected(("ap",), metal))}
    assert checks.get("metal") is suitability


# --- the view: tags, manifest, classifier ---

BOTH = Expected(("ap", "lateral"))


@pytest.mark.parametrize(
    ("declared", "written", "estimate", "expected", "questions"),
    [
        (DeclaredView("ap", "tag"), None, None, BOTH, {}),
        (DeclaredView(), None, None, BOTH, {"view": DOUBTFUL}),
        (DeclaredView(), None, ViewEstimate("ap", 0.95), BOTH, {}),
        (DeclaredView(), None, ViewEstimate("ap", 0.55), BOTH, {"view": DOUBTFUL}),
        (DeclaredView(), "lateral", None, BOTH, {}),
        (DeclaredView("ap", "tag"), "lateral", None, BOTH, {"view tag": DOUBTFUL}),
        (DeclaredView("ap", "tag"), None, ViewEstimate("lateral", 0.95), BOTH, {"view": DOUBTFUL}),
        (DeclaredView("ap", "tag"), None, ViewEstimate("lateral", 0.6), BOTH, {}),
        (DeclaredView("ap", "tag"), None, None, Expected(("lateral",)), {"view": REJECTED}),
        (DeclaredView(None, "tag", "oblique"), None, None, BOTH, {"view": REJECTED}),
        # A hand, a photograph or an MRI slice without tags: the classifier sees none of the views.
        (DeclaredView("ap", "tag"), None, ViewEstimate(None, 0.97, "a hand"), BOTH, {"content": REJECTED}),
        (DeclaredView(), None, ViewEstimate(None, 0.97), BOTH, {"content": REJECTED}),
    ],
)
def test_the_view_is_checked_against_everything_that_is_known(
    picture: Film,
    declared: DeclaredView,
    written: str | None,
    estimate: ViewEstimate | None,
    expected: Expected,
    questions: dict[str, Suitability],
) -> None:
    image = prepare(StoredRadiograph(picture, view=declared), "x")
    checks = check_radiograph(image, expected, estimate, written)
    assert {one.question: one.suitability for one in checks} == questions


def test_the_classifier_answers_where_nothing_is_declared() -> None:
    assert view_of(DeclaredView("ap", "tag"), ViewEstimate("lateral", 1.0)) == "ap"
    assert view_of(DeclaredView(), ViewEstimate("lateral", 0.9)) == "lateral"
    assert view_of(DeclaredView(), ViewEstimate("lateral", 0.7)) is None
    assert view_of(DeclaredView(None, "tag", "oblique"), ViewEstimate("ap", 0.99)) is None


def test_the_field_follows_the_flip() -> None:
    made, _ = turned_field(3.0)
    made[:, :40] = 0
    stored = StoredRadiograph(made, view=DeclaredView("ap", "tag"), orientation=Orientation("R", "F"))
    plain = prepare(StoredRadiograph(made), "x")
    image = prepare(stored, "x")
    assert image.field.turned == -plain.field.turned
    assert image.field.box[0] == pytest.approx(360 - plain.field.box[2])
    assert np.array_equal(image.pixels, plain.pixels[:, ::-1])


def test_the_millimetres_of_the_manifest(tmp_path: Path, picture: Film) -> None:
    image = read_radiograph(save(tmp_path / "a.png", picture), Declared(mm=0.14))
    assert image.spacing is not None
    assert image.spacing.mm == pytest.approx(0.14)
