"""The recipes for containers and clusters say what the package is; no image is built."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from spinedet.cli.app import conf_folder, register
from spinedet.cli.overrides import read_words
from spinedet.predict import PredictConfig
from spinedet.runs.sharding import Shard, parse_shard

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "containers/Dockerfile").read_text()
APPTAINER = (ROOT / "containers/apptainer.def").read_text()
SLURM = (ROOT / "containers/cluster/archive.slurm").read_text()
JOB = yaml.safe_load((ROOT / "containers/cluster/archive.yaml").read_text())


def predict_words(text: str) -> list[str]:
    """What `predict` is called with in a script."""
    return text.split("spinedet.predict", 1)[1].split()


def test_what_is_copied_is_there_and_not_ignored() -> None:
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    binds = re.findall(r"^    (\S+) /src/\S+$", APPTAINER, re.MULTILINE)
    assert sorted(copied) == sorted(binds)
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == set(copied)
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_needs_no_user_no_home_and_no_writable_root() -> None:
    assert json.loads(re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)[0]) == [
        "python",
        "-m",
        "spinedet.predict",
    ]
    assert re.search(r"^USER (?!0|root)\d+", DOCKERFILE, re.MULTILINE)
    for setting in ("HOME=/tmp", "MPLCONFIGDIR=/tmp"):
        assert setting in DOCKERFILE
    assert "MPLCONFIGDIR=/tmp" in APPTAINER
    assert 'exec python -m spinedet.predict "$@"' in APPTAINER


def test_both_recipes_install_alike() -> None:
    wanted = (
        "grep '^torch==' constraints.txt",
        '-c constraints.txt ".[dicom]"',
        "https://download.pytorch.org/whl/cpu",
    )
    for recipe in (DOCKERFILE, APPTAINER):
        assert all(part in recipe for part in wanted)
    assert re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def test_the_labels_are_filled_in_by_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name in re.findall(r"^ARG (VERSION|WEIGHTS_SHA256)", DOCKERFILE, re.MULTILINE):
        assert f"--build-arg {name}=" in makefile


def test_the_jobs_use_words_of_the_command(tmp_path: Path) -> None:
    register(PredictConfig, "predict")
    container = JOB["spec"]["template"]["spec"]["containers"][0]
    for text in (SLURM, container["args"][0]):
        words = [word.strip('"').replace("$1", "a.json").replace("$2", "out") for word in predict_words(text)]
        joined = " ".join(words).replace("$((JOB_COMPLETION_INDEX + 1))", "1").split()
        assert any(word.startswith("shard=") for word in joined)
        assert len(read_words(joined, "predict", conf_folder())) == len(joined)


def test_every_part_of_the_indexed_job_is_done_once() -> None:
    count = JOB["spec"]["completions"]
    args = JOB["spec"]["template"]["spec"]["containers"][0]["args"][0]
    assert f"shard=$((JOB_COMPLETION_INDEX + 1))/{count}" in args
    parts = {parse_shard(f"{index + 1}/{count}") for index in range(count)}
    assert parts == {Shard(index, count) for index in range(count)}
