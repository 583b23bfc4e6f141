"""`python -m spinedet.radiograph.convert source=vindr root=DIR`: a public set, or a table, to radiographs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, show_labelled, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of, sha256, write_bytes, write_json
from spinedet.core.manifest import UNUSED_FILE
from spinedet.core.radiograph import (
    Radiograph,
    RadiographManifest,
    RadiographStudy,
    read_radiographs,
    write_radiographs,
)
from spinedet.core.types import Effect, Split, UnusedAnnotation
from spinedet.datasets.radiographs.dataset import RadiographCase, RadiographDataset, RadiographReading
from spinedet.datasets.radiographs.registry import open_radiographs
from spinedet.formats.annotated_dataset import Unused
from spinedet.imaging.radiograph.read import Declared, read_radiograph
from spinedet.radiograph.convert import RadiographConvertConfig
from spinedet.radiograph.thumbnails import thumbnail

# Reasons that a refusal names.
_MOST_REASONS = 3
_PICTURE = 640  # pixels of the longer side


@dataclass
class _Outcome:
    """What came of the studies, in their own order."""

    studies: list[RadiographStudy] = field(default_factory=list)
    unused: list[tuple[str, Unused]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def convert(config: RadiographConvertConfig) -> Status:
    """Read every study, write the manifest, list what could not be used."""
    dataset = open_radiographs(Path(config.root), config.source)
    folder = claim_output(config, "radiograph.convert")
    outcome = _read_all(dataset, config)
    if not any(study.used for study in outcome.studies):
        reasons = [f"{name}: {reason}" for name, reason in outcome.skipped.items()]
        listed = "; ".join(reasons[:_MOST_REASONS]) or "there is none"
        raise InputError(f"no image can be used: {listed}")
    manifest = RadiographManifest(
        name=dataset.name,
        task=dataset.task,
        studies=tuple(outcome.studies),
        conversion={"source": config.source.name, "rule": dict(dataset.rule)},
    )
    path = folder / "manifest.json"
    write_radiographs(path, manifest, absolute=config.paths == "absolute")
    if outcome.unused:
        rows = [UnusedAnnotation(study=study, **asdict(each)) for study, each in outcome.unused]
        write_json(folder / UNUSED_FILE, [row.model_dump(mode="json") for row in rows])
        show_labelled(f"{len(rows)} annotations could not be used;", f"see {UNUSED_FILE}")
    _draw(read_radiographs(path), config.pictures, folder / "pictures")
    _show(manifest, outcome)
    console.print(f"manifest: {path}")
    numbers = {"studies": len(manifest.studies), "images": sum(len(study.used) for study in manifest.studies)}
    tracking.log_metrics(config.logger, folder, {**numbers, "skipped": len(outcome.skipped)})
    status = Skipped(outcome.skipped).report(folder)
    lossless = all(unused.effect is Effect.NONE for _, unused in outcome.unused)
    return status if lossless else Status.SKIPPED


def _read_all(dataset: RadiographDataset, config: RadiographConvertConfig) -> _Outcome:
    outcome = _Outcome(unused=[("", unused) for unused in dataset.unused], skipped=dict(dataset.skipped))
    with ThreadPoolExecutor(config.processes) as pool, progress_bar(f"reading {dataset.name}") as progress:
        readings = pool.map(lambda case: _read(case, config), dataset.cases)
        for done, (case, reading) in enumerate(zip(dataset.cases, readings, strict=True), start=1):
            match reading:
                case InputError():
                    outcome.skipped[case.id] = str(reading)
                case RadiographReading(study, unused):
                    outcome.studies.append(study)
                    outcome.unused += [(study.id, each) for each in unused]
                    outcome.skipped |= dict(_left_out(study))
            progress(done, len(dataset.cases))
    return outcome


def _left_out(study: RadiographStudy) -> Iterator[tuple[str, str]]:
    if study.excluded is not None:
        yield study.id, study.excluded
        return
    for image in study.images:
        if image.excluded is not None:
            yield f"{study.id}/{image.id}", image.excluded


def _read(case: RadiographCase, config: RadiographConvertConfig) -> RadiographReading | InputError:
    """One study, its images hashed; the fault itself when it cannot be used, so that the others go on."""
    try:
        reading = case.read()
        images = tuple(_checked(image, config.hashes) for image in reading.study.images)
    except InputError as error:
        return error
    split = reading.study.split if config.split == "published" else Split(config.split) if config.split else None
    changes = {"images": images, "split": split, "center": config.center or reading.study.center}
    return RadiographReading(reading.study.model_copy(update=changes), reading.unused)


def _checked(image: Radiograph, hashed: bool) -> Radiograph:
    """The image with its digest; excluded where its file is not there, so that the study's others go on."""
    if not image.path.is_file():
        return image.model_copy(update={"excluded": image.excluded or "its file is not there"})
    return image.model_copy(update={"sha256": sha256(image.path)}) if hashed else image


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


def _show(manifest: RadiographManifest, outcome: _Outcome) -> None:
    table = plain_table("", "", title=f"{manifest.name}, task {manifest.task.name}")
    table.show_header = False
    for name, value in _facts(manifest, outcome):
        table.add_row(name, value)
    show_table(table)


def _facts(manifest: RadiographManifest, outcome: _Outcome) -> Iterator[tuple[str, str]]:
    images = list(manifest.images())
    yield "patients", str(len({study.patient for study, _ in images}))
    yield "studies", f"{len(manifest.studies)} (skipped or with images left out {len(outcome.skipped)})"
    yield "images", _counted(image.view or "view unknown" for _, image in images)
    yield "labels", _counted(study.label_of(image, manifest.task) or "none" for study, image in images)
    yield "places", str(sum(len(image.places) for _, image in images))
    yield "annotations not used", str(len(outcome.unused))


def _counted(words: Iterator[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items())) or "none"
