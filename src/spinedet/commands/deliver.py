"""`python -m spinedet.deliver findings=F input=DICOM`: outputs of earlier findings, also as a reader corrected them."""

from __future__ import annotations

from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings
from spinedet.core.types import Findings
from spinedet.deliver import DeliverConfig
from spinedet.pipelines.image_sources import open_input
from spinedet.pipelines.kept_predictions import KeptPredictions, by_digest
from spinedet.pipelines.outputs.writer import Output, OutputContext, load_outputs
from spinedet.pipelines.predict_series import record_of
from spinedet.pipelines.prediction import StudyRecord
from spinedet.pipelines.reader_corrections import Correction, read_correction
from spinedet.runs.provenance import recorded_model


def deliver(config: DeliverConfig) -> Status:
    """Write the outputs of every study, or of those that a reader has corrected."""
    findings = read_findings(Path(config.findings))
    corrections = _corrections(config, findings)
    outputs = load_outputs(config.outputs)
    images = open_input(Path(config.input), config.dicom)
    model = recorded_model(findings, _region(config, findings))
    wanted = tuple(one for one in findings.studies if not corrections or one.id in corrections)
    kept = KeptPredictions(model, wanted, dict(by_digest(images)))
    if config.previous and not Path(config.previous).is_dir():
        raise InputError(f"previous={config.previous} is no folder; give the out= of the report that is replaced")
    folder = claim_output(config, "deliver")
    previous = Path(config.previous) if config.previous else Path(config.findings).parent
    context = OutputContext(folder, model, config.pictures, config.sr, config.fhir, corrections, previous)
    records, skipped = _write(kept, outputs, context)
    if not records:
        raise InputError(next(iter(skipped.values()), f"{config.findings} holds no study"))
    for output in outputs:
        output.write_summary(lambda: map(StudyRecord.model_validate_json, records), context)
        console.print(f"written: {folder / output.shown}")
    tracking.log_metrics(config.logger, folder, {"studies": len(records), "skipped": len(skipped)})
    return Skipped(skipped).report(folder)


def _write(
    kept: KeptPredictions, outputs: tuple[Output, ...], context: OutputContext
) -> tuple[list[str], dict[str, str]]:
    """The records of the studies that were written, as JSON, and the reasons of the others."""
    records: list[str] = []
    skipped: dict[str, str] = {}
    with progress_bar("writing") as progress:
        for number, study in enumerate(kept.studies, start=1):
            try:
                prediction = kept.of(study)
            except InputError as error:
                skipped[study.id] = str(error)
            else:
                for output in outputs:
                    output.write_study(prediction, context)
                records.append(record_of(prediction).model_dump_json())
            progress(number, len(kept.studies))
    return records, skipped


def _corrections(config: DeliverConfig, findings: Findings) -> dict[str, Correction]:
    """By study id."""
    studies = {one.id: one for one in findings.studies}
    read = [read_correction(Path(path), studies) for path in config.reading]
    found = {one.study: one for one in read}
    if len(found) < len(read):
        raise InputError("reading= names two exports of one study; give the one that counts")
    return found


def _region(config: DeliverConfig, findings: Findings) -> Region:
    named = config.region or findings.model.get("region")
    try:
        return Region(named)
    except ValueError:
        raise InputError(f"{config.findings} does not name the region of the spine; set region=") from None
