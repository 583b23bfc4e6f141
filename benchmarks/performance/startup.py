"""CPU seconds of every command's `--help`, of a misspelt setting, and of `predict` on one small image.

python -m benchmarks.performance.startup --against COMMIT

Medians over fresh processes with one thread. COMMIT is checked out into a temporary folder and measured in turn with
this state, so that a busy machine burdens both alike.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
MISSPELT = "sede=1"


def commands(root: Path) -> list[str]:
    """The commands of a checkout."""
    return sorted(path.stem for path in (root / "conf").glob("*.yaml") if path.stem != "common")


def process(root: Path, *words: str) -> float:
    """CPU seconds of `python -m spinedet.WORDS` in a checkout, its children included."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", f"spinedet.{words[0]}", *words[1:]]
    with TemporaryDirectory() as folder:
        subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=False)  # our own
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def small_image(folder: Path) -> Path:
    """A sagittal phantom of half the usual matrix."""
    process(ROOT, "phantom", "center=B", "studies=1", "coarseness=2", f"out={folder / 'phantom'}")
    return next(folder.rglob("sag*.nii.gz"))


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A worktree of a commit that is removed afterwards."""
    with TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", f"{folder}/tree", commit], check=True)
        try:
            yield Path(folder) / "tree"
        finally:
            subprocess.run([*git, "remove", "--force", f"{folder}/tree"], check=True)


def rows(roots: Sequence[Path], image: Path, words: Namespace) -> Iterator[str]:
    """A row of the table for each command that is wanted, then one for `predict` on the image."""

    def seconds(*command: str) -> list[str]:
        having = [root for root in roots if command[0] in commands(root)]
        runs = [{root: process(root, *command) for root in having} for _ in range(words.repeats)]
        return [f"{median(run[root] for run in runs):.2f}" if root in having else "–" for root in roots]

    for name in commands(roots[-1]) if words.only is None else words.only:
        yield f"| `{name}` | {' | '.join([*seconds(name, '--help'), *seconds(name, MISSPELT)])} |"
    measured = seconds("predict", "run=shipped", f"input={image}", "out=out")
    yield f"| `predict` on one image | {' | '.join(measured)} |{' |' * len(roots)}"


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--against", help="a commit that is measured beside this state")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="of these commands alone, and of `predict` on one image")
    parser.add_argument("--image", type=Path, help="which one; a small phantom when left out")
    words = parser.parse_args()
    with TemporaryDirectory() as folder:
        image = words.image.resolve() if words.image else small_image(Path(folder))
        if words.against:
            with checkout(words.against) as tree:
                table([words.against, "now"], [tree, ROOT], image, words)
        else:
            table(["now"], [ROOT], image, words)


def table(names: Sequence[str], roots: Sequence[Path], image: Path, words: Namespace) -> None:
    """Print a Markdown table, one column for each checkout and question."""
    heads = [f"{question}, {name}" for question in ("`--help`", "misspelt") for name in names]
    print(f"| command | {' | '.join(heads)} |")
    print("|---" + "|--:" * len(heads) + "|")
    for row in rows(roots, image, words):
        print(row, flush=True)


if __name__ == "__main__":
    main()
