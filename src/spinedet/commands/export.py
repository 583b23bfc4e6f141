"""`python -m spinedet.export manifest=MANIFEST to=coco`: a manifest in the form that another tool reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import write_json
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Manifest, Series, Study
from spinedet.export import ExportConfig
from spinedet.formats.export_targets import DESTINATIONS
from spinedet.formats.manifest_export import Outgoing, OutgoingScan
from spinedet.imaging.volume import read_volume


def export(config: ExportConfig) -> Status:
    """Read every series, write it for the other tool, list what that tool cannot hold."""
    manifest = read_manifest(Path(config.manifest))
    wanted = list(_wanted(manifest, config))
    if not wanted:
        raise InputError(f"{config.manifest} has no series of these planes and weightings; set planes= or weightings=")
    folder = claim_output(config, "export")
    skipped: dict[str, str] = {}
    with progress_bar(f"writing for {config.to}") as progress:
        scans = _scans(wanted, skipped, progress)
        left_out = DESTINATIONS[config.to](Outgoing(manifest, folder, scans, config.oblique == "hull"))
    if left_out:
        write_json(folder / "left_out.json", [{"where": each.where, "reason": each.reason} for each in left_out])
    if len(skipped) == len(wanted):
        raise InputError(next(iter(skipped.values())))
    _show(manifest, config, [len(wanted) - len(skipped), len(skipped), len(left_out)])
    console.print(f"written to {folder}")
    tracking.log_metrics(config.logger, folder, {"series": len(wanted), "skipped": len(skipped)})
    return Skipped(skipped).report(folder)


def _wanted(manifest: Manifest, config: ExportConfig) -> Iterator[tuple[Study, Series]]:
    """The series that go out."""
    for study in manifest.studies:
        for series in study.series if study.excluded is None else ():
            if series.weighting in config.weightings and series.plane.value in (config.planes or [series.plane.value]):
                yield study, series


def _scans(
    wanted: list[tuple[Study, Series]], skipped: dict[str, str], progress: Callable[[int, int], None]
) -> Iterator[OutgoingScan]:
    """Each series with its image; one that cannot be read is noted in `skipped`."""
    for done, (study, series) in enumerate(wanted, start=1):
        lesions = tuple(lesion for lesion in study.lesions if lesion.series == series.id)
        try:
            scan = OutgoingScan(study, series, read_volume(series.path), lesions)
        except InputError as error:
            skipped[f"{study.id}/{series.id}"] = str(error)
        else:
            yield scan
        progress(done, len(wanted))


def _show(manifest: Manifest, config: ExportConfig, counts: list[int]) -> None:
    table = plain_table("series", "skipped", "entries left out", title=f"{manifest.name} for {config.to}")
    table.add_row(*map(str, counts))
    show_table(table)
