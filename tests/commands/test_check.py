"""`spinedet.check`: nothing on a clean cohort, each of many planted faults by its name, all in one go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig

from .conftest import Run

Json = dict[str, Any]


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cohort of two centres, drawn coarsely."""
    groups = [GroupConfig("A", "train", 4), GroupConfig("B", "test", 1)]
    config = CohortConfig(groups=groups, coarseness=2.0, coarsest=1.6, positions=1)
    return draw_cohort(config, tmp_path_factory.mktemp("clean"), 1, lambda done, total: None)


@pytest.fixture
def copied(clean: Path, tmp_path: Path) -> Path:
    """The manifest of a copy that may be spoilt."""
    shutil.copytree(clean.parent, tmp_path / "copy")
    return tmp_path / "copy" / clean.name


def spoil(manifest: Path, *plants: Callable[[Path, list[Json]], None]) -> None:
    """Plant faults; the studies come with centre A first, those with most boxes first."""
    content = json.loads(manifest.read_text())
    content["studies"].sort(key=lambda study: (study["center"], -len(study["lesions"])))
    for plant in plants:
        plant(manifest.parent, content["studies"])
    manifest.write_text(json.dumps(content))


def audit(run: Run, manifest: Path, out: Path) -> tuple[int, list[Json]]:
    status = run("check", f"data.manifests=[{manifest}]", f"out={out}", "pictures=false", "workers=1")
    return status, json.loads((out / "faults.json").read_text())


