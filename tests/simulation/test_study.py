"""One study in memory: both planes, their truth, and what they depend on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.geometry import iou
from spinedet.core.true_discs import true_discs
from spinedet.core.types import Series, Study
from spinedet.simulation.annotators import AnnotationHabits
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.painting.canvas import Canvas, Field, Window
from spinedet.simulation.painting.tissue import Tissue
from spinedet.simulation.reference_standard import Convention
from spinedet.simulation.scanner.protocol import Sampling
from spinedet.simulation.study import DrawnStudy, draw_study

TINY = Sampling(4.0, 2.4)


@pytest.fixture(scope="module")
def study() -> DrawnStudy:
    return draw_study(CENTERS["A"], 2, sampling=TINY)


def test_the_same_seed_gives_the_same_pixels(study: DrawnStudy) -> None:
    again = draw_study(CENTERS["A"], 2, sampling=TINY)
    assert all((one == two).all() for one, two in zip(study.images, again.images, strict=True))
    assert study.lesions == again.lesions


def test_images_are_whole_and_not_saturated(study: DrawnStudy) -> None:
    for stack, image in zip(study.stacks, study.images, strict=True):
        assert image.shape == stack.grid.shape
        assert image.dtype == np.int16
        assert image.min() >= 0
        assert 100 < np.percentile(image, 99) < 10000


def test_readers_change_boxes_but_no_pixels(study: DrawnStudy) -> None:
    generous = replace(CENTERS["A"], habits=AnnotationHabits(margin=3.0))
    other = draw_study(generous, 2, sampling=TINY)
    assert all((one == two).all() for one, two in zip(study.images, other.images, strict=True))
    before, after = study.lesions[0].box, other.lesions[0].box
    assert np.prod(after.size) > np.prod(before.size)


def test_both_planes_mark_the_same_disc_in_their_own_axes(study: DrawnStudy) -> None:
    sagittal = {lesion.level: lesion for lesion in study.lesions if lesion.series == "sag"}
    axial = {lesion.level: lesion for lesion in study.lesions if lesion.series == "ax"}
    shared = sorted(set(sagittal) & set(axial))
    assert shared
    for level in shared:
        assert sagittal[level].attributes == axial[level].attributes
        assert iou([sagittal[level].box], [axial[level].box])[0, 0] > 0.3


def test_boxes_lie_on_dark_discs(study: DrawnStudy) -> None:
    stack, image = study.stacks[0], study.images[0]
    fluid = np.percentile(image, 99.5)
    for lesion in study.lesions:
        if lesion.series == "sag" and lesion.attributes["grade"] >= 4:
            index = np.linalg.solve(stack.grid.affine, [*lesion.box.center, 1])[:3]
            i, j, k = np.clip(np.rint(index).astype(int), 0, np.array(image.shape) - 1)
            assert np.median(image[i - 1 : i + 2, j, k]) < 0.55 * fluid


def test_the_focal_style_marks_less(study: DrawnStudy) -> None:
    focal = draw_study(CENTERS["A"], 2, sampling=TINY, convention=Convention("focal"))
    assert all((one == two).all() for one, two in zip(study.images, focal.images, strict=True))
    whole = {(lesion.series, lesion.level): lesion.box for lesion in study.lesions}
    for lesion in focal.lesions:
        assert np.prod(lesion.box.size) < np.prod(whole[lesion.series, lesion.level].size)


def test_types_apart_are_known_categories() -> None:
    convention = Convention("focal", "types")
    study = draw_study(CENTERS["A"], 2, sampling=TINY, convention=convention)
    assert {lesion.category for lesion in study.lesions} <= set(convention.categories)
    assert len({lesion.category for lesion in study.lesions}) > 1
    assert Convention().categories == ("degeneration",)


def test_attributes_say_who_and_how(study: DrawnStudy) -> None:
    assert set(study.attributes) >= {"sex", "age", "vendor", "field_strength", "repetition_time", "echo_time"}
    assert study.attributes["vendor"] == "SIEMENS"


def test_a_cervical_study() -> None:
    study = draw_study(CENTERS["D"], 1, sampling=TINY)
    levels = {pad.disc.level for pad in study.scene.pads}
    assert {"C2/C3", "C5/C6", "C7/T1"} <= levels
    assert {lesion.level for lesion in study.lesions} <= levels


def test_no_paint_leaves_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    paint = Canvas.paint

    def checked(page: Canvas, window: Window, share: Field, tissue: Tissue, gain: Field | float = 1.0) -> None:
        assert share.dtype == np.float32, tissue
        assert isinstance(gain, float) or gain.dtype == np.float32, tissue
        paint(page, window, share, tissue, gain)

    monkeypatch.setattr(Canvas, "paint", checked)
    for name in ("A", "D"):
        draw_study(CENTERS[name], 3, sampling=Sampling(6.0, 3.5))


# --- true discs ---


def test_the_true_discs_are_all_that_were_drawn_with_the_series_that_show_them(study: DrawnStudy) -> None:
    discs = {disc.level: disc for disc in study.discs}
    assert list(discs)[:3] == ["S1/S2", "L5/S1", "L4/L5"]
    assert [level for level, disc in discs.items() if disc.stub] == ["S1/S2"]
    assert discs["L5/S1"].visible == ("sag", "ax")
    assert discs["T8/T9"].visible == ()
    for lesion in study.lesions:
        disc = discs[lesion.level]
        assert lesion.series in disc.visible or lesion.ignore
        # The box of a lesion holds its bulge too, so that centres differ by a few mm.
        assert np.linalg.norm(np.subtract(disc.box.center[1:], lesion.box.center[1:])) < 8


def test_the_true_discs_come_back_from_the_attributes(study: DrawnStudy) -> None:
    series = tuple(Series(id=s.id, plane=s.plane, path=Path("x.nii.gz")) for s in study.stacks)
    record = Study(id="1", patient="p", center="A", attributes=study.attributes, series=series)
    assert true_discs(record) == study.discs
    assert true_discs(record.model_copy(update={"attributes": {}})) == ()
    broken = record.model_copy(update={"attributes": {"discs": [{"level": "L9/S1"}]}})
    with pytest.raises(InputError, match=r"study '1', attributes.discs.0.*draw the phantoms again"):
        true_discs(broken)


@pytest.mark.parametrize(("share", "kinds"), [(0.0, {"none"}), (1.0, {"sixth lumbar vertebra", "sacralised L5"})])
def test_the_share_of_transitional_anatomy_is_as_asked_for(share: float, kinds: set[str]) -> None:
    coarse, found = Sampling(16.0, 8.0, 1), set()
    for index in range(1, 9):
        drawn = draw_study(CENTERS["A"], index, sampling=coarse, transitional=share)
        names = {disc.level: disc.stub for disc in drawn.discs}
        kind = drawn.attributes["transitional"]
        assert ("L6/S1" in names) == (kind == "sixth lumbar vertebra")
        assert names.get("L5/S1", False) == (kind == "sacralised L5")
        found.add(kind)
    assert found == kinds


def test_a_share_changes_no_pixel_of_those_who_have_none(study: DrawnStudy) -> None:
    other = draw_study(CENTERS["A"], 2, sampling=TINY, transitional=0.0)
    assert study.attributes["transitional"] == "none"
    assert all((one == two).all() for one, two in zip(study.images, other.images, strict=True))
