"""`python -m spinedet.check data.manifests=[...]`: every fault of the manifests and their images, on one page."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from spinedet.audit.cohort import audit_cohort
from spinedet.audit.faults import AuditLimits, Fault, Severity
from spinedet.audit.images import StudyFacts, examine
from spinedet.audit.manifests import Reading, read_leniently
from spinedet.check import CheckConfig
from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, results, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of, write_bytes, write_json
from spinedet.core.types import Study
from spinedet.imaging.planes import SPECS
from spinedet.imaging.volume import Volume
from spinedet.report.audit_page import AuditPage, CenterRow, Sheet, center_rows, write_audit
from spinedet.report.number_format import counted
from spinedet.report.slice_pictures import draw_series

# Faults listed on the terminal; the page and faults.json hold all of them.
_MOST_ROWS = 40


@dataclass(frozen=True)
class _Examination:
    """The settings that every worker process examines studies with."""

    limits: AuditLimits
    folder: Path | None


def check(config: CheckConfig) -> Status:
    """Audit the manifests, open every image, write the page; the status is that of the worst fault."""
    if not config.data.manifests:
        raise InputError("no manifest was given; pass data.manifests=[path/to/manifest.json]")
    readings = [read_leniently(Path(path)) for path in config.data.manifests]
    folder = claim_output(config, "check")
    studies = [s for reading in readings if reading.whole for s in reading.whole.studies]
    examination = _Examination(config.limits, folder / "pictures" if config.pictures else None)
    facts: list[StudyFacts] = []
    with progress_bar("opening images") as progress:
        used = [study for study in studies if study.excluded is None]
        for each in _examined(used, examination, config.processes):
            facts.append(each)
            progress(len(facts), len(used))
    faults = [f for reading in readings for f in reading.faults] + [f for each in facts for f in each.faults]
    faults += audit_cohort(readings, facts, config.limits)
    _write(folder, readings, facts, faults)
    tracking.log_metrics(config.logger, folder, {"studies": len(studies), "faults": len(faults)})
    return _status(faults, folder)


def _examined(studies: Sequence[Study], examination: _Examination, workers: int) -> Iterator[StudyFacts]:
    if workers <= 1 or len(studies) <= 1:
        yield from map(partial(_examine, examination=examination), studies)
        return
    # A fresh interpreter per worker: forking a process that runs threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(studies)), mp_context=context) as pool:
        yield from pool.map(partial(_examine, examination=examination), studies, chunksize=1)


def _examine(study: Study, examination: _Examination) -> StudyFacts:
    facts, volumes = examine(study, examination.limits)
    for series in study.series:
        if examination.folder is not None and series.id in volumes:
            _draw(study, series.id, volumes[series.id], examination.folder / f"{file_name_of(study.id, series.id)}.png")
    return facts


def _draw(study: Study, name: str, volume: Volume, path: Path) -> None:
    """A picture of the slices through the boxes, or of the middle ones."""
    plane = next(series.plane for series in study.series if series.id == name)
    boxes = [lesion.box for lesion in study.lesions if lesion.series == name]
    write_bytes(path, draw_series(volume, SPECS[plane], boxes, []))


def _write(folder: Path, readings: Sequence[Reading], facts: Sequence[StudyFacts], faults: Sequence[Fault]) -> None:
    """`faults.json`, the page, and two tables."""
    ordered = sorted(faults, key=lambda fault: (list(Severity).index(fault.severity), fault.code, fault.where))
    write_json(folder / "faults.json", [asdict(fault) for fault in ordered])
    studies = [study for reading in readings if reading.whole for study in reading.whole.studies]
    rows = center_rows(studies, facts)
    sheets = [_sheet(study, folder, ordered) for study in studies if study.excluded is None]
    write_audit(folder / "index.html", AuditPage(tuple(ordered), rows, tuple(sheets)))
    _show(rows, ordered)
    console.print(f"faults: {folder / 'faults.json'}, pictures: {folder / 'index.html'}")


def _sheet(study: Study, folder: Path, faults: Sequence[Fault]) -> Sheet:
    names = [Path("pictures") / f"{file_name_of(study.id, series.id)}.png" for series in study.series]
    own = tuple(fault for fault in faults if study.id in fault.where[:2])
    return Sheet(study, tuple(name.as_posix() for name in names if (folder / name).exists()), own)


def _show(rows: Sequence[CenterRow], faults: Sequence[Fault]) -> None:
    # Lines rather than columns: a row of eight numbers is wider than most terminals.
    cohort = plain_table("centre", *(row.center for row in rows), title="cohort")
    for number, heading in enumerate(CenterRow.HEADINGS):
        cohort.add_row(heading, *(row.cells[number] for row in rows))
    show_table(cohort)
    if not faults:
        results.print("no fault found")
        return
    table = plain_table("severity", "fault", "where", "what", title=counted(len(faults), "fault"))
    for fault in faults[:_MOST_ROWS]:
        table.add_row(fault.severity.value, fault.code, " / ".join(fault.where), fault.message)
    show_table(table)
    if len(faults) > _MOST_ROWS:
        results.print(f"... and {len(faults) - _MOST_ROWS} more in faults.json")


def _status(faults: Sequence[Fault], folder: Path) -> Status:
    """Wrong input when there is an error; studies that commands would skip are listed as skipped."""
    unreadable = {"/".join(f.where): f.message for f in faults if f.severity is Severity.UNREADABLE}
    skipped = Skipped(unreadable).report(folder)
    return Status.WRONG_INPUT if any(f.severity is Severity.ERROR for f in faults) else skipped
