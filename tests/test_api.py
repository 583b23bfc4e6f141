"""The Python interface does what docs/api.md shows, and equals the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spinedet
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.manifest import write_manifest
from spinedet.core.types import Findings, Manifest
from spinedet.imaging.volume import read_volume

from .commands.conftest import run_command

EXAMPLE = (
    (Path(__file__).parents[1] / "docs/api.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two phantoms, with the findings of the shipped weights."""
    folder = tmp_path_factory.mktemp("api")
    assert run_command("phantom", "center=B", "studies=2", "coarseness=2", f"out={folder / 'cohort'}") == 0
    words = (f"input={folder / 'cohort/manifest.json'}", f"out={folder / 'predicted'}", "pictures=false")
    assert run_command("predict", "run=shipped", *words) == 0
    return folder


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return spinedet.read_manifest(folder / "cohort/manifest.json")


def test_predict_equals_the_command(folder: Path, manifest: Manifest) -> None:
    model = spinedet.load("shipped")
    found = model.predict(folder / "cohort/manifest.json")
    written = spinedet.read_findings(folder / "predicted/findings.json")
    assert found.studies == written.studies
    assert Findings.model_validate(found.to_dict(), strict=False).studies == found.studies


def test_the_region_of_a_manifest_decides_on_the_levels(folder: Path, manifest: Manifest, tmp_path: Path) -> None:
    neck = manifest.model_copy(update={"region": Region.CERVICAL, "studies": manifest.studies})
    write_manifest(tmp_path / "neck.json", neck)
    words = (f"input={tmp_path / 'neck.json'}", f"out={tmp_path / 'out'}", "pictures=false", "eligibility.gate=false")
    assert run_command("predict", "run=shipped", *words) == 0
    found = spinedet.load("shipped").predict(tmp_path / "neck.json")
    assert found.studies == spinedet.read_findings(tmp_path / "out/findings.json").studies
    lumbar = spinedet.load("shipped").predict(folder / "cohort/manifest.json")
    assert {one.level for study in lumbar.studies for one in study.findings} != {None}
    assert {one.level for study in found.studies for one in study.findings} == {None}


def test_a_volume_is_predicted_as_its_file_is(manifest: Manifest) -> None:
    path = manifest.studies[0].series[0].path
    model = spinedet.load()
    of_file, of_volume = model.predict(path), model.predict(read_volume(path))
    assert of_volume.studies[0].id == "volume"
    assert [f.box for f in of_volume.studies[0].findings] == [f.box for f in of_file.studies[0].findings]


def test_no_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        spinedet.load().predict(tmp_path / "none.nii.gz")


def test_score_takes_values_and_paths(folder: Path, manifest: Manifest) -> None:
    by_path = spinedet.score(folder / "cohort/manifest.json", folder / "predicted/findings.json")
    by_value = spinedet.score(manifest, spinedet.read_findings(folder / "predicted/findings.json"))
    assert by_path == by_value


@pytest.mark.parametrize("first", ["import spinedet.score", "from spinedet import score", "import spinedet"])
def test_score_can_be_called_whatever_was_imported_first(first: str, folder: Path) -> None:
    files = f"{str(folder / 'cohort/manifest.json')!r}, {str(folder / 'predicted/findings.json')!r}"
    code = f"{first}\nimport spinedet\nprint(len(spinedet.score({files}).groups))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 0


def test_the_example_runs(folder: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    code = EXAMPLE.replace("scan.nii.gz", str(manifest.studies[0].series[0].path))
    code = code.replace("manifest.json", str(folder / "cohort/manifest.json"))
    exec(code.replace('"findings.json"', repr(str(folder / "predicted/findings.json"))), {})  # noqa: S102  # our own page
