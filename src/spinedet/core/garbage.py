"""A pause in the search for cyclic garbage, which costs more than parsing where many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# So few new objects are searched in a millisecond, whereas counting what is frozen takes many in a large process.
_FEW = 10_000


@contextmanager
def no_garbage_search() -> Iterator[None]:
    """Objects in cycles are not freed inside; all others are. What was made counts as old afterwards, if it is much."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            if gc.get_count()[0] > _FEW and not gc.get_freeze_count():
                gc.freeze()  # moves all objects out of the young generation without a search among them ...
                gc.unfreeze()  # ... and these into the oldest
            gc.enable()
