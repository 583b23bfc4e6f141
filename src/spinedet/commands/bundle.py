"""`python -m spinedet.bundle run=RUN to=onnx`: a finished run in the form that another platform takes."""

from __future__ import annotations

from spinedet.bundle import BundleConfig
from spinedet.cli.console import console, plain_table, show_notes, show_table
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.detection.graph import check_exportable
from spinedet.detection.onnx_file import check_onnx
from spinedet.pipelines.bundles.monai_bundle import write_monai_bundle
from spinedet.pipelines.bundles.onnx_folder import write_onnx_folder
from spinedet.runs.run_folder import locate_run, open_run


def bundle(config: BundleConfig) -> Status:
    """Write the bundle, and list what is in it."""
    run = open_run(config.run)
    if config.to == "onnx":
        check_onnx()
        for detector in run.model.detectors.values():
            check_exportable(detector.network)
    folder = claim_output(config, "bundle")
    if config.to == "onnx":
        contents = write_onnx_folder(run, folder)
    else:
        contents = write_monai_bundle(run, locate_run(config.run), folder)
    show_notes(run.identity.statements)
    table = plain_table("file", "what it is", title=f"{run.model.name} for {config.to}")
    for name, meaning in contents.items():
        table.add_row(name, meaning)
    show_table(table)
    console.print(f"written to {folder}")
    return Status.DONE
