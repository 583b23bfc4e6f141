"""`spinedet.phantom`: a cohort on disk from a few words."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.core.files import sha256
from spinedet.core.manifest import read_manifest

from .conftest import Run

TINY = ("studies=2", "coarseness=2.5")


def test_a_cohort_is_drawn_as_asked_for(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("phantom", *TINY, "center=B", "split=test", f"out={out}") == 0
    manifest = read_manifest(out / "manifest.json")
    assert [study.center for study in manifest.studies] == ["B", "B"]
    for study in manifest.studies:
        assert study.split is not None
        assert study.split.value == "test"
        assert [series.plane.value for series in study.series] == ["sagittal", "axial"]
        assert all(sha256(series.path) == series.sha256 for series in study.series)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("center=Z", "center=Z"),
        ("studies=0", "studies=0"),
        ("split=all", "split=all"),
        ("region=knee", "knee"),
        ("transitional=2", "transitional=2"),
    ],
)
def test_wrong_words_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, message: str
) -> None:
    assert run("phantom", word, f"out={tmp_path / 'out'}") == 2
    assert message in capsys.readouterr().err
