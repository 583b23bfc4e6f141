"""A test of a classification: readings, registry, scores and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import show_notes
from spinedet.cli.label_table import show_label_scores
from spinedet.core.radiograph import RadiographManifest
from spinedet.core.radiograph.readings import write_readings
from spinedet.formats.registry_csv import write_registry
from spinedet.radiograph.finished import FinishedClassification
from spinedet.radiograph.headlines import headlines
from spinedet.radiograph.image_readings import read_images
from spinedet.radiograph.images import PreparedImage
from spinedet.radiograph.pictures import evidence_fact, page_pictures
from spinedet.radiograph.published import PUBLISHED
from spinedet.radiograph.train import ClassificationTest
from spinedet.report.label_page import Extras, write_label_page
from spinedet.scoring.classification.operating_point import LabelOperatingPoint
from spinedet.scoring.classification.records import LabelScores, write_label_scores
from spinedet.scoring.classification.report import Contestant, LabelSettings, score_readings


@dataclass(frozen=True)
class TestCase:
    """What is tested on what.

    Attributes:
        manifest: only the studies of the test. images: of these, prepared. notes: what must be said before the numbers.
        facts: name and value, for the page. internal: the centre that the others are compared with.
        readers: readings of humans on the same images.
    """

    __test__ = False  # no class of tests for pytest

    finished: FinishedClassification
    manifest: RadiographManifest
    images: Sequence[PreparedImage]
    notes: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    internal: str | None = None
    readers: tuple[Contestant, ...] = ()


def report_test(case: TestCase, config: ClassificationTest, folder: Path, logger: tracking.LoggerConfig) -> LabelScores:
    """Read, score and write `readings.json`, `registry.csv`, `scores.json` and `report.html`.

    Raises:
        InputError: no image of the test has a label, or the readers have not read all of them.
    """
    finished = case.finished
    readings = read_images(finished.classifier, finished.point, case.images, finished.model)
    write_readings(folder / "readings.json", readings)
    write_registry(folder / "registry.csv", case.manifest, readings)
    centers = {study.center for study in case.manifest.studies}
    internal = case.internal if case.internal in centers and len(centers) > 1 else None
    settings = LabelSettings(None, internal, config.bootstrap)
    scores = score_readings(case.manifest, Contestant(readings, "the readings"), case.readers, settings)
    scores = scores.model_copy(update={"notes": (*case.notes, *scores.notes)})
    write_label_scores(folder / "scores.json", scores)
    extras = Extras(
        facts=(
            *case.facts,
            *frozen_facts(finished.point),
            *(evidence_fact(finished.classifier, case.images, readings) if config.pictures else ()),
        ),
        pictures=page_pictures(finished.classifier, case.images, readings, config.pictures),
        published=PUBLISHED.get(case.manifest.task.name),
    )
    write_label_page(folder / "report.html", scores, extras)
    tracking.log_metrics(logger, folder, headlines(scores))
    show_notes(scores.notes)
    show_label_scores(scores)
    return scores


def frozen_facts(point: LabelOperatingPoint) -> Iterator[tuple[str, str]]:
    """What was frozen on the tuning images, in words."""
    for part in point.parts:
        words = [f"{part.images} tuning images of {part.patients} patients", f"temperature {part.temperature:.2f}"]
        if part.threshold is not None:
            words.append(f"threshold {part.threshold:.3f} by {point.rule}{f' ({part.reason})' if part.reason else ''}")
        auroc = "" if part.novelty_auroc is None else f" (tuning AUROC {part.novelty_auroc:.2f})"
        limit = part.novelty_limit
        words.append(
            f"rejected above novelty {limit:.3f}{auroc}"
            if limit is not None
            else f"no rejection: {part.novelty_reason}{auroc}"
        )
        yield f"Frozen for {part.part}", "; ".join(words)
