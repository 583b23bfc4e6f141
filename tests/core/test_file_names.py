from __future__ import annotations

import pytest

from spinedet.core.file_names import file_name


@pytest.mark.parametrize("name", ["A-0001", "series-7-block-2", "scan.T2", "Röntgen_1", "脊椎"])
def test_plain_ids_are_their_own_names(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../..", "/etc", "[/x]", "a b", ".hidden", "x" * 300, "é" * 90, "\0", "a\n"]
)
def test_other_ids_become_one_short_component(name: str) -> None:
    made = file_name(name)
    assert made not in ("", ".", "..")
    assert not set(made) & set("/\\\0\n []")
    assert not made.startswith(".")
    assert len(made.encode()) <= 100


def test_ids_that_look_alike_keep_their_own_names() -> None:
    names = ["a b", "a/b", "a_b", "a  b", "x" * 300, "x" * 301]
    assert len({file_name(name) for name in names}) == len(names)
