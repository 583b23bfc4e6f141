"""`python -m spinedet.convert source=spider root=DIR`: a public data set, or annotation files, to a manifest."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.cli import tracking
from spinedet.cli.console import console, show_notes
from spinedet.cli.conversion import Outcome, StudyReader, count_words, show_facts
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output, output_folder
from spinedet.convert import ConvertConfig
from spinedet.core.files import file_name_of, read_json, write_bytes
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.core.types import Manifest, Series, Study
from spinedet.datasets.registry import open_dataset
from spinedet.imaging.image_files import image_sha256
from spinedet.imaging.planes import SPECS
from spinedet.imaging.volume import read_volume
from spinedet.report.slice_pictures import draw_series


def convert(config: ConvertConfig) -> Status:
    """Read every study, write the manifest, list what could not be used."""
    links = output_folder(config, "convert") / "series"
    dataset = open_dataset(Path(config.root), links, config.source)
    record = {"source": config.source.name, "rule": dataset.rule}
    folder = _folder(config, record)
    outcome = Outcome[Study](unused=[("", unused) for unused in dataset.unused])
    reader = StudyReader[Study](lambda study: _complete(study, config), _left_out)
    reader.read_all(outcome, dataset.cases, dataset.name, config.processes)
    if not any(study.excluded is None for study in outcome.studies):
        if not (folder / "manifest.json").exists():  # the folder stays free for another attempt
            shutil.rmtree(links, ignore_errors=True)
        raise outcome.refuse_nothing("study")
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
    outcome.write_unused(folder)
    _draw(read_manifest(path), config.pictures, folder / "pictures")
    show_facts(f"{manifest.name}, {manifest.region.value} spine", _facts(manifest, outcome))
    console.print(f"manifest: {path}")
    alike = Counter(name.strip().casefold() for name in manifest.categories)
    if several := [name for name in manifest.categories if alike[name.strip().casefold()] > 1]:
        show_notes([f"the categories {', '.join(map(repr, several))} differ in case alone and count apart"])
    numbers = {"studies": len(outcome.studies), "lesions": sum(len(s.lesions) for s in outcome.studies)}
    tracking.log_metrics(config.logger, folder, {**numbers, "skipped": len(outcome.skipped)})
    return outcome.status(folder)


def _folder(config: ConvertConfig, record: dict[str, Any]) -> Path:
    """The output folder; one that holds this conversion is written again."""
    before = Path(config.out) / "manifest.json" if config.out else None
    if before and before.is_file() and read_json(before).get("conversion") == record:
        return before.parent
    return claim_output(config, "convert")


def _complete(study: Study, config: ConvertConfig) -> Study:
    series = tuple(_hashed(each) for each in study.series) if config.hashes else study.series
    return study.model_copy(update={"series": series, **config.changes(study.center, study.split)})


def _hashed(series: Series) -> Series:
    return series.model_copy(update={"sha256": image_sha256(series.path)})


def _left_out(study: Study) -> Iterator[tuple[str, str]]:
    if study.excluded:
        yield study.id, study.excluded


def _draw(manifest: Manifest, count: int, folder: Path) -> None:
    """The boxes of the first studies on their images, to see whether they lie where they should."""
    for study in [s for s in manifest.studies if s.excluded is None][:count]:
        for series in study.series:
            boxes = [lesion.box for lesion in study.lesions if lesion.series == series.id]
            picture = draw_series(read_volume(series.path), SPECS[series.plane], boxes, [])
            write_bytes(folder / f"{file_name_of(study.id, series.id)}.png", picture)


def _facts(manifest: Manifest, outcome: Outcome[Study]) -> Iterator[tuple[str, str]]:
    used = [study for study in manifest.studies if study.excluded is None]
    lesions = [lesion for study in used for lesion in study.lesions]
    assessed = [lesion for lesion in lesions if not lesion.ignore]
    yield "patients", str(len({study.patient for study in used}))
    yield "studies", f"{len(used)} (skipped {len(outcome.skipped)})"
    yield "series", count_words(f"{series.plane.value} {series.weighting}" for study in used for series in study.series)
    yield "lesions", count_words(lesion.category for lesion in assessed)
    yield "boxes to ignore", str(len(lesions) - len(assessed))
    yield "levels", count_words(lesion.level or "unknown" for lesion in assessed)
    if assessed:
        middle = np.median([lesion.box.size for lesion in assessed], axis=0)
        yield "median box", " × ".join(f"{mm:.1f}" for mm in middle) + " mm along R, A, S"
    yield "annotations not used", str(len(outcome.unused))
