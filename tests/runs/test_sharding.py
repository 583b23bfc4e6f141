"""Archives: parts that add up, journals that outlive a kill, manifests read one study at a time."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from spinedet.core import streaming
from spinedet.core.errors import InputError
from spinedet.core.manifest import read_manifest
from spinedet.core.streaming import stream_studies, survey
from spinedet.runs.sharding import (
    ArchiveConfig,
    Journal,
    Shard,
    all_done,
    claim_archive,
    join_archive,
    parse_shard,
    records,
)


def test_shards_are_counted_from_one_and_add_up() -> None:
    parts = [parse_shard(f"{number}/3") for number in (1, 2, 3)]
    assert [[n for n in range(7) if part.holds(n)] for part in parts] == [[0, 3, 6], [1, 4], [2, 5]]
    assert [part.size(7) for part in parts] == [3, 2, 2]
    assert parse_shard(None) == Shard(0, 1)


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        ({"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_COUNT": "4"}, Shard(2, 4)),
        ({"RANK": "1", "WORLD_SIZE": "2"}, Shard(1, 2)),
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8"}, Shard(3, 8)),
    ],
)
def test_auto_asks_whoever_started_the_jobs(environment: dict[str, str], shard: Shard) -> None:
    assert parse_shard("auto", environment) == shard


@pytest.mark.parametrize(("text", "words"), [("0/4", "3/16"), ("5/4", "3/16"), ("half", "3/16"), ("auto", "job array")])
def test_a_wrong_shard_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_shard(text, {})


def test_parts_are_put_together_in_the_manifests_order(tmp_path: Path) -> None:
    for index in range(2):
        with Journal(tmp_path, Shard(index, 2)).open() as (done, write):
            assert done == 0
            assert not all_done(tmp_path, 5, 2)
            for number in range(index, 5, 2):
                write({"id": number})
    assert all_done(tmp_path, 5, 2)
    assert [record["id"] for record in records(tmp_path, 2)] == [0, 1, 2, 3, 4]


def test_a_line_that_a_kill_cut_short_is_done_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Shard())
    with journal.open() as (_, write):
        write({"id": "a"})
    with journal.path.open("a") as stream:
        stream.write('{"id": "b", "fin')
    assert not all_done(tmp_path, 2, 1)
    with journal.open() as (done, write):
        assert done == 1
        write({"id": "b"})
    assert [record["id"] for record in records(tmp_path, 1)] == ["a", "b"]


def test_two_jobs_never_do_one_part(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Shard())
    journal.path.parent.mkdir()
    with journal.path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process does part"), journal.open():
            pass


def test_jobs_join_only_the_same_work(tmp_path: Path) -> None:
    join_archive(tmp_path / "out", {"min_score": 0.1})
    join_archive(tmp_path / "out", {"min_score": 0.1})
    with pytest.raises(InputError, match=r"begun with min_score=0\.1 and this job has 0\.2"):
        join_archive(tmp_path / "out", {"min_score": 0.2})
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("x")
    with pytest.raises(InputError, match="is not empty"):
        join_archive(tmp_path / "other", {})


def test_a_job_that_slurm_starts_again_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ArchiveConfig(out=str(tmp_path / "out"))
    folder, shard = claim_archive(config, "predict", {})
    with Journal(folder, shard).open() as (_, write):
        write({"id": "a"})
    with pytest.raises(InputError, match="belongs to another run"):
        claim_archive(config, "predict", {})
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert claim_archive(config, "predict", {}) == (folder, shard)


# --- manifests of any length ---


def study(number: int, **more: Any) -> dict[str, Any]:
    box = {"center": [1.5, -3e1, number], "size": [1, 2, 3]}
    lesion = {"id": "1", "series": "s", "category": "d", "box": box}
    series = {"id": "s", "plane": "sagittal", "path": f'{number}/"quoted] é.nii.gz'}
    words = {"id": f"{number}", "patient": f"p{number}", "center": "A", "series": [series], "lesions": [lesion]}
    return words | more


def manifest(path: Path, *studies: dict[str, Any], **more: Any) -> Path:
    header = {"format": "spinedet-manifest", "version": 1, "space": "RAS", "studies": list(studies)}
    path.write_text(json.dumps({**header, "name": "m", "region": "lumbar", "categories": ["d"]} | more))
    return path


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_streaming_gives_what_reading_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(streaming, "_CHUNK", chunk)
    path = manifest(tmp_path / "m.json", *(study(n) for n in range(20)), note={"studies": [1]})
    whole = read_manifest(path)
    assert tuple(stream_studies(path, whole.region)) == whole.studies
    header, count = survey(path)
    assert count == 20
    assert header == whole.model_copy(update={"studies": ()})


@pytest.mark.parametrize(
    ("studies", "more"),
    [
        ([study(1), study(1)], {}),
        ([study(1), study(2, patient="p1", split="test")], {}),
        ([study(1, lesions=[{"id": "1", "series": "other", "category": "d"}])], {}),
        ([study(1), study(2, patient=3)], {}),
        ([study(1), study(2, age=float("nan"))], {}),
        ([study(1)], {"space": "LPS"}),
        ([study(1)], {"region": "hip"}),
    ],
)
def test_streaming_refuses_what_reading_refuses(
    tmp_path: Path, studies: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    path = manifest(tmp_path / "m.json", *studies, **more)
    with pytest.raises(InputError) as reading:
        read_manifest(path)
    with pytest.raises(InputError) as surveying:
        survey(path)
    assert str(surveying.value) == str(reading.value)


def test_an_unknown_category_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown category 'd'"):
        survey(manifest(tmp_path / "m.json", study(1), categories=["e"]))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"studies": [{}', '{"studies": [{} {}]}', '{"name": 1} x', '{"a" 1}'])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(InputError):
        survey(tmp_path / "m.json")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.json does not exist"):
        survey(tmp_path / "m.json")
