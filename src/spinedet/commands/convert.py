"""`python -m spinedet.convert source=spider root=DIR`: a public data set, or annotation files, to a manifest."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, show_labelled, show_notes, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output, output_folder
from spinedet.cli.progress import progress_bar
from spinedet.convert import ConvertConfig
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of, read_json, write_bytes, write_json
from spinedet.core.manifest import UNUSED_FILE, read_manifest, write_manifest
from spinedet.core.types import Effect, Manifest, Series, Split, Study, UnusedAnnotation
from spinedet.datasets.registry import open_dataset
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused
from spinedet.imaging.image_files import image_sha256
from spinedet.imaging.planes import SPECS
from spinedet.imaging.volume import read_volume
from spinedet.report.slice_pictures import draw_series

# Reasons that a refusal names.
_MOST_REASONS = 3


@dataclass
class _Outcome:
    """What came of the studies, in their own order."""

    studies: list[Study] = field(default_factory=list)
    unused: list[tuple[str, Unused]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def convert(config: ConvertConfig) -> Status:
    """Read every study, write the manifest, list what could not be used."""
    links = output_folder(config, "convert") / "series"
    dataset = open_dataset(Path(config.root), links, config.source)
    record = {"source": config.source.name, "rule": dataset.rule}
    folder = _folder(config, record)
    outcome = _read_all(dataset, config)
    if not any(study.excluded is None for study in outcome.studies):
        if not (folder / "manifest.json").exists():  # the folder stays free for another attempt
            shutil.rmtree(links, ignore_errors=True)
        raise InputError(_nothing_usable(outcome))
    manifest = Manifest(
        name=dataset.name,
        region=dataset.region,
        categories=dataset.categories,
        studies=tuple(outcome.studies),
        conversion=record,
    )
    path = folder / "manifest.json"
    for stale in ("skipped.json", "unused.json"):
        (folder / stale).unlink(missing_ok=True)
    write_manifest(path, manifest, absolute=config.paths == "absolute")
    _write_unused(folder, outcome)
    _draw(read_manifest(path), config.pictures, folder / "pictures")
    _show(manifest, outcome)
    console.print(f"manifest: {path}")
    alike = Counter(name.strip().casefold() for name in manifest.categories)
    if several := [name for name in manifest.categories if alike[name.strip().casefold()] > 1]:
        show_notes([f"the categories {', '.join(map(repr, several))} differ in case alone and count apart"])
    numbers = {"studies": len(outcome.studies), "lesions": sum(len(s.lesions) for s in outcome.studies)}
    tracking.log_metrics(config.logger, folder, {**numbers, "skipped": len(outcome.skipped)})
    status = Skipped(outcome.skipped).report(folder)
    lossless = all(unused.effect is Effect.NONE for _, unused in outcome.unused)
    return status if lossless else Status.SKIPPED


def _nothing_usable(outcome: _Outcome) -> str:
    reasons = [f"{study}: {reason}" for study, reason in outcome.skipped.items()]
    reasons += [f"{unused.where}: {unused.reason}" for _, unused in outcome.unused]
    listed = "; ".join(reasons[:_MOST_REASONS]) or "there is none"
    more = f"; and {len(reasons) - _MOST_REASONS} more" if len(reasons) > _MOST_REASONS else ""
    return f"no study can be used: {listed}{more}"


def _folder(config: ConvertConfig, record: dict[str, Any]) -> Path:
    """The output folder; one that holds this conversion is written again."""
    before = Path(config.out) / "manifest.json" if config.out else None
    if before and before.is_file() and read_json(before).get("conversion") == record:
        return before.parent
    return claim_output(config, "convert")


def _read_all(dataset: Dataset, config: ConvertConfig) -> _Outcome:
    outcome = _Outcome(unused=[("", unused) for unused in dataset.unused])
    with ThreadPoolExecutor(config.processes) as pool, progress_bar(f"reading {dataset.name}") as progress:
        readings = pool.map(lambda case: _read(case, config), dataset.cases)
        for done, (case, reading) in enumerate(zip(dataset.cases, readings, strict=True), start=1):
            match reading:
                case InputError():
                    outcome.skipped[case.id] = str(reading)
                case Reading(study, unused):
                    outcome.studies.append(study)
                    outcome.unused += [(study.id, each) for each in unused]
                    if study.excluded:
                        outcome.skipped[study.id] = study.excluded
            progress(done, len(dataset.cases))
    return outcome


def _read(case: Case, config: ConvertConfig) -> Reading | InputError:
    """One study, its images hashed; the fault itself when it cannot be used, so that the others go on."""
    try:
        reading = case.read()
        series = tuple(_hashed(each) for each in reading.study.series) if config.hashes else reading.study.series
    except InputError as error:
        return error
    split = reading.study.split if config.split == "published" else Split(config.split) if config.split else None
    changes = {"series": series, "split": split, "center": config.center or reading.study.center}
    return Reading(reading.study.model_copy(update=changes), reading.unused)


def _hashed(series: Series) -> Series:
    return series.model_copy(update={"sha256": image_sha256(series.path)})


def _write_unused(folder: Path, outcome: _Outcome) -> None:
    """`unused.json`: every annotation that gave no lesion, with the reason and what it does to its study."""
    if not outcome.unused:
        return
    rows = [UnusedAnnotation(study=study, **asdict(each)) for study, each in outcome.unused]
    write_json(folder / UNUSED_FILE, [row.model_dump(mode="json") for row in rows])
    show_labelled(f"{len(rows)} annotations could not be used;", "see unused.json")


def _draw(manifest: Manifest, count: int, folder: Path) -> None:
    """The boxes of the first studies on their images, to see whether they lie where they should."""
    for study in [s for s in manifest.studies if s.excluded is None][:count]:
        for series in study.series:
            boxes = [lesion.box for lesion in study.lesions if lesion.series == series.id]
            picture = draw_series(read_volume(series.path), SPECS[series.plane], boxes, [])
            write_bytes(folder / f"{file_name_of(study.id, series.id)}.png", picture)


def _show(manifest: Manifest, outcome: _Outcome) -> None:
    table = plain_table("", "", title=f"{manifest.name}, {manifest.region.value} spine")
    table.show_header = False
    for name, value in _facts(manifest, outcome):
        table.add_row(name, value)
    show_table(table)


def _facts(manifest: Manifest, outcome: _Outcome) -> Iterator[tuple[str, str]]:
    used = [study for study in manifest.studies if study.excluded is None]
    lesions = [lesion for study in used for lesion in study.lesions]
    assessed = [lesion for lesion in lesions if not lesion.ignore]
    yield "patients", str(len({study.patient for study in used}))
    yield "studies", f"{len(used)} (skipped {len(outcome.skipped)})"
    yield "series", _counted(f"{series.plane.value} {series.weighting}" for study in used for series in study.series)
    yield "lesions", _counted(lesion.category for lesion in assessed) or "none"
    yield "boxes to ignore", str(len(lesions) - len(assessed))
    yield "levels", _counted(lesion.level or "unknown" for lesion in assessed) or "none"
    if assessed:
        middle = np.median([lesion.box.size for lesion in assessed], axis=0)
        yield "median box", " × ".join(f"{mm:.1f}" for mm in middle) + " mm along R, A, S"
    yield "annotations not used", str(len(outcome.unused))


def _counted(words: Iterator[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))