def test_a_clean_cohort_has_no_fault_and_a_picture_of_every_series(run: Run, clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("check", f"data.manifests=[{clean}]", f"out={out}", "workers=1") == 0
    assert json.loads((out / "faults.json").read_text()) == []
    assert len(list((out / "pictures").glob("*.png"))) == 10
    page = (out / "index.html").read_text()
    assert "No fault found" in page
    assert page.count("<img") == 10
    assert not (out / "skipped.json").exists()


# --- faults, each planted in a study of its own where it can be ---


def lesions_on(study: Json, series: str) -> list[Json]:
    return [lesion for lesion in study["lesions"] if lesion["series"] == series]


def image_of(root: Path, study: Json, series: str) -> Path:
    return root / next(s["path"] for s in study["series"] if s["id"] == series)


def change(root: Path, study: Json, series: str, alter: Callable[[np.ndarray, np.ndarray], tuple[Any, Any]]) -> None:
    """Write an image again with other voxels or another affine, and let the manifest know its new digest."""
    path = image_of(root, study, series)
    image = nib.load(path)
    array, affine = alter(np.asarray(image.dataobj), image.affine.copy())
    nib.save(nib.Nifti1Image(array, affine), path)
    next(s for s in study["series"] if s["id"] == series).pop("sha256", None)


def forget_hashes(study: Json) -> None:
    for series in study["series"]:
        series.pop("sha256", None)


def a_lesion(study: Json, series: str = "sag") -> Json:
    return lesions_on(study, series)[0]


def two_splits(root: Path, studies: list[Json]) -> None:
    studies[1]["patient"], studies[1]["center"] = studies[4]["patient"], studies[4]["center"]


def two_centers(root: Path, studies: list[Json]) -> None:
    studies[1]["patient"] = studies[2]["patient"]
    studies[1]["center"] = "Z"


def same_picture(root: Path, studies: list[Json]) -> None:
    shutil.copy(image_of(root, studies[0], "ax"), image_of(root, studies[4], "ax"))
    forget_hashes(studies[4])


def same_digest(root: Path, studies: list[Json]) -> None:
    """As the manifest says; the images differ."""
    digest = next(s["sha256"] for s in studies[0]["series"] if s["id"] == "ax")
    next(s for s in studies[4]["series"] if s["id"] == "ax")["sha256"] = digest


def truncated(root: Path, studies: list[Json]) -> None:
    path = image_of(root, studies[0], "ax")
    path.write_bytes(path.read_bytes()[:3000])


def other_file(root: Path, studies: list[Json]) -> None:
    studies[0]["series"][0]["sha256"] = "0" * 64


def wrong_plane(root: Path, studies: list[Json]) -> None:
    for series in studies[0]["series"]:
        series["plane"] = {"sagittal": "axial", "axial": "sagittal"}[series["plane"]]


def odd_spacing(root: Path, studies: list[Json]) -> None:
    change(root, studies[0], "sag", lambda array, affine: (array, affine @ np.diag([4.0, 4.0, 4.0, 1.0])))


def named_t1(root: Path, studies: list[Json]) -> None:
    path = image_of(root, studies[0], "ax")
    path.rename(path.with_name("t1_ax.nii.gz"))
    next(s for s in studies[0]["series"] if s["id"] == "ax")["path"] = f"{path.parent.name}/t1_ax.nii.gz"


def mask_for_image(root: Path, studies: list[Json]) -> None:
    change(root, studies[0], "sag", lambda array, affine: ((array > np.median(array)) * np.int16(3), affine))


def clipped(root: Path, studies: list[Json]) -> None:
    change(root, studies[0], "ax", lambda array, affine: (np.minimum(array, np.percentile(array, 80)), affine))


def half_empty(root: Path, studies: list[Json]) -> None:
    def erase(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        array = array.copy()
        stacked = int(np.argmax(np.linalg.norm(affine[:3, :3], axis=0)))
        np.moveaxis(array, stacked, 0)[: array.shape[stacked] // 2] = 0
        return array, affine

    change(root, studies[0], "ax", erase)


def hounsfield(root: Path, studies: list[Json]) -> None:
    change(root, studies[0], "ax", lambda array, affine: (array.astype(np.float32) - 1000, affine))


def a_mask(root: Path, studies: list[Json]) -> None:
    def patches(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        labels = np.zeros(array.shape, np.int16)
        third = [size // 3 for size in array.shape]
        labels[third[0] : -third[0], third[1] : -third[1], third[2] : -third[2]] = 3
        return labels, affine

    change(root, studies[0], "sag", patches)


def outside(root: Path, studies: list[Json]) -> None:
    a_lesion(studies[0])["box"]["center"][2] += 400


def in_centimetres(root: Path, studies: list[Json]) -> None:
    box = a_lesion(studies[0])["box"]
    box["size"] = [edge / 10 for edge in box["size"]]


def huge(root: Path, studies: list[Json]) -> None:
    a_lesion(studies[0])["box"]["size"] = [60.0, 90.0, 60.0]


def mirrored(root: Path, studies: list[Json]) -> None:
    lesion = a_lesion(studies[0], "ax")
    lesion["box"]["center"][0], lesion["box"]["size"] = 20.0, [12.0, 12.0, 10.0]
    lesion["attributes"]["side"] = "left"


def twice(root: Path, studies: list[Json]) -> None:
    lesion = a_lesion(studies[0])
    studies[0]["lesions"].append({**lesion, "id": "again"})


def upside_down(root: Path, studies: list[Json]) -> None:
    upper = a_lesion(studies[0])
    lower = json.loads(json.dumps({**upper, "id": "lower"}))
    lower["box"]["center"][2] += 60
    upper["level"], lower["level"] = "L3/L4", "L4/L5"
    studies[0]["lesions"] = [upper, lower]


def moved_away(root: Path, studies: list[Json]) -> None:
    def move(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        affine[1, 3] += 900
        return array, affine

    studies[0]["lesions"] = lesions_on(studies[0], "sag")
    change(root, studies[0], "ax", move)


def one_plane(root: Path, studies: list[Json]) -> None:
    studies[0]["series"] = [series for series in studies[0]["series"] if series["id"] == "sag"]
    studies[0]["lesions"] = lesions_on(studies[0], "sag")


def no_series(root: Path, studies: list[Json]) -> None:
    studies[0]["series"], studies[0]["lesions"], studies[0]["negatives"] = [], [], []


def unknown_series(root: Path, studies: list[Json]) -> None:
    a_lesion(studies[0])["series"] = "cor"


def unknown_category(root: Path, studies: list[Json]) -> None:
    a_lesion(studies[0])["category"] = "fracture"


def same_study(root: Path, studies: list[Json]) -> None:
    studies[1]["id"] = studies[0]["id"]


def no_number(root: Path, studies: list[Json]) -> None:
    a_lesion(studies[0])["box"]["size"][0] = -4


FAULTS = {
    two_splits: ("patient_in_two_splits", 2),
    two_centers: ("patient_in_two_centres", 2),
    same_picture: ("same_picture", 2),
    same_digest: ("same_picture", 2),
    truncated: ("unreadable", 3),
    other_file: ("sha256", 3),
    wrong_plane: ("plane", 2),
    odd_spacing: ("odd_spacing", 0),
    named_t1: ("weighting", 0),
    mask_for_image: ("weighting", 2),
    clipped: ("saturated", 0),
    half_empty: ("empty_slices", 0),
    hounsfield: ("not_mr", 2),
    outside: ("box_outside", 2),
    in_centimetres: ("odd_size", 0),
    huge: ("odd_size", 0),
    mirrored: ("side", 2),
    twice: ("same_box", 2),
    upside_down: ("level_order", 2),
    moved_away: ("apart", 0),
    one_plane: ("missing_plane", 0),
    no_series: ("no_series", 0),
    unknown_series: ("unknown_series", 2),
    unknown_category: ("unknown_category", 2),
    same_study: ("repeated_id", 2),
    no_number: ("format", 2),
}
# What must follow from a fault besides its own name.
FOLLOWING: dict[Callable[..., None], set[str]] = {
    same_digest: {"sha256"},
    odd_spacing: {"coarse", "apart", "box_outside", "box_in_air", "tilt"},
    mask_for_image: {"saturated", "box_in_air"},
    outside: {"level_order"},
    in_centimetres: {"box_size"},
    wrong_plane: {"odd_spacing", "odd_size"},
    hounsfield: {"box_in_air"},
    half_empty: {"box_in_air"},
    mirrored: {"odd_size"},
    no_series: {"missing_plane"},
    moved_away: {"box_outside"},
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_named(run: Run, copied: Path, tmp_path: Path, plant: Callable[..., None]) -> None:
    spoil(copied, plant)
    status, faults = audit(run, copied, tmp_path / "out")
    code, expected = FAULTS[plant]
    assert code in {fault["code"] for fault in faults}
    assert status == expected
    assert {fault["code"] for fault in faults} - {code} <= FOLLOWING.get(plant, set())
    if status == 3:
        assert len(json.loads((tmp_path / "out/skipped.json").read_text())) == 1


def test_a_mask_is_an_error_and_counts_as_rejected(
    run: Run, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(copied, a_mask)
    status, faults = audit(run, copied, tmp_path / "out")
    assert status == 2
    (fault,) = (fault for fault in faults if fault["code"] == "weighting")
    assert fault["severity"] == "error"
    assert "segmentation mask" in fault["message"]
    assert "7 / 0 / 1" in capsys.readouterr().out


def test_many_faults_are_reported_at_once(run: Run, copied: Path, tmp_path: Path) -> None:
    spoil(copied, two_centers, no_number, mirrored, other_file)
    status, faults = audit(run, copied, tmp_path / "out")
    wanted = {"patient_in_two_centres", "format", "side", "sha256"}
    assert status == 2
    assert wanted <= {fault["code"] for fault in faults}


def test_no_manifest_and_no_json_are_told(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", f"out={tmp_path / 'a'}") == 2
    assert "pass data.manifests=" in capsys.readouterr().err
    status, faults = audit(run, tmp_path / "nowhere.json", tmp_path / "b")
    assert status == 2
    assert [fault["code"] for fault in faults] == ["manifest"]
