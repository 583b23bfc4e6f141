from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from spinedet.report.evaluation_page import render_page, write_page
from spinedet.scoring import IouCriterion, ScoreSettings, choose_operating_point, score

HIT = "hit: 3D IoU ≥ 0.1 with a free lesion, highest score first"
OWN_TAGS = {"meta", "link", "br", "img", "circle", "rect", "path"}


class Reader(HTMLParser):
    """Tags, addresses and text of a page; refuses tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "xlink:href", "action")]
        if tag not in OWN_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert tag in OWN_TAGS or self.open.pop() == tag

    def handle_data(self, data) -> None:
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def section(page: str, heading: str) -> str:
    """What stands under one heading of the second level."""
    return re.search(rf"<h2>{heading}</h2>(.*?)</section>", page, re.DOTALL)[1]


def test_the_page_needs_nothing_but_itself(pictured) -> None:
    reader = Reader(page := render_page(pictured.page()))
    assert reader.tags.count("img") == 4
    assert all(address.startswith("data:") for address in reader.addresses)
    assert "://" not in re.sub(r"base64,[^\"]+", "", page)
    assert not {"script", "iframe", "object", "embed", "form"} & set(reader.tags)
    assert "url(" not in page
    assert "@import" not in page


def test_nothing_tells_patient_series_file_or_study(pictured) -> None:
    page = re.sub(r"base64,[^\"]+", "", render_page(pictured.page()))
    for secret in ("patient-", "hidden folder", r"\.nii", r"\b(a1|a2|b1|b2)\b"):
        assert re.search(secret, page) is None, secret


def test_every_table_and_figure_and_case_carries_its_criterion(pictured) -> None:
    page = render_page(pictured.page(internal_centers=("A",)))
    *parts, _ = page.split("</table>")
    assert len(parts) == 9
    for part in parts:  # from the end of the table before
        above = part.partition("<table>")[0] + (re.search("<caption>.*?</caption>", part) or [""])[0]
        assert HIT in above or "criteria, each named in its row" in above
    figures = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(figures) == 4
    assert all(HIT in caption for caption in figures)
    cases = re.findall(r"<article.*?</article>", page, re.DOTALL)
    assert len(cases) == 4
    assert all(HIT in case for case in cases)


def test_the_criterion_shown_is_the_one_that_was_used(four) -> None:
    scores = score(four.manifest, four.found, ScoreSettings(criterion=IouCriterion(iou=0.3), threshold=0.5))
    page = render_page(replace(four.page(shown=0), scores=scores))
    assert page.count("hit: 3D IoU ≥ 0.3 with a free lesion") > 8
    assert page.count(HIT) == 2  # once for each plane, among the other criteria


def test_the_numbers_of_the_table(four) -> None:
    text = Reader(section(render_page(four.page()), "At the frozen threshold")).text
    scores = four.scores()
    whole = scores.group(plane="sagittal")
    f1 = f"0.727 {whole.f1.low:.3f}–{whole.f1.high:.3f}"
    assert re.search(r"all 4 4 5 4 2 1 0\.667 .*? 0\.800 .*? 0\.727 .*? 0\.50 .*? 0\.5 ", text)
    assert f1 in text
    assert re.search(r"centre A 2 2 3 3 1 0 0\.750", text)
    assert re.search(r"centre B 2 2 2 1 1 1 0\.500", text)


def test_notes_stand_in_a_banner_before_any_number(four) -> None:
    page = render_page(four.page(notes=("These are phantoms: nothing here is a clinical result.",)))
    assert 0 < page.index("These are phantoms") < page.index("<main>")
    assert "These are phantoms" not in render_page(four.page())


def test_internal_and_external_centres_are_told_apart(four) -> None:
    text = Reader(render_page(four.page(internal_centers=("A",)))).text
    assert "Internal against external centres" in text
    assert "centre A internal" in text
    assert "centre B external" in text
    assert "a difference of −0.357" in text
    silent = Reader(render_page(four.page())).text
    assert "Internal against external" not in silent
    assert "external" not in silent


def test_undefined_numbers_are_a_dash_with_their_reason(draw) -> None:
    drawn = draw().study("a", "A", ([], []), ([0], [])).study("b", "A", ([], []), ([0], []))
    text = Reader(section(render_page(drawn.page()), "At the frozen threshold")).text
    assert "– no finding at or above the threshold" in text
    assert "– no lesion" in text
    assert "nan" not in text.lower()
    assert "None" not in text


def test_hostile_names_are_escaped(pictured) -> None:
    hostile = "<img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}$x_{"
    pictured.categories = (hostile, "degeneration")
    for study in pictured.studies:
        study["center"] = study["center"].replace("B", hostile)
        for lesion in study["lesions"]:
            lesion["category"] = hostile if lesion["series"] == "sag" else "degeneration"
    about = {"notes": (hostile,), "facts": {hostile: hostile}, "internal_centers": (hostile,)}
    reader = Reader(render_page(replace(pictured.page(**about), title=hostile)))
    assert reader.tags.count("img") == 4
    assert all(address.startswith("data:") for address in reader.addresses)
    assert reader.text.count(hostile) > 10


def test_the_frozen_operating_point_is_shown_with_its_origin(four) -> None:
    point = choose_operating_point(four.manifest, four.found, IouCriterion())
    scores = score(four.manifest, four.found, ScoreSettings(operating_point=point))
    text = Reader(section(render_page(replace(four.page(), scores=scores)), "How it was done")).text
    assert "by the rule plateau_f1; frozen before this test" in text
    assert point.sha256 in text
    assert re.search(r"sagittal degeneration 0\.4 4 5 0\.833 1\.000 0\.50", text)


def test_facts_and_skipped_studies_are_told(four) -> None:
    text = Reader(render_page(four.page(skipped=2, facts={"operating point": "abc123"}))).text
    assert "2 further studies could not be read" in text
    assert "operating point abc123 · spinedet" in text


def test_without_images_the_page_says_so(four) -> None:
    text = Reader(render_page(four.page())).text
    assert text.count("the image of this scan could not be read here") == 4


def test_no_cases_when_none_are_wanted(four) -> None:
    page = render_page(four.page(shown=0))
    assert "<article" not in page
    assert "0 cases" not in page


def test_one_file_is_written_and_small(pictured, tmp_path: Path) -> None:
    write_page(tmp_path / "run" / "report.html", pictured.page())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["report.html"]
    assert (tmp_path / "run" / "report.html").stat().st_size < 6 << 20


def test_several_categories_have_rows_and_thresholds_of_their_own(draw) -> None:
    drawn = draw(categories=("degeneration", "bulge")).study("a", "A", ([0, 30], [(0, 0.9)]), ([0], [(0, 0.7)]))
    drawn.studies[0]["lesions"][1]["category"] = "bulge"
    point = choose_operating_point(drawn.manifest, drawn.found, IouCriterion())
    scores = score(drawn.manifest, drawn.found, ScoreSettings(operating_point=point))
    text = Reader(section(render_page(replace(drawn.page(), scores=scores)), "At the frozen threshold")).text
    assert re.search(r"category degeneration 1 1 1 1 0 0 .*? 0\.9 ", text)
    assert re.search(r"category bulge 1 1 1 0 0 1 – no finding .*? 0\.5 ", text)


@pytest.mark.parametrize("samples", [0, 50])
def test_intervals_are_described(four, samples: int) -> None:
    page = replace(four.page(), scores=four.scores(samples))
    words = "95% intervals from 50 resamples of patients" if samples else "no intervals were asked for"
    assert words in Reader(render_page(page)).text


def test_the_flow_of_studies_counts_those_that_were_left_out(pictured) -> None:
    first, *rest = pictured.manifest.studies
    left_out = first.model_copy(update={"id": "left-out", "excluded": "metal in the spine"})
    everyone = pictured.manifest.model_copy(update={"studies": (first, *rest, left_out)})
    reader = Reader(section(render_page(pictured.page(everyone=everyone, skipped=1)), "Flow of studies"))
    assert "1 excluded: metal in the spine" in reader.text
    own = sum(study.center == first.center for study in everyone.studies)
    assert f"Centre {first.center} {own} stud" in reader.text
    assert "1 study could not be read and is not in the numbers above." in reader.text
    assert "Flow of studies" not in render_page(pictured.page())
