"""Every page, file and terminal output states what a detector was trained on, and its known results on patients."""

from __future__ import annotations

import json
import shutil
from html import unescape
from pathlib import Path

import pytest

from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings, write_findings
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.core.types import Findings, TrainedOn
from spinedet.runs.run_folder import SHIPPED, open_run
from spinedet.scoring import read_scores

from .conftest import Run

QUICK = ("test.bootstrap.samples=20", "test.cases=1")


def stated(run: str = SHIPPED) -> tuple[str, ...]:
    """What must be read of a run."""
    known = open_run(run).trained_on
    assert known is not None
    return known.sentences


def assert_states(page: Path, sentences: tuple[str, ...]) -> None:
    """The page says each sentence once, in its banner."""
    banner = page.read_text(encoding="utf-8").split('<div class="banner"')[1].split("</div>")[0]
    shown = unescape(banner)
    assert all(shown.count(sentence) == 1 for sentence in sentences), page


@pytest.fixture(scope="module")
def tested(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split of the phantoms, as the shipped weights are tested on it in a sweep over one plane."""
    from .conftest import run_command

    out = tmp_path_factory.mktemp("tested") / "sweep"
    words = (f"data.manifests=[{cohort}]", "split=test", "plane=sagittal,axial", f"out={out}", *QUICK)
    assert run_command("evaluate", "-m", f"run={SHIPPED}", *words) == 0
    return out


def test_the_shipped_weights_state_their_training_and_results() -> None:
    training, results = stated()
    assert "148 patients" in training
    assert "sagittal, 142 middle slices of SPIDER" in results
    assert "axial: trained on phantoms alone, never tested on patients" in results


def test_results_of_other_weights_are_refused(smoke_run: Path, tmp_path: Path) -> None:
    shutil.copytree(smoke_run, tmp_path / "run", ignore=shutil.ignore_patterns("cohort"))
    known = Path(__file__).parents[2] / "src/spinedet/weights/model/known_results.json"
    shutil.copy(known, tmp_path / "run/model")
    with pytest.raises(InputError, match="states results of other weights"):
        open_run(str(tmp_path / "run"))


def test_pages_of_predictions(run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = read_manifest(cohort)
    few = manifest.model_copy(update={"studies": manifest.studies[:2]})
    write_manifest(tmp_path / "few.json", few)
    out = tmp_path / "out"
    assert run("predict", f"run={SHIPPED}", f"input={tmp_path / 'few.json'}", f"out={out}", "pictures=false") == 0
    pages = [out / "index.html", *(out / "reading").glob("*.html")]
    assert len(pages) == 3
    for page in pages:
        assert_states(page, stated())
    told = capsys.readouterr().err
    assert all(f"note {sentence}" in told for sentence in stated())
    header = read_findings(out / "findings.json").trained_on
    assert header is not None
    assert header.sentences == stated()


def test_pages_of_tests(tested: Path) -> None:
    phantoms = "These are phantoms drawn by software"
    assert_states(tested / "sweep.html", (phantoms, *stated()))
    jobs = [path for path in tested.iterdir() if path.is_dir()]
    assert len(jobs) == 2
    for job in jobs:
        assert_states(job / "report.html", (phantoms, *stated()))
        for name in ("scores.json", "findings.json", "run.json"):
            content = json.loads((job / name).read_text())
            assert TrainedOn.model_validate_json(json.dumps(content["trained_on"])).sentences == stated()
    results = json.loads((tested / "sweep.json").read_text())["results"]
    assert {one["trained_on"]["patients"] for one in results} == {148}


def test_pages_of_scores(
    run: Run, tested: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = next(tested.glob("*/findings.json"))
    words = (f"reference={cohort}", "split=test", "bootstrap.samples=20")
    assert run("score", *words, f"findings={findings}", f"out={tmp_path / 'ours'}") == 0
    told = capsys.readouterr().err
    assert_states(tmp_path / "ours/scores.html", ("These are phantoms drawn by software", *stated()))
    assert all(f"note {sentence}" in told for sentence in stated())
    assert run("score", *words, f"compare=[{findings},{findings}]", f"out={tmp_path / 'both'}") == 0
    assert stated()[1] in capsys.readouterr().err


def test_of_other_detectors_nothing_is_claimed(run: Run, tested: Path, cohort: Path, tmp_path: Path) -> None:
    ours = read_findings(next(tested.glob("*/findings.json")))
    write_findings(tmp_path / "theirs.json", Findings(model={"name": "theirs"}, studies=ours.studies))
    words = (f"reference={cohort}", "split=test", "bootstrap.samples=20")
    assert run("score", *words, f"findings={tmp_path / 'theirs.json'}", f"out={tmp_path / 'out'}") == 0
    assert read_scores(tmp_path / "out/scores.json").trained_on is None
    page = (tmp_path / "out/scores.html").read_text(encoding="utf-8")
    assert "Trained on" not in page
    assert "Known results" not in page


def test_a_run_that_begins_with_the_shipped_weights_says_so_everywhere(
    run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ("planes=[sagittal]", "trainer.max_epochs=1", *QUICK, f"data.manifests=[{cohort}]", f"out={out}")
    assert run("train", "+experiment=smoke", f"init={SHIPPED}", *words) == 0
    sentences = stated(str(out))
    assert "Initialised from the weights that ship with spinedet" in sentences[1]
    assert stated()[1].removeprefix("Known results on patients: ") in sentences[2]
    assert_states(out / "report.html", sentences)
    told = capsys.readouterr().err
    assert all(f"note {sentence}" in told for sentence in sentences)
    assert json.loads((out / "model/model.json").read_text())["trained_on"]["initial"]["name"]
    scored = read_scores(out / "scores.json").trained_on
    assert scored is not None
    assert scored.sentences == sentences


def test_cross_validation(run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "folds"
    few = ("folds=2", "trainer.max_epochs=1", "model={width: 8, channels: 48}", "bootstrap.samples=20", "rule=max_f1")
    assert run("crossvalidate", f"data.manifests=[{cohort}]", f"init={SHIPPED}", *few, f"out={out}") == 0
    told, text = capsys.readouterr().err, (out / "crossvalidation.md").read_text(encoding="utf-8")
    notes = json.loads((out / "crossvalidation.json").read_text())["notes"]
    assert [note.split(" ")[0] for note in notes] == ["These", "Initialised", "Known"]
    for note in notes:
        assert f"note {note}" in told
        assert note in text


def test_the_page_of_the_seed_study(smoke_study: Path) -> None:
    known = open_run(str(smoke_study / "steps/lumbar")).trained_on
    assert known is not None
    assert_states(
        smoke_study / "study.html", (f"Lumbar detector: {known.sentences[0]}", "Cervical detector: Trained on")
    )
