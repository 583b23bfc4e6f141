"""The search for garbage is paused, and goes on as it was."""

from __future__ import annotations

import gc

import pytest

from spinedet.core.garbage import no_garbage_search


@pytest.mark.parametrize("searched", [True, False])
def test_the_search_goes_on_as_it_was(searched: bool) -> None:
    before, frozen = gc.isenabled(), gc.get_freeze_count()
    try:
        (gc.enable if searched else gc.disable)()
        with no_garbage_search():
            assert not gc.isenabled()
        assert gc.isenabled() is searched
        assert gc.get_freeze_count() == frozen
    finally:
        (gc.enable if before else gc.disable)()
