from __future__ import annotations

import base64

import pytest
from jinja2 import UndefinedError

from spinedet.report.html import png_uri, render

HOSTILE = "<script>alert('x')</script>&\"{{ 7 * 7 }}"


def test_every_value_is_escaped() -> None:
    page = render("base.html", title=HOSTILE, notes=(HOSTILE,))
    assert "<script" not in page
    assert "49" not in page.partition("<main>")[0].partition("</style>")[2]
    assert page.count("&lt;script&gt;") == 3  # window title, headline, note


def test_a_forgotten_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("base.html", title="no notes")


def test_a_picture_travels_as_it_is() -> None:
    assert base64.b64decode(png_uri(b"\x89PNG\0").removeprefix("data:image/png;base64,")) == b"\x89PNG\0"
