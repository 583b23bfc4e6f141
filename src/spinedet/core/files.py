"""Files that are whole or absent: JSON in and out, hashes, and a run's own folder."""

from __future__ import annotations

import codecs
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import ValidationError

from spinedet.core.errors import InputError
from spinedet.core.folder_walk import list_files
from spinedet.core.types import Record

R = TypeVar("R", bound=Record)
_CHUNK = 1 << 20
_LONGEST_NAME = 120  # bytes
# A surrogate as JSON escapes it, or as UTF-8 must not hold it.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_HEADER = ("format", "version", "space")
_VERSION, _SPACE = 1, "RAS"
_SINGULAR = {
    "studies": "study",
    "series": "series",
    "images": "image",
    "lesions": "lesion",
    "places": "place",
    "findings": "finding number",
}


def sha256(path: Path) -> str:
    """Hex digest of a file, or of a folder's files by name and content."""
    digest = hashlib.sha256()
    # Links are names like others; what lies below a link to a folder is read with the folder, and so is in its digest.
    for file in sorted({*path.rglob("*"), *list_files(path).files}) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode())
        if file.is_file():
            with file.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
    return digest.hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old file or the new one, never half of it."""
    write_pieces(path, [content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """`write_bytes` of a content that need not fit into memory."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.writelines(pieces)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let what the system refuses inside name the file that is meant, not a temporary one or none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write finite JSON atomically.

    Raises:
        ValueError: a number is not finite.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        InputError: the file is missing or is no JSON.
    """
    return parse_json(path, read_bytes(path))


def parse_json(path: Path, content: bytes) -> Any:
    """Parse the bytes of the file at `path`.

    Raises:
        InputError: it is no JSON, or an object has a key twice, of which readers would take one.
    """
    with _valid_json(path):
        value = json.loads(content, object_pairs_hook=_object)
        _refuse_half_characters(value, content)
        return value


def parse_first_json(path: Path, content: bytes) -> tuple[Any, bytes]:
    """The value at the start of `content`, UTF-8 bytes of the file at `path`, and the bytes after it.

    Raises:
        InputError: as `parse_json`.
    """
    with _valid_json(path):
        text = content.decode()
        value, end = json.JSONDecoder(object_pairs_hook=_object).raw_decode(text)
        _refuse_half_characters(value, content)
        return value, text[end:].encode()


@contextmanager
def _valid_json(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); write the file again or restore it") from None


def _refuse_half_characters(value: Any, content: bytes) -> None:
    """Refuse halves of surrogate pairs, which no file can be written with."""
    if _SURROGATE.search(content):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"a text holds half of a character, {error.object[error.start]!a}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError(f"the key {repeated(key for key, _ in pairs)[0]!r} appears more than once in an object")
    return made


def read_bytes(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    return read_span(path, 0, -1)


def read_span(path: Path, start: int, size: int) -> bytes:
    """`size` bytes of a file from `start` on, fewer at its end; all with -1.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read(size)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder where a file is needed") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from None


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark, or of a UTF-16 file with one.

    Raises:
        InputError: the file is missing, cannot be read, or is in another encoding.
    """
    content = read_bytes(path)
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path} is not in UTF-8 (line {line}); save it again with the encoding UTF-8") from None


def read_record(path: Path, record: type[R], format_name: str, space: str | None = _SPACE) -> R:
    """Read and validate a versioned spinedet file; `space` as in `check_header`.

    Raises:
        InputError: no such file, no JSON, another format, version or space, or a value that the format forbids;
            the message names the file, the study and the field.
    """
    return record_of(path, read_json(path), record, format_name, space)


def record_of(path: Path, raw: Any, record: type[R], format_name: str, space: str | None = _SPACE) -> R:
    """The record of a versioned file that is parsed already; raises as `read_record`."""
    check_header(path, raw, format_name, space)
    return validate(path, record, {key: value for key, value in raw.items() if key not in _HEADER})


def validate(path: Path, record: type[R], raw: dict[str, Any]) -> R:
    """The record that parsed JSON from the file at `path` describes.

    Raises:
        InputError: a value that the format forbids; the message names the file, the study and the field.
    """
    try:
        return record.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise InputError(f"{path}: {_explain(error, raw)}") from None


def file_header(format_name: str, space: str | None = _SPACE) -> dict[str, Any]:
    """What every file of this project begins with; `space` as in `check_header`."""
    return {"format": format_name, "version": _VERSION, **({"space": space} if space else {})}


def check_header(path: Path, raw: Any, format_name: str, space: str | None = _SPACE) -> None:
    """Refuse another format, version or space; None for files that hold no position in the patient.

    Raises:
        InputError: names the file and what must be in it.
    """
    if not isinstance(raw, dict) or raw.get("format") != format_name:
        raise InputError(f'{path} is no {format_name} file: its "format" must be "{format_name}"')
    if type(raw.get("version")) is not int or raw["version"] != _VERSION:
        raise InputError(f"{path} has version {raw.get('version')!r}; this spinedet reads version {_VERSION}")
    if space is None and "space" in raw:
        raise InputError(
            f"{path} has space {raw['space']!r}, but a radiograph has no position in the patient: give boxes in stored "
            'pixels and leave "space" out'
        )
    if space is not None and raw.get("space") != space:
        raise InputError(f'{path} has space {raw.get("space")!r}; convert its coordinates to RAS mm and write "RAS"')


def _explain(error: ValidationError, raw: dict[str, Any]) -> str:
    """The first fault in words, with list positions replaced by the ids found on the way."""
    fault = error.errors(include_url=False)[0]
    words: list[str] = []
    here: Any = raw
    for key in fault["loc"]:
        here = _step(here, key)
        if isinstance(key, int) and words and words[-1] in _SINGULAR:
            name = here["id"] if isinstance(here, dict) and "id" in here else key
            words[-1] = f"{_SINGULAR[words[-1]]} {name!r}"
        else:
            words.append(str(key))
    where = f"{', '.join(words)}: " if words else ""
    found = "" if fault["type"] == "missing" or isinstance(here, dict | list) else f" (found {_show(here)})"
    return f"{where}{fault['msg'].removeprefix('Value error, ')}{found}"


def _step(here: Any, key: int | str) -> Any:
    try:
        return here[key]
    except (KeyError, IndexError, TypeError):
        return None


def _show(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value)[:60]


def repeated(ids: Iterable[str]) -> list[str]:
    """Ids that come more than once."""
    return [name for name, count in Counter(ids).items() if count > 1]


def refuse_repeats(ids: Iterable[str], where: str, what: str) -> None:
    """Refuse two things of one kind under one id.

    Raises:
        InputError: names the first id that comes twice.
    """
    names = repeated(ids)
    if names:
        raise InputError(f"{where}: {what} id {names[0]!r} appears more than once; give each its own")


def file_name_of(*ids: str) -> str:
    """A file name (without ending) for ids, which may hold any characters and be of any length.

    Ids of letters, digits, `.`, `_` and `-` are joined with `_`. A name that had to be changed ends with a digest, so
    that two ids never share a file.
    """
    joined = "_".join(ids)
    # `a_b` and `c` are not `a` and `b_c`.
    unambiguous = not any("_" in one for one in ids[:-1])
    # No name leads out of its folder, is hidden, or exceeds the 255 bytes that file systems take (with an ending).
    safe = re.sub(r"[^\w.-]|^[.-]+", "_", joined).encode()[:_LONGEST_NAME].decode(errors="ignore")
    if safe == joined and unambiguous:
        return safe
    return f"{safe}-{hashlib.sha256(chr(0).join(ids).encode(errors='surrogatepass')).hexdigest()[:10]}"


def claim_folder(folder: Path, free_bytes: int = 1 << 20) -> None:
    """Make `folder` this run's own: new or empty, writable, with room to spare.

    Hidden files are nothing: a run that was killed before it began may have left its lock.

    Raises:
        InputError: it holds another run's files, cannot be written, or the disk is nearly full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(not file.name.startswith(".") for file in folder.iterdir()):
            raise InputError(f"out={folder} is not empty; it belongs to another run. Choose another out= folder")
    except OSError as error:
        raise InputError(f"out={folder} cannot be made ({error.strerror}); choose a folder you can write to") from None
    check_writable(folder, free_bytes)


# Locks live as long as the process: the system releases them however it ends.
_LOCKS: dict[Path, IO[bytes]] = {}


def lock_folder(folder: Path) -> None:
    """Keep other processes from writing to this folder until this one ends.

    Raises:
        InputError: another process has it.
    """
    path = folder.resolve() / ".lock"
    if path in _LOCKS:
        return
    stream = path.open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise InputError(f"{folder} is being written by another process; wait for it, or choose another out=") from None
    _LOCKS[path] = stream


def check_writable(folder: Path, free_bytes: int) -> None:
    """Fail now rather than after hours of work.

    Raises:
        InputError: the folder cannot be written or its disk has less than `free_bytes` left.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(min(free_bytes, _CHUNK)))
            probe.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); free the disk or choose another out="
        ) from None
    if free < free_bytes:
        raise InputError(
            f"the disk of {folder} has {free >> 20} MiB left and this needs {free_bytes >> 20} MiB; "
            "free some space or choose another out="
        )
