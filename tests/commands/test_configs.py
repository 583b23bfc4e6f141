"""Every shipped experiment composes, and every command explains itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spinedet.cli.app import conf_folder

from .conftest import Run

EXPERIMENTS = sorted(file.stem for file in (conf_folder() / "experiment").glob("*.yaml"))
TRANSFERS = sorted(file.stem for file in (conf_folder() / "transfer").glob("*.yaml"))
COMMANDS = sorted(file.stem for file in conf_folder().glob("*.yaml") if file.stem != "common")
COMMANDS += sorted(f"radiograph.{file.stem}" for file in conf_folder("radiograph.check").glob("*.yaml"))


def test_the_experiments_that_the_documents_name_are_there() -> None:
    assert {"lumbar", "cervical", "cervical_transfer", "leave_one_out", "smoke"} <= set(EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes(run: Run, capsys: pytest.CaptureFixture[str], experiment: str) -> None:
    assert run("train", f"+experiment={experiment}", "--cfg", "job") == 0
    assert f"name: {experiment}" in capsys.readouterr().out


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_every_way_of_transfer_composes(run: Run, transfer: str) -> None:
    assert (
        run("train", "+experiment=cervical_transfer", f"transfer={transfer}", "init=runs/lumbar", "--cfg", "job") == 0
    )


def test_the_sweep_for_wandb_agents_composes(run: Run) -> None:
    sweep = yaml.safe_load((Path(__file__).parents[2] / "sweep.yaml").read_text())
    words = [word for word in sweep["command"][4:] if not word.startswith("$")]
    assert sweep["program"] == "spinedet.train"
    values = [f"{key}={parameter.get('min', 0.5)}" for key, parameter in sweep["parameters"].items()]
    assert run("train", *words, *values, "--cfg", "job") == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_two_examples(run: Run, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(command, "--help") == 0
    assert capsys.readouterr().out.count(f"python -m spinedet.{command}") == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_words_it_does_not_know(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(command, "no_such_word=1", f"out={tmp_path / 'out'}") == 2
    told = capsys.readouterr().err
    assert "no_such_word" in told
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "word",
    [
        "model=dense",
        "model=detr",
        "model=retinanet",
        "logger=csv",
        "logger=wandb",
        "logger.project=spines",
        "criterion=distance",
        "data=smoke",
    ],
)
def test_every_choice_of_a_group_composes(run: Run, capsys: pytest.CaptureFixture[str], word: str) -> None:
    words = ("logger=wandb", word) if word.startswith("logger.") else (word,)
    assert run("train", *words, "--cfg", "job") == 0
    assert word.partition("=")[2] in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_logger(run: Run, command: str) -> None:
    assert run(command, "logger=csv", "--cfg", "job") == 0


CLUSTERS = sorted(file.stem for file in (conf_folder() / "cluster").glob("*.yaml"))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_cluster_says_where_and_never_what(run: Run, capsys: pytest.CaptureFixture[str], cluster: str) -> None:
    assert run("evaluate", "run=x", "--cfg", "job") == 0
    alone = capsys.readouterr().out
    assert run("evaluate", "run=x", f"cluster={cluster}", "--cfg", "job") == 0
    assert capsys.readouterr().out == alone
    assert run("evaluate", "run=x", f"cluster={cluster}", "--cfg", "hydra") == 0
    told = capsys.readouterr().out
    assert "SlurmLauncher" in told
    assert "mode: MULTIRUN" in told
