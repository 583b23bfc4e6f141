"""The command score: what it writes, what it refuses, and that it needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.scoring import read_comparison, read_scores

Run = Callable[..., int]
Content = dict[str, Any]


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write a manifest of six patients in two centres and findings: the lesion at .9, or not, and noise at .3."""

    def write(name: str = "a", hits: int = 4, **change: Any) -> tuple[Path, Path]:
        box = {"center": [0, 0, 0], "size": [10, 10, 10]}
        noise = {"center": [50, 0, 0], "size": [10, 10, 10]}
        mark: Content = {"series": "s", "category": "disc"}
        studies = [
            {
                "id": f"s{row}",
                "patient": f"p{row}",
                "center": "AB"[row % 2],
                "split": "test",
                "attributes": {"vendor": "XY"[row // 3]},
                "series": [{"id": "s", "plane": "sagittal", "path": f"s{row}.nii.gz"}],
                "lesions": [{"id": "1", "box": box, "level": "L4/L5", **mark}],
            }
            for row in range(6)
        ]
        findings = [
            {
                "id": f"s{row}",
                "findings": [
                    *([{"score": 0.9, "box": box, **mark}] if row < hits else []),
                    {"score": 0.3 + row / 100, "box": noise, **mark},
                ],
            }
            for row in range(6)
        ]
        head = {"version": 1, "space": "RAS"}
        manifest = {"format": "spinedet-manifest", **head, "name": "six", "region": "lumbar", "categories": ["disc"]}
        said = {"format": "spinedet-findings", **head, "model": {"name": name}, "studies": findings, **change}
        paths = tmp_path / "manifest.json", tmp_path / name / "findings.json"
        paths[1].parent.mkdir()
        paths[0].write_text(json.dumps({**manifest, "studies": studies}))
        paths[1].write_text(json.dumps(said))
        return paths

    return write


def test_what_a_run_leaves(files: Any, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, findings = files()
    words = ["threshold=0.5", "criterion=distance", "criterion.mm=6", "bootstrap.samples=100", "by=[vendor]"]
    out = tmp_path / "out"
    assert (
        run("score", f"reference={manifest}", f"findings={findings}", f"out={out}", *words, "export=[csv,coco,picai]")
        == 0
    )
    scores = read_scores(out / "scores.json")
    assert (scores.group().tp, scores.group().fp, scores.group().fn) == (4, 0, 2)
    assert (scores.criterion["name"], scores.criterion["mm"], scores.bootstrap.samples) == ("distance", 6.0, 100)
    assert scores.group(vendor="X").recall.value == 1.0
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    figures = {
        f"figures/{n}_sagittal.{e}"
        for n in ("froc", "precision_recall", "forest", "reliability", "strata")
        for e in ("svg", "png")
    }
    tables = {"matches.csv", "lesions.csv", "curves.csv", "findings.csv"}
    exports = {"coco_reference.json", "coco_findings.json", "picai_metrics.json"}
    assert left == {"scores.json", "scores.html", *figures, *tables, *exports}
    page = (out / "scores.html").read_text()
    assert "hit: centres within 6 mm of a free lesion, highest score first" in page
    assert "hit by a finding below the threshold" not in page
    assert "no finding overlaps it" in page
    assert "http://" not in page.replace("http://www.w3.org/", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "sagittal" in capsys.readouterr().out


def test_pages_can_be_left_out(files: Any, run: Run, tmp_path: Path) -> None:
    manifest, findings = files()
    out = tmp_path / "out"
    words = [f"reference=[{manifest}]", f"findings={findings}", f"out={out}", "bootstrap.samples=0", "pages=false"]
    assert run("score", *words) == 0
    assert [path.name for path in out.iterdir()] == ["scores.json"]


def test_the_seed_reaches_the_resampling(files: Any, run: Run, tmp_path: Path) -> None:
    manifest, findings = files()
    common = [f"reference={manifest}", f"findings={findings}", "pages=false", "bootstrap.samples=50"]
    for name, words in {"plain": [], "seed": ["seed=3"], "own": ["seed=3", "bootstrap.seed=5"]}.items():
        assert run("score", *common, *words, f"out={tmp_path / name}") == 0
    seeds = [read_scores(tmp_path / name / "scores.json").bootstrap.seed for name in ("plain", "seed", "own")]
    assert seeds == [0, 3, 5]


def test_an_unread_study_ends_with_3(files: Any, run: Run, tmp_path: Path) -> None:
    manifest, findings = files()
    content = json.loads(findings.read_text())
    content["studies"].pop()
    findings.write_text(json.dumps(content))
    common = [f"reference={manifest}", f"findings={findings}", "pages=false", "bootstrap.samples=0"]
    assert run("score", *common, f"out={tmp_path / 'a'}") == 2
    assert run("score", *common, f"out={tmp_path / 'b'}", "allow_missing=true") == 3
    assert read_scores(tmp_path / "b" / "scores.json").not_read == ("s5",)
    skipped = json.loads((tmp_path / "b" / "skipped.json").read_text())
    assert skipped == [{"study": "s5", "reason": "not read: the findings do not have it"}]


def test_two_detectors_are_compared(files: Any, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, first = files("a", hits=2)
    _, second = files("b", hits=5)
    words = [f"reference={manifest}", f"compare=[{first},{second}]", "threshold=[0.5,0.6]", "bootstrap.samples=100"]
    assert run("score", *words, f"out={tmp_path / 'out'}") == 0
    comparison = read_comparison(tmp_path / "out" / "comparison.json")
    (recall,) = [one for one in comparison.differences if one.metric == "recall" and not one.by]
    assert (comparison.first, comparison.second) == ("a/findings", "b/findings")
    assert recall.difference.value == pytest.approx(0.5)
    assert "a/findings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["threshold=high"], "threshold=high: use a number"),
        (["threshold=nan"], "threshold=nan: use a finite number"),
        (["threshold=[0.5,inf]"], "threshold.1=inf: use a finite number"),
        (["workers=-1"], "workers=-1: use 1 or more"),
        (["seed=-1"], "seed=-1: use 0 or more"),
        (["threshold=0.5", "operating_point=x.json"], "pass threshold= or operating_point=, not both"),
        (["operating_point=x.json"], "x.json does not exist"),
        (["compare=[a.json,b.json]"], "pass findings=FILE to score one detector, or compare="),
        (["split=holdout"], "split=holdout: use train, tune or test"),
        (["export=[voc]"], r"export=['voc']"),
        (["criterion.iou=0"], "criterion.iou=0.0: the overlap must be above 0"),
        (["criterion=distance", "criterion.mm=-1"], "criterion.mm=-1.0: the distance must be above 0 mm"),
        (["criterion=overlap"], "overlap"),
        (["bootstrap.samples=1"], "bootstrap.samples=1"),
        (["by=[site]"], "no study has the attribute 'site'"),
        (["internal=C"], "internal=C: the studies scored come from A, B"),
        (["read.format=voc"], "format='voc'"),
    ],
)
def test_wrong_command_lines_end_with_2(
    files: Any, run: Run, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, findings = files()
    common = [f"reference={manifest}", f"findings={findings}", f"out={tmp_path / 'out'}", "pages=false"]
    assert run("score", *common, *words) == 2
    said = capsys.readouterr().err
    assert message in " ".join(said.split())
    assert "Traceback" not in said


def test_a_missing_reference_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("score", f"findings={tmp_path}/f.json") == 2
    assert "reference= is needed" in capsys.readouterr().err


def test_a_wrong_score_is_named_by_file_study_and_field(
    files: Any, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, findings = files()
    findings.write_text(findings.read_text().replace("0.9", "NaN", 1))
    assert run("score", f"reference={manifest}", f"findings={findings}", f"out={tmp_path / 'out'}") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{findings}: study 's0', finding number 0, score: Input should be a finite number" in said


def test_scoring_as_a_command_needs_no_torch(files: Any, tmp_path: Path) -> None:
    manifest, findings = files()
    words = [
        "score",
        f"reference={manifest}",
        f"findings={findings}",
        f"out={tmp_path / 'out'}",
        "bootstrap.samples=20",
    ]
    blocked = "sys.modules['torch'] = sys.modules['monai'] = None"
    code = f"import sys; {blocked}; sys.argv = {words!r}; import spinedet.score; spinedet.score.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "scores.html").is_file()


def test_level_naming_is_in_the_scores_and_on_the_page(
    run: Run, files: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    reference, findings = files()
    content = json.loads(findings.read_text())
    for row, study in enumerate(content["studies"][:4]):
        likeliest = "L5/S1" if row == 1 else "L4/L5"
        naming = {"state": "named", "likeliest": likeliest, "probability": 0.99 - row / 10}
        study["findings"][0] |= {"level": likeliest if row < 2 else None, "naming": naming}
    findings.write_text(json.dumps(content))
    out = tmp_path / "out"
    words = ("threshold=0.5", "bootstrap.samples=20", f"out={out}")
    assert run("score", f"reference={reference}", f"findings={findings}", *words) == 0
    levels = read_scores(out / "scores.json").group().levels
    assert levels is not None
    assert (levels.named, levels.wrong_patients, levels.forced.value) == (2, 1, 0.75)
    assert levels.area.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    page = (out / "scores.html").read_text("utf-8")
    assert "forced accuracy" in page
    assert (out / "figures" / "levels_sagittal.svg").is_file()
