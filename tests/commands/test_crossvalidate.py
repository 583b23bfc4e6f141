"""`crossvalidate` from manifest to table, and weights that may not be its start."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from spinedet.checklists.automatic import automatic
from spinedet.checklists.evidence import read_evidence
from spinedet.commands.crossvalidate import _parts
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.crossvalidate import CrossvalidateConfig, CrossvalidationData
from spinedet.pipelines.cross_validation import group_folds
from spinedet.scoring import read_scores

from .conftest import Run

LEAN = (
    *("folds=2", "model.width=4", "model.channels=16", "model.grader.width=4", "model.grader.channels=16"),
    *("trainer.max_epochs=1", "trainer.accelerator=cpu", "recipe.batch=2", "bootstrap.samples=50", "workers=1"),
)


def test_every_patient_is_tested_and_a_finished_training_is_kept(tmp_path: Path, cohort: Path, run: Run) -> None:
    out = tmp_path / "folds"
    words = (f"data.manifests=[{cohort}]", f"out={out}", *LEAN)
    assert run("crossvalidate", *words) == 0
    told = json.loads((out / "crossvalidation.json").read_text())
    tested = sorted(patient for fold in told["folds"].values() for patient in fold)
    assert tested == sorted(study["patient"] for study in json.loads(cohort.read_text())["studies"])
    assert set(told["thresholds"]) == {"0"}
    assert told["parts"] == {}
    first = out / "seed-0" / "fold-0" / "findings.json"
    answers = {name: one.text for name, one in automatic(read_evidence(str(out))).items()}
    assert "(cross-validation)" in answers["participants"]
    assert answers["training"].startswith("2 trainings of")
    assert "3D IoU" in answers["performance"]
    assert "spinedet" in answers["software"]
    assert all("simulated" in text for text in answers.values())
    # A fold is a run that is tested on its own patients, whom it never saw.
    fold, mine = out / "seed-0" / "fold-0", tmp_path / "fold"
    held_out = f"data.manifests=[{fold / 'held_out.json'}]"
    few = ("test.bootstrap.samples=20", "test.cases=0", "workers=1", "plane=sagittal")
    degraded = ("test.robustness=[noise]", "test.strengths={noise: [3]}")
    assert run("evaluate", f"run={fold}", held_out, *few, *degraded, f"out={mine}") == 0
    scores = read_scores(mine / "scores.json")
    assert scores.group().n.patients == len(told["folds"]["fold-0"])
    assert [point.strength for point in scores.robustness[0].points] == [0.0, 3.0]
    before = first.stat().st_mtime_ns
    assert run("crossvalidate", *words, "seeds=[0,1]") == 0
    assert first.stat().st_mtime_ns == before
    assert (out / "seed-1" / "fold-1" / "findings.json").is_file()
    other = tmp_path / "again"
    assert run("crossvalidate", words[0], f"out={other}", *LEAN, f"beside=[{out}]") == 0
    rows = json.loads((other / "crossvalidation.json").read_text())["results"]
    assert [row["name"] for row in rows if "behind" in row] == ["folds"]
    assert run("crossvalidate", words[0], f"out={tmp_path / 'third'}", *LEAN[1:], "folds=3", f"beside=[{out}]") == 2
    assert run("crossvalidate", words[0], f"out={tmp_path / 'fourth'}", *LEAN, f"beside=[{tmp_path}]") == 2


def test_weights_that_saw_the_patients_are_no_start(
    tmp_path: Path, cohort: Path, smoke_run: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"data.manifests=[{cohort}]", f"out={tmp_path / 'folds'}", f"init={smoke_run}", *LEAN)
    assert run("crossvalidate", *words) == 2
    assert "begin with a run that never saw them" in " ".join(capsys.readouterr().err.split())


def test_several_manifests_are_scored_together_and_each(tmp_path: Path, cohort: Path, run: Run) -> None:
    whole = read_manifest(cohort)
    manifests = []
    for name, studies in (("first", whole.studies[:3]), ("second", whole.studies[3:])):
        manifests.append(tmp_path / f"{name}.json")
        write_manifest(manifests[-1], whole.model_copy(update={"name": name, "studies": studies}))
    out = tmp_path / "folds"
    assert run("crossvalidate", f"data.manifests=[{manifests[0]},{manifests[1]}]", f"out={out}", *LEAN) == 0
    assert set(json.loads((out / "crossvalidation.json").read_text())["parts"]) == {"first", "second"}
    headings = [line for line in (out / "crossvalidation.md").read_text().splitlines() if line.startswith("## ")]
    assert headings == ["## all studies", "## first", "## second"]


def test_the_groups_that_are_crossed_over_are_scored_each(cohort: Path) -> None:
    whole = read_manifest(cohort)
    config = CrossvalidateConfig(by="sex", data=CrossvalidationData(manifests=[str(cohort)]))
    task = SimpleNamespace(plan=group_folds(whole.studies, "sex", 2, 0))
    parts = _parts(config, task, whole)
    assert set(parts) == {"all studies", "sex-F", "sex-M"}
    assert {study.attributes["sex"] for study in parts["sex-F"].studies} == {"F"}
    assert sum(len(part.studies) for part in parts.values()) == 2 * len(whole.studies)
