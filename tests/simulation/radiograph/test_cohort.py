"""Cohorts of simulated radiographs: the same bytes for a seed, labels true to the geometry, bad settings refused."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.radiograph.manifest import read_radiographs
from spinedet.core.radiograph.types import RadiographManifest
from spinedet.simulation.radiograph.centers import CENTERS
from spinedet.simulation.radiograph.cohort import draw_radiographs, holds_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.tasks import TASKS

PIXELS = 128


def cohort(task: str, studies: int, **settings: object) -> RadiographCohort:
    groups = [RadiographGroup("A", "train", studies)]
    return RadiographCohort(**{"task": task, "groups": groups, "pixels": PIXELS, **settings})  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=TASKS)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The task, and the manifest of two of its studies."""
    return request.param, draw_radiographs(cohort(request.param, 2), tmp_path_factory.mktemp(request.param))


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_two_workers_draw_the_same_bytes(drawn: tuple[str, Path], tmp_path: Path) -> None:
    task, manifest = drawn
    draw_radiographs(cohort(task, 2), tmp_path, workers=2)
    assert files(tmp_path) == files(manifest.parent)


def test_another_seed_draws_other_patients(drawn: tuple[str, Path], tmp_path: Path) -> None:
    task, manifest = drawn
    draw_radiographs(cohort(task, 1, seed=1), tmp_path)
    first = read_radiographs(tmp_path / "manifest.json").studies[0].digests
    assert not set(first) & {d for study in read_radiographs(manifest).studies for d in study.digests}


def test_an_interrupted_cohort_is_continued(drawn: tuple[str, Path], tmp_path: Path) -> None:
    task, _manifest = drawn
    done = draw_radiographs(cohort(task, 1), tmp_path / "one")
    kept = next((tmp_path / "one" / "A-00001").glob("*.png"))
    before = kept.stat().st_mtime_ns
    again = draw_radiographs(cohort(task, 1), tmp_path / "one")
    assert kept.stat().st_mtime_ns == before
    assert again == done
    assert holds_radiographs(cohort(task, 1), tmp_path / "one")
    assert not holds_radiographs(cohort(task, 1, seed=3), tmp_path / "one")
    kept.write_bytes(b"half an image")
    draw_radiographs(cohort(task, 1), tmp_path / "one")
    assert kept.stat().st_size > 1000


def test_the_manifest_is_valid_and_its_images_open(drawn: tuple[str, Path]) -> None:
    task, path = drawn
    manifest = read_radiographs(path)
    assert manifest.task == TASKS[task].task
    for study, image in manifest.images():
        assert study.phantom
        assert study.label_of(image, manifest.task) in manifest.task.labels
        pixels = np.array(Image.open(image.path))
        assert pixels.shape[0] == PIXELS
        assert pixels.dtype == np.uint16
        assert pixels.std() > 3000
        for place in image.places:
            assert 0 <= place.box[0] < place.box[2] <= pixels.shape[1]
            assert 0 <= place.box[1] < place.box[3] <= PIXELS


DIGEST = """
import hashlib
from spinedet.simulation.radiograph.cohort import draw_radiograph_study
from spinedet.simulation.radiograph.settings import RadiographCohort
from spinedet.simulation.radiograph.tasks import TASKS
digest = hashlib.sha256()
for name, task in TASKS.items():
    for center in "AC":
        study = draw_radiograph_study(RadiographCohort(task=name, pixels=128), task.names[0], center, 1)
        for image in study.images:
            digest.update(image.pixels.tobytes())
print(digest.hexdigest())
"""
OLD_MACHINE = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX2 FMA3 AVX512F AVX512_SKX",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
    "OPENBLAS_CORETYPE": "Nehalem",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the switches are those of x86")
