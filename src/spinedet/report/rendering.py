"""From templates to HTML that needs nothing but itself: no script, no font, no address outside the file."""

from __future__ import annotations

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from spinedet.report.figures import rate_text
from spinedet.report.numbers import counted, listed, percent, plain, shown, signed
from spinedet.report.summary import case_in_words, centers_in_words


def png_uri(picture: bytes) -> str:
    """A picture that travels inside the page."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


_WORDS = (case_in_words, centers_in_words, counted, listed, percent, plain, png_uri, rate_text, shown, signed)


def render(template: str, **values: Any) -> str:
    """A template of this package, filled in; every value is escaped."""
    environment = Environment(
        loader=PackageLoader("spinedet.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {word.__name__: word for word in _WORDS}
    return environment.get_template(template).render(**values)
