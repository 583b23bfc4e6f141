"""Every file below a folder once, whatever links lead to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spinedet.core.folder_walk import list_files


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with real files a/x and b/y, beside a folder with z."""
    for name in ("tree/a/x", "tree/b/y", "elsewhere/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "tree"


def names(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in list_files(folder).files]


def left_out(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): reason for path, reason in list_files(folder).left_out.items()}


def test_links_to_other_folders_and_files_are_followed(tree: Path) -> None:
    (tree / "linked").symlink_to(tree.parent / "elsewhere")
    (tree / "w").symlink_to(tree.parent / "elsewhere" / "z")
    assert names(tree) == ["a/x", "b/y", "linked/z"]
    assert left_out(tree) == {"w": "a link to a file that is read already"}
    (tree / "linked").unlink()
    assert names(tree) == ["a/x", "b/y", "w"]
    assert left_out(tree) == {}


def test_cycles_end_and_real_folders_come_before_links_to_them(tree: Path) -> None:
    (tree / "0").symlink_to("b")
    (tree / "a" / "up").symlink_to("..")
    (tree / "a" / "out").symlink_to("../..")
    (tree.parent / "elsewhere" / "back").symlink_to(tree)
    (tree / "linked").symlink_to("../elsewhere")
    assert names(tree) == ["a/x", "b/y", "linked/z"]
    assert left_out(tree) == {
        "0": "a link to a folder that is read already",
        "a/up": "a link to a folder that is read already",
        "a/out": "a link to a folder that holds this one",
        "linked/back": "a link to a folder that is read already",
    }


def test_what_cannot_be_read_is_listed(tree: Path) -> None:
    (tree / "nowhere").symlink_to("missing")
    (tree / "self").symlink_to("self")
    os.mkfifo(tree / "pipe")
    assert names(tree) == ["a/x", "b/y"]
    assert set(left_out(tree)) == {"nowhere", "self", "pipe"}
    with pytest.warns(UserWarning, match=r"left out: .*nowhere \(a link that leads nowhere\)"):
        list_files(tree).warn()


def test_a_folder_given_as_a_link_is_read(tree: Path) -> None:
    (tree.parent / "alias").symlink_to("tree")
    assert names(tree.parent / "alias") == ["a/x", "b/y"]


def test_results_of_earlier_commands_are_no_input(tree: Path) -> None:
    for name, content in (("out/deep", '{"format": "spinedet-archive"}'), ("mine", '{"format": "other"}')):
        (tree / name).mkdir(parents=True)
        (tree / name / "archive.json").write_text(content)
        (tree / name / "copy").write_text("copy")
    assert names(tree) == ["a/x", "b/y", "mine/archive.json", "mine/copy"]
    assert left_out(tree) == {"out/deep": "results of an earlier command"}
    assert names(tree / "out/deep") == ["archive.json", "copy"]  # asked for by name
