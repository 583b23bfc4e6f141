from __future__ import annotations

import re
from pathlib import Path

from spinedet.core.anatomy import Plane
from spinedet.core.types import Box, Finding
from spinedet.report.prediction_page import Entry, WorklistRow, write_index

THRESHOLDS = {("sagittal", "degeneration"): 0.5, ("axial", "degeneration"): 0.9}


def finding(score: float) -> Finding:
    box = Box(center=(1.04, -20.0, 30.0), size=(10.0, 20.0, 5.5))
    return Finding(series="sag", category="degeneration", score=score, level="L4/L5", box=box)


def written(folder: Path, *entries: Entry, notes: tuple[str, ...] = ()) -> str:
    write_index(folder / "index.html", "Findings", entries, THRESHOLDS, notes)
    return (folder / "index.html").read_text(encoding="utf-8")


def test_findings_that_count_are_listed_highest_first(tmp_path: Path) -> None:
    found = tuple(finding(score) for score in (0.6, 0.49, 0.91, 0.5))
    page = written(tmp_path, Entry("sag", Plane.SAGITTAL, found, None))
    assert re.findall(r"<td>(0\.\d\d)</td>", page) == ["0.91", "0.60", "0.50"]
    assert "1 finding below it" in page
    assert "1.0, −20.0, 30.0" in page
    assert "10.0 × 20.0 × 5.5" in page


def test_severity_is_listed_where_there_is_any(tmp_path: Path) -> None:
    graded = finding(0.9).model_copy(update={"severity": 2.25})
    page = written(tmp_path, Entry("sag", Plane.SAGITTAL, (graded, finding(0.7)), None))
    assert "<td>0.90</td><td>2.2</td>" in page
    assert "<td>0.70</td><td>–</td>" in page
    assert "Severity" not in written(tmp_path, Entry("sag", Plane.SAGITTAL, (finding(0.7),), None))


def test_each_plane_has_its_own_threshold(tmp_path: Path) -> None:
    page = written(tmp_path, Entry("ax", Plane.AXIAL, (finding(0.8),), None))
    assert "No finding at or above the threshold." in page
    assert "Threshold degeneration 0.9" in page


def test_pictures_are_linked_relative_to_the_page(tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "a b#1.png"
    page = written(tmp_path, Entry("a", Plane.SAGITTAL, (), picture))
    assert '<img src="pictures/a%20b%231.png"' in page
    assert str(tmp_path) not in page
    assert "<img" not in written(tmp_path, Entry("a", Plane.SAGITTAL, (), None))


def test_the_warning_is_always_there_and_names_are_escaped(tmp_path: Path) -> None:
    page = written(tmp_path, Entry("<script>", Plane.SAGITTAL, (), None), notes=("<b>note</b>",))
    assert "nothing here is a diagnosis" in page
    assert "<script" not in page
    assert "&lt;b&gt;note&lt;/b&gt;" in page


def test_the_worklist_shows_what_matters_first(tmp_path: Path) -> None:
    def row(study: str, best: float | None, concerns: int = 0, unresolved: bool = False) -> WorklistRow:
        return WorklistRow(study, tmp_path / "reading" / f"{study}.html", best, 1, concerns, unresolved)

    rows = [row("calm", None), row("plain", 0.7), row("doubtful", 0.7, 2), row("unnamed", 0.7, 0, True)]
    rows += [row("high", 0.9), *(row(f"many-{number:04d}", 0.6) for number in range(3000))]
    write_index(tmp_path / "index.html", "x", [], {}, (), rows)
    page = (tmp_path / "index.html").read_text("utf-8")
    found = re.findall(r'<a href="reading/([\w-]+)\.html">', page)
    assert found[:5] == ["high", "doubtful", "unnamed", "plain", "many-0000"]
    last = (tmp_path / "worklist-4.html").read_text("utf-8")
    assert re.findall(r'<a href="reading/([\w-]+)\.html">', last)[-1] == "calm"


def test_a_worklist_of_thousands_is_spread_over_pages_by_priority(tmp_path: Path) -> None:
    rows = [
        WorklistRow(f"S{n:04d}", tmp_path / "reading" / f"S{n:04d}.html", (n % 100) / 100 or None, 1, n % 3, n % 2 == 0)
        for n in range(2500)
    ]
    write_index(tmp_path / "index.html", "Findings", [], THRESHOLDS, (), rows)
    names = ["index.html", "worklist-2.html", "worklist-3.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    pages = [(tmp_path / name).read_text("utf-8") for name in names]
    listed = [study for page in pages for study in re.findall(r'href="reading/(S\d{4})\.html"', page)]
    assert listed == [row.study for row in sorted(rows, key=lambda row: row.priority)]
    assert max(map(len, pages)) < 500_000
    assert 'href="worklist-3.html"' in pages[0]
    assert 'href="index.html"' in pages[2]
