"""What a read film is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.imaging.radiograph.records import RadiographImage
from spinedet.imaging.suitability import Suitability

from .films import Film, film


@pytest.fixture
def picture() -> Film:
    return film()


def likeness(image: RadiographImage, picture: Film) -> float:
    """Correlation of what was read with the film: 1 when it is shown, -1 when it is inverted."""
    return float(np.corrcoef(image.pixels.ravel(), picture.ravel())[0, 1])


def found(image: RadiographImage) -> dict[str, Suitability]:
    return {one.question: one.suitability for one in image.checks}


def likeness_of(first: Any, second: Any) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a DICOM file that a test writes."""
    return tmp_path / "film.dcm"
