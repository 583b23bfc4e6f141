"""Cohorts on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.geometry import Grid, inside
from spinedet.core.manifest import read_manifest
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig

TINY = CohortConfig(
    name="tiny", groups=[GroupConfig("A", "train", 2), GroupConfig("B", "test", 1)], coarseness=4.0, coarsest=2.4
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_cohort(TINY, tmp_path_factory.mktemp("tiny"))


def hashes(manifest: Path) -> dict[str, str]:
    root = manifest.parent
    return {str(path.relative_to(root)): sha256(path) for path in sorted(root.rglob("*.*")) if path.is_file()}


def test_manifest_and_images_agree(tiny: Path) -> None:
    manifest = read_manifest(tiny)
    assert [(s.id, s.split.value if s.split else None) for s in manifest.studies] == [
        ("A-0001", "train"),
        ("A-0002", "train"),
        ("B-0001", "test"),
    ]
    for study in manifest.studies:
        for series in study.series:
            assert sha256(series.path) == series.sha256
            image = nib.load(series.path)
            assert image.get_data_dtype() == np.int16
            grid = Grid(image.shape, image.affine)
            boxes = [lesion.box for lesion in study.lesions if lesion.series == series.id]
            assert all(inside(box, grid) for box in boxes)


def test_two_workers_write_the_same_bytes_as_one(tiny: Path, tmp_path: Path) -> None:
    assert hashes(draw_cohort(TINY, tmp_path / "two", workers=2)) == hashes(tiny)


def test_another_seed_gives_other_patients(tiny: Path, tmp_path: Path) -> None:
    other = CohortConfig(name="tiny", groups=[GroupConfig("A", "train", 1)], coarseness=4.0, coarsest=2.4, seed=1)
    again = read_manifest(draw_cohort(other, tmp_path)).studies[0]
    assert again.series[0].sha256 != read_manifest(tiny).studies[0].series[0].sha256


def test_only_unfinished_and_damaged_studies_are_drawn_again(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    before = hashes(draw_cohort(TINY, folder))
    (folder / "A-0001" / "study.json").unlink()
    damaged = folder / "B-0001" / "ax.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    kept = (folder / "A-0002" / "sag.nii.gz").stat().st_mtime_ns
    reported: list[tuple[int, int]] = []
    manifest = draw_cohort(TINY, folder, progress=lambda done, total: reported.append((done, total)))
    assert reported == [(2, 3), (3, 3)]
    assert hashes(manifest) == before
    assert (folder / "A-0002" / "sag.nii.gz").stat().st_mtime_ns == kept


def test_a_changed_recipe_is_drawn_again(tmp_path: Path) -> None:
    one = CohortConfig(name="one", groups=[GroupConfig("A", "train", 2)], coarseness=4.0, coarsest=2.4)
    whole, focal = (_volumes(draw_cohort(replace(one, style=style), tmp_path)) for style in ("disc", "focal"))
    assert set(focal) <= set(whole)
    assert focal
    assert all(focal[key] < whole[key] for key in focal)


def _volumes(manifest: Path) -> dict[tuple[str, str | None], float]:
    """Volume of each box by series and level, mm3."""
    lesions = read_manifest(manifest).studies[1].lesions
    return {(lesion.series, lesion.level): float(np.prod(lesion.box.size)) for lesion in lesions}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CohortConfig(groups=[GroupConfig("Q", "train", 1)]), "centre 'Q' is unknown"),
        (CohortConfig(groups=[GroupConfig("A", "train", 0)]), "give at least 1"),
        (CohortConfig(style="oval"), "style=oval is unknown"),
        (CohortConfig(transitional=1.5), "transitional=1.5 is no share"),
        (
            CohortConfig(region=Region.CERVICAL, groups=[GroupConfig("D")], transitional=0.5),
            "transitional=0.5 is for lumbar phantoms",
        ),
    ],
)
def test_refusals(config: CohortConfig, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        draw_cohort(config, tmp_path)
