"""From templates to HTML that needs nothing but itself: no script, no font, no address outside the file."""

from __future__ import annotations

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from spinedet.report.curves import rate_text
from spinedet.report.label_parts import part_in_words, statistic_in_words
from spinedet.report.number_format import counted, listed, p_value, percent, plain, shown, signed
from spinedet.report.sentences import case_in_words, centers_in_words
from spinedet.scoring import Estimate


def png_uri(picture: bytes) -> str:
    """A picture that travels inside the page."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def in_text(estimate: Estimate) -> str:
    """For a table in plain text: `0.914 (0.871–0.948)`."""
    cell = shown(estimate)
    return f"{cell.value} ({cell.interval})" if cell.interval else cell.value


def change_in_text(estimate: Estimate) -> str:
    """The same for a difference, with its sign."""
    cell = signed(estimate)
    return f"{cell.value} ({cell.interval})" if cell.interval else cell.value


_WORDS = (
    case_in_words,
    centers_in_words,
    change_in_text,
    counted,
    in_text,
    listed,
    part_in_words,
    percent,
    p_value,
    plain,
    png_uri,
    rate_text,
    shown,
    signed,
    statistic_in_words,
)


def render(template: str, **values: Any) -> str:
    """A template of this package as HTML; every value is escaped."""
    return _filled(template, values, escaped=True)


def render_text(template: str, **values: Any) -> str:
    """A template of this package as plain text."""
    return _filled(template, values, escaped=False)


def _filled(template: str, values: dict[str, Any], escaped: bool) -> str:
    environment = Environment(
        loader=PackageLoader("spinedet.report"),
        autoescape=escaped,  # noqa: S701  # plain text needs no escaping
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {word.__name__: word for word in _WORDS}
    return environment.get_template(template).render(**values)
