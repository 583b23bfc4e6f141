"""Splitting a cohort, and what identifies it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.manifest import phantom_note, write_manifest
from spinedet.core.types import Box, Lesion, Manifest, Origin, Series, Split, Study, TrainedOn, trained_together
from spinedet.pipelines.settings import DevelopmentConfig
from spinedet.pipelines.splits import (
    Splits,
    data_hash,
    develop_on,
    rename_categories,
    split_studies,
    trained_on,
)
from spinedet.runs.run_folder import SHIPPED, open_run


def study(
    number: int,
    split: Split | None = None,
    patient: str | None = None,
    center: str = "A",
    sha256: str | None = None,
    **more: object,
) -> Study:
    return Study(
        id=f"s{number}",
        patient=patient or f"p{number}",
        center=center,
        split=split,
        series=(Series(id="sag", plane=Plane.SAGITTAL, path=Path(f"/data/{number}.nii.gz"), sha256=sha256),),
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


def test_one_image_under_two_names_is_refused_when_the_split_parts_them() -> None:
    twins = [study(n, sha256="a" * 64) for n in range(2)]
    with pytest.raises(InputError, match=r"split for training: studies 's\d' .* hold the same image"):
        split_studies(manifest(*twins), 0.2, seed=0)


def test_the_split_file_is_the_same_for_any_order_and_another_for_another_split() -> None:
    one, two = study(0), study(1, sha256="b" * 64)
    described = Splits((one,), (), (two,)).described
    assert [(s["study"], s["split"], s["images"]) for s in described["studies"]] == [
        ("s0", "train", {"sag": None}),
        ("s1", "test", {"sag": "b" * 64}),
    ]
    assert Splits((), (one,), (two,)).described["sha256"] != described["sha256"]
    assert Splits((two, one), (), ()).described == Splits((one, two), (), ()).described


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
    assert "not patients" in phantom_note([study(0, lesions=(drawn,))])[0]
    assert phantom_note([study(0, lesions=(manual,))]) == ()


def patients_of(splits: Splits) -> set[str]:
    return {s.patient for s in (*splits.train, *splits.tune)}


def test_few_patients_are_a_part_of_more_and_include_those_to_tune_on() -> None:
    whole = manifest(*(study(n, patient=f"p{n // 2}") for n in range(40)), study(40, Split.TEST))
    few, more = (develop_on(whole, DevelopmentConfig(train_patients=n), seed=3) for n in (5, 10))
    assert len(patients_of(few)) == 5
    assert len({s.patient for s in few.tune}) == 1
    assert patients_of(few) < patients_of(more)
    assert few.test == more.test == whole.studies[40:]
    assert patients_of(develop_on(whole, DevelopmentConfig(train_patients=5), seed=4)) != patients_of(few)


@pytest.mark.parametrize("count", [1, 21])
def test_more_patients_than_there_are_or_one_alone_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=rf"data\.train_patients={count}: .* allows 2 to 20"):
        develop_on(manifest(*(study(n) for n in range(20))), DevelopmentConfig(train_patients=count), seed=0)


def test_a_centre_that_is_held_out_is_tested_on_and_all_others_train() -> None:
    parts = [study(n, Split.TEST, center="B") for n in range(4)] + [study(9, Split.TRAIN), study(10, Split.TEST)]
    splits = develop_on(manifest(*parts), DevelopmentConfig(hold_out="B"), seed=0)
    assert {s.id for s in splits.test} == {"s0", "s1", "s2", "s3"}
    assert {s.id for s in (*splits.train, *splits.tune)} == {"s9", "s10"}
    assert splits.centers == ("A",)
    with pytest.raises(InputError, match=r"data\.hold_out=Z: .* centres A, B"):
        develop_on(manifest(*parts), DevelopmentConfig(hold_out="Z"), seed=0)


def mixed_with(tmp_path: Path, *studies: Study, **config: float) -> Splits:
    write_manifest(tmp_path / "source.json", manifest(*studies))
    settings = DevelopmentConfig(mix=[str(tmp_path / "source.json")], **config)
    return develop_on(manifest(study(0), study(1), study(2)), settings, seed=0)


def test_the_source_s_training_studies_are_learned_from_and_nothing_else(tmp_path: Path) -> None:
    source = [study(n, Split.TRAIN) for n in (10, 11, 12)] + [study(13, Split.TUNE), study(14, Split.TEST)]
    splits = mixed_with(tmp_path, *source)
    assert {s.id for s in splits.train} >= {"s10", "s11", "s12"}
    assert {s.id for s in splits.all} == {"s0", "s1", "s2", "s10", "s11", "s12"}
    assert {s.id for s in splits.tune} <= {"s0", "s1", "s2"}
    assert len(mixed_with(tmp_path, *source, mix_patients=2).all) == 5


def test_studies_that_are_mixed_in_carry_their_weight(tmp_path: Path) -> None:
    splits = mixed_with(tmp_path, study(10, Split.TRAIN), study(11, Split.TRAIN), mix_weight=0.5)
    assert splits.weights == {"s10": 0.5, "s11": 0.5}
    with pytest.raises(InputError, match=r"data\.mix_weight=0\.0: use a number above 0"):
        DevelopmentConfig(mix_weight=0.0)


def test_a_source_that_shares_a_patient_or_has_categories_of_its_own_is_refused(tmp_path: Path) -> None:
    tuned = next(iter(develop_on(manifest(study(0), study(1), study(2)), DevelopmentConfig(), seed=0).tune)).patient
    with pytest.raises(InputError, match="in two splits"):
        mixed_with(tmp_path, study(10, patient=tuned))
    with pytest.raises(InputError, match="appears more than once"):
        mixed_with(tmp_path, study(0))
    other = manifest(study(10), study(11)).model_copy(update={"categories": ("d", "e")})
    write_manifest(tmp_path / "other.json", other)
    with pytest.raises(InputError, match="category 'e' of its own"):
        develop_on(manifest(study(0), study(1)), DevelopmentConfig(mix=[str(tmp_path / "other.json")]), seed=0)


def lesion(category: str = "d", origin: Origin = Origin.MANUAL) -> Lesion:
    return Lesion(id="1", series="sag", category=category, box=Box(center=(0, 0, 0), size=(1, 1, 1)), origin=origin)


def test_categories_get_other_names() -> None:
    named = manifest(study(0, lesions=(lesion("worn"),)), study(1)).model_copy(update={"categories": ("worn", "modic")})
    renamed = rename_categories(named, {"worn": "degeneration"})
    assert renamed.categories == ("degeneration", "modic")
    assert [one.category for one in renamed.studies[0].lesions] == ["degeneration"]
    assert rename_categories(named, {"worn": "modic"}).categories == ("modic",)
    with pytest.raises(InputError, match="has the categories worn, modic"):
        rename_categories(named, {"torn": "degeneration"})


def test_what_a_model_is_trained_on_is_counted_by_patient_and_centre() -> None:
    drawn = [study(n, patient=f"f{n}", center="P", lesions=(lesion(origin=Origin.PHANTOM),)) for n in range(3)]
    empty = study(3, patient="f3", center="P")
    real = [study(n, patient=f"p{n // 2}", center="H", lesions=(lesion(),)) for n in range(4, 8)]
    known = trained_on(Splits((*drawn, *real), (empty,), (study(9, center="T"),)), None)
    assert known is not None
    assert (known.kind, known.phantoms, known.patients) == ("both", 4, 2)
    only_real = trained_on(Splits(tuple(real), (), ()), None)
    assert only_real is not None
    assert only_real.sentences == ("Trained on images of 2 patients.",)


def test_what_the_initial_run_was_trained_on_is_counted_too() -> None:
    splits = Splits((study(0, lesions=(lesion(),)),), (), ())
    initial = open_run(SHIPPED)
    drawn = replace(initial, trained_on=TrainedOn(kind="phantoms", phantoms=440))
    known = trained_on(splits, drawn)
    assert known is not None
    assert (known.kind, known.phantoms, known.patients) == ("both", 440, 1)
    assert trained_on(splits, replace(initial, trained_on=None)) is None


def test_a_model_that_begins_with_known_weights_states_their_results_and_passes_them_on() -> None:
    splits = Splits((study(0, lesions=(lesion(),)),), (), ())
    shipped = open_run(SHIPPED)
    assert shipped.trained_on is not None
    assert shipped.trained_on.known is not None
    first = trained_on(splits, shipped)
    second = trained_on(splits, replace(shipped, trained_on=first, weights_sha256=("f00",)))
    for known in (first, second):
        assert known is not None
        assert known.known is None  # these are results of other weights
        assert known.initial == shipped.as_initial
        began, results = known.sentences[1:]
        assert began.startswith(f"Initialised from the weights that ship with spinedet, {shipped.model.name} (SHA-256")
        assert shipped.trained_on.known.words in results
    assert second is not None
    assert second.patients == shipped.trained_on.patients + 2


def test_an_ensemble_states_what_each_member_was_trained_on() -> None:
    drawn, real = TrainedOn(kind="phantoms", phantoms=40), TrainedOn(kind="patients", patients=3)
    both = trained_together([drawn, real])
    assert both is not None
    assert (both.kind, both.phantoms, both.patients) == ("both", 40, 3)
    assert both.sentences == (*drawn.sentences, *real.sentences)
    assert trained_together([drawn, drawn]) == drawn
    assert trained_together([drawn, None]) is None
