"""Vertebrae by themselves: crops, examples to train on, and one answer of an image."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.radiograph import Radiograph, RadiographStudy, read_radiographs
from spinedet.imaging.radiograph.read import prepare
from spinedet.imaging.radiograph.records import StoredRadiograph
from spinedet.radiograph.classifier import Outputs
from spinedet.radiograph.crops import Crop, own_contrast, vertebra_crops
from spinedet.radiograph.images import Preparation, PreparedImage, prepare_image
from spinedet.radiograph.settings import InputConfig
from spinedet.radiograph.single_vertebrae import (
    decisive,
    examples,
    read_part,
    refuse_focus,
    refuse_without_evidence,
)
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.tasks import TASKS
from tests.imaging.radiograph.films import film, save
from tests.radiograph.cohorts import FRACTURES, PLATES
from tests.radiograph.conftest import Run

FOCUS = InputConfig(48, focus="vertebra")


def image(label: int, crops: list[tuple[float, bool]]) -> PreparedImage:
    """Crops of one grey each, with or without evidence."""
    made = tuple(Crop(np.full((8, 8), grey, np.float16), (0, 0), evident=evident) for grey, evident in crops)
    return PreparedImage("s", "i", "p", "A", "lateral", label, np.zeros((8, 8), np.float16), crops=made)


class GreyPart:
    """A network for which the mean grey is the probability of the finding, and its novelty."""

    labels = FRACTURES.labels

    def outputs(self, pixels: Any, neighbours: int) -> Outputs:
        grey = pixels.mean((1, 2)).astype(float)
        return Outputs(np.stack([1 - grey, grey], 1), grey)


CLASSIFIER: Any = SimpleNamespace(input=InputConfig(32), neighbours=1, task=FRACTURES)
PART: Any = GreyPart()


def test_an_image_is_read_by_the_vertebra_likeliest_to_have_the_finding() -> None:
    images = [image(1, [(0.25, False), (0.75, True), (0.5, False)]), image(0, [(0.125, False)])]
    outputs = read_part(CLASSIFIER, PART, images)
    assert outputs.probability[:, 1].tolist() == [0.75, 0.125]
    assert outputs.novelty.tolist() == [0.75, 0.125]
    shown = decisive(CLASSIFIER, PART, images[0])
    assert shown.pixels is not None
    assert float(shown.pixels.mean()) == 0.75


def test_images_without_crops_are_read_as_they_are() -> None:
    plain = image(0, [])
    assert read_part(CLASSIFIER, PART, [plain, image(1, [(0.5, True)])]).probability[:, 1].tolist() == [0, 0.5]
    assert decisive(CLASSIFIER, PART, plain) is plain
    assert len(read_part(CLASSIFIER, PART, []).probability) == 0


def test_the_evidence_decides_which_vertebra_has_the_finding() -> None:
    found = examples([image(1, [(0.2, False), (0.7, True)]), image(0, [(0.1, False), (0.3, False)])], FRACTURES)
    assert [one.label for one in found] == [0, 1, 0, 0]
    # Which vertebra has it is not told: none of them teaches anything.
    assert examples([image(1, [(0.2, False), (0.7, False)])], FRACTURES) == []
    plain = image(1, [])
    assert examples([plain], FRACTURES) == [plain]


def test_a_training_without_evidence_is_refused() -> None:
    clear = examples([image(0, [(0.1, False)])], FRACTURES)
    with pytest.raises(InputError, match="no training image of 'fresh' has a box of its evidence"):
        refuse_without_evidence(clear, FRACTURES, FOCUS)
    refuse_without_evidence(clear, FRACTURES, InputConfig(48))
    refuse_without_evidence(examples([image(1, [(0.7, True)])], FRACTURES), FRACTURES, FOCUS)


def test_tasks_that_single_vertebrae_cannot_answer() -> None:
    with pytest.raises(InputError, match="tasks with a finding"):
        refuse_focus(PLATES, FOCUS)
    with pytest.raises(InputError, match="no vertebrae on the view ap"):
        refuse_focus(FRACTURES.model_copy(update={"views": ("ap", "lateral")}), FOCUS)
    refuse_focus(FRACTURES, FOCUS)
    refuse_focus(PLATES, InputConfig(48))


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    groups = [RadiographGroup("A", "train", 8), RadiographGroup("A", "tune", 4), RadiographGroup("A", "test", 4)]
    cohort = RadiographCohort(task="fractures", groups=groups, seed=3, pixels=256)
    return draw_radiographs(cohort, tmp_path_factory.mktemp("phantoms"))


def test_the_evidence_lies_in_the_crop_of_its_vertebra(phantoms: Path) -> None:
    task = TASKS["fractures"].task
    evident = boxes = 0
    for item in read_radiographs(phantoms).images():
        prepared = prepare_image(item, Preparation(task, FOCUS))
        assert len(prepared.crops) >= 4
        assert all(crop.pixels.shape == (48, 48) for crop in prepared.crops)
        boxes += len(item[1].truth)
        for crop in prepared.crops:
            for x0, y0, x1, y1 in crop.truth:
                evident += 1
                assert crop.evident
                assert (x0 + x1) / 2 == pytest.approx(24, abs=8)
                assert (y0 + y1) / 2 == pytest.approx(24, abs=8)
                assert 10 < x1 - x0 < 44
    assert evident >= 0.7 * boxes > 0


def test_a_length_in_mm_sets_the_crop(phantoms: Path) -> None:
    (study, picture), *_ = read_radiographs(phantoms).images()
    wide, narrow = (
        prepare_image((study, picture), Preparation(FRACTURES, InputConfig(48, focus="vertebra", mm=mm)))
        for mm in (96.0, 48.0)
    )
    assert len(wide.crops) == len(narrow.crops)
    inner = np.asarray(wide.crops[2].pixels[12:36, 12:36], np.float32)
    shrunk = np.asarray(narrow.crops[2].pixels, np.float32).reshape(24, 2, 24, 2).mean((1, 3))
    # Not quite the same, as each is in its own contrast.
    assert np.corrcoef(inner.ravel(), shrunk.ravel())[0, 1] > 0.9


def test_an_image_without_vertebrae_is_read_as_a_whole(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.clip(film() * 0 + np.linspace(0, 1, film().shape[1]), 0, 1).astype(np.float32))
    picture = Radiograph(id="1", view="lateral", path=path)
    study = RadiographStudy(id="s", patient="p", center="A", label="none", images=(picture,))
    prepared = prepare_image((study, picture), Preparation(FRACTURES, FOCUS))
    assert prepared.crops == ()
    assert prepared.eligibility["focus"] == "doubtful: no vertebra was found; read as a whole"


def test_a_training_on_single_vertebrae(phantoms: Path, tmp_path: Path, run: Run) -> None:
    status, printed = run(
        "train",
        f"data.manifests=[{phantoms}]",
        "network=linear",
        "input.focus=vertebra",
        "input.pixels=48",
        "test.pictures=2",
        "test.bootstrap.samples=20",
        f"out={tmp_path / 'run'}",
    )
    assert status in (0, 3), printed
    assert (tmp_path / "run" / "report.html").is_file()
    assert "of the vertebra" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_a_crop_has_its_own_contrast() -> None:
    rows, columns = np.mgrid[:64, :64].astype(np.float32) / 63
    band = (np.abs(rows - 0.5) < 0.04).astype(np.float32)
    shaded = 0.3 + 0.3 * columns + 0.02 * band
    shown = own_contrast(shaded)
    assert shown.min() == 0
    assert shown.max() == 1
    # The band, of 2 % in shading of 30 %, stands out.
    assert (shown[32] - shown[20])[8:56].min() > 0.2
    # A darker image of less contrast is shown alike.
    assert np.allclose(own_contrast(0.1 + 0.4 * shaded), shown, atol=1e-3)


def test_what_is_outside_of_the_field_stays_black_and_does_not_count() -> None:
    random = np.random.default_rng(0).uniform(0.5, 0.6, (64, 64)).astype(np.float32)
    cut = random.copy()
    cut[:16] = 0
    shown = own_contrast(cut)
    assert not shown[:16].any()
    assert np.abs(shown[24:] - own_contrast(random)[24:]).max() < 0.1
    assert not own_contrast(np.zeros((64, 64), np.float32)).any()


def test_nothing_is_cropped_where_nothing_is_found() -> None:
    flat = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1))
    assert vertebra_crops(prepare(StoredRadiograph(flat), "flat"), None, 32) == ()
