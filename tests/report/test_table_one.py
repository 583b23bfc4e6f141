"""Table 1, flow and shift of a cohort that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.core.types import Box, Lesion, Manifest, Series, Split, Study
from spinedet.imaging.volume import Volume, write_volume
from spinedet.report.table_one import flow, shift, table_one, table_rows

BOX = Box(center=(0.0, 0.0, 0.0), size=(1.0, 1.0, 1.0))


def study(number: int, split: Split, center: str = "A", lesions: int = 0, **more: object) -> Study:
    marks = tuple(Lesion(id=str(n), series="s", category="d", box=BOX, ignore=n == 2) for n in range(lesions))
    series = (Series(id="s", plane=Plane.SAGITTAL, path=Path(f"/{number}"), sha256=f"{number:064x}"),)
    return Study(id=str(number), patient=f"p{number}", center=center, split=split, series=series, lesions=marks, **more)  # type: ignore[arg-type]  # fields of the record


def manifest() -> Manifest:
    studies = (
        study(0, Split.TRAIN, lesions=3, attributes={"age": 40, "sex": "F", "vendor": "X"}),
        study(1, Split.TRAIN, lesions=1, attributes={"age": 60, "sex": "M", "vendor": "X"}),
        study(2, Split.TEST, "B", lesions=2, attributes={"age": 70, "sex": "F", "vendor": "Y"}),
        study(3, Split.TEST, "B", attributes={"age": 90, "sex": "F"}),
        study(4, Split.TEST, "B", excluded="motion"),
        study(5, Split.TEST, "B", excluded="motion"),
    )
    return Manifest(name="m", region=Region.LUMBAR, categories=("d",), studies=studies)


def test_every_split_and_centre_is_counted() -> None:
    tested, trained = table_one(manifest())
    assert (trained.split, trained.center, trained.patients, trained.series) == ("train", "A", 2, 2)
    assert trained.lesions == 3  # of four, one is to be ignored
    assert trained.age == "50.0 (14.1)"
    assert trained.choices["sex"] == "F ×1, M ×1"
    assert trained.missing == {"field_strength": 2, "spacing (series)": 2}
    assert (tested.studies, tested.lesions) == (2, 2)
    assert tested.missing == {"vendor": 1, "field_strength": 2, "spacing (series)": 2}
    rows = dict(table_rows((tested, trained)))
    assert rows["lesions"] == ["2", "3"]
    assert rows["missing"] == ["vendor 1, field_strength 2, spacing (series) 2", "field_strength 2, spacing (series) 2"]
    assert rows["axial slice, mm, median (range)"] == ["–", "–"]


def test_spacing_is_read_from_the_images_and_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    spacings = ((4.0, 0.5, 0.5), (5.0, 0.5, 0.7), (4.4, 0.8, 0.8))
    studies = [study(number, Split.TRAIN) for number in range(4)]
    for number, (x, y, z) in enumerate(spacings):
        grid = Grid((4, 3, 3), np.diag([x, y, z, 1.0]))
        write_volume(tmp_path / f"{number}.nii.gz", Volume(np.arange(36, dtype=np.float32).reshape(4, 3, 3), grid))
    (tmp_path / "3.nii.gz").write_bytes(b"broken")
    placed = [
        one.model_copy(update={"series": (one.series[0].model_copy(update={"path": tmp_path / f"{one.id}.nii.gz"}),)})
        for one in studies
    ]
    (column,) = table_one(manifest().model_copy(update={"studies": tuple(placed)}))
    assert column.spacing["sagittal slice"] == "4.40 (4.00–5.00)"
    assert column.spacing["sagittal pixel"] == "0.60 (0.50–0.80)"  # 0.5, 0.5, 0.5, 0.7, 0.8, 0.8
    assert column.missing["spacing (series)"] == 1


def test_the_flow_says_who_was_left_out_and_why() -> None:
    home, away = flow(manifest())
    assert (home.all, home.excluded, home.used) == (2, {}, {"train": 2})
    assert (away.all, away.excluded, away.used) == (4, {"motion": 2}, {"test": 2})


def test_the_shift_of_a_centre() -> None:
    (away,) = shift(manifest())
    assert away.age == pytest.approx(30 / 200**0.5)  # means 50 and 80, both variances 200
    assert away.sex == pytest.approx(0.5)  # half the women become all
    assert away.vendor == 1.0
    assert away.field_strength is None
    assert away.lesions == pytest.approx(1.0 - 1.5)


def test_a_patient_in_two_splits_is_refused() -> None:
    whole = manifest()
    twice = whole.studies[2].model_copy(update={"patient": "p0", "center": "A"})
    with pytest.raises(InputError, match="two splits"):
        table_one(whole.model_copy(update={"studies": (*whole.studies[:2], twice)}))
