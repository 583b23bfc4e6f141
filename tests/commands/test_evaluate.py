"""`spinedet.evaluate`: a finished run on other studies, at the threshold it was given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from spinedet.checklists.automatic import automatic
from spinedet.checklists.evidence import read_evidence
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.core.types import Split
from spinedet.scoring import read_operating_point, read_scores

from .conftest import Run

QUICK = ("test.bootstrap.samples=20", "test.cases=1")


def test_the_operating_point_of_the_run_is_used_unchanged(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "external"
    assert run("evaluate", f"run={smoke_run}", f"data.manifests=[{cohort}]", "split=test", f"out={out}", *QUICK) == 0
    frozen = read_operating_point(smoke_run / "operating_point.json")
    scores, trained = read_scores(out / "scores.json"), read_scores(smoke_run / "scores.json")
    assert scores.operating_point_sha256 == frozen.sha256
    assert json.loads((out / "run.json").read_text())["operating_point_sha256"] == frozen.sha256
    # The same studies with the same weights: what the training run found is found again.
    assert scores.group().tp == trained.group().tp
    assert scores.group().fp == trained.group().fp
    assert (out / "report.html").exists()


def test_adapted_thresholds_stand_beside_the_frozen_one(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    frozen = read_operating_point(smoke_run / "operating_point.json")
    out = tmp_path / "adapted"
    words = (f"run={smoke_run}", f"data.manifests=[{cohort}]", f"out={out}", *QUICK, "test.adapt=true")
    assert run("evaluate", *words) == 0
    found = read_scores(out / "scores.json")
    known = [one for one in frozen.thresholds if one.hit_model is not None]
    assert [(one.plane, one.frozen.threshold) for one in found.adapted] == [(one.plane, one.value) for one in known]
    assert ("Thresholds adapted without the reference standard" in (out / "report.html").read_text()) == bool(known)
    assert found.operating_point_sha256 == frozen.sha256


def test_parts_are_scored_together_by_the_last_one(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    words = (f"run={smoke_run}", f"data.manifests=[{cohort}]", *QUICK)
    assert run("evaluate", *words, f"out={tmp_path / 'whole'}") == 0
    for part in ("2/2", "1/2"):
        assert not (tmp_path / "parts/scores.json").exists()
        assert run("evaluate", *words, f"out={tmp_path / 'parts'}", f"shard={part}") == 0
    for name in ("findings.json", "scores.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_studies_that_the_run_learned_on_are_called_out(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "all"
    assert run("evaluate", f"run={smoke_run}", f"data.manifests=[{cohort}]", f"out={out}", *QUICK) == 0
    note = "4 of the 5 studies were used to develop this run"
    assert (out / "report.html").read_text().count(note) == 2  # above the numbers, and among the notes
    assert read_scores(out / "scores.json").notes[0].startswith(note)
    assert read_scores(out / "scores.json").group().n.studies == 5
    told = automatic(read_evidence(str(out)))
    assert note in told["partitions"].text
    assert told["internal"].text.startswith("Developed at the centre")


def test_a_copied_model_with_its_operating_point_is_enough(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(smoke_run / "model", copy)
    shutil.copy(smoke_run / "operating_point.json", copy)
    out = tmp_path / "out"
    assert run("evaluate", f"run={copy}", f"data.manifests=[{cohort}]", "split=test", f"out={out}", *QUICK) == 0


def test_excluded_studies_are_not_touched(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    manifest = read_manifest(cohort)
    studies = [s.model_copy(update={"excluded": "motion"}) for s in manifest.studies[:-1]]
    studies.append(manifest.studies[-1].model_copy(update={"split": Split.TEST}))
    write_manifest(tmp_path / "m.json", manifest.model_copy(update={"studies": tuple(studies)}))
    out = tmp_path / "out"
    assert run("evaluate", f"run={smoke_run}", f"data.manifests=[{tmp_path / 'm.json'}]", f"out={out}", *QUICK) == 0
    assert read_scores(out / "scores.json").group().n.studies == 1


def test_a_sweep_reports_the_job_that_fails_and_keeps_the_others(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    words = (f"data.manifests=[{broken}],[{cohort}]", f"out={tmp_path}/job-${{hydra:job.num}}", "split=test")
    assert run("evaluate", "-m", f"run={smoke_run}", *words, *QUICK) == 2
    assert "broken.json is not valid JSON" in capsys.readouterr().err
    assert (tmp_path / "job-1/scores.json").exists()


def test_a_sweep_over_centres_and_planes_is_collected_and_names_its_broken_job(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.json").write_text("{")
    words = (
        f"data.manifests=[{cohort}],[{tmp_path / 'broken.json'}]",
        "center=A",
        "split=test",
        f"out={tmp_path / 's'}",
    )
    assert run("evaluate", "-m", f"run={smoke_run}", "plane=sagittal,axial", *words, *QUICK) == 2
    content = json.loads((tmp_path / "s/sweep.json").read_text())
    assert [job["status"] for job in content["jobs"]].count(0) == 2
    frozen = read_operating_point(smoke_run / "operating_point.json").sha256
    assert {(one["center"], one["plane"]) for one in content["results"]} == {("A", "sagittal"), ("A", "axial")}
    assert {one["operating_point_sha256"] for one in content["results"]} == {frozen}
    page, told = (tmp_path / "s/sweep.html").read_text(), capsys.readouterr().out
    assert "is not valid JSON" in page
    assert frozen[:12] in page
    assert told.count("broken job: ") == 2


def test_the_shipped_sweep_asks_for_every_centre_in_both_planes_and_writes_only_below_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("evaluate", "+sweep=external", "run=nowhere", f"out={tmp_path / 's'}", "data=smoke") == 2
    jobs = json.loads((tmp_path / "s/sweep.json").read_text())["jobs"]
    asked = {tuple(sorted(word for word in job["words"] if word[:6] in ("center", "plane="))) for job in jobs}
    assert asked == {(f"center={c}", f"plane={p}") for c in ("I", "II", "III") for p in ("sagittal", "axial")}
    assert [file.name for file in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "run= is needed"),
        (("run=nowhere",), "run=nowhere is no run folder"),
        (("run={smoke}", "split=holdout"), "split=holdout"),
        (
            ("run={smoke}", "data.manifests=[{cohort}]", "center=Z"),
            "center=Z: manifest 'phantom-smoke' has",
        ),
        (("run={smoke}", "plane=coronal"), "plane=coronal"),
        (("run={smoke}", "data.manifests=[{smoke}/model/model.json]"), "is no spinedet-manifest file"),
        (("run={smoke}", "data.manifests=[{cohort},{cohort}]"), "appears more than once"),
    ],
)
def test_wrong_words_are_refused(
    run: Run,
    smoke_run: Path,
    cohort: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    filled = [word.format(smoke=smoke_run, cohort=cohort) for word in words]
    assert run("evaluate", "data=smoke", f"out={tmp_path / 'out'}", *filled) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_an_unfinished_run_says_how_to_finish_it(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half/config.yaml").write_text("seed: 0\n")
    assert run("evaluate", f"run={tmp_path / 'half'}", "data=smoke", f"out={tmp_path / 'out'}") == 2
    assert "resume=true" in capsys.readouterr().err


def test_categories_of_another_name_are_mapped(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    other = cohort.with_name("other-names.json")
    other.write_text(cohort.read_text().replace('"degeneration"', '"degenerated"'))
    words = (f"run={smoke_run}", f"data.manifests=[{other}]", "test.cases=0", "test.bootstrap.samples=20")
    assert run("evaluate", *words, f"out={tmp_path / 'refused'}") == 2
    assert run("evaluate", *words, "categories={degenerated: degeneration}", f"out={tmp_path / 'out'}") == 0
    other.unlink()
    assert read_scores(tmp_path / "out/scores.json").group().n.lesions > 0
