"""The experiments as modules."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import pytest

from tests.detection.conftest import MakeStudy, make_study

__all__ = ["MakeStudy", "make_study"]


@pytest.fixture(scope="module")
def benchmark_named() -> Callable[[str], ModuleType]:
    return lambda name: import_module(f"benchmarks.experiments.{name}")
