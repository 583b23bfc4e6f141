"""`radiograph.phantom`: cohorts by command, continued and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.cli.exit_status import Status
from spinedet.core.errors import InputError
from spinedet.core.radiograph.manifest import read_radiographs
from spinedet.radiograph.commands.phantom import phantom
from spinedet.radiograph.phantom import RadiographPhantomConfig
from spinedet.simulation.radiograph.cohort import check_cohort, draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.shipped import SHIPPED


def settings(out: Path, **changes: object) -> RadiographPhantomConfig:
    given = {"cohort": "fractures", "studies": 2, "pixels": 96, "workers": 1, "logger": None, "out": str(out)}
    return RadiographPhantomConfig(**{**given, **changes})  # type: ignore[arg-type]


def test_a_cohort_is_drawn_and_continued(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    assert phantom(settings(folder)) is Status.DONE
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert phantom(settings(folder)) is Status.DONE
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    manifest = read_radiographs(folder / "manifest.json")
    assert len(manifest.studies) == 2
    assert manifest.task.name == "fractures"
    with pytest.raises(InputError, match="out="):
        phantom(settings(folder, seed=5))


def test_several_images_of_a_patient_have_names_of_their_own(tmp_path: Path) -> None:
    cohort = RadiographCohort(task="fractures", groups=[RadiographGroup(studies=1)], pixels=96, images=2.0)
    (study,) = read_radiographs(draw_radiographs(cohort, tmp_path / "two")).studies
    assert [image.id for image in study.images] == ["lateral", "lateral-2"]
    assert len(set(study.digests)) == 2


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_cohorts_can_be_drawn(name: str) -> None:
    for cohort in SHIPPED[name]:
        check_cohort(cohort)
        assert {group.split for group in cohort.groups} == {"train", "tune", "test"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohort": "hips"}, "cohort=hips is unknown; choose one of implants"),
        ({"studies": 0}, "studies=0"),
        ({"split": "dev"}, "split=dev: use train, tune or test"),
        ({"center": "Q"}, "centre 'Q' is unknown"),
    ],
)
def test_bad_settings_make_no_folder(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        phantom(settings(tmp_path / "x", **changes))
    assert not (tmp_path / "x").exists()
