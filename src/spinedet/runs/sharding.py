"""Work on many studies: shared out among jobs, written down as it is done, taken up again where it stopped."""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from io import FileIO
from pathlib import Path
from typing import Any

from spinedet.cli.console import console
from spinedet.cli.output_folder import claim_output, requeued
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.core.files import check_writable, claim_folder, naming, read_json, write_json

DESCRIPTION, PARTS, LOCK, SALT = "archive.json", "parts", ".merging", ".salt"
# How an array's tasks, torchrun's processes and srun's are numbered: which one, the first one's number, how many.
NUMBERINGS = (
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"),
    ("RANK", None, "WORLD_SIZE"),
    ("SLURM_PROCID", None, "SLURM_STEP_NUM_TASKS"),
)


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`-th study, beginning with number `index` (from 0): the part of an archive that one job does."""

    index: int = 0
    count: int = 1

    def holds(self, number: int) -> bool:
        """Whether the study at this place of the manifest is the job's."""
        return number % self.count == self.index

    def size(self, studies: int) -> int:
        """How many of so many studies are the job's."""
        return len(range(self.index, studies, self.count))

    @property
    def name(self) -> str:
        """Of the file that the job writes."""
        return f"{self.index + 1:04d}-of-{self.count:04d}.jsonl"


def parse_shard(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """`3/16` is the third of sixteen; `auto` takes it from the job array, torchrun or srun; null is everything.

    Raises:
        InputError: it is written otherwise, or nobody started an array.
    """
    if text is None:
        return Shard()
    if text == "auto":
        for name, first, count in NUMBERINGS:
            if name in environment and count in environment:
                start = int(environment.get(first, 0)) if first else 0
                return Shard(int(environment[name]) - start, int(environment[count]))
        raise InputError("shard=auto: this is neither a task of a job array nor started by torchrun or srun")
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"shard={text}: write it as 3/16, the third of sixteen parts, or auto")
    return Shard(int(found[1]) - 1, int(found[2]))


@dataclass
class ArchiveConfig(CommonConfig):
    """Settings of commands that work on archives.

    Attributes:
        shard: the part of the studies that this job does, such as 3/16, or auto in a job array; jobs share `out`.
        resume: go on in `out` with the studies that are not done.
    """

    shard: str | None = None
    resume: bool = False


def claim_archive(config: ArchiveConfig, command: str, facts: Mapping[str, Any]) -> tuple[Path, Shard]:
    """The folder that this job fills, with others where the work is shared, and its part of the studies.

    Raises:
        InputError: as `join_archive`, or there is no `out=`.
    """
    shard = parse_shard(config.shard)
    folder = shared_folder(config)
    if folder is None:
        folder = claim_output(config, command)
    else:
        console.print(f"writing to {folder}, part {shard.index + 1} of {shard.count}")
    join_archive(folder, {"command": command, **facts, "shards": shard.count})
    return folder, shard


def shared_folder(config: ArchiveConfig) -> Path | None:
    """The folder that other jobs fill too or that an earlier one began; None where this job has one of its own.

    Raises:
        InputError: there is no `out=`.
    """
    if config.shard is None and not config.resume and not requeued():
        return None
    if config.out is None:
        raise InputError("shard= and resume= need out=, the folder that all jobs fill")
    return Path(config.out)


def kept_salt(folder: Path | None, proposal: str) -> str:
    """The secret that all jobs of a folder hash identifiers with: the one kept there, else the proposal, kept now.

    It is readable by its owner alone and removed by `forget_salt`; without a folder nothing is kept.
    """
    if folder is None:
        return proposal
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=SALT) as own:  # mkstemp makes it the owner's alone
        own.write(proposal)
        own.flush()
        with suppress(FileExistsError):
            os.link(own.name, folder / SALT)
    return (folder / SALT).read_text()


def forget_salt(folder: Path) -> None:
    """Remove what `kept_salt` kept, so that pseudonyms of two runs cannot be linked."""
    (folder / SALT).unlink(missing_ok=True)


def join_archive(folder: Path, facts: Mapping[str, Any]) -> None:
    """Make the folder that several jobs fill, or find it made by another one of them.

    Raises:
        InputError: it holds something else, or the same work with other settings.
    """
    path = folder / DESCRIPTION
    wanted = {"format": "spinedet-archive", "version": 1, **facts}
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        if all(file.name.startswith(".") for file in folder.iterdir()):  # another job may be writing the description
            check_writable(folder, 16 << 20)
            write_json(path, {**wanted, "created": f"{date.today():%Y-%m-%d}"})
        elif not path.is_file():
            claim_folder(folder)  # refuses
    before = read_json(path)
    changed = [key for key in wanted if before.get(key) != wanted[key]]
    if changed:
        raise InputError(
            f"{folder} was begun with {changed[0]}={before.get(changed[0])} and this job has {wanted[changed[0]]}; "
            "go on with the same settings, or choose another out="
        )


@dataclass(frozen=True)
class Journal:
    """One job's part of an archive: a line of JSON for each study that it is done with, in the manifest's order."""

    folder: Path
    shard: Shard

    @property
    def path(self) -> Path:
        """The job's file."""
        return self.folder / PARTS / self.shard.name

    @contextmanager
    def open(self) -> Iterator[tuple[int, Callable[[Mapping[str, Any]], None]]]:
        """How many studies are done, and a function that writes one more down.

        A line that a killed job left unfinished is cut off.

        Raises:
            InputError: another process does this part.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as stream:
            # A lock on the journal itself: the system releases it however the process ends, and there is no second file
            # that could be left behind, as `filelock` needs one.
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(f"another process does part {self.shard.name}; wait for it") from None
            yield _mend(self.path), lambda record: _append(self.path, stream, record)
            os.fsync(stream.fileno())


def _mend(path: Path) -> int:
    """Cut an unfinished last line off; the number of whole ones."""
    done, end = 0, 0
    with path.open("r+b") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            done, end = done + 1, end + len(line)
        stream.truncate(end)
    return done


def _append(path: Path, stream: FileIO, record: Mapping[str, Any]) -> None:
    """Add a line, with no buffer in between: once this is through, a kill of the process loses nothing."""
    line = json.dumps(record, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    with naming(path):
        while line:
            line = line[stream.write(line) :]


def all_done(folder: Path, studies: int, count: int) -> bool:
    """Whether the jobs have written every study down."""
    parts = [folder / PARTS / Shard(index, count).name for index in range(count)]
    return all(part.is_file() for part in parts) and sum(_lines(part) for part in parts) == studies


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(line.endswith(b"\n") for line in stream)


def records(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """The records of all jobs, in the input's order, one in memory at a time."""
    return map(json.loads, record_lines(folder, count))


def record_lines(folder: Path, count: int) -> Iterator[bytes]:
    """`records` as JSON."""
    parts = [_numbered(folder / PARTS / Shard(index, count).name, index, count) for index in range(count)]
    for _, line in heapq.merge(*parts, key=lambda numbered: numbered[0]):
        yield line


def _numbered(path: Path, index: int, count: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as stream:
        for row, line in enumerate(stream):
            yield index + row * count, line


def discard_archive(folder: Path) -> None:
    """Empty the folder of an archive of which nothing could be used, so that `out=` is free again."""
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    for name in (DESCRIPTION, "findings.json"):
        (folder / name).unlink(missing_ok=True)


@contextmanager
def merging(folder: Path) -> Iterator[None]:
    """One job at a time."""
    with (folder / LOCK).open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
