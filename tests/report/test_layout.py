"""Pages at a width of 1,200 pixels: no table is cut off, no label lies on another or out of its drawing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spinedet.audit.faults import Fault, Severity
from spinedet.core.anatomy import Plane
from spinedet.core.types import Box, Finding, KnownResult, KnownResults, TrainedOn
from spinedet.report.audit_page import AuditPage, CenterRow, Sheet, write_audit
from spinedet.report.evaluation_page import render_page
from spinedet.report.prediction_page import Entry, WorklistRow, write_index
from spinedet.report.score_page import write_everything
from spinedet.report.sweep_page import SweepLine, write_sweep
from spinedet.scoring import BootstrapSettings, ScoreSettings, examine, report

from .chromium import Browser, chromium
from .conftest import Drawn

CENTERS = ("University Hospital Eppendorf", "B", "C")
KNOWN = TrainedOn(
    kind="both",
    phantoms=440,
    patients=148,
    known=KnownResults(
        weights="the weights that ship with spinedet",
        weights_sha256="f" * 64,
        results=tuple(
            KnownResult(
                plane="sagittal", data="images of patients " * 4, statistic="F1", value=0.851, low=0.825, high=0.876
            )
            for _ in range(3)
        ),
    ),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser"), (1200, 900)) as started:
        yield started


@pytest.fixture
def many(draw) -> Drawn:
    """Three centres of four patients each, with both kinds of errors."""
    drawn = draw()
    for center in CENTERS:
        for n in range(4):
            lesions = [0.0, 30.0, 60.0][: n + 1]
            found = [(place, 0.9 - 0.1 * n) for place in lesions[: max(1, n)]] + [(90.0, 0.7)] * (n % 2)
            drawn.study(f"{center}-{n}", center, (lesions, found), (lesions[:1], found[:1]))
    drawn.findings[0]["findings"][0]["severity"] = 1.5
    return drawn


def test_the_report_of_a_test(browser: Browser, many: Drawn, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_page(many.page(internal_centers=CENTERS[:1], notes=KNOWN.sentences)), "utf-8")
    assert browser.layout_faults(page) == []


def test_the_page_of_scores(browser: Browser, many: Drawn, tmp_path: Path) -> None:
    settings = ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=50), internal=CENTERS[0])
    examination = examine(many.manifest, many.found.model_copy(update={"trained_on": KNOWN}), settings)
    write_everything(tmp_path, examination, report("a cohort", examination))
    assert browser.layout_faults(tmp_path / "scores.html") == []


def test_the_page_of_a_sweep(browser: Browser, many: Drawn, tmp_path: Path) -> None:
    cases = (many.scores().model_copy(update={"trained_on": KNOWN}), many.manifest, many.found)
    lines = [SweepLine("lumbar-2026", center, plane.value, *cases) for plane in Plane for center in CENTERS]
    assert browser.layout_faults(write_sweep(tmp_path, lines, [("run=x " * 20, "is no run folder " * 20)])) == []


def test_the_page_of_an_audit(browser: Browser, many: Drawn, tmp_path: Path) -> None:
    cells = ("120", "118", "2", "80 / 20 / 20 / 0", "120 (0.68, 4.80)", "119 (0.50, 4.32)", "400 (12)", "230 / 8 / 2")
    faults = tuple(
        Fault("patient_in_two_centres", severity, ("x" * 60, "sag"), "one patient is in two splits; " * 8)
        for severity in Severity
    )
    sheets = tuple(Sheet(study, (), faults[:1]) for study in many.manifest.studies)
    write_audit(tmp_path / "a.html", AuditPage(faults, tuple(CenterRow(c, cells) for c in CENTERS), sheets))
    assert browser.layout_faults(tmp_path / "a.html") == []


def test_the_index_of_predictions(browser: Browser, tmp_path: Path) -> None:
    box = Box(center=(-123.456, 45.67, -321.0), size=(48.7, 133.6, 10.5))
    found = tuple(
        Finding(series="sag", category="degeneration_of_the_disc", score=0.9, level="L4/L5", box=box, severity=2.5)
        for _ in range(3)
    )
    limits = {("sagittal", "degeneration_of_the_disc"): 0.42}
    names = ["x" * 300, "case [/left]", "sub-01/ses-02"]
    entries = [Entry(name, Plane.SAGITTAL, found, None, ("spacing doubtful: pixels of 2 mm",) * 3) for name in names]
    rows = [WorklistRow(name, tmp_path / "reading.html", 0.9, 3, 1, unresolved=True) for name in names]
    write_index(tmp_path / "index.html", "Findings " * 12, entries, limits, KNOWN.sentences, rows)
    assert browser.layout_faults(tmp_path / "index.html") == []
