"""Inputs of public bug reports, written by the generators beside the real data, through whole commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifest
from spinedet.runs.run_folder import SHIPPED
from spinedet.scoring import read_scores

from .conftest import Run, run_command

REAL = os.environ.get("SPINEDET_REAL_DATA")
pytestmark = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where the generators are")
Generate = Callable[[str], Path]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of two phantoms of centre B."""
    out = tmp_path_factory.mktemp("phantoms") / "b"
    assert run_command("phantom", "center=B", "studies=2", "workers=1", f"out={out}") == 0
    return out / "manifest.json"


@pytest.fixture(scope="module")
def sagittal(phantoms: Path) -> Path:
    """The sagittal scan of the first."""
    (path,) = (one.path for one in read_manifest(phantoms).studies[0].series if one.plane == "sagittal")
    return Path(path)


@pytest.fixture(scope="module")
def generate(phantoms: Path, sagittal: Path, tmp_path_factory: pytest.TempPathFactory) -> Generate:
    """Runs a generator and gives back its folder."""

    def run(kind: str) -> Path:
        out = tmp_path_factory.mktemp("faults") / kind
        source = phantoms if kind == "csv-encodings" else sagittal
        script = Path(str(REAL)) / "faults" / kind / "make.py"
        subprocess.run([sys.executable, str(script), str(source), str(out)], check=True, capture_output=True)
        return out

    return run


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], list[tuple[Any, ...]]]:
    """Category, score, centre and size of all findings that `predict` writes for an image."""

    def predict(path: Path) -> list[tuple[Any, ...]]:
        out = tmp_path_factory.mktemp("predicted") / "out"
        assert run_command("predict", f"run={SHIPPED}", f"input={path}", f"out={out}") == 0
        (study,) = read_findings(out / "findings.json").studies
        assert study.findings
        return [(one.category, one.score, *one.box.center, *one.box.size) for one in study.findings]

    return predict


@pytest.fixture(scope="module")
def undisturbed(
    sagittal: Path, predicted: Callable[[Path], list[tuple[Any, ...]]]
) -> Callable[[list[tuple[Any, ...]]], None]:
    """Asserts that findings are those of the phantom's own file, to a hundredth of a millimetre."""
    expected = predicted(sagittal)

    def equal(found: list[tuple[Any, ...]]) -> None:
        assert [one[0] for one in found] == [one[0] for one in expected]
        assert_allclose(
            np.array([one[1:] for one in found], float), np.array([one[1:] for one in expected], float), atol=0.01
        )

    return equal


@pytest.mark.parametrize("variant", ["unique", "first-half-again", "in-pairs", "all-one"])
def test_slices_that_share_a_sop_instance_uid(generate: Generate, predicted, undisturbed, variant: str) -> None:
    undisturbed(predicted(generate("same-sop-uid") / variant))


def test_a_series_uid_for_every_slice(generate: Generate, predicted, undisturbed) -> None:
    undisturbed(predicted(generate("uid-per-slice") / "x"))


@pytest.mark.parametrize("unit", ["mm", "micron", "meter"])
def test_units_of_nifti(generate: Generate, predicted, undisturbed, unit: str) -> None:
    undisturbed(predicted(generate("nifti-units") / f"t2_{unit}.nii.gz"))


def test_padding_is_as_good_as_zero(generate: Generate, predicted) -> None:
    folder = generate("padding")
    zero, low, high = (predicted(folder / name) for name in ("zero", "padded", "padded-top"))
    assert low == zero
    assert high == zero


IDS = {
    "bids": "sub-01/ses-02",
    "markup": "case [/left]",
    "html": "<img src=x onerror=alert(1)>",
    "parent": "../../../evil16",
    "colour": "P01 [red]",
    "long": "x" * 300,
}


@pytest.mark.parametrize("kind", IDS)
def test_odd_ids_from_prediction_to_scores(
    run: Run, generate: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    manifest = generate("odd-ids") / f"{kind}.json"
    deep = tmp_path / "a/b/c/d"
    outputs = "outputs=[page,csv,slicer]"
    assert run("predict", f"run={SHIPPED}", f"input={manifest}", f"out={deep / 'predict'}", outputs) == 0
    quick = ("test.bootstrap.samples=20", "test.cases=2")
    words = (f"data.manifests=[{manifest}]", "plane=sagittal", f"out={deep / 'evaluate'}")
    assert run("evaluate", f"run={SHIPPED}", *words, *quick) == 0
    findings = deep / "evaluate/findings.json"
    words = (f"reference={manifest}", f"findings={findings}", "bootstrap.samples=20", f"out={deep / 'score'}")
    assert run("score", *words) == 0
    assert run("check", f"data.manifests=[{manifest}]", f"out={deep / 'check'}") == 0
    assert run("export", f"manifest={manifest}", "to=slicer", f"out={deep / 'export'}") == 0
    assert "Traceback" not in capsys.readouterr().err
    assert sorted(path.name for path in deep.iterdir()) == ["check", "evaluate", "export", "predict", "score"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert not list(tmp_path.rglob("*evil16"))
    for name in ("predict", "evaluate"):
        assert [study.id for study in read_findings(deep / name / "findings.json").studies] == [IDS[kind]]
    pages = list(deep.rglob("*.html"))
    assert len(pages) >= 5
    for page in pages:
        assert "<img src=x" not in page.read_text("utf-8")
    assert read_scores(deep / "score/scores.json").group().n.studies == 1


def test_findings_from_a_spreadsheet(
    run: Run, generate: Generate, phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = generate("csv-encodings")
    words = ("score", f"reference={phantoms}", "read.format=csv", "threshold=0.5", "bootstrap.samples=20")
    for name in ("utf8", "bom"):
        assert run(*words, f"findings={folder / name}.csv", f"out={tmp_path / name}") == 0
        assert read_scores(tmp_path / name / "scores.json").group().tp == 1
    capsys.readouterr()
    assert run(*words, f"findings={folder / 'cp1252.csv'}", f"out={tmp_path / 'cp1252'}") == 2
    told = capsys.readouterr().err
    assert "UTF-8" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("size", ["same", "double"])
def test_the_size_that_a_voc_file_names(run: Run, generate: Generate, tmp_path: Path, size: str) -> None:
    out = tmp_path / "out"
    assert run("convert", "source=voc", f"root={generate('voc-size') / size}", f"out={out}") == 0
    ((lesion,),) = (study.lesions for study in read_manifest(out / "manifest.json").studies)
    # What the generator prints: the lesion's centre, and its size along column, row and slice.
    assert_allclose(lesion.box.center, [-18.78, 75.36, 23.02], atol=0.01)
    assert_allclose(sorted(lesion.box.size), sorted([18.75, 12.5, 9.9]), atol=0.01)
    assert json.loads((out / "manifest.json").read_text())["region"] == "lumbar"
