"""Small studies on disk, as the tests of the detector make them."""

from __future__ import annotations

from tests.detection.conftest import make_study

__all__ = ["make_study"]
