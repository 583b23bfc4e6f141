"""Reading a manifest of any length one study at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.files import check_header, validate
from spinedet.core.leakage import refuse_leakage
from spinedet.core.manifest import FORMAT, check_study, locate
from spinedet.core.types import Manifest, Study

_CHUNK = 1 << 20
_HEADER = {"name": "-", "region": "lumbar", "categories": ["-"]}


def survey(path: Path) -> tuple[Manifest, int]:
    """Check a whole manifest; everything in it besides its studies (none is kept), and how many these are.

    Raises:
        InputError: as `read_manifest`.
    """
    header: dict[str, Any] = {}
    ids: set[str] = set()
    categories: dict[str, str] = {}

    def studies() -> Iterator[Study]:
        for key, value in _items(path):
            if key != "studies":
                header[key] = json.loads(value)
                continue
            study = _study(path, value)
            if study.id in ids:
                raise InputError(f"{path}: study id {study.id!r} appears more than once; give each its own")
            ids.add(study.id)
            found = {lesion.category for lesion in study.lesions}
            check_study(study, found, f"{path}: study {study.id!r}")
            categories.update(dict.fromkeys(found, study.id))
            yield study

    refuse_leakage(studies(), str(path))
    check_header(path, header, FORMAT)
    words = {key: value for key, value in header.items() if key not in ("format", "version", "space")}
    manifest = validate(path, Manifest, words | {"studies": []})
    unknown = sorted(set(categories) - set(manifest.categories))
    if unknown:
        raise InputError(
            f"{path}: study {categories[unknown[0]]!r}, category: unknown category {unknown[0]!r}; "
            f"the manifest's categories are {sorted(manifest.categories)}"
        )
    return manifest, len(ids)


def stream_studies(path: Path, region: Region) -> Iterator[Study]:
    """The studies of a manifest that `survey` has found right; series paths come back absolute.

    Args:
        region: of the manifest, as `survey` returns it.
    """
    folder = path.parent.resolve()
    for key, value in _items(path):
        if key == "studies":
            yield locate(_study(path, value), folder, region)


def _study(path: Path, text: str) -> Study:
    try:
        return Study.model_validate_json(text)
    except ValidationError:
        validate(path, Manifest, {**_HEADER, "studies": [json.loads(text)]})  # refuses, and names the place
        raise


def _items(path: Path) -> Iterator[tuple[str, str]]:
    """The members of the object that the file holds, as JSON text; the studies one after the other."""
    try:
        with path.open(encoding="utf-8") as stream:
            yield from _Window(stream).members()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); write the file again or restore it") from None
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from None


class _Window:
    """The part of a JSON file that is in memory, and the place where reading goes on."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.text, self.place, self.whole = stream, "", 0, False
        self.decoder = json.JSONDecoder()

    def members(self) -> Iterator[tuple[str, str]]:
        """Each member of an object; those called `studies` by their items."""
        for _ in self.listed("{", "}"):
            key = json.loads(self.value())
            self.expect(":")
            if key == "studies" and self.next() == "[":
                for _ in self.listed("[", "]"):
                    yield key, self.value()
            else:
                yield key, self.value()
        if self.next():
            self.fail("nothing is expected after the object")

    def listed(self, opening: str, closing: str) -> Iterator[None]:
        """Stops once before each thing between brackets; the caller reads it."""
        self.expect(opening)
        if self.next() == closing:
            self.place += 1
            return
        while True:
            yield
            mark = self.next()
            if mark not in (",", closing):
                self.fail(f"',' or '{closing}' is expected")
            self.place += 1
            if mark == closing:
                return

    def value(self) -> str:
        """The text of the value that comes next."""
        self.next()
        while True:
            try:
                _, end = self.decoder.raw_decode(self.text, self.place)
            except json.JSONDecodeError:
                if self.whole:
                    raise
                end = len(self.text)
            if end < len(self.text) or self.whole:  # a number at the end of what is known may go on
                text, self.place = self.text[self.place : end], end
                return text
            self.more()

    def expect(self, mark: str) -> None:
        """Step over a bracket or colon."""
        if self.next() != mark:
            self.fail(f"'{mark}' is expected")
        self.place += 1

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self.place < len(self.text) and self.text[self.place].isspace():
                self.place += 1
            if self.place < len(self.text):
                return self.text[self.place]
            if not self.more():
                return ""

    def more(self) -> bool:
        """Read on, dropping what is behind."""
        chunk = "" if self.whole else self.stream.read(max(_CHUNK, len(self.text) - self.place))
        self.whole = not chunk
        self.text, self.place = self.text[self.place :] + chunk, 0
        return not self.whole

    def fail(self, words: str) -> None:
        """Refuse the file here."""
        raise json.JSONDecodeError(words, self.text, self.place)
