"""Tianchi: coded points on one slice among all series of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.datasets.tianchi import TianchiConfig, open_tianchi
from spinedet.formats.annotated_dataset import Reading
from spinedet.imaging.volume import read_volume

from ..formats.conftest import write_dicom

# One file of the fixture is damaged, as some of the published ones are.
pytestmark = pytest.mark.filterwarnings("ignore:.*is damaged DICOM")


def point(name: str, coord: list[int], **tag: Any) -> dict[str, Any]:
    return {"coord": coord, "tag": {"identification": name, **tag}, "zIndex": 5}


POINTS = (
    point("L4-L5", [20, 30], disc="v2"),
    point("L5-S1", [20, 36], disc="v3,v5"),
    point("L3-L4", [20, 24], disc="v1"),
    point("L2-L3", [20, 18], disc=""),
    point("L1-L2", [20, 12], disc=None),
    point("L4", [20, 28], vertebra="v2"),
    point("T12-L1", [20, 400], disc="v2"),
    point("X-Y", [20, 6], disc="v2"),
    point("T11-T12", [20, 6], disc="v9"),
)


def write_study(root: Path, points: tuple[dict[str, Any], ...] = POINTS, instance: str = "1.3.2") -> None:
    """A sagittal series and a localiser in one folder, as published."""
    for n in range(3):
        write_dicom(root / "study7" / f"image{n + 1}.dcm", (4.0 * n, 10.0, 100.0), ("1.1", "1.2.1", f"1.3.{n + 1}"))
    write_dicom(root / "study7" / "image9.dcm", (0, 0, 0), ("1.1", "1.2.2", "1.3.9"), (1, 0, 0, 0, 1, 0))
    (root / "study7" / "image10.dcm").write_bytes(b"damaged")
    image = {
        "seriesUid": "1.2.1",
        "instanceUid": instance,
        "annotation": [{"annotator": 72, "data": {"point": points}}],
    }
    content = [{"studyUid": "1.1", "version": "v0.1", "data": [image]}]
    (root / "lumbar_train150_annotation.json").write_text(json.dumps(content), "utf-8")


def read(root: Path, **words: Any) -> Reading:
    (case,) = open_tianchi(root, root / "links", TianchiConfig(**words)).cases
    return case.read()


def test_codes_become_lesions_in_millimetres(tmp_path: Path) -> None:
    write_study(tmp_path)
    study = read(tmp_path).study
    told = {(x.level, x.ignore): x for x in study.lesions}
    assert set(told) == {
        *(("L4/L5", False), ("L5/S1", False), ("L1/L2", True)),
        *(("T11/T12", True), (None, True)),  # an unknown code and an unknown disc
    }
    lesion = told["L4/L5", False]
    # Image 2 lies at L = 4; column 20 x 0.8 mm back from P 10, row 30 x 0.5 mm down from S 100.
    assert lesion.box.center == pytest.approx((-4.0, -26.0, 85.0))
    # 36 x 39 x 14 mm, narrowed where the small image ends: 6 mm aside, 7.6 mm behind and 4.75 mm below.
    assert lesion.box.size == pytest.approx((12.0, 15.2, 9.5))
    assert (lesion.category, lesion.origin.value) == ("degeneration", "point")
    assert [negative.level for negative in study.negatives] == ["L3/L4", "L2/L3"]


def test_only_the_annotated_series_goes_on(tmp_path: Path) -> None:
    write_study(tmp_path)
    (series,) = read(tmp_path).study.series
    assert series.plane.value == "sagittal"
    assert read_volume(series.path).grid.shape == (30, 40, 3)
    assert sorted(file.name for file in series.path.iterdir()) == ["image1.dcm", "image2.dcm", "image3.dcm"]


def test_types_apart_give_two_lesions_for_two_codes(tmp_path: Path) -> None:
    write_study(tmp_path)
    lesions = read(tmp_path, classes="types").study.lesions
    assert [x.category for x in lesions if x.level == "L5/S1"] == ["protrusion", "schmorl"]
    assert [x.level for x in lesions if x.ignore] == ["L1/L2"] * 4 + [None] * 4 + ["T11/T12"] * 4


def test_points_that_fit_nothing_are_listed(tmp_path: Path) -> None:
    write_study(tmp_path)
    assert [(unused.where, unused.reason) for unused in read(tmp_path).unused] == [
        ("point 7 (T12-L1)", "the point lies outside its image"),
        ("point 8 (X-Y)", "no such disc"),
        ("point 9 (T11-T12)", "unknown code 'v9'"),
    ]


def test_a_study_whose_image_is_missing_is_refused(tmp_path: Path) -> None:
    write_study(tmp_path, instance="1.3.77")
    with pytest.raises(InputError, match="missing or stands alone"):
        read(tmp_path)
    write_study(tmp_path, instance="1.3.9")
    with pytest.raises(InputError, match="missing or stands alone"):
        read(tmp_path)


def test_wrong_folders_and_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 JSON files"):
        open_tianchi(tmp_path, tmp_path, TianchiConfig())
    (tmp_path / "a.json").write_text("[]", "utf-8")
    with pytest.raises(InputError, match="no folder study"):
        open_tianchi(tmp_path, tmp_path, TianchiConfig())
    (tmp_path / "a.json").write_text('[{"studyUid": 3}]', "utf-8")
    with pytest.raises(InputError, match=r"a\.json"):
        open_tianchi(tmp_path, tmp_path, TianchiConfig())
    for words in ({"codes": ["v8"]}, {"classes": "two"}, {"disc_mm": [1.0]}):
        with pytest.raises(InputError, match=next(iter(words))):
            TianchiConfig(**words)
