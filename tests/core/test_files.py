"""Files are whole or absent, and a run's folder is its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.core.files import (
    check_writable,
    claim_folder,
    read_bytes,
    read_json,
    refuse_repeats,
    sha256,
    write_json,
    write_text,
)

# FIPS 180-2, appendix B.1
SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_hash_of_a_file_is_the_standard_one(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path) == SHA256_OF_ABC


def folder_of(path: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def test_the_hash_of_a_folder_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", {"1.dcm": b"first", "2.dcm": b"second"})
    same = folder_of(tmp_path / "same", {"2.dcm": b"second", "1.dcm": b"first"})
    renamed = folder_of(tmp_path / "renamed", {"1.dcm": b"first", "3.dcm": b"second"})
    altered = folder_of(tmp_path / "altered", {"1.dcm": b"first", "2.dcm": b"Second"})
    assert sha256(one) == sha256(same)
    assert len({sha256(one), sha256(renamed), sha256(altered)}) == 3


def test_the_hash_of_a_folder_does_not_depend_on_the_file_systems_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "dicom", {"1.dcm": b"first", "sub/2.dcm": b"second", "3.dcm": b"third"})
    before, listed = sha256(folder), list(folder.rglob("*"))
    for order in (listed, listed[::-1]):
        monkeypatch.setattr(Path, "rglob", lambda *_, order=order: iter(order))
        assert sha256(folder) == before


# --- writing ---


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "content.json"
    write_json(path, {"level": "L4/L5", "note": "Büste µ", "n": [1, 2.5, None, True]})
    assert read_json(path) == {"level": "L4/L5", "note": "Büste µ", "n": [1, 2.5, None, True]}
    assert "Büste µ" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o644


def full_disk(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "scores.json"
    write_json(path, {"old": 1})
    monkeypatch.setattr(os, step, full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["scores.json"]


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half a pair: \ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_in_files_are_finite(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "scores.json", {"f1": value})
    assert os.listdir(tmp_path) == []


# --- reading ---


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json does not exist"):
        read_json(tmp_path / "absent.json")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder where a file is needed"):
        read_bytes(tmp_path)


def test_a_file_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(InputError, match=r"file/inner\.json cannot be read \(Not a directory\)"):
        read_json(tmp_path / "file" / "inner.json")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{'a': 1}", b'{"a": 1} x', b'{"a": "\xff"}', b"[" * 100_000], ids=lambda data: repr(data[:10])
)
def test_what_is_no_json(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"broken\.json is not valid JSON"):
        read_json(path)


@pytest.mark.parametrize("data", ['{"a": 1, "a": 2}', '{"b": [{"c": {}, "d": 1, "c": {}}]}'])
def test_a_key_twice_is_refused(tmp_path: Path, data: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(data)
    with pytest.raises(InputError, match=r"the key '[ac]' appears more than once in an object"):
        read_json(path)


@pytest.mark.parametrize("data", [rb'["\ud83d"]', rb'{"\udE00": 1}', b'"\xed\xa0\xbd"'])
def test_half_a_character_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.json is not valid JSON \(a text holds half of a character, '.u"):
        read_json(path)
    path.write_bytes(rb'["\ud83d\ude00"]')
    assert read_json(path) == ["\U0001f600"]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "windows.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path) == {"a": 1}


def test_repeats_are_named_even_in_a_folder_with_braces() -> None:
    refuse_repeats(["a", "b"], "{x}/m.json", "study")
    with pytest.raises(InputError, match=r"^\{x\}/m\.json: study id 'b' appears more than once"):
        refuse_repeats(["a", "b", "b"], "{x}/m.json", "study")


# --- folders ---


def test_a_new_folder_is_made_and_an_empty_one_taken(tmp_path: Path) -> None:
    claim_folder(tmp_path / "runs" / "one")
    claim_folder(tmp_path / "runs" / "one")
    assert os.listdir(tmp_path / "runs" / "one") == []


def test_another_runs_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="is not empty; it belongs to another run"):
        claim_folder(tmp_path)
    assert os.listdir(tmp_path) == ["run.json"]


@pytest.mark.parametrize("out", ["taken", "taken/inner"])
def test_a_file_in_the_way_of_the_folder(tmp_path: Path, out: str) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match=rf"out=.*{out} cannot be made"):
        claim_folder(tmp_path / out)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 << 20))
    with pytest.raises(InputError, match="has 3 MiB left and this needs 5 MiB; free some space"):
        claim_folder(tmp_path / "out", free_bytes=5 << 20)
    claim_folder(tmp_path / "out", free_bytes=3 << 20)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(
        InputError, match=r"cannot be written \(Permission denied\); free the disk or choose another out="
    ):
        check_writable(tmp_path, 1 << 20)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk, mount = tmp_path / "disk", shutil.which("mount")
    disk.mkdir()
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this machine allows no mounts")
    yield disk
    subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)


def test_a_disk_that_is_full_indeed(tiny_disk: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        claim_folder(tiny_disk / "out", free_bytes=1 << 20)
    claim_folder(tiny_disk / "small", free_bytes=64 << 10)


def test_a_write_to_a_full_disk_leaves_the_old_file(tiny_disk: Path) -> None:
    path = tiny_disk / "scores.json"
    write_text(path, "old")
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "x" * (1 << 20))
    assert path.read_text() == "old"
    assert os.listdir(tiny_disk) == ["scores.json"]
