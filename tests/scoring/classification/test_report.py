"""From a manifest and readings to scores, counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.radiograph import Radiograph, RadiographManifest, RadiographStudy, Task
from spinedet.core.radiograph.readings import (
    ImageReading,
    Readings,
    StudyReading,
    check_readings,
    read_readings,
    write_readings,
)
from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.combine import combine
from spinedet.scoring.classification.evaluate import AS_ANSWERED, FORCED
from spinedet.scoring.classification.gather import gather_cohort, gather_readings
from spinedet.scoring.classification.items import REJECTED
from spinedet.scoring.classification.records import read_label_scores, write_label_scores
from spinedet.scoring.classification.report import Contestant, LabelSettings, score_readings

IMPLANTS = Task(name="implants", labels=("A", "B"), views=("ap", "lateral"))
FRACTURES = Task(name="fractures", labels=("none", "fresh"), views=("lateral",), positive="fresh")
QUICK = LabelSettings(bootstrap=BootstrapSettings(samples=100))


def study(name: str, label: str | None, views: str = "al", **more: Any) -> RadiographStudy:
    images = [
        Radiograph(id=f"{view}{row}", view={"a": "ap", "l": "lateral"}[view], path=Path(f"{name}-{row}.png"))
        for row, view in enumerate(views)
    ]
    return RadiographStudy(
        **{"id": name, "patient": name, "center": "home", "label": label, "images": tuple(images), **more}
    )


def cohort(*studies: RadiographStudy, task: Task = IMPLANTS) -> RadiographManifest:
    return RadiographManifest(name="by hand", task=task, studies=studies)


def answered(row: int, view: str, **answer: Any) -> ImageReading:
    return ImageReading(id=f"{view}{row}", view={"a": "ap", "l": "lateral"}[view], **answer)


def readings(studies: dict[str, list[ImageReading]], **model: Any) -> Readings:
    found = tuple(StudyReading(id=name, images=tuple(images)) for name, images in studies.items())
    return Readings(model={"name": "network", **model}, studies=found)


def scored(manifest: RadiographManifest, *found: Readings, settings: LabelSettings = QUICK) -> Any:
    first, *others = (Contestant(one, f"{one.name}.json") for one in found)
    return score_readings(manifest, first, others, settings)


def p(a: float) -> dict[str, float]:
    return {"A": a, "B": 1 - a}


def test_views_are_counted_apart_and_patients_with_both_together() -> None:
    manifest = cohort(study("1", "A"), study("2", "B"))
    found = scored(
        manifest,
        readings(
            {
                "1": [answered(0, "a", label="B", scores=p(0.4)), answered(1, "l", label="A", scores=p(0.9))],
                "2": [
                    answered(0, "a", rejected="no hardware", scores=p(0.8)),
                    answered(1, "l", label="B", scores=p(0.3)),
                ],
            }
        ),
    )
    ap = found.group(unit="image", view="ap")
    assert (ap.patients, ap.items) == (2, 2)
    assert ap.answer(AS_ANSWERED).accuracy.value == 0
    assert ap.answer(AS_ANSWERED).answered.value == pytest.approx(1 / 2)
    assert ap.answer(FORCED).confusion == ((0, 1, 0), (1, 0, 0))
    # Together: sqrt(.4 x .9) against sqrt(.6 x .1) is A; the second patient has only the lateral view.
    assert found.group(unit="patient").answer(AS_ANSWERED).accuracy.value == 1
    assert found.flow[0].rejected == {"no hardware": 1}
    assert (found.flow[0].patients, found.flow[0].images, found.flow[0].labelled) == (2, 4, 4)


def test_two_views_together_by_hand() -> None:
    one = combine(np.array([0, 1]), np.array([[0.9, 0.1], [0.4, 0.6]]), None)
    assert one.score[0] == pytest.approx((0.9 * 0.4) ** 0.5 / ((0.9 * 0.4) ** 0.5 + (0.1 * 0.6) ** 0.5))
    assert one.called == 0
    highest = combine(np.array([0, 1]), np.array([[0.9, 0.1], [0.4, 0.6]]), 1)
    assert (highest.called, highest.score.tolist()) == (1, [0.4, 0.6])


def test_readers_must_agree_or_have_no_answer() -> None:
    nothing = np.full((2, 3), np.nan)
    assert combine(np.array([2, 2]), nothing, None).called == 2
    assert combine(np.array([2, 1]), nothing, None).called == REJECTED
    assert combine(np.array([2, REJECTED]), nothing, None).called == 2
    assert combine(np.array([REJECTED, REJECTED]), nothing, None).called == REJECTED
    assert combine(np.array([0, 1]), nothing[:, :2], 1).called == 1


def test_a_patient_with_several_images_has_the_finding_of_any() -> None:
    several = study("1", None, "ll")
    images = tuple(
        image.model_copy(update={"label": label})
        for image, label in zip(several.images, ("none", "fresh"), strict=True)
    )
    manifest = cohort(several.model_copy(update={"images": images}), study("2", "none", "l"), task=FRACTURES)

    def fresh(row: int, score: float) -> ImageReading:
        label = "fresh" if score >= 0.5 else "none"
        return answered(row, "l", label=label, scores={"none": 1 - score, "fresh": score})

    found = scored(manifest, readings({"1": [fresh(0, 0.2), fresh(1, 0.7)], "2": [fresh(0, 0.4)]}))
    together = found.group(unit="patient")
    assert together.items == 2
    assert together.auc.bootstrap.value == 1
    assert together.auc.delong.value == 1
    image = found.group(unit="image", view="lateral")
    assert image.items == 3
    assert image.auc.delong.reason == "no interval: patients have several items"


def test_labels_of_views_are_scored_view_by_view() -> None:
    labels = ("ap/plain", "ap/fusion", "lateral/plain", "lateral/fusion")
    manifest = cohort(
        study("1", "fusion"), study("2", "plain"), task=Task(name="s", labels=labels, views=("ap", "lateral"))
    )
    found = scored(
        manifest,
        readings(
            {
                "1": [answered(0, "a", label="ap/fusion"), answered(1, "l", label="ap/fusion")],
                "2": [answered(0, "a", label="ap/plain"), answered(1, "l", label="lateral/fusion")],
            }
        ),
    )
    assert [group.by for group in found.groups] == [
        {"unit": "image", "view": "ap"},
        {"unit": "image", "view": "lateral"},
    ]
    assert found.groups[0].answers[0].accuracy.value == 1
    assert [one.label for one in found.groups[1].answers[0].labels] == ["lateral/plain", "lateral/fusion"]
    assert found.groups[1].answers[0].confusion == ((0, 1, 0), (0, 0, 1))


def test_other_images_are_no_items_and_test_the_rejection() -> None:
    manifest = cohort(study("1", "A", "a"), study("2", "other", "a"), study("3", None, "a"))
    found = scored(
        manifest,
        readings(
            {
                "1": [answered(0, "a", label="A", scores=p(0.9), novelty=0.1)],
                "2": [answered(0, "a", rejected="unlike the training images", scores=p(0.6), novelty=0.7)],
            }
        ),
    )
    assert found.group(unit="image", view="ap").items == 1
    assert found.rejection[0].auroc.value == 1
    assert found.rejection[0].caught.value == 1
    assert (found.flow[0].other, found.flow[0].unlabelled) == (1, 1)
    assert found.flow[0].rejected == {}


def test_networks_and_readers_stand_beside_each_other(tmp_path: Path) -> None:
    manifest = cohort(*(study(str(row), "AB"[row % 2], "a") for row in range(6)))

    def say(text: str, scored: bool = True) -> dict[str, list[ImageReading]]:
        return {
            str(row): [answered(0, "a", label=label, **({"scores": p(0.8 if label == "A" else 0.3)} if scored else {}))]
            for row, label in enumerate(text)
        }

    found = scored(
        manifest,
        readings(say("ABABAB"), name="one"),
        readings(say("ABABBA"), name="two"),
        readings(say("BBABAA", False), name="senior", kind="reader"),
    )
    kinds = {(pair.first, pair.second): pair.kind for pair in found.pairs if pair.by["unit"] == "patient"}
    assert kinds == {
        ("one", "two"): "two networks",
        ("one", "senior"): "a network and a reader",
        ("two", "senior"): "a network and a reader",
    }
    pair = found.pairs[0]
    assert pair.differences["accuracy"].value == pytest.approx(-1 / 3)
    assert (pair.discordance[0].first_only, pair.discordance[0].second_only, pair.discordance[0].p) == (2, 0, 0.5)
    assert [one.model["name"] for one in found.others] == ["two", "senior"]
    assert [one.rule for one in found.others[1].groups[0].answers] == [AS_ANSWERED]
    write_label_scores(tmp_path / "scores.json", found)
    assert read_label_scores(tmp_path / "scores.json") == found


def test_centres_are_compared_with_the_internal_one() -> None:
    manifest = cohort(study("1", "A", "a"), study("2", "B", "a", center="B"), study("3", "A", "a", center="B"))
    said = readings({name: [answered(0, "a", label="A", scores=p(0.7))] for name in "123"})
    settings = LabelSettings(internal="home", bootstrap=BootstrapSettings(samples=50))
    found = scored(manifest, said, settings=settings)
    assert {contrast.external for contrast in found.contrasts} == {"B"}
    assert found.group(unit="image", view="ap", center="B").answer(AS_ANSWERED).accuracy.value == pytest.approx(1 / 2)
    with pytest.raises(InputError, match="internal=nowhere: the studies scored come from B, home"):
        scored(manifest, said, settings=LabelSettings(internal="nowhere"))


def test_an_image_that_was_not_read_is_refused() -> None:
    manifest = cohort(study("1", "A"))
    with pytest.raises(InputError, match=r"network.json: study '1': image 'l1' is not among the readings"):
        scored(manifest, readings({"1": [answered(0, "a", label="A")]}))
    with pytest.raises(InputError, match="the study is not among the readings"):
        scored(manifest, readings({"2": [answered(0, "a", label="A")]}))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"label": "C"}, "unknown label 'C'; the labels are A, B"),
        ({"label": "A", "scores": {"A": 1.0}}, "the scores leave out B"),
    ],
)
def test_answers_that_the_task_does_not_know(answer: dict[str, Any], message: str) -> None:
    manifest = cohort(study("1", "A", "a"))
    with pytest.raises(InputError, match=f"x.json: study '1', image 'a0': {message}"):
        check_readings(readings({"1": [answered(0, "a", **answer)]}), manifest, "x.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('"rejected": "unfit", "label": "A"', "exclude each other"),
        ('"scores": {"A": 1.2}, "label": "A"', "less than or equal to 1"),
        ('"view": "above"', "unknown view 'above'"),
        ('"scores": {}', "neither a label, nor scores, nor a reason"),
    ],
)
def test_bad_readings(tmp_path: Path, change: str, message: str) -> None:
    file = tmp_path / "readings.json"
    file.write_text(
        '{"format": "spinedet-readings", "version": 1, "model": {}, "studies": [{"id": "1", "images": '
        f'[{{"id": "ap", {change}}}]}}]}}'
    )
    with pytest.raises(InputError, match=message):
        read_readings(file)


def test_readings_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = readings({"1": [answered(0, "a", label="A", scores=p(0.9), novelty=0.5, eligibility={"field": "yes"})]})
    write_readings(tmp_path / "readings.json", found)
    assert read_readings(tmp_path / "readings.json") == found


def test_an_image_twice(tmp_path: Path) -> None:
    write_readings(tmp_path / "r.json", readings({"1": [answered(0, "a", label="A"), answered(0, "a", label="B")]}))
    with pytest.raises(InputError, match="image id 'a0' appears more than once"):
        read_readings(tmp_path / "r.json")


def test_nothing_with_a_label() -> None:
    with pytest.raises(InputError, match="no study has an image with a label"):
        gather_cohort(cohort(study("1", "other")))
    with pytest.raises(InputError, match="no study with the split 'train' has an image"):
        gather_cohort(cohort(study("1", "A")), "train")


def test_scores_alone_answer_by_the_highest() -> None:
    found = gather_cohort(cohort(study("1", "A", "a")))
    answers = gather_readings(found, readings({"1": [answered(0, "a", scores=p(0.4))]}), "x")
    assert answers.called.tolist() == [1]
