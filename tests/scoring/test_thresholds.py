"""What `scores.json` says of thresholds and intervals comes back as the record that it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.scoring import (
    BootstrapSettings,
    IouCriterion,
    ScoreSettings,
    choose_operating_point,
    read_scores,
    score,
    write_scores,
)
from spinedet.scoring.thresholds import FrozenThresholds, GivenThreshold, NoThreshold, limits

INTERVALS = BootstrapSettings(samples=20, seed=3, method="percentile", confidence=0.9)


@pytest.fixture
def drawn(draw: Callable[..., Any]) -> Any:
    return draw().study([0.0], [(0.0, 0.9)]).study([0.0], [(50.0, 0.4)])


def test_every_kind_is_read_as_it_was_written(drawn: Any, tmp_path: Path) -> None:
    point = choose_operating_point(drawn.manifest, drawn.found, IouCriterion())
    applied = {
        NoThreshold: ScoreSettings(bootstrap=INTERVALS),
        GivenThreshold: ScoreSettings(bootstrap=INTERVALS, threshold=0.5),
        FrozenThresholds: ScoreSettings(bootstrap=INTERVALS, operating_point=point),
    }
    for kind, settings in applied.items():
        write_scores(tmp_path / "scores.json", score(drawn.manifest, drawn.found, settings))
        scores = read_scores(tmp_path / "scores.json")
        assert type(scores.threshold) is kind
        assert scores.bootstrap.settings == INTERVALS
    assert scores.operating_point_sha256 == point.sha256
    assert limits(scores.threshold, (), ()) == dict(point.values)


def test_a_value_of_another_type_is_refused_by_name(drawn: Any, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_scores(path, score(drawn.manifest, drawn.found, ScoreSettings(bootstrap=INTERVALS, threshold=0.5)))
    content = json.loads(path.read_text())
    content["threshold"]["value"] = "half"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"threshold.*value.*\(found \"half\"\)|threshold.*value: Input should be"):
        read_scores(path)
