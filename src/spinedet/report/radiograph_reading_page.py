"""The reading page for radiographs: one self-contained HTML file in which a person labels every image."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from spinedet import __version__
from spinedet.core.radiograph import Task
from spinedet.report.reading_page import scripted_page


@dataclass(frozen=True)
class ImageToRead:
    """An image as the page shows it, without its reference label.

    Attributes:
        view: as the manifest states it; None where the reader has to tell. picture: PNG.
    """

    study: str
    image: str
    view: str | None
    picture: bytes


def radiograph_reading_page(task: Task, images: Sequence[ImageToRead], notes: Sequence[str] = ()) -> str:
    """The page as HTML: pictures, script and styles inside, nothing fetched; images in the order given."""
    data = {
        "task": task.name,
        "views": list(task.views),
        "labels": {view: list(task.labels_of(view)) for view in task.views},
        "every": list(task.labels),
        "images": [
            {"study": one.study, "id": one.image, "view": one.view, "picture": _address(one.picture)} for one in images
        ],
    }
    footer = f"spinedet {__version__}. Pictures are reduced; where they do not suffice, read the original images."
    return scripted_page(
        "radiograph_reading.html",
        ("radiograph_reading.js",),
        data,
        title=f"Reading of radiographs: {task.name}",
        notes=tuple(notes),
        footer=footer,
    )


def _address(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"
