"""The files below a folder, with symbolic links followed once."""

from __future__ import annotations

import os
import warnings
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

# So many are named in a warning about what is left out.
_MOST_NAMED = 5
# What `predict` and `evaluate` leave in their folder, and the format that it names.
_RESULTS, _FORMAT = "archive.json", b'"spinedet-archive"'


@dataclass(frozen=True)
class FolderListing:
    """What is below a folder.

    Attributes:
        files: sorted by path; every file once, under its own path rather than that of a link to it.
        left_out: path and reason of what was not followed or listed.
    """

    files: tuple[Path, ...]
    left_out: dict[Path, str] = field(default_factory=dict)

    def warn(self) -> None:
        """Warn about what is left out, if anything is."""
        if self.left_out:
            named = [f"{path} ({reason})" for path, reason in sorted(self.left_out.items())[:_MOST_NAMED]]
            more = f" and {len(self.left_out) - _MOST_NAMED} more" if len(self.left_out) > _MOST_NAMED else ""
            warnings.warn(f"left out: {', '.join(named)}{more}", stacklevel=3)


def list_files(folder: Path) -> FolderListing:
    """Every file below a folder.

    Links to folders and files are followed, each target once, so that cycles end. What is there in its own right comes
    before what a link leads to; a link that leads to a folder above `folder` is not followed. Folders that an earlier
    `predict` or `evaluate` filled are left out: images in them are copies of its input.
    """
    walk = _Walk(os.path.realpath(folder))
    walk.follow([(folder, walk.root)])
    while walk.folder_links:
        path = walk.folder_links.popleft()
        target = os.path.realpath(path)
        if target in walk.folders:
            walk.left_out[path] = "a link to a folder that is read already"
        elif f"{walk.root}{os.sep}".startswith(f"{target.rstrip(os.sep)}{os.sep}"):
            walk.left_out[path] = "a link to a folder that holds this one"
        else:
            walk.follow([(path, target)])
    walk.follow_file_links()
    return FolderListing(tuple(sorted(walk.files.values())), walk.left_out)


def _is_results(path: Path) -> bool:
    try:
        return _FORMAT in path.read_bytes()
    except OSError:
        return False


class _Walk:
    """What has been found so far; keys of `files` and members of `folders` are real paths."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files: dict[str, Path] = {}
        self.folders: set[str] = set()
        self.folder_links: deque[Path] = deque()
        self.file_links: list[Path] = []
        self.left_out: dict[Path, str] = {}

    def follow(self, pending: list[tuple[Path, str]]) -> None:
        """List these folders and the real folders below them."""
        while pending:
            path, real = pending.pop()
            if real in self.folders:
                self.left_out[path] = "read already through a link"
                continue
            self.folders.add(real)
            try:
                with os.scandir(path) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                self.left_out[path] = f"cannot be listed: {error.strerror}"
                continue
            if real != self.root and any(entry.name == _RESULTS and _is_results(path / _RESULTS) for entry in entries):
                self.left_out[path] = "results of an earlier command"
                continue
            for entry in entries:
                self._sort(entry, path / entry.name, os.path.join(real, entry.name), pending)

    def _sort(self, entry: os.DirEntry[str], path: Path, real: str, pending: list[tuple[Path, str]]) -> None:
        if entry.is_symlink():
            target = os.path.realpath(path)
            if os.path.isdir(target):
                self.folder_links.append(path)
            elif os.path.isfile(target):
                self.file_links.append(path)
            else:
                self.left_out[path] = "a link that leads nowhere"
        elif entry.is_dir(follow_symlinks=False):
            pending.append((path, real))
        elif entry.is_file(follow_symlinks=False):
            self.files[real] = path
        else:
            self.left_out[path] = "no regular file"

    def follow_file_links(self) -> None:
        """Take the files that links lead to, unless they are there already."""
        for path in self.file_links:
            target = os.path.realpath(path)
            if target in self.files:
                self.left_out[path] = "a link to a file that is read already"
            else:
                self.files[target] = path
