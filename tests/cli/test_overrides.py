"""Words of the command line reach the settings as they were written, and unknown ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

import spinedet.predict
import spinedet.score
import spinedet.train
from spinedet.cli.app import conf_folder, register
from spinedet.cli.overrides import read_words
from spinedet.core.errors import InputError
from spinedet.detection.settings import CONFIGS, MODELS
from spinedet.pipelines.settings import DEVELOPMENT_COHORTS
from spinedet.scoring import CRITERIA
from spinedet.training.settings import TRAINERS


def known(command: str) -> str:
    """The command, once its settings are known to Hydra, which knows those of one at a time."""
    groups: dict[str, Any] = {"model": MODELS, "data": DEVELOPMENT_COHORTS, "trainer": TRAINERS, "criterion": CRITERIA}
    match command:
        case "train":
            register(spinedet.train.TrainConfig, "train", groups)
        case "predict":
            register(spinedet.predict.PredictConfig, "predict")
        case "score":
            register(spinedet.score.ScoreConfig, "score", {"criterion": CRITERIA})
    return command


def value_of(command: str, key: str, *words: str) -> Any:
    """What a setting holds after the words were read."""
    taken = [word for word in read_words(words, known(command), conf_folder()) if not word.startswith("-")]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        return OmegaConf.select(compose(command, overrides=taken), key)


@pytest.mark.parametrize(
    "text",
    [
        "a=b.nii.gz",
        "one, two.nii",
        "[1] scan (copy).nii",
        "it's.nii",
        'the "best" one.nii',
        "Wirbelsäule/größe.nii",
        "脊柱/扫描.nii",
        "back\\slash\\",
        "{brace}: x",
        "~user/scan.nii",
        "#1.nii",
        "100%.nii",
        " leading and trailing ",
    ],
)
def test_text_is_taken_literally(text: str) -> None:
    assert value_of("predict", "input", "run=x", f"input={text}") == text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("data.manifests=a.json", ["a.json"]),
        ("data.manifests=[a.json,b.json]", ["a.json", "b.json"]),
        ("data.manifests=größe=1.json", ["größe=1.json"]),
        ("data.manifests=['a, b.json',c.json]", ["a, b.json", "c.json"]),
        ("data.manifests=[]", []),
    ],
)
def test_a_list_of_files(word: str, expected: list[str]) -> None:
    assert list(value_of("train", "data.manifests", word)) == expected


def test_a_setting_of_any_type_keeps_numbers_and_takes_odd_paths() -> None:
    assert value_of("score", "threshold", "reference=a.json", "threshold=0.5") == 0.5
    assert value_of("score", "reference", "reference=ä (1).json") == "ä (1).json"


def test_null_stays_null() -> None:
    assert value_of("predict", "plane", "run=x", "input=y", "plane=null") is None


@pytest.mark.parametrize("word", ["experiment=smoke", "+experiment=smoke"])
def test_an_experiment_with_and_without_plus(word: str) -> None:
    assert value_of("train", "name", word) == "smoke"


@pytest.mark.parametrize("word", ["~seed", "~seed=0", "~logger", "~logger=none"])
def test_a_deletion_keeps_its_sign_and_deletes(word: str) -> None:
    assert read_words([word], known("train"), conf_folder()) == [word]
    assert value_of("train", word.strip("~").partition("=")[0], word) is None


def test_a_deletion_of_another_value_is_refused() -> None:
    with pytest.raises(ConfigCompositionException, match=r"The value of .seed. is 0 and not 7"):
        value_of("train", "seed", "~seed=7")


def test_multirun_may_stand_anywhere() -> None:
    words = read_words(["seed=1,2", "-m", "out=x"], known("train"), conf_folder())
    assert words[0] == "-m"
    assert set(words[1:]) == {"seed=1,2", "out=x"}


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("inptu=x", "input"),
        ("+inptu=x", "input"),
        ("eligibility.gat=true", "eligibility.gate"),
        ("gate=true", "eligibility.gate"),
        ("~sede", "seed"),
        ("~sede=0", "seed"),
    ],
)
def test_an_unknown_setting_names_the_nearest(word: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {nearest}"):
        read_words([word], known("predict"), conf_folder())


def test_a_word_that_sets_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="'folder' sets nothing: write key=value, and quote text with spaces"):
        read_words(["out=my", "folder"], known("predict"), conf_folder())
    assert read_words(["--cfg", "job", "out=x"], known("predict"), conf_folder())[:2] == ["--cfg", "job"]


def test_an_unknown_choice_names_the_choices() -> None:
    with pytest.raises(InputError, match="retinanet"):
        read_words(["model=yolo"], known("train"), conf_folder())


EXPERIMENTS = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("model", sorted(CONFIGS))
def test_every_experiment_goes_with_every_model(experiment: str, model: str, tmp_path: Path) -> None:
    assert value_of("train", "model.name", f"experiment={experiment}", f"model={model}") == model


def test_the_large_network_is_the_same_kind_with_the_full_backbone() -> None:
    chosen = {key: value_of("train", f"model.{key}", "model=set_large", "model.heads=4") for key in ("name", "width")}
    assert chosen == {"name": "set", "width": 64}
    assert value_of("train", "model.heads", "model=set_large", "model.heads=4") == 4
    assert value_of("train", "model.width", "+experiment=yi2023") == 64
    assert value_of("train", "recipe.batch", "+experiment=yi2023") == 16
