"""A reference standard read in pieces, in records of few bytes, is the manifest as read in one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spinedet.core import findings_pieces as pieces
from spinedet.core import reference as reading
from spinedet.core.errors import InputError
from spinedet.core.manifest import read_manifests, write_manifest
from spinedet.core.reference import as_reference, read_references

Content = dict[str, Any]
HEAD = {"format": "spinedet-manifest", "version": 1, "space": "RAS", "name": "drawn", "region": "lumbar"}
TILTED = [[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pieces of a study or two; how many studies each held that was read as a piece."""
    monkeypatch.setattr(pieces, "_PIECE", 900)
    monkeypatch.setattr(pieces, "_LAST", 300)
    taken: list[int] = []

    def parse(piece: pieces.Piece) -> Any:
        content, studies = original(piece)
        taken.append(len(studies))
        return content, studies

    original = reading.parse_piece
    monkeypatch.setattr(reading, "parse_piece", parse)
    return taken


def study(number: int, **more: Any) -> Content:
    box: Content = {"center": [number, 2.5, 3], "size": [4, 5, 6.5], **({"axes": TILTED} if number % 2 else {})}
    marks = {"series": "s", "category": "disc", "level": "L4/L5", "box": box}
    lesions = [{"id": str(row), **marks, "attributes": {"severity": row} if row else {}} for row in range(number % 3)]
    series = [{"id": "s", "plane": "sagittal", "path": f"../{number}/s.nii.gz", "sha256": f"{number:064x}"}]
    about = {"id": f"study {number}", "patient": f"p{number // 2}", "center": "A", "attributes": {"age": number}}
    return {**about, "series": series, "lesions": lesions, **more}


def written(path: Path, studies: list[Content], **more: Any) -> Path:
    path.write_text(json.dumps({**HEAD, "categories": ["disc"], "studies": studies, **more}))
    return path


def test_pieces_are_the_whole(tmp_path: Path, small_pieces: list[int]) -> None:
    path = written(tmp_path / "manifest.json", [study(number) for number in range(12)])
    read = read_references([path])
    assert sum(small_pieces) > 6
    assert read == as_reference(read_manifests([path]))
    assert read.studies[4].series[0].path == str(tmp_path.resolve().parent / "4" / "s.nii.gz")
    assert read.studies[5].lesions[1].box.axes == tuple(map(tuple, TILTED))
    assert [one.severity for one in read.studies[5].lesions][1] == 1


def test_manifests_as_this_project_writes_them(tmp_path: Path, small_pieces: list[int]) -> None:
    source = written(tmp_path / "drawn.json", [study(number) for number in range(9)])
    write_manifest(tmp_path / "manifest.json", read_manifests([source]))
    assert read_references([tmp_path / "manifest.json"]) == as_reference(read_manifests([source]))
    assert small_pieces


def test_several_manifests_are_one_reference(tmp_path: Path) -> None:
    paths = [
        written(tmp_path / f"{part}.json", [study(2 * part), study(2 * part + 1)], name=str(part)) for part in (0, 1)
    ]
    assert read_references(paths) == as_reference(read_manifests(paths))
    assert read_references(paths).name == "0+1"


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"patient": ""}, {}),
        ({"split": "exam"}, {}),
        ({"id": "study 1"}, {}),
        ({"center": "B", "patient": "p1"}, {}),
        (
            {
                "lesions": [
                    {"id": "0", "series": "t", "category": "disc", "box": {"center": [0, 0, 0], "size": [1, 1, 1]}}
                ]
            },
            {},
        ),
        ({"attributes": {"age": float("nan")}}, {}),
        ({}, {"categories": []}),
        ({}, {"categories": ["disc", "disc"]}),
        ({}, {"space": "LPS"}),
        ({}, {"region": "tail"}),
    ],
    ids=str,
)
def test_faults_are_named_as_in_one_reading(
    change: Content, more: Content, tmp_path: Path, small_pieces: list[int]
) -> None:
    path = written(
        tmp_path / "manifest.json", [*map(study, range(8)), study(8, **change), *map(study, range(9, 14))], **more
    )
    with pytest.raises(InputError) as whole:
        read_manifests([path])
    with pytest.raises(InputError) as parts:
        read_references([path])
    assert str(parts.value) == str(whole.value)


def test_a_key_given_twice_is_refused(tmp_path: Path, small_pieces: list[int]) -> None:
    path = written(tmp_path / "manifest.json", list(map(study, range(12))))
    path.write_text(path.read_text().replace('"patient": "p2"', '"patient": "p2", "patient": "p2"', 1))
    with pytest.raises(InputError, match="'patient' appears more than once"):
        read_references([path])


def test_studies_and_regions_must_not_contradict_one_another(tmp_path: Path) -> None:
    first, second = (written(tmp_path / f"{name}.json", [study(0)]) for name in "ab")
    neck = written(tmp_path / "neck.json", [study(1)], region="cervical")
    for paths in ([first, second], [first, neck], []):
        with pytest.raises(InputError) as whole:
            read_manifests(paths)
        with pytest.raises(InputError) as parts:
            read_references(paths)
        assert str(parts.value) == str(whole.value)


def test_a_study_takes_a_small_part_of_its_records(tmp_path: Path) -> None:
    manifest = read_manifests([written(tmp_path / "manifest.json", [study(5)])])
    assert _bytes(as_reference(manifest).studies[0]) < _bytes(manifest.studies[0]) / 2


def _bytes(value: Any) -> int:
    """Of a value and what it holds, texts and shared values too."""
    held = value if isinstance(value, tuple) else ()
    if hasattr(value, "__pydantic_fields_set__"):
        held = (value.__dict__, value.__pydantic_fields_set__, value.__pydantic_extra__)
    elif isinstance(value, dict):
        held = tuple(value.values())
    return sys.getsizeof(value) + sum(map(_bytes, held))
