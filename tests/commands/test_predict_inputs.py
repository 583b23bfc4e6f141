"""`spinedet.predict`: which inputs are refused, doubted, and how they are named."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.imaging.volume import Volume, read_volume, write_volume

from .conftest import Run


def write_flat(path: Path) -> None:
    import nibabel as nib

    nib.save(nib.Nifti1Image(np.zeros((20, 20), np.int16), np.eye(4)), path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("input=nowhere.nii.gz",), "nowhere.nii.gz does not exist"),
        (("input={empty}",), "holds no image"),
        (("input={cohort}", "shard=9/4"), "the third of sixteen"),
        (("input={image}", "plane=coronal"), "plane=coronal"),
        (("input={image}", "region=thoracic"), "region=thoracic"),
        (("input={truncated}",), "truncated.nii.gz"),
        (("input={flat}",), "flat.nii.gz"),
    ],
)
def test_wrong_input_is_refused(
    run: Run,
    smoke_run: Path,
    image: Path,
    cohort: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    names = {name: tmp_path / name for name in ("empty", "truncated.nii.gz", "flat.nii.gz")}
    names["empty"].mkdir()
    names["truncated.nii.gz"].write_bytes(image.read_bytes()[:5000])
    write_flat(names["flat.nii.gz"])
    filled = {"image": image, "cohort": cohort, **{name.partition(".")[0]: path for name, path in names.items()}}
    status = run("predict", f"run={smoke_run}", f"out={tmp_path / 'out'}", *(word.format(**filled) for word in words))
    assert status == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_what_is_doubtful_is_told_and_what_is_refused_is_skipped(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    volume = read_volume(image)
    write_volume(folder / "T2_scan.nii.gz", volume)
    write_volume(folder / "T1_scan.nii.gz", volume)
    write_volume(folder / "ct.nii.gz", Volume(volume.array - 1000, volume.grid))
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}", "pictures=false") == 3
    studies = {
        study["id"]: study["eligibility"] for study in json.loads((out / "findings.json").read_text())["studies"]
    }
    assert studies["T2_scan"]["T2_scan"]["questions"]["weighting"]["standing"] == "ok"
    assert studies["T1_scan"]["T1_scan"]["standing"] == "doubtful"
    assert studies["T1_scan"]["T1_scan"]["questions"]["weighting"] == {
        "standing": "doubtful",
        "reason": "T1 by its file name; it looks like T2 by its pixels",
    }
    (skipped,) = json.loads((out / "skipped.json").read_text())
    assert "ct is not eligible: weighting rejected" in skipped["reason"]
    assert "weighting doubtful: T1 by its file name" in (out / "index.html").read_text()
    told = tmp_path / "told"
    words = ("pictures=false", "eligibility.gate=false")
    assert run("predict", f"run={smoke_run}", f"input={folder / 'ct.nii.gz'}", f"out={told}", *words) == 0


def test_strange_names_stay_inside_out(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["[bold]", "<b>é", "x" * 240, "-rf", "a;b$(c)"]
    folder = tmp_path / "images"
    folder.mkdir()
    for name in names:
        shutil.copy(image, folder / f"{name}.nii.gz")
    shutil.copy(image, folder / os.fsdecode(b"latin-\xe9.nii.gz"))
    out = tmp_path / "out"
    before = set(tmp_path.iterdir())
    words = (f"run={smoke_run}", f"input={folder}", f"out={out}", "outputs=[page,csv,slicer]")
    assert run("predict", *words) == 0
    assert set(tmp_path.iterdir()) - before == {out}
    assert {study.id for study in read_findings(out / "findings.json").studies} == {*names, "latin-�"}
    assert len(list((out / "pictures").iterdir())) == len(names) + 1
    assert "[bold]" in capsys.readouterr().out


def test_a_manifest_with_strange_ids_stays_inside_out(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    manifest = read_manifest(cohort)
    ids = ["../../escaped", "[/x]", "x" * 300]
    studies = tuple(s.model_copy(update={"id": i}) for s, i in zip(manifest.studies, ids, strict=False))
    write_manifest(tmp_path / "m.json", manifest.model_copy(update={"studies": studies}))
    out = tmp_path / "deep/er/out"
    words = (f"run={smoke_run}", f"input={tmp_path / 'm.json'}", f"out={out}", "outputs=[page,csv,slicer]")
    assert run("predict", *words) == 0
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {
        tmp_path / "m.json",
        *(path for path in out.rglob("*") if path.is_file()),
    }
    assert [study.id for study in read_findings(out / "findings.json").studies] == ids


def test_links_are_followed_once_and_what_is_left_out_is_listed(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(folder / "scan 0.nii.gz", elsewhere / "linked.nii.gz")
    (folder / "more").symlink_to(elsewhere)
    (elsewhere / "cycle").symlink_to(folder)
    (folder / "again.nii.gz").symlink_to(folder / "scan 1.nii.gz")
    out = tmp_path / "out"
    with pytest.warns(UserWarning, match="left out"):
        assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}", "pictures=false") == 0
    found = [study.id for study in read_findings(out / "findings.json").studies]
    assert found == ["more-linked", "scan 1", "scan 2", "scan 3"]
    left_out = {one["path"]: one["reason"] for one in json.loads((out / "left_out.json").read_text())}
    assert left_out["again.nii.gz"] == "a link to a file that is read already"
    assert "more/cycle" in left_out


def test_files_that_differ_in_their_ending_alone_are_two_studies(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    shutil.copy(image, folder / "scan.nii.gz")
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(image)), str(folder / "scan.mha"))
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}") == 0
    assert {study.id for study in read_findings(out / "findings.json").studies} == {"scan.nii.gz", "scan.mha"}
    assert len(list((out / "pictures").iterdir())) == 2
