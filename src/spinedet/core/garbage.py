"""A pause in the search for cyclic garbage, which costs more than parsing where many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_search() -> Iterator[None]:
    """Objects in cycles are not freed inside; all others are. What was made counts as old afterwards."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            if not gc.get_freeze_count():
                gc.freeze()  # moves all objects out of the young generation without a search among them ...
                gc.unfreeze()  # ... and these into the oldest
            gc.enable()
