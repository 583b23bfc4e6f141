"""The items of every checklist are all there, once."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from spinedet.checklists.catalogue import CARD_TOPICS, CHECKLISTS, RENAMED, TOPICS, rows


def _numbered(last: int, parts: dict[int, int]) -> list[str]:
    """`1` to `last`, with `3a`, `3b`, ... for those that have parts."""
    return [f"{n}{letter}" for n in range(1, last + 1) for letter in ("abcdefg"[: parts[n]] if n in parts else [""])]


IDS = {
    "claim-2024": _numbered(44, {}),
    "tripod-ai": _numbered(27, {3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3}),
    "stard-ai": _numbered(40, {15: 4, 16: 3, 17: 2, 26: 2, 40: 2}),
}


@pytest.mark.parametrize(("name", "count"), [("claim-2024", 44), ("tripod-ai", 52), ("stard-ai", 48)])
def test_every_item_has_exactly_one_topic(name: str, count: int) -> None:
    found = [item for item, _ in rows(name)]
    assert found == IDS[name]
    assert len(found) == CHECKLISTS[name].items == count


def test_states_by_topic_and_by_item() -> None:
    assert Counter(topic.state for topic in TOPICS) == {"auto": 31, "draft": 14, "human": 23, "n/a": 1}
    by_item = {name: Counter(topic.state for _, topic in rows(name)) for name in CHECKLISTS}
    assert by_item["claim-2024"] == {"auto": 20, "draft": 10, "human": 13, "n/a": 1}
    assert by_item["tripod-ai"] == {"auto": 23, "draft": 11, "human": 18}
    assert by_item["stard-ai"] == {"auto": 16, "draft": 11, "human": 21}


def test_titles_are_short_and_our_own() -> None:
    for topic in (*TOPICS, *CARD_TOPICS):
        assert 0 < len(topic.title) <= 60
        assert topic.prompt
        assert re.fullmatch(r"[a-z_]+", topic.name)
    names = [topic.name for topic in (*TOPICS, *CARD_TOPICS)]
    assert len(set(names)) == len(names)
    assert set(RENAMED.values()) <= set(names)


def test_every_checklist_is_cited_and_dated() -> None:
    for one in CHECKLISTS.values():
        assert re.fullmatch(r"10\.\d{4,}/\S+", one.doi)
        assert re.fullmatch(r"\d{4}-\d{2}", one.read)
