"""`python -m spinedet.radiograph.predict run=RUN input=FOLDER`: labels of radiographs, as readings and a registry."""

from __future__ import annotations

from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, show_table
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of, write_bytes
from spinedet.core.folder_walk import list_files
from spinedet.core.radiograph import Radiograph, RadiographManifest, RadiographStudy, Task, read_radiographs
from spinedet.core.radiograph.readings import Readings, write_readings
from spinedet.formats.registry_csv import write_registry
from spinedet.radiograph.finished import open_classification
from spinedet.radiograph.image_readings import read_images
from spinedet.radiograph.images import Preparation, prepare_images, unfit
from spinedet.radiograph.pictures import draw, explain
from spinedet.radiograph.predict import RadiographPredictConfig
from spinedet.training.device import choose_device

_MOST_ROWS = 40


def predict(config: RadiographPredictConfig) -> Status:
    """Read, answer, write; images that are unfit are listed as skipped."""
    finished = open_classification(config.run).to(choose_device(config.device))
    classifier = finished.classifier
    manifest = _images_of(Path(config.input), classifier.task)
    folder = claim_output(config, "radiograph.predict")
    how = Preparation(classifier.task, classifier.input, classifier.router)
    with progress_bar("reading radiographs") as progress:
        images = prepare_images(list(manifest.images()), how, config.processes, progress)
    readings = read_images(classifier, finished.point, images, finished.model)
    write_readings(folder / "readings.json", readings)
    write_registry(folder / "registry.csv", manifest, readings)
    if config.heat_maps:
        for one in explain(classifier, images, readings, len(images)):
            name = file_name_of(one.image.study, one.image.image)
            write_bytes(folder / "heat_maps" / f"{name}.png", draw(one))
    answered = sum(image.label is not None for study in readings.studies for image in study.images)
    tracking.log_metrics(config.logger, folder, {"images": len(images), "answered": answered})
    _show(readings)
    console.print(f"readings: {folder / 'readings.json'}, registry: {folder / 'registry.csv'}")
    return unfit(images).report(folder)


def _images_of(path: Path, task: Task) -> RadiographManifest:
    """A manifest without its labels, which may be of another task; a file as a study of its own; of a folder, each
    subfolder and each file on top as a study.

    Raises:
        InputError: there is nothing.
    """
    if path.suffix == ".json":
        manifest = read_radiographs(path)
        return manifest.model_copy(update={"task": task, "studies": tuple(map(_without_labels, manifest.studies))})
    if not path.exists():
        raise InputError(f"input={path} does not exist; check the path")
    listed = list_files(path).files if path.is_dir() else (path,)
    files = [file for file in listed if not file.name.startswith(".") and file.name != "DICOMDIR"]
    if not files:
        raise InputError(f"input={path} holds no file")
    root = path if path.is_dir() else path.parent
    studies: dict[str, list[Path]] = {}
    for file in files:
        studies.setdefault(file.relative_to(root).parts[0], []).append(file)
    return RadiographManifest(
        name=_in_unicode(path.name),
        task=task,
        studies=tuple(_study(name, own, root) for name, own in studies.items()),
    )


def _without_labels(study: RadiographStudy) -> RadiographStudy:
    images = tuple(image.model_copy(update={"label": None}) for image in study.images)
    return study.model_copy(update={"label": None, "images": images})


def _study(name: str, files: list[Path], root: Path) -> RadiographStudy:
    images = tuple(Radiograph(id=_in_unicode(file.relative_to(root).as_posix()), path=file) for file in files)
    return RadiographStudy(id=_in_unicode(name), patient=_in_unicode(name), center="unknown", images=images)


def _in_unicode(name: str) -> str:
    """A name of a file as an id: bytes that are no UTF-8, as old archives have them, are written out."""
    return name.encode("utf-8", "backslashreplace").decode()


def _show(readings: Readings) -> None:
    table = plain_table("study", "image", "view", "label", "score", "why none")
    rows = [(study, image) for study in readings.studies for image in study.images]
    for study, image in rows[:_MOST_ROWS]:
        score = image.scores.get(image.label or "")
        table.add_row(
            study.id,
            image.id,
            image.view or "–",
            image.label or "–",
            "–" if score is None else f"{score:.2f}",
            image.rejected or "",
        )
    show_table(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"... and {len(rows) - _MOST_ROWS} more in registry.csv")
