"""What of an image a network is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.radiograph import AP, LATERAL, Radiograph, RadiographStudy
from spinedet.imaging.radiograph.square import square
from spinedet.radiograph.images import Preparation, prepare_image, prepare_images, unfit
from spinedet.radiograph.settings import InputConfig
from tests.imaging.radiograph.films import film, save
from tests.radiograph.cohorts import PLATES, plated


def item(path: Path, view: str | None = "ap", **more: object) -> tuple[RadiographStudy, Radiograph]:
    image = Radiograph(id="1", view=view, path=path, **more)  # type: ignore[arg-type]
    return RadiographStudy(id="s", patient="p", center="A", label="low", images=(image,)), image


def test_a_box_becomes_a_square_and_keeps_its_aspect() -> None:
    pixels = np.zeros((40, 20), np.float32)
    pixels[10:20, 5:15] = 1
    cut = square(pixels, (0, 0, 20, 40), 40)
    assert cut.zoom == 1
    assert cut.pixels[10:20, 15:25].min() == 1
    assert cut.pixels.sum() == 100
    assert cut.place((5, 10, 15, 20)) == (15, 10, 25, 20)
    small = square(pixels, (5, 10, 15, 20), 5)
    assert small.pixels[1:4, 1:4].min() == 1
    assert small.pixels.min() > 0.7  # the filter that shrinks reaches over the edge
    assert small.place((5, 10, 15, 20)) == (0, 0, 5, 5)


def test_the_evidence_moves_with_the_crop(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", plated("low", AP.name, 0))
    image = prepare_image(item(path, truth=((130.0, 200.0, 160.0, 240.0),)), Preparation(PLATES, InputConfig(128)))
    assert image.pixels is not None
    (x0, y0, x1, y1) = image.truth[0]
    assert (x1 - x0) / (y1 - y0) == pytest.approx(30 / 40)
    inside = image.pixels[round(y0) + 1 : round(y1) - 1, round(x0) + 1 : round(x1) - 1]
    assert inside.mean() > 0.9 > image.pixels.mean()


def test_the_rim_shows_nothing_of_the_middle(tmp_path: Path) -> None:
    one, two = (save(tmp_path / f"{label}.png", plated(label, AP.name, 0)) for label in PLATES.labels)
    how = Preparation(PLATES, InputConfig(64, focus="rim"))
    first, second = (prepare_image(item(path), how).pixels for path in (one, two))
    assert first is not None
    assert second is not None
    assert np.abs(first - second).max() < 0.02
    assert first.max() > 0.1
    assert (first[20:44, 20:44] == 0).all()


def test_metal_is_only_asked_for_where_it_matters(tmp_path: Path) -> None:
    path = save(tmp_path / "plain.png", film())
    needed = Preparation(PLATES, InputConfig(64, focus="metal", metal=True))
    # Bright vertebrae may be screws before a white pelvis: a doubt, since a rejection would lose those.
    assert "nothing that is surely hardware was found" in prepare_image(item(path), needed).eligibility["metal"]
    plain = save(tmp_path / "plain.tif", film(480, 400), bits=16)
    assert "no hardware was found" in prepare_image(item(plain), needed).eligibility["metal"]
    assert "metal" not in prepare_image(item(path), Preparation(PLATES, InputConfig(64))).eligibility


def test_a_view_that_the_task_does_not_have(tmp_path: Path) -> None:
    path = save(tmp_path / "plain.png", film())
    task = PLATES.model_copy(update={"views": (AP.name,)})
    image = prepare_image(item(path, LATERAL.name), Preparation(task, InputConfig(64)))
    assert image.rejected == "view: a lateral view, where ap is read"
    assert unfit([image]).reasons == {"s/1": image.rejected}


def test_what_cannot_be_read_is_rejected_without_its_path(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG nothing")
    image = prepare_image(item(path), Preparation(PLATES, InputConfig(64)))
    assert image.rejected
    assert str(tmp_path) not in image.rejected


def test_another_file_than_the_manifest_means_is_rejected(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", plated("low", AP.name, 0))
    how = Preparation(PLATES, InputConfig(64))
    assert prepare_image(item(path, sha256=sha256(path)), how).rejected is None
    image = prepare_image(item(path, sha256="0" * 64), how)
    assert image.rejected is not None
    assert image.rejected.startswith("the file is another file than the manifest means")


def test_the_order_is_kept(tmp_path: Path) -> None:
    items = []
    for row, label in enumerate(PLATES.labels):
        study, image = item(save(tmp_path / f"{row}.png", plated(label, AP.name, row)))
        items.append((study.model_copy(update={"id": label}), image))
    seen: list[tuple[int, int]] = []
    found = prepare_images(items, Preparation(PLATES, InputConfig(64)), 1, lambda *at: seen.append(at))
    assert [one.study for one in found] == list(PLATES.labels)
    assert seen == [(1, 2), (2, 2)]
    assert all(one.known and one.label == 1 for one in found)


def test_a_square_of_so_many_mm_around_the_hardware(tmp_path: Path) -> None:
    made = film()
    made[100:104, 120:170] = made[140:144, 120:170] = 1.0
    made[100:144, 120:124] = made[100:144, 166:170] = 1.0
    path = save(tmp_path / "metal.png", made)
    box = (120.0, 100.0, 170.0, 144.0)
    how = Preparation(PLATES, InputConfig(64, focus="metal", mm=64))
    image = prepare_image(item(path, mm=0.5, truth=(box,)), how)
    # 64 mm are 128 pixels of .5 mm: half a pixel of the square for each.
    assert image.truth[0] == pytest.approx((19.5, 21, 44.5, 43), abs=1)
    with pytest.raises(InputError, match=r"input\.mm=64"):
        InputConfig(64, mm=64)
