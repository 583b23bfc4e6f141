"""Commands that are broken on purpose, and what has to be left of them."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

import numpy as np
from safetensors.numpy import load_file

from spinedet.core import files
from spinedet.core.manifest import read_manifest
from spinedet.imaging.volume import Volume, read_volume, write_volume
from spinedet.runs import run_folder, sharding
from spinedet.training.checkpoints import newest_checkpoint

TRAIN = ("+experiment=smoke", "workers=1", "recipe.batch=1", "trainer.deterministic=true", "trainer.precision=32-true")
TRAIN += ("trainer.max_epochs=2", "trainer.validate_every=2", "test.cases=0", "trainer.accelerator=cpu")
TRAIN += ("trainer.checkpoint_minutes=0", "planes=[sagittal]")  # a checkpoint after every step
# The command, and what it is asked for beyond its data.
VARIANTS = {
    "train": ("train", TRAIN),
    "planes": ("train", (*TRAIN[:-1], "workers=2")),
    "pair": ("train", (*TRAIN, "recipe.batch=2", "trainer.devices=2")),
    "loaders": ("train", (*TRAIN, "trainer.loader_workers=2")),
    "predict": ("predict", ("pictures=false",)),
    "score": ("score", ("pages=false", "planes=[sagittal]", "bootstrap.samples=200")),
}
RESULTS = {"train": "findings.json", "predict": "findings.json", "score": "scores.json"}
WEIGHTS = "model/weights.safetensors"
GOOD = (0, 3)
# Every command is forked from a process that has imported torch, so that many of them cost little.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["spinedet.train", "spinedet.predict", "spinedet.score"])


class NotHereError(Exception):
    """This machine does not allow the drill."""


def nothing() -> None:
    """No preparation."""


@dataclass(frozen=True)
class Started:
    """A command in a process of its own, and the file to which it talks."""

    process: BaseProcess
    log: Path

    def ended(self) -> int:
        """Wait for its exit status; a signal that ended it is negative."""
        self.process.join(timeout=1200)
        assert self.process.exitcode is not None, f"it hangs: {self.said}"
        return self.process.exitcode

    def signalled(self, number: int, after: float) -> bool:
        """Send it a signal after so many seconds; whether it was still there."""
        self.process.join(timeout=after)
        if self.process.exitcode is None:
            os.kill(self.process.pid or 0, number)
        return self.ended() == -number

    def refused(self, *words: str) -> None:
        """It has ended with one message that says all this, and no traceback."""
        assert self.ended() in (1, 2), self.said
        assert "Traceback" not in self.said
        assert all(word in self.said for word in ("error:", *words)), self.said

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


def _run(command: str, words: tuple[str, ...], log: Path, before: Callable[[], None]) -> None:
    with log.open("w", buffering=1) as seed_for:
        os.dup2(seed_for.fileno(), 1)
        os.dup2(seed_for.fileno(), 2)
        before()
        sys.argv = [command, *words]
        import_module(f"spinedet.{command}").main()


@dataclass(frozen=True)
class Ground:
    """Where drills take place, and what the commands leave there when nobody disturbs them."""

    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def words(self, variant: str) -> tuple[str, ...]:
        """All but the output folder."""
        command, words = VARIANTS[variant]
        match command:
            case "train":
                return (*words, f"data.manifests=[{self.manifest}]")
            case "predict":
                return (*words, f"run={self.undisturbed('train')}", f"input={self.manifest}")
        return (*words, f"reference={self.manifest}", f"findings={self.undisturbed('predict') / 'findings.json'}")

    @property
    def manifest(self) -> Path:
        """Of the phantoms that all drills share."""
        path = self.folder / "cohort/manifest.json"
        if not path.is_file():
            words = ("cohort=smoke", "workers=1", f"out={path.parent}")
            drawn = self._start("phantom", words, path.parent.name, nothing)
            assert drawn.ended() == 0, drawn.said
        return path

    def undisturbed(self, variant: str) -> Path:
        """The folder of a command that nobody disturbs, run when it is first asked for."""
        out = self.folder / variant
        if variant not in self.seconds:
            words, begun = self.words(variant), time.monotonic()
            done = self._start(VARIANTS[variant][0], (*words, f"out={out}"), variant, nothing)
            assert done.ended() in GOOD, done.said
            self.seconds[variant] = time.monotonic() - begun
        return out

    def new(self, name: str) -> Path:
        """The path of a folder that is not there yet."""
        return self.folder / f"{name}-{sum(file.suffix == '.log' for file in self.folder.iterdir())}"

    def start(self, variant: str, out: Path, *more: str, before: Callable[[], None] = nothing) -> Started:
        """Start a command as it was started undisturbed, but for its output folder and these words."""
        name = self.new(out.name).name
        return self._start(VARIANTS[variant][0], (*self.words(variant), f"out={out}", *more), name, before)

    def _start(self, command: str, words: tuple[str, ...], name: str, before: Callable[[], None]) -> Started:
        log = self.folder / f"{name}.log"
        self.folder.mkdir(parents=True, exist_ok=True)
        process = _SERVER.Process(target=_run, args=(command, words, log, before))
        process.start()
        return Started(process, log)

    def ends_well(self, variant: str, out: Path, *more: str) -> None:
        """Go on in a folder: it then holds what the undisturbed command has left."""
        again = self.start(variant, out, *more)
        assert again.ended() in GOOD, again.said
        self.check(variant, out)

    def check(self, variant: str, out: Path) -> None:
        """The same numbers, bit for bit, as the undisturbed command's."""
        whole, file = self.undisturbed(variant), RESULTS[VARIANTS[variant][0]]
        assert (out / file).read_bytes() == (whole / file).read_bytes()
        if (whole / WEIGHTS).exists():
            one, two = load_file(whole / WEIGHTS), load_file(out / WEIGHTS)
            assert one.keys() == two.keys()
            assert all(np.array_equal(one[name], two[name]) for name in one)
            assert (out / "run.json").is_file()


