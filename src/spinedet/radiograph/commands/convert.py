"""`python -m spinedet.radiograph.convert source=vindr root=DIR`: a public set, or a table, to radiographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console, show_labelled
from spinedet.cli.conversion import Outcome, StudyReader, count_words, show_facts
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of, sha256, write_bytes
from spinedet.core.radiograph import (
    Radiograph,
    RadiographManifest,
    RadiographStudy,
    read_radiographs,
    write_radiographs,
)
from spinedet.core.radiograph.manifest import refuse_faults
from spinedet.datasets.radiographs.registry import open_radiographs
from spinedet.imaging.radiograph.read import Declared, read_radiograph
from spinedet.radiograph.convert import RadiographConvertConfig
from spinedet.radiograph.thumbnails import thumbnail

_PICTURE = 640  # pixels of the longer side


def convert(config: RadiographConvertConfig) -> Status:
    """Read every study, write the manifest, list what could not be used."""
    dataset = open_radiographs(Path(config.root), config.source)
    folder = claim_output(config, "radiograph.convert")
    outcome = Outcome[RadiographStudy](
        unused=[("", unused) for unused in dataset.unused], skipped=dict(dataset.skipped)
    )
    reader = StudyReader[RadiographStudy](lambda study: _complete(study, config), _left_out)
    reader.read_all(outcome, dataset.cases, dataset.name, config.processes)
    if not any(study.used for study in outcome.studies):
        raise outcome.refuse_nothing("image")
    manifest = RadiographManifest(
        name=dataset.name,
        task=dataset.task,
        studies=tuple(outcome.studies),
        conversion={"source": config.source.name, "rule": dict(dataset.rule)},
    )
    refuse_faults(manifest, config.root)
    path = folder / "manifest.json"
    write_radiographs(path, manifest, absolute=config.paths == "absolute")
    outcome.write_unused(folder)
    _draw(read_radiographs(path), config.pictures, folder / "pictures")
    show_facts(f"{manifest.name}, task {manifest.task.name}", _facts(manifest, outcome))
    console.print(f"manifest: {path}")
    numbers = {"studies": len(manifest.studies), "images": sum(len(study.used) for study in manifest.studies)}
    tracking.log_metrics(config.logger, folder, {**numbers, "skipped": len(outcome.skipped)})
    return outcome.status(folder)


def _left_out(study: RadiographStudy) -> Iterator[tuple[str, str]]:
    if study.excluded is not None:
        yield study.id, study.excluded
        return
    for image in study.images:
        if image.excluded is not None:
            yield f"{study.id}/{image.id}", image.excluded


def _complete(study: RadiographStudy, config: RadiographConvertConfig) -> RadiographStudy:
    images = tuple(_checked(image, config.hashes) for image in study.images)
    return study.model_copy(update={"images": images, **config.changes(study.center, study.split)})


def _checked(image: Radiograph, hashed: bool) -> Radiograph:
    """The image with its digest; excluded where its file cannot be read, so that the study's others go on."""
    try:
        if image.path.is_file():
            return image.model_copy(update={"sha256": sha256(image.path)}) if hashed else image
        reason = "its file is not there"
    except OSError as error:  # also of a name that no system takes
        reason = f"its file cannot be read ({error.strerror})"
    return image.model_copy(update={"excluded": image.excluded or reason})


def _draw(manifest: RadiographManifest, count: int, folder: Path) -> None:
    """The boxes of the first images that can be read, to see whether they lie where they should."""
    drawn = 0
    for study, image in manifest.images():
        if drawn >= count:
            return
        try:
            read = read_radiograph(image.path, Declared(image.mm))
        except InputError as error:
            show_labelled("not drawn", str(error))
            drawn += 1  # a set of damaged files is not searched to its end
            continue
        boxes = [*image.truth, *(place.box for place in image.places)]
        name = f"{file_name_of(study.id, image.id)}.png"
        write_bytes(folder / name, thumbnail(read, boxes, _PICTURE))
        drawn += 1


def _facts(manifest: RadiographManifest, outcome: Outcome[RadiographStudy]) -> Iterator[tuple[str, str]]:
    images = list(manifest.images())
    yield "patients", str(len({study.patient for study, _ in images}))
    yield "studies", f"{len(manifest.studies)} (skipped or with images left out {len(outcome.skipped)})"
    yield "images", count_words(image.view or "view unknown" for _, image in images)
    yield "labels", count_words(study.label_of(image, manifest.task) or "none" for study, image in images)
    yield "places", str(sum(len(image.places) for _, image in images))
    yield "annotations not used", str(len(outcome.unused))
