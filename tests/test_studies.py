"""Splitting a cohort, and what identifies it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.types import Box, Lesion, Manifest, Origin, Series, Split, Study
from spinedet.studies import data_hash, phantom_note, split_studies


def study(number: int, split: Split | None = None, patient: str | None = None, **more: object) -> Study:
    return Study(
        id=f"s{number}",
        patient=patient or f"p{number}",
        center="A",
        split=split,
        series=(Series(id="sag", plane=Plane.SAGITTAL, path=Path(f"/data/{number}.nii.gz")),),
        **more,  # type: ignore[arg-type]  # fields of the record
    )


def manifest(*studies: Study) -> Manifest:
    return Manifest(name="m", region=Region.LUMBAR, categories=("d",), studies=studies)


def test_given_splits_are_kept_and_null_is_train() -> None:
    parts = (study(0), study(1, Split.TRAIN), study(2, Split.TUNE), study(3, Split.TEST))
    splits = split_studies(manifest(*parts), 0.2, seed=0)
    assert splits.record == {"train": ["s0", "s1"], "tune": ["s2"], "test": ["s3"]}


def test_without_a_tuning_split_whole_patients_are_carved_out() -> None:
    # 20 patients with two studies each: 4 patients, so 8 studies, to tune on.
    studies = [study(n, patient=f"p{n // 2}") for n in range(40)]
    splits = split_studies(manifest(*studies), 0.2, seed=0)
    assert len(splits.tune) == 8
    assert not {s.patient for s in splits.tune} & {s.patient for s in splits.train}
    shuffled = split_studies(manifest(*reversed(studies)), 0.2, seed=0)
    assert {s.id for s in shuffled.tune} == {s.id for s in splits.tune}
    assert {s.id for s in split_studies(manifest(*studies), 0.2, seed=1).tune} != {s.id for s in splits.tune}


def test_two_patients_are_enough_and_one_is_not() -> None:
    splits = split_studies(manifest(study(0), study(1)), 0.2, seed=0)
    assert len(splits.train) == len(splits.tune) == 1
    with pytest.raises(InputError, match="at least two patients"):
        split_studies(manifest(study(0)), 0.2, seed=0)


def test_excluded_studies_play_no_part() -> None:
    splits = split_studies(manifest(study(0), study(1), study(2, excluded="motion")), 0.2, seed=0)
    assert "s2" not in {s.id for s in (*splits.train, *splits.tune, *splits.test)}


def test_the_hash_is_of_the_data_not_of_its_place_or_order() -> None:
    moved = study(0).model_copy(update={"series": (study(1).series[0],)})
    assert data_hash([study(0), study(1)]) == data_hash([study(1), moved])
    assert data_hash([study(0)]) != data_hash([study(1)])


def test_phantoms_are_called_phantoms_and_patients_are_not() -> None:
    box = Box(center=(0.0, 0.0, 0.0), size=(1.0, 1.0, 1.0))
    drawn = Lesion(id="1", series="sag", category="d", box=box, origin=Origin.PHANTOM)
    manual = drawn.model_copy(update={"origin": Origin.MANUAL})
    assert "not patients" in phantom_note(manifest(study(0, lesions=(drawn,))))[0]
    assert phantom_note(manifest(study(0, lesions=(manual,)))) == ()