def readable(folder: Path) -> None:
    """No half file lies where a user looks."""
    for file in folder.rglob("*.json"):
        if not file.name.startswith("."):
            json.loads(file.read_text())
    for checkpoints in folder.glob("checkpoints/*"):
        saved = newest_checkpoint(checkpoints)
        assert saved is None or not saved.damaged


# --- the drills ---


def killed(ground: Ground, random: Random, variant: str, number: int = signal.SIGKILL) -> str:
    """A signal at a random moment; a score is asked for anew, everything else goes on where it was."""
    ground.undisturbed(variant)
    out = ground.new(f"{variant}-killed")
    moment = random.uniform(0, ground.seconds[variant])
    broken = ground.start(variant, out)
    was_there = broken.signalled(number, moment)
    readable(out)
    if variant == "score":
        ground.ends_well(variant, ground.new("score-again"))
    else:
        ground.ends_well(variant, out, "resume=true")
    return "same result as undisturbed" if was_there else "had ended before"


def between_steps(ground: Ground, variant: str, deed: Callable[[Path], None]) -> tuple[Started, Path]:
    """A training to which something happens after its first step."""
    ground.undisturbed(variant)
    out = ground.new(f"{variant}-disturbed")
    training = ground.start(variant, out)
    while not list(out.glob("checkpoints/*/last.ckpt")):
        assert training.process.is_alive(), training.said
        time.sleep(0.01)
    deed(out)
    return training, out


def damaged_cache(ground: Ground, random: Random) -> str:
    """A random byte of every cached scan is changed in mid-epoch."""

    def damage(out: Path) -> None:
        for file in out.glob("cache/*/*.npy"):
            content = bytearray(file.read_bytes())
            content[random.randrange(len(content))] ^= random.randrange(1, 256)
            file.write_bytes(content)

    training, out = between_steps(ground, "train", damage)
    assert training.ended() in GOOD, training.said
    ground.check("train", out)
    return "scans made anew; same weights"


def away(path: Path) -> None:
    """The image is gone."""
    path.unlink()


