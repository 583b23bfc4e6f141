"""`python -m spinedet.radiograph.check data.manifests=[...]`: every fault of radiographs, and a contact sheet."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from spinedet.audit.faults import Fault, Severity
from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, results, show_notes, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import write_json, write_text
from spinedet.core.radiograph import Radiograph, RadiographStudy, Task, phantom_note
from spinedet.imaging.suitability import Suitability
from spinedet.radiograph.audit import ImageFacts, audit_cohort, examine, read_leniently
from spinedet.radiograph.check import RadiographCheckConfig
from spinedet.radiograph.thumbnails import thumbnail
from spinedet.report.contact_sheet import ContactSheet, Thumbnail, write_contact_sheet
from spinedet.report.number_format import DASH, counted
from spinedet.report.radiograph_reading_page import ImageToRead, radiograph_reading_page

# Faults listed on the terminal; the page and faults.json hold all of them.
_MOST_ROWS = 40
_THUMBNAIL = 256  # pixels of the longer side
_TO_READ = 1024
READING = "reading.html"
_HEADINGS = ("centre", "studies", "patients", "excluded", "train / tune / test / null")
_SUITABILITY = "images ok / doubtful / rejected / unreadable"


@dataclass(frozen=True)
class _Item:
    """One image with its study, to be read anywhere."""

    study: RadiographStudy
    image: Radiograph


@dataclass(frozen=True)
class _Read:
    """What came of it."""

    item: _Item
    facts: ImageFacts | None
    faults: tuple[Fault, ...]
    picture: bytes | None
    plain: bytes | None = None


def check(config: RadiographCheckConfig) -> Status:
    """Audit the manifests, read every image, write the page; the status says the worst of what was found."""
    if not config.data.manifests:
        raise InputError("no manifest was given; pass data.manifests=[path/to/radiographs.json]")
    if config.pictures < 0:
        raise InputError(f"pictures={config.pictures}: use 0 or more")
    readings = [read_leniently(Path(path)) for path in config.data.manifests]
    folder = claim_output(config, "radiograph.check")
    studies = [study for one in readings if one.manifest for study in one.manifest.studies]
    items = [_Item(study, image) for study in studies for image in study.used]
    tasks = [one.manifest.task for one in readings if one.manifest]
    read: list[_Read] = []
    with progress_bar("reading radiographs") as progress:
        for each in _examined(items, tasks, config):
            read.append(each)
            progress(len(read), len(items))
    facts = [one.facts for one in read if one.facts]
    faults = [fault for reading in readings for fault in reading.faults] + [
        fault for one in read for fault in one.faults
    ]
    faults += audit_cohort(readings, facts, config.limits)
    ordered = sorted(faults, key=lambda fault: (list(Severity).index(fault.severity), fault.code, fault.where))
    write_json(folder / "faults.json", [asdict(fault) for fault in ordered])
    sheet = _sheet(studies, tasks, read, ordered, config.pictures)
    write_contact_sheet(folder / "index.html", sheet)
    _show(sheet)
    if config.reading and tasks:
        _write_reading(folder, tasks[0], read, sheet.notes)
    console.print(f"faults: {folder / 'faults.json'}, contact sheet: {folder / 'index.html'}")
    tracking.log_metrics(config.logger, folder, {"studies": len(studies), "images": len(items), "faults": len(faults)})
    return _status(ordered, folder)


def _examined(items: Sequence[_Item], tasks: Sequence[Task], config: RadiographCheckConfig) -> Iterator[_Read]:
    if not items:
        return
    work = partial(_examine, task=tasks[0], pictures=config.pictures > 0, plain=config.reading)
    if config.processes <= 1 or len(items) <= 1:
        yield from map(work, items)
        return
    # A fresh interpreter per worker: forking a process that runs threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(config.processes, len(items)), mp_context=context) as pool:
        yield from pool.map(work, items, chunksize=4)


def _examine(item: _Item, task: Task, pictures: bool, plain: bool) -> _Read:
    facts, read, faults = examine(item.study, item.image, task)
    picture = None
    if read is not None and pictures:
        boxes = [*item.image.truth, *(place.box for place in item.image.places)]
        picture = thumbnail(read, boxes, _THUMBNAIL)
    to_read = thumbnail(read, (), _TO_READ) if read is not None and plain else None
    return _Read(item, facts, faults, picture, to_read)


def _write_reading(folder: Path, task: Task, read: Sequence[_Read], notes: Sequence[str]) -> None:
    """`reading.html`, with neither labels nor boxes."""
    images = [
        ImageToRead(one.item.study.id, one.item.image.id, one.item.image.view, one.plain)
        for one in read
        if one.plain is not None
    ]
    if not images:
        raise InputError("no image can be read, so that there is nothing for a reading page; see faults.json")
    write_text(folder / READING, radiograph_reading_page(task, images, notes))
    console.print(f"reading page: {folder / READING}")


def _sheet(
    studies: Sequence[RadiographStudy],
    tasks: Sequence[Task],
    read: Sequence[_Read],
    faults: Sequence[Fault],
    pictures: int,
) -> ContactSheet:
    task = tasks[0] if tasks else None
    by_image: dict[tuple[str, ...], list[str]] = {}
    for fault in faults:
        by_image.setdefault(fault.where[:2], []).append(f"{fault.code}: {fault.message}")
    drawn = [one for one in read if one.picture is not None]
    drawn.sort(key=lambda one: (one.item.study.id, one.item.image.id) not in by_image)
    columns = tuple(task.views) if task else ()
    return ContactSheet(
        task=f"Task {task.name}: {', '.join(task.labels)}; views: {', '.join(task.views)}" if task else "No task",
        notes=phantom_note(studies),
        headings=(*_HEADINGS, *(f"{view} (median mm)" for view in columns), "labels (images)", _SUITABILITY),
        rows=tuple(_row(center, studies, read, task) for center in sorted({study.center for study in studies}))
        if task
        else (),
        faults=tuple(faults),
        thumbnails=tuple(_thumbnail(one, task, by_image) for one in drawn[:pictures]) if task else (),
        left_out=max(0, len(read) - len(drawn[:pictures])),
    )


def _row(center: str, studies: Sequence[RadiographStudy], read: Sequence[_Read], task: Task) -> tuple[str, ...]:
    mine = [study for study in studies if study.center == center]
    used = [study for study in mine if study.excluded is None]
    splits = Counter(study.split.value if study.split else "null" for study in used)
    own = [one for one in read if one.item.study.center == center]
    labels = Counter(_label(one.item, task) or "none" for one in own)
    how = Counter(one.facts.suitability if one.facts else None for one in own)
    return (
        center,
        str(len(used)),
        str(len({study.patient for study in used})),
        str(len(mine) - len(used)),
        " / ".join(str(splits[name]) for name in ("train", "tune", "test", "null")),
        *(_view(view, own) for view in task.views),
        ", ".join(f"{count} {label}" for label, count in sorted(labels.items())),
        " / ".join(str(how[each]) for each in (*Suitability, None)),
    )


def _label(item: _Item, task: Task) -> str | None:
    try:
        return item.study.label_of(item.image, task)
    except ValueError:
        return None  # a fault of its own


def _view(view: str, own: Sequence[_Read]) -> str:
    facts = [one.facts for one in own if one.facts and one.facts.view == view]
    spacings = [one.spacing.mm for one in facts if one.spacing]
    return f"{len(facts)} ({f'{np.median(spacings):.3g}' if spacings else DASH})"


def _thumbnail(one: _Read, task: Task, by_image: Mapping[tuple[str, ...], Sequence[str]]) -> Thumbnail:
    item, facts = one.item, one.facts
    assert facts is not None  # noqa: S101  # only images that were read have a picture
    assert one.picture is not None  # noqa: S101
    mm = f"{facts.spacing.mm:.3g} mm ({facts.spacing.source.value})" if facts.spacing else "mm unknown"
    lines = (
        f"{facts.view or 'view unknown'}, {_label(item, task) or 'no label'}",
        f"{item.study.center}, {item.study.split.value if item.study.split else 'no split'}",
        f"{facts.shape[1]} x {facts.shape[0]}, {mm}",
    )
    faults = tuple(by_image.get((item.study.id, item.image.id), ()))
    return Thumbnail(f"{item.study.id} / {item.image.id}", one.picture, lines, faults)


def _show(sheet: ContactSheet) -> None:
    show_notes(sheet.notes)
    # Lines rather than columns: a row of so many cells is wider than most terminals.
    cohort = plain_table(sheet.headings[0], *(row[0] for row in sheet.rows), title="cohort")
    for number, heading in enumerate(sheet.headings[1:], start=1):
        cohort.add_row(heading, *(row[number] for row in sheet.rows))
    show_table(cohort)
    if not sheet.faults:
        results.print("no fault found")
        return
    table = plain_table("severity", "fault", "where", "what", title=counted(len(sheet.faults), "fault"))
    for fault in sheet.faults[:_MOST_ROWS]:
        table.add_row(fault.severity.value, fault.code, " / ".join(fault.where), fault.message)
    show_table(table)
    if len(sheet.faults) > _MOST_ROWS:
        results.print(f"... and {len(sheet.faults) - _MOST_ROWS} more in faults.json")


def _status(faults: Sequence[Fault], folder: Path) -> Status:
    """Wrong input when there is an error; images that commands would skip are listed as skipped."""
    unreadable = {"/".join(f.where): f.message for f in faults if f.severity is Severity.UNREADABLE}
    skipped = Skipped(unreadable).report(folder)
    return Status.WRONG_INPUT if any(fault.severity is Severity.ERROR for fault in faults) else skipped
