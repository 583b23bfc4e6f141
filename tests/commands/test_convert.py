"""`spinedet.convert`: a manifest that other commands read, twice the same, and what could not be used."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from spinedet.core.manifest import read_manifest
from spinedet.datasets.registry import SOURCES
from spinedet.imaging.volume import read_volume

from ..datasets.test_rsna2024 import AXIAL, T2, write_images, write_tables
from .conftest import Run

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")

COLUMNS = (
    "new_file_name,sex,birth_date,subset,EchoTime,MagneticFieldStrength,Manufacturer,ManufacturerModelName,"
    "RepetitionTime,SliceThickness,SpacingBetweenSlices"
)
GRADINGS = (
    "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,"
    "Pfirrman grade"
)


def write_image(path: Path, array: np.ndarray) -> None:
    """A sagittal stack in ITK's LPS, 2 x 1 x 1 mm."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((2.0, 1.0, 1.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    """Two patients in SPIDER's layout; the second one's mask is missing, a sound disc has no mask."""
    root = tmp_path / "spider"
    image = np.arange(20 * 16 * 6, dtype=np.int16).reshape(20, 16, 6)
    mask = np.zeros(image.shape, np.int16)
    mask[2:5, 4:12, 2:4] = 201
    for patient in ("1", "2"):
        write_image(root / "images" / f"{patient}_t2.mha", image + int(patient))
    write_image(root / "masks" / "1_t2.mha", mask)
    row = "_t2,F,,training,100,1.5,SIEMENS,Aera,4000,3,3.3"
    (root / "overview.csv").write_text(f"{COLUMNS}\n1{row}\n2{row}\n", "utf-8")
    rows = ("1,1,0,0,0,0,0,0,1,3", "1,2,0,0,0,0,0,0,0,3")
    (root / "radiological_gradings.csv").write_text("\n".join((GRADINGS, *rows, "")), "utf-8")
    return root


def content(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_a_broken_study_is_skipped_and_the_rest_converted(run: Run, spider: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("convert", "source=spider", f"root={spider}", f"out={out}", "split=test", "center=Z") == 3
    manifest = read_manifest(out / "manifest.json")
    (study,) = manifest.studies
    assert (study.id, study.center, study.split.value if study.split else None) == ("SPIDER-1", "Z", "test")
    assert study.series[0].path == spider / "images" / "1_t2.mha"
    assert study.series[0].sha256 is not None
    (lesion,) = study.lesions
    # Columns 2..3 of 2 mm to the left, rows 4..11 to the back, slices 2..4 upwards: edges L 3..7, P 3.5..11.5,
    # S 1.5..4.5.
    assert lesion.box.center == (-5.0, -7.5, 3.0)
    assert lesion.box.size == (4.0, 8.0, 3.0)
    (skipped,) = json.loads((out / "skipped.json").read_text("utf-8"))
    assert skipped["study"] == "SPIDER-2"
    assert "2_t2.mha does not exist" in skipped["reason"]
    (unused,) = json.loads((out / "unused.json").read_text("utf-8"))
    assert unused == {
        "study": "SPIDER-1",
        "where": "radiological_gradings.csv, disc 2",
        "reason": "series t2 has no mask 202",
    }
    assert (out / "pictures" / "SPIDER-1_t2.png").is_file()


def test_a_second_conversion_gives_the_same_bytes(run: Run, spider: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert run("convert", f"root={spider}", f"out={first}") == 3
    before = content(first)
    assert run("convert", f"root={spider}", f"out={first}", "workers=1") == 3
    assert run("convert", f"root={spider}", f"out={second}") == 3
    assert content(first) == content(second) == before


def test_a_dicom_data_set_with_angled_blocks_is_converted_twice_the_same(run: Run, tmp_path: Path) -> None:
    root, out = tmp_path / "rsna", tmp_path / "out"
    write_tables(root)
    write_images(root)
    found = []
    for _ in range(2):
        assert run("convert", "source=rsna2024", f"root={root}", f"out={out}", "split=train") == 0
        found.append(content(out))
    assert found[0] == found[1]
    (study,) = read_manifest(out / "manifest.json").studies
    assert {series.id: read_volume(series.path).grid.shape[2] for series in study.series} == {
        T2: 4,
        f"{AXIAL}-1": 3,
        f"{AXIAL}-2": 3,
    }
    assert {path.name for path in (out / "series").glob("*/*/*")} == {f"{n}.dcm" for n in range(1, 7)}


def test_another_conversion_is_not_overwritten(
    run: Run, spider: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("convert", f"root={spider}", f"out={tmp_path / 'out'}") == 3
    assert run("convert", f"root={spider}", f"out={tmp_path / 'out'}", "source.minimum_pfirrmann=5") == 2
    assert "not empty" in capsys.readouterr().err


def test_paths_may_be_absolute(run: Run, spider: Path, tmp_path: Path) -> None:
    assert run("convert", f"root={spider}", f"out={tmp_path / 'out'}", "paths=absolute", "hashes=false") == 3
    (study,) = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))["studies"]
    assert study["series"][0]["path"] == str(spider / "images" / "1_t2.mha")
    assert study["series"][0]["sha256"] is None


def test_nothing_usable_is_an_error(run: Run, spider: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spider / "masks" / "1_t2.mha").unlink()
    assert run("convert", f"root={spider}", f"out={tmp_path / 'out'}") == 2
    assert "no study can be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "message"),
    [("root=nowhere", "root=nowhere"), ("split=some", "split=some"), ("paths=short", "paths=short")],
)
def test_wrong_words_are_refused(
    run: Run, spider: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, message: str
) -> None:
    assert run("convert", f"root={spider}", f"out={tmp_path / 'out'}", word) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_every_source_composes(run: Run, capsys: pytest.CaptureFixture[str], source: str) -> None:
    assert run("convert", f"source={source}", "--cfg", "job") == 0
    assert f"name: {source}" in capsys.readouterr().out


@needs_real_data
def test_the_real_part_of_spider(run: Run, tmp_path: Path) -> None:
    assert run("convert", "source=spider", f"root={REAL}/spider", f"out={tmp_path / 'out'}", "pictures=0") == 0
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    assert len({study.patient for study in manifest.studies}) == 18
    lesions = [lesion for study in manifest.studies for lesion in study.lesions]
    assert Counter(lesion.ignore for lesion in lesions) == {False: 86, True: 2}
    assert sum(len(study.negatives) for study in manifest.studies) == 137 - 86
    (transitional,) = (study for study in manifest.studies if study.id == "SPIDER-107")
    assert {lesion.level for lesion in transitional.lesions} == {None}