def to_nan(path: Path) -> None:
    """One voxel of the image is no number any more."""
    volume = read_volume(path)
    array = volume.array.copy()
    array[tuple(length // 2 for length in array.shape)] = np.nan
    write_volume(path, Volume(array, volume.grid))


def images(ground: Ground) -> dict[Path, bytes]:
    """The sagittal images of the cohort."""
    series = (series for study in read_manifest(ground.manifest).studies for series in study.series)
    return {one.path: one.path.read_bytes() for one in series if one.plane == "sagittal"}


def spoilt_image(ground: Ground, random: Random, spoil: Callable[[Path], None]) -> str:
    """Images are spoilt in mid-epoch: not missed while their cached copies are there, else named."""
    kept = images(ground)
    lost = random.random() < 0.5

    def spoil_all(out: Path) -> None:
        for path in kept:
            spoil(path)
        for file in out.glob("cache/*/*.npy") if lost else ():
            file.unlink()

    training, out = between_steps(ground, "train", spoil_all)
    status = training.ended()
    for path, content in kept.items():
        path.write_bytes(content)
    if status in GOOD:
        ground.check("train", out)
        return "read from the cache; same weights"
    training.refused(".nii.gz", "resume=true")
    readable(out)
    ground.ends_well("train", out, "resume=true")
    return "named, exit 2; once it was restored, same weights"


def spoilt_study(ground: Ground, random: Random, spoil: Callable[[Path], None]) -> str:
    """One image of an archive is spoilt: listed, and every other study's findings are what they were."""
    kept, whole = images(ground), ground.undisturbed("predict")
    path = random.choice(sorted(kept))
    spoil(path)
    out = ground.new("predict-spoilt")
    done = ground.start("predict", out)
    status = done.ended()
    path.write_bytes(kept[path])
    assert status == 3, done.said
    (lost,) = (study.id for study in read_manifest(ground.manifest).studies if study.series[0].path == path)
    assert [f"{lost}/sag"] == [one["study"] for one in skipped(out) if one not in skipped(whole)]
    found, before = (
        {one["id"]: one for one in json.loads((at / "findings.json").read_text())["studies"]} for at in (out, whole)
    )
    assert found == {name: study for name, study in before.items() if name != lost}
    return "listed, exit 3; all others as before"


def skipped(folder: Path) -> list[dict[str, str]]:
    """What a command lists."""
    return json.loads((folder / "skipped.json").read_text())


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """A file system of its own at a folder, and a function that gives it other options."""
    folder.mkdir()
    words = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        raise NotHereError("this user may not mount a file system")
    try:
        yield lambda other: _mount("-o", f"remount,{other}", str(folder))
    finally:
        subprocess.run(["/usr/bin/env", "umount", str(folder)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["/usr/bin/env", "mount", *words], check=True)


def room_at_first() -> None:
    """The disk fills up after the command has looked at it."""
    for module in (sharding, files, run_folder):
        module.check_writable = lambda *_: None


def full_disk(ground: Ground, random: Random, variant: str) -> str:
    """The disk is full at some point, and then larger."""
    needed = sum(file.stat().st_size for file in ground.undisturbed(variant).rglob("*")) >> 10
    place = ground.new("disk")
    with disk(place, f"size={random.randrange(8, max(9, needed))}k") as change:
        out = place / "out"
        broken = ground.start(variant, out, before=room_at_first)
        if broken.ended() not in GOOD:
            broken.refused("No space left on device", "free")
            readable(out)
        change("size=1g")
        more = () if variant == "score" else ("resume=true",)
        ground.ends_well(variant, place / "again" if variant == "score" else out, *more)
    return "one message, exit 2; with room, same result"


def read_only(ground: Ground, random: Random, variant: str) -> str:
    """The disk of the output cannot be written."""
    ground.words(variant)
    with disk(ground.new("disk"), "ro") as _:
        begun = time.monotonic()
        broken = ground.start(variant, ground.new("disk") / "out")
        broken.refused("Read-only file system", "choose")
        assert time.monotonic() - begun < ground.seconds.get(variant, 60) + 10
    return "one message, exit 2, before any work"


def children(process: BaseProcess) -> list[int]:
    """The processes that a command has started to share its work."""
    found = []
    for task in Path(f"/proc/{process.pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split() if works(int(child))]
    return found


def works(process: int) -> bool:
    """Whether a process that was started to share work is there, and not only its exit status."""
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def dead_worker(ground: Ground, random: Random, variant: str, within: float = 0.5) -> str:
    """A process that works for the command is killed so many seconds after the first checkpoint at most."""
    training, out = between_steps(ground, variant, lambda _: time.sleep(random.uniform(0, within)))
    os.kill(random.choice(sorted(children(training.process))), signal.SIGKILL)
    training.refused("died", "resume=true")
    assert not children(training.process)
    readable(out)
    ground.ends_well(variant, out, "resume=true")
    return "one message, exit 1; gone on, same weights"


def orphaned(ground: Ground, random: Random, variant: str) -> str:
    """The command is killed after its first checkpoint: the processes that work for it end too."""
    training, out = between_steps(ground, variant, lambda _: None)
    workers = children(training.process)
    assert workers
    assert training.signalled(signal.SIGKILL, after=0)
    moment = time.monotonic()
    while any(works(worker) for worker in workers):
        assert time.monotonic() < moment + 30, "orphans"
        time.sleep(0.1)
    readable(out)
    ground.ends_well(variant, out, "resume=true")
    return "no process left; gone on, same weights"


def tracked_at(address: str) -> None:
    """Weights & Biases as someone uses it who has a key."""
    os.environ.update(WANDB_API_KEY="0" * 40, WANDB_BASE_URL=address)


def unreachable(ground: Ground, random: Random) -> str:
    """The W&B server refuses connections, or accepts them and stays silent."""
    out = ground.new("tracked")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if random.random() < 0.5:
            server.listen()
        before = partial(tracked_at, f"http://127.0.0.1:{server.getsockname()[1]}")
        done = ground.start("train", out, "logger=wandb", "logger.mode=online", before=before)
        assert done.ended() in GOOD, done.said
    assert "logging offline" in done.said
    assert list(out.glob("wandb/offline-run-*/*.wandb"))
    ground.check("train", out)
    return "logged offline; same weights"


def jumping() -> None:
    """The wall clock goes back and forth by two hours."""
    jumps = itertools.cycle((0, 7200, -7200))
    now = time.time
    time.time = lambda: now() + next(jumps)


def jumping_clock(ground: Ground, random: Random) -> str:
    """A training with a time limit of an hour."""
    out = ground.new("clock")
    done = ground.start("train", out, "trainer.max_time=00:01:00:00", before=jumping)
    assert done.ended() in GOOD, done.said
    ground.check("train", out)
    return "same weights"


Drill = Callable[[Ground, Random], str]
# What breaks, and the drill for it.
DRILLS: dict[str, Drill] = {
    "kill -9 of train": partial(killed, variant="train"),
    "kill -9 of predict": partial(killed, variant="predict"),
    "kill -9 of score": partial(killed, variant="score"),
    "SIGUSR1 to train": partial(killed, variant="train", number=signal.SIGUSR1),
    "SIGUSR1 to predict": partial(killed, variant="predict", number=signal.SIGUSR1),
    "a cached scan is damaged in mid-epoch": damaged_cache,
    "an image vanishes in mid-epoch": partial(spoilt_image, spoil=away),
    "an image turns NaN in mid-epoch": partial(spoilt_image, spoil=to_nan),
    "an image of an archive is missing": partial(spoilt_study, spoil=away),
    "an image of an archive holds NaN": partial(spoilt_study, spoil=to_nan),
    "the disk fills up under train": partial(full_disk, variant="train"),
    "the disk fills up under predict": partial(full_disk, variant="predict"),
    "the disk fills up under score": partial(full_disk, variant="score"),
    "the disk fills up under two training processes": partial(full_disk, variant="pair"),
    "the output is read-only for train": partial(read_only, variant="train"),
    "the output is read-only for predict": partial(read_only, variant="predict"),
    "the output is read-only for score": partial(read_only, variant="score"),
    "a plane's process dies": partial(dead_worker, variant="planes"),
    "one of two training processes dies": partial(dead_worker, variant="pair"),
    "a process that makes batches dies": partial(dead_worker, variant="loaders", within=0.05),
    "kill -9 of train leaves no process that makes batches": partial(orphaned, variant="loaders"),
    "the W&B server cannot be reached": unreachable,
    "the wall clock goes back and forth": jumping_clock,
}