def test_an_older_processor_draws_the_same_bytes() -> None:
    def digest(**settings: str) -> str:
        command = [sys.executable, "-W", "ignore", "-c", DIGEST]
        done = subprocess.run(command, env={**os.environ, **settings}, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert digest(**OLD_MACHINE) == digest()


def test_systems_are_balanced_and_the_hardware_is_where_the_box_says(tmp_path: Path) -> None:
    path = draw_radiographs(cohort("implants", 5, pixels=160), tmp_path)
    manifest = read_radiographs(path)
    assert Counter(study.label for study in manifest.studies) == dict.fromkeys("ABCDE", 1)
    inside, outside = [], []
    for _, image in manifest.images():
        pixels = np.array(Image.open(image.path)) / 65535
        (box,) = image.truth
        x0, y0, x1, y1 = (round(v) for v in box)
        inside.append(np.percentile(pixels[y0:y1, x0:x1], 97))
        pixels[y0:y1, x0:x1] = 0
        outside.append(np.percentile(pixels, 97))
    assert np.mean(np.array(inside) > np.array(outside)) > 0.9


def test_held_out_systems_are_other(tmp_path: Path) -> None:
    manifest = held_out(tmp_path)
    assert [study.label for study in manifest.studies] == ["other", "other"]


def held_out(folder: Path) -> RadiographManifest:
    groups = [RadiographGroup("A", "test", 1, only="X"), RadiographGroup("A", "test", 1, only="Y")]
    return read_radiographs(draw_radiographs(cohort("implants", 1, groups=groups), folder))


def test_dicom_says_view_spacing_and_that_it_is_no_patient(tmp_path: Path) -> None:
    path = draw_radiographs(cohort("implants", 1, file="dicom"), tmp_path)
    draw_radiographs(cohort("implants", 1), tmp_path / "png")
    views = []
    for image in read_radiographs(path).studies[0].images:
        data = pydicom.dcmread(image.path)
        assert data.Modality == "DX"
        assert data.Manufacturer == "spinedet phantom"
        views.append((data.ViewPosition, *data.PatientOrientation))
        assert float(data.ImagerPixelSpacing[0]) == image.mm
        png = np.array(Image.open(tmp_path / "png" / "A-00001" / f"{image.id}.png"))
        assert (data.pixel_array == png).all()
    assert views[0] == ("AP", "L", "F")
    assert views[1] in (("LL", "P", "F"), ("LL", "A", "F"))


def test_categories_of_scoliosis_can_be_chosen(tmp_path: Path) -> None:
    chosen = cohort("scoliosis", 2, categories=["hooks", "plain"])
    manifest = read_radiographs(draw_radiographs(chosen, tmp_path / "chosen"))
    assert manifest.task.labels == ("ap/hooks", "ap/plain", "lateral/hooks", "lateral/plain")
    assert {study.label for study in manifest.studies} <= {"hooks", "plain"}
    groups = [RadiographGroup("A", "test", 1, only="fusion")]
    outside = cohort("scoliosis", 1, groups=groups, categories=["hooks", "plain"])
    assert read_radiographs(draw_radiographs(outside, tmp_path / "outside")).studies[0].label == "other"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "hips"}, "cohort=hips is unknown; choose one of"),
        ({"pixels": 50}, "pixels=50"),
        ({"leak": 1.5}, "leak=1.5"),
        ({"task": "scoliosis", "categories": ["plain"]}, "give at least two different ones of plain"),
        ({"task": "scoliosis", "categories": ["plain", "halo"]}, "give at least two different ones of plain"),
        ({"categories": ["plain", "brace"]}, "the labels of implants are fixed"),
        ({"file": "jpeg"}, "file=jpeg is unknown; choose one of png, dicom"),
        ({"groups": [RadiographGroup("Z")]}, "centre 'Z' is unknown; choose one of A, B, C, R"),
        ({"groups": [RadiographGroup(studies=0)]}, "studies=0"),
        ({"groups": [RadiographGroup(only="Q")]}, "only=Q is no label of implants"),
        ({"groups": [RadiographGroup(studies=5), RadiographGroup(first=5)]}, "first=5; 6 is the next free number"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        draw_radiographs(RadiographCohort(**settings), tmp_path)  # type: ignore[arg-type]


def test_centres_differ_in_noise() -> None:
    assert CENTERS["B"].quanta[1] < CENTERS["A"].quanta[0]


def test_a_fresh_fracture_is_marked_as_the_evidence(tmp_path: Path) -> None:
    path = draw_radiographs(cohort("fractures", 8, pixels=96), tmp_path)
    labels: Counter[str | None] = Counter()
    for study in read_radiographs(path).studies:
        (image,) = study.images
        labels[study.label] += 1
        fresh = [place.box for place in image.places if place.attributes["fracture"] == "fresh"]
        assert sorted(fresh) == sorted(image.truth)
        assert bool(fresh) == (study.label == "fresh")
    # Centre A has 42 % fresh ones.
    assert labels == {"fresh": 3, "not_fresh": 5}
