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


def test_what_is_frozen_is_counted_only_after_much_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[bool] = []

    def count() -> int:
        counted.append(True)
        return 1

    monkeypatch.setattr(gc, "get_freeze_count", count)
    before = gc.isenabled()
    gc.enable()
    try:
        gc.collect()
        with no_garbage_search():
            few: list[list[int]] = [[] for _ in range(10)]
        assert not counted
        with no_garbage_search():
            many: list[list[int]] = [[] for _ in range(100_000)]
        assert counted == [True]
        assert len(many) > len(few)
    finally:
        (gc.enable if before else gc.disable)()
