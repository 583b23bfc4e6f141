"""The reading page: its data, its arithmetic in node, and a reader's work in Chromium."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Box, Finding, StudyFindings
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.volume import Volume
from spinedet.report.reading_page import ReadingSeries, ReadingStudy, eight_bits, page_data, reading_page

from .chromium import Browser, chromium

GEOMETRY = Path(__file__).parents[2] / "src/spinedet/report/templates/reading_geometry.js"
BOXES = 1000


def grid_of(shape: tuple[int, int, int], plane: Plane, tilt: float, spacing: tuple[float, float, float]) -> Grid:
    """A stack of this plane around the origin, turned about the left-right axis by `tilt` degrees."""
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ SPECS[plane].directions.T * spacing
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return Grid(shape, affine)


def finding(
    series: str, center: tuple[float, float, float], score: float, level: str | None, axes: Any = None
) -> Finding:
    more = {} if axes is None else {"axes": axes}
    box = Box(center=center, size=(20.0, 30.0, 12.0), **more)
    return Finding(series=series, category="degeneration", score=score, level=level, box=box)


def reading(planes: tuple[Plane, ...] = (Plane.SAGITTAL, Plane.AXIAL), scale: int = 1) -> ReadingStudy:
    """A study of noise with three findings in each series; the axial stack is tilted."""
    rng = np.random.default_rng(2)
    kinds = {
        Plane.SAGITTAL: ((15, 128 * scale, 128 * scale), (4.0, 1.6 / scale, 1.6 / scale), 0.0),
        Plane.AXIAL: ((30, 128 * scale, 128 * scale), (4.0, 1.2 / scale, 1.2 / scale), 18.0),
    }
    series, found = [], []
    for plane in planes:
        shape, spacing, tilt = kinds[plane]
        grid = grid_of(shape, plane, tilt, spacing)
        coarse = rng.random((shape[0], 16, 16)).repeat(shape[1] // 16, 1).repeat(shape[2] // 16, 2)
        volume = Volume((coarse + 0.1 * rng.random(shape)).astype(np.float32), grid)
        name = plane.value[:3]
        series.append(ReadingSeries(name, plane, volume, f"{name}.nii.gz"))
        axes = orient(volume, SPECS[plane]).grid.world(EdgeBox(np.zeros(3), np.ones(3))).axes
        for height, score, level in ((0.0, 0.9, "L4/L5"), (30.0, 0.6, "L3/L4"), (-30.0, 0.2, None)):
            found.append(finding(name, (0.0, height / 10, height), score, level, axes))
    findings = StudyFindings(id="A-0001", findings=tuple(found))
    limits = {(plane.value, "degeneration"): 0.5 for plane in Plane}
    return ReadingStudy(findings, tuple(series), Region.LUMBAR, limits, {"name": "toy"}, ("a </script> note",))


# --- the file ---


def test_the_page_holds_everything_and_runs_one_script() -> None:
    text = reading_page(reading())
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    policy = re.search(r"script-src 'sha256-([^']+)'", text)
    assert len(scripts) == 1
    assert policy is not None
    assert policy[1] == base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert "https://" not in text
    assert "</script> note" not in text


def test_data_that_looks_like_markup_stays_data() -> None:
    study = reading()
    odd = study.findings.model_copy(update={"id": "</script><b>"})
    text = reading_page(ReadingStudy(odd, study.series, study.region, study.thresholds, study.model))
    assert "</script><b>" not in text
    content = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert content is not None
    assert json.loads(content[1])["study"] == "</script><b>"


def test_the_window_leaves_half_a_per_cent_black() -> None:
    shown = eight_bits(np.linspace(0, 1000, 8000, dtype=np.float32).reshape(20, 20, 20))
    assert shown.dtype == np.uint8
    assert (shown == 0).mean() == pytest.approx(0.005, abs=0.005)
    assert shown.max() == 255
    assert not np.any(eight_bits(np.ones((2, 2, 2), dtype=np.float32)))


def test_levels_say_what_they_assume_or_why_they_are_unknown() -> None:
    study = reading().findings
    assert "no sagittal series" in page_data(reading())["naming"]
    named = {
        "series": "sag", "state": "named", "reason": None, "anchor": "L5/S1", "probability": 0.97,
        "assumes": "five lumbar vertebrae", "second": {"ordinal": 2, "probability": 0.02}, "by": "x",
        "chain": [{"ordinal": 1, "level": "L5/S1", "center": [0.0, 1.0, -40.0]}],
    }  # fmt: skip
    base = reading()

    def sentence(naming: dict[str, Any]) -> str:
        findings = study.model_copy(update={"naming": {"sag": naming}})
        return str(page_data(ReadingStudy(findings, base.series, base.region, base.thresholds, {}))["naming"])

    assert sentence(named) == (
        "Levels are counted from L5/S1 (posterior 0.97); by the second hypothesis (0.02) it is disc 2 from below. "
        "Assumed: five lumbar vertebrae."
    )
    assert "0.88 of the one above" in sentence({**named, "transitional": True, "disc_ratio": 0.88})
    assert "set by hand (l5=1,2,3)" in sentence({**named, "state": "manual", "second": None, "by": "l5=1,2,3"})
    assert "sag: short chain" in sentence({**named, "state": "unresolved", "reason": "short chain"})


def test_other_names_stand_beside_the_levels_of_transitional_anatomy_alone() -> None:
    base = reading()
    chain = [{"ordinal": 1, "level": "L5/S1", "if_six_lumbar": "L6/S1", "center": [0.0, 1.0, -40.0]}]
    for transitional, shown in ((True, {"L5/S1": "L6/S1"}), (False, {})):
        naming: Any = {"state": "unresolved", "series": "sag", "reason": "x", "chain": chain}
        naming["transitional"] = transitional
        findings = base.findings.model_copy(update={"naming": {"sag": naming}})
        data = page_data(ReadingStudy(findings, base.series, base.region, base.thresholds, {}))
        assert data["if_six"] == shown


# --- the arithmetic ---


def test_a_thousand_tilted_boxes_through_the_pages_arithmetic() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    rng = np.random.default_rng(4)
    cases, expected = [], []
    for number in range(BOXES):
        plane = list(Plane)[number % 2]
        grid = grid_of((20, 200, 180), plane, float(rng.uniform(-40, 40)), tuple(rng.uniform(0.4, 5, 3)))
        grid = Grid(grid.shape, np.vstack([np.c_[grid.affine[:3, :3], rng.uniform(-300, 300, 3)], [0, 0, 0, 1]]))
        low = rng.uniform(0, 100, 3)
        edges = EdgeBox(low, low + rng.uniform(1, 60, 3))
        other = grid_of((20, 200, 180), plane, float(rng.uniform(-40, 40)), (4.0, 1.0, 1.0))
        box = grid.world(edges)
        there = other.edges(box)
        affine = [grid.affine[:3].tolist(), other.affine[:3].tolist()]
        cases.append({"affine": affine, "low": edges.low.tolist(), "high": edges.high.tolist()})
        expected.append([*box.center, *box.size, *np.ravel(box.axes), *edges.low, *edges.high, *there.low, *there.high])
    script = f"""
    const g = require({json.dumps(str(GEOMETRY))});
    const flat = c => {{
      const series = {{ affine: c.affine[0] }}, other = {{ affine: c.affine[1] }};
      const box = g.worldBox(series, c), back = g.edgesOf(series, box), there = g.edgesOf(other, box);
      const axes = (box.axes || [[1, 0, 0], [0, 1, 0], [0, 0, 1]]).flat();
      return [...box.center, ...box.size, ...axes, ...back.low, ...back.high, ...there.low, ...there.high];
    }};
    console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0)).map(flat)));
    """
    done = subprocess.run([node, "-e", script], input=json.dumps(cases), capture_output=True, text=True, check=True)
    assert_allclose(np.array(json.loads(done.stdout)), np.array(expected), rtol=0, atol=1e-6)


# --- a reader ---


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    folder = tmp_path_factory.mktemp("reading")
    with chromium(folder) as driven:
        yield driven, folder


def opened(browser: tuple[Browser, Path], study: ReadingStudy) -> Browser:
    driven, folder = browser
    page = folder / "page.html"
    page.write_text(reading_page(study), encoding="utf-8")
    driven.open(page)
    return driven


def exported(browser: tuple[Browser, Path]) -> Path:
    driven, folder = browser
    target = folder / "A-0001.reading.json"
    target.unlink(missing_ok=True)
    driven.click("#export")
    for _ in range(200):
        if target.exists() and target.stat().st_size:
            return target
        time.sleep(0.05)
    raise AssertionError("nothing was exported")


def rows(driven: Browser) -> list[str]:
    return list(driven.run("return [...document.querySelectorAll('tr.finding')].map(row => row.innerText)"))


def test_scrolling_is_linked_and_the_threshold_shows_more(browser: tuple[Browser, Path]) -> None:
    driven = opened(browser, reading())
    assert len(rows(driven)) == 4
    captions = "return views.map(view => view.slice)"
    before = driven.run(captions)
    driven.press("\ue013")  # arrow up
    after = driven.run(captions)
    assert after[0] == before[0] - 1
    driven.wheel(300, 400, 120)
    assert driven.run(captions)[0] == before[0]
    driven.press("\ue004", "\ue015")  # the other series, arrow down
    assert driven.run(captions)[1] == after[1] + 1
    driven.run("const s = document.getElementById('threshold'); s.value = 0.1; s.oninput({target: s});")
    assert len(rows(driven)) == 6
    driven.click("#frozen")
    assert len(rows(driven)) == 4


def test_a_point_of_one_plane_is_the_same_point_in_the_other(browser: tuple[Browser, Path]) -> None:
    driven = opened(browser, reading())
    point = driven.run("state.point = [0, 12, -20]; views.forEach(v => v.follow(state.point)); return state.point")
    for number, one in enumerate(reading().series):
        grid = orient(one.volume, SPECS[one.plane]).grid
        edge = np.linalg.solve(grid.affine[:3, :3], np.array(point) - grid.corner)
        assert driven.run("return views[arguments[0]].slice", number) == int(edge[0])


def test_a_reading_is_exported_as_a_manifest(browser: tuple[Browser, Path]) -> None:
    driven = opened(browser, reading())
    boxes = {(f.series, f.level): f.box for f in reading().findings.findings}
    driven.press("a")  # the first of the table: sag L3/L4
    driven.press("\ue014", "r")  # the next, ax L3/L4
    driven.press("\ue014", "c")  # sag L4/L5
    chosen = driven.run("return [chosen().series, chosen().level, state.mode]")
    assert chosen == ["sag", "L4/L5", "correct"]
    place = """
      const v = views[0], p = v.place(), r = v.rectangle(chosen().box, p), b = v.canvas.getBoundingClientRect();
      return [b.left + r.right, b.top + (r.top + r.bottom) / 2, p.scale];
    """
    x, y, pixels_per_mm = driven.run(place)
    driven.drag((x, y), (x + 25, y))
    driven.run("change({comment: 'wider'})")
    path = exported(browser)
    study = read_manifest(path).studies[0]
    lesions = {(lesion.series, lesion.level): lesion for lesion in study.lesions}
    accepted, corrected, left = (lesions[key] for key in (("sag", "L3/L4"), ("sag", "L4/L5"), ("axi", "L4/L5")))
    assert accepted.box == boxes["sag", "L3/L4"]
    assert (accepted.ignore, accepted.attributes["decision"]) == (False, "accepted")
    assert (left.ignore, left.attributes["decision"]) == (True, "undecided")
    assert [(n.series, n.level) for n in study.negatives] == [("axi", "L3/L4")]
    assert study.negatives[0].box.axes == pytest.approx(np.array(boxes["axi", "L3/L4"].axes), abs=1e-6)
    old = boxes["sag", "L4/L5"]
    moved = round(x + 25) - round(x)
    assert corrected.attributes["comment"] == "wider"
    assert corrected.box.size[1] == pytest.approx(old.size[1] + moved / pixels_per_mm, abs=1e-3)
    assert corrected.box.center[1] == pytest.approx(old.center[1] - moved / pixels_per_mm / 2, abs=1e-3)
    assert (corrected.box.size[0], corrected.box.size[2]) == pytest.approx((old.size[0], old.size[2]), abs=1e-3)
    told = json.loads(path.read_text("utf-8"))["reading"]
    assert told["seconds"] >= 0
    assert len(told["decisions"]) == 3
    assert told["findings_sha256"] == page_data(reading())["findings_sha256"]


def test_what_was_done_can_be_undone(browser: tuple[Browser, Path]) -> None:
    driven = opened(browser, reading())
    driven.press("a", "\ue014", "r", "u", "u")
    assert driven.run("return Object.keys(state.decisions).length") == 0
    assert driven.run("return document.getElementById('undo').disabled") is True


def test_a_box_can_be_added_by_dragging(browser: tuple[Browser, Path]) -> None:
    driven = opened(browser, reading((Plane.SAGITTAL,)))
    x, y, scale = driven.run(
        "const v = views[0], p = v.place(), b = v.canvas.getBoundingClientRect();"
        "return [b.left + p.width / 2, b.top + p.height / 2 + 60, p.scale]"
    )
    driven.press("n")
    driven.drag((x, y), (x + 40, y + 20))
    study = read_manifest(exported(browser)).studies[0]
    added = next(lesion for lesion in study.lesions if lesion.attributes["decision"] == "added")
    assert added.box.size[1] == pytest.approx(40 / scale, abs=2.0)
    assert added.box.size[2] == pytest.approx(20 / scale, abs=2.0)
    assert added.box.size[0] == pytest.approx(4.0, abs=1e-3)
    assert not added.ignore


def widest() -> ReadingStudy:
    """All that a row of the table can show: grades, and another name where anatomy may be transitional."""
    base = reading()
    grades = {"pfirrmann": 3.8, "bulging": 0.94, "herniation": 0.06, "narrowing": 0.86}
    found = tuple(one.model_copy(update={"grades": grades}) for one in base.findings.findings)
    chain = [
        {"ordinal": row, "level": level, "if_six_lumbar": other, "center": [0.0, 0.0, 30.0 * row]}
        for row, level, other in ((1, "L4/L5", "L5/L6"), (2, "L3/L4", "L4/L5"))
    ]
    naming: Any = {"series": "sag", "state": "unresolved", "reason": "x", "transitional": True, "chain": chain}
    findings = base.findings.model_copy(update={"findings": found, "naming": {"sag": naming}})
    return replace(base, findings=findings)


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_nothing_is_cut_off_on_usual_screens(tmp_path: Path, size: tuple[int, int]) -> None:
    with chromium(tmp_path, size) as driven:
        opened((driven, tmp_path), widest())
        assert "(or L5/L6)" in driven.run("return document.body.innerText")
        wide = "return [document.documentElement.scrollWidth <= innerWidth, document.querySelector('aside').scrollWidth"
        assert driven.run(f"{wide} <= document.querySelector('aside').clientWidth]") == [True, True]
        errors = driven.send("/se/log", {"type": "browser"})
        assert [entry["message"] for entry in errors if entry["level"] == "SEVERE"] == []


def test_a_study_of_usual_size_is_small_and_opens(browser: tuple[Browser, Path]) -> None:
    driven, folder = browser
    page = folder / "large.html"
    page.write_text(reading_page(reading(scale=4)), encoding="utf-8")
    assert page.stat().st_size < 6_000_000
    assert driven.open(page) < 60  # it opens at all; how fast is measured on a quiet machine
