"""`python -m spinedet.radiograph.score reference=MANIFEST readings=READINGS`: score labels of networks and readers."""

from __future__ import annotations

from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console, show_notes
from spinedet.cli.exit_status import Status
from spinedet.cli.label_table import show_label_scores
from spinedet.cli.output_folder import claim_output
from spinedet.core.errors import InputError
from spinedet.core.radiograph import read_radiograph_cohort
from spinedet.core.radiograph.readings import read_readings
from spinedet.formats.registry_csv import write_registry
from spinedet.radiograph.headlines import headlines
from spinedet.radiograph.human_readers import read_readers
from spinedet.radiograph.published import PUBLISHED
from spinedet.radiograph.score import RadiographScoreConfig
from spinedet.report.label_page import Extras, write_label_page
from spinedet.scoring.classification.records import write_label_scores
from spinedet.scoring.classification.report import Contestant, LabelSettings, score_readings


def score(config: RadiographScoreConfig) -> Status:
    """Read, score, write."""
    paths = config.reference if isinstance(config.reference, list) else [config.reference]
    manifest = read_radiograph_cohort([Path(str(path)) for path in paths])
    first, *others = _contestants(config)
    folder = claim_output(config, "radiograph.score")
    settings = LabelSettings(config.split, config.internal, config.bootstrap)
    scores = score_readings(manifest, first, others, settings)
    write_label_scores(folder / "scores.json", scores)
    if config.pages:
        write_registry(folder / "registry.csv", manifest, first.readings)
        write_label_page(folder / "scores.html", scores, Extras(published=PUBLISHED.get(manifest.task.name)))
    tracking.log_metrics(config.logger, folder, headlines(scores))
    show_notes(scores.notes)
    show_label_scores(scores)
    console.print(f"all numbers: {folder / 'scores.json'}")
    return Status.DONE


def _contestants(config: RadiographScoreConfig) -> list[Contestant]:
    """The network, those to compare, and the readers.

    Raises:
        InputError: a file of readers is not of a reader, or two have one name.
    """
    found = [Contestant(read_readings(Path(path)), str(path)) for path in (config.readings, *config.compare)]
    found += read_readers(config.readers)
    names = [one.readings.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two files of readings have the model name {name!r}; give each its own")
    return found
