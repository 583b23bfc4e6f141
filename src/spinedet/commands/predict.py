"""`python -m spinedet.predict run=RUN input=PATH`: findings and pictures of images that nobody has annotated."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from spinedet.cli import tracking
from spinedet.cli.console import show_notes
from spinedet.cli.dicom_table import report_choices
from spinedet.cli.exit_status import Status
from spinedet.core.anatomy import Plane, Region
from spinedet.core.types import trained_together
from spinedet.detection.device import batch_for, on_device
from spinedet.detection.inference import as_ensemble
from spinedet.detection.test_time_augmentation import TestTimeAugmentation
from spinedet.pipelines.assign_levels import LevelAssigner, manual_of
from spinedet.pipelines.image_sources import ImageInput, open_input
from spinedet.pipelines.outputs.writer import OutputContext, load_outputs
from spinedet.pipelines.predict_archive import PredictionJob, predict_part, report_left_out, summarise
from spinedet.pipelines.predict_series import Predictor, in_region
from spinedet.pipelines.sample import NOTE, SAMPLE, sample_scan
from spinedet.predict import PredictConfig
from spinedet.runs.run_folder import SHIPPED, FinishedRun, open_run
from spinedet.runs.sharding import claim_archive, kept_salt, shared_folder
from spinedet.training.device import choose_device


def predict(config: PredictConfig) -> Status:
    """Predict for every series of the input; go on when one cannot be used."""
    device = choose_device(config.device)
    run = _open(config, device)
    shared = shared_folder(config)
    salt = config.dicom.salt or kept_salt(shared, secrets.token_hex(16))
    image = Path(config.input)
    if config.input == SAMPLE:
        image = sample_scan()
        show_notes([NOTE])
    source = open_input(image, replace(config.dicom, salt=salt), Plane(config.plane) if config.plane else None)
    run = in_region(run, source.region)
    outputs = load_outputs(config.outputs)
    folder, shard = claim_archive(config, "predict", _facts(config, run, source))
    if config.dicom.salt is None and source.choices:
        kept_salt(folder, salt)
    report_choices(source.choices, folder)
    report_left_out(source.left_out, folder)
    manual = manual_of(_manual(config), "predict")
    levels = LevelAssigner(run.model.region, run.levels if len(run.weights_sha256) == 1 else None, manual)
    predictor = Predictor(run, config.eligibility, config.min_score, levels, batch_for(config.batch, device))
    context = OutputContext(folder, run.identity, config.pictures, config.sr, config.fhir)
    job = PredictionJob(predictor, source, shard, outputs, context, config.processes)
    predict_part(job)
    return summarise(job, lambda counts: tracking.log_metrics(config.logger, folder, asdict(counts)))


def _open(config: PredictConfig, device: torch.device) -> FinishedRun:
    """The run, its detectors joined by those of the ensemble."""
    runs = [open_run(path) for path in (config.run or SHIPPED, *config.ensemble)]
    model = on_device(as_ensemble([run.model for run in runs]), device)
    hashes = tuple(digest for run in runs for digest in run.weights_sha256)
    run = replace(
        runs[0],
        model=replace(model, augmentation=TestTimeAugmentation(flip=config.flip)),
        weights_sha256=hashes,
        trained_on=trained_together([one.trained_on for one in runs]),
    )
    return in_region(run, Region(config.region) if config.region else None)


def _facts(config: PredictConfig, run: FinishedRun, source: ImageInput) -> dict[str, Any]:
    """What a job that goes on, or does another part, has to have in common with the one that began."""
    return {
        "input_sha256": source.identity,
        "operating_point_sha256": run.operating_point.sha256,
        "weights_sha256": list(run.weights_sha256),
        "region": run.model.region.value,
        "plane": config.plane,
        "min_score": config.min_score,
        "flip": config.flip,
        "eligibility": json.loads(json.dumps(asdict(config.eligibility))),
        "outputs": list(config.outputs),
        "pictures": config.pictures,
        "sr": asdict(config.sr),
        "fhir": asdict(config.fhir),
        **_manual(config),
    }


def _manual(config: PredictConfig) -> dict[str, Any]:
    """The points that name vertebrae."""
    return {"l5": config.l5, "c2": config.c2}
