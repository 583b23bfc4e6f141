"""`python -m spinedet.predict run=RUN input=PATH`: findings and pictures of images that nobody has annotated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from omegaconf import MISSING
from rich.table import Table

from spinedet import tracking
from spinedet.command import CommonConfig, Skipped, Status, claim_output, console, register, results, run_command
from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import write_bytes
from spinedet.core.findings import write_findings
from spinedet.core.geometry import Grid
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Finding, Findings, FiniteJson, StudyFindings
from spinedet.detection.data import read_series
from spinedet.detection.fusion import SeenSeries, fuse
from spinedet.detection.inference import find_in, together
from spinedet.detection.looking import Looks
from spinedet.imaging.dicom import ChoiceRules
from spinedet.imaging.planes import SPECS, plane_of
from spinedet.imaging.volume import Holdings, Volume, look_into
from spinedet.intake import report_choices
from spinedet.progress import progress_bar
from spinedet.report.pictures import Mark, draw_series
from spinedet.report.prediction import Entry, write_index
from spinedet.runs import FinishedRun, open_run


@dataclass
class PredictConfig(CommonConfig):
    """A look at images.

    Attributes:
        run: folder of a finished run. input: an image file, a DICOM folder, a folder of images, or a manifest.
        plane: of the images; told from their geometry when null. region: that of the run when null.
        min_score: findings below it are not written. pictures: draw one for each series.
        dicom: how series are chosen from DICOM studies.
        flip: look at each volume's mirror image too, and average. ensemble: other runs that answer together with `run`;
            the threshold stays that of `run`.
    """

    run: str = MISSING
    input: str = MISSING
    plane: str | None = None
    region: str | None = None
    min_score: float = 0.01
    pictures: bool = True
    dicom: ChoiceRules = field(default_factory=ChoiceRules)
    flip: bool = False
    ensemble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, value, choices in (("plane", self.plane, Plane), ("region", self.region, Region)):
            known = [choice.value for choice in choices]
            if value not in (None, *known):
                raise InputError(f"{name}={value}: use one of {known}, or leave it out")


@dataclass(frozen=True)
class Task:
    """One series to look at, and where it belongs."""

    study: str
    series: str
    read: Callable[[], Volume]
    plane: Plane | None

    @property
    def name(self) -> str:
        """Study and series as part of a file name."""
        return re.sub(r"[^\w.-]+", "_", self.study if self.study == self.series else f"{self.study}_{self.series}")


@dataclass(frozen=True)
class Look:
    """What was found in one series, where that lies, and the picture of it if one was drawn."""

    task: Task
    plane: Plane
    grid: Grid
    findings: tuple[Finding, ...]
    picture: Path | None

    @property
    def seen(self) -> SeenSeries:
        """As one of its study's series."""
        return SeenSeries(self.task.series, self.plane, self.grid, self.findings)


def predict(config: PredictConfig) -> Status:
    """Look at every series, write what is found, go on when one cannot be read."""
    finished = _open(config)
    plane = Plane(config.plane) if config.plane else None
    holdings = Holdings(()) if is_manifest(config.input) else look_into(Path(config.input), config.dicom)
    tasks = [*tasks_of_manifest(Path(config.input))] if is_manifest(config.input) else tasks_of(holdings, plane)
    folder = claim_output(config, "predict")
    report_choices(holdings.choices, folder)
    if config.region not in (None, finished.model.region.value):
        console.print(f"[yellow]note:[/] this run learned on the {finished.model.region.value} spine")
    looks: list[Look] = []
    skipped: dict[str, str] = {}
    with progress_bar("looking for findings") as progress:
        for done, task in enumerate(tasks, start=1):
            try:
                looks.append(look(task, finished, config, folder))
            except InputError as error:
                skipped[f"{task.study}/{task.series}"] = str(error)
            progress(done, len(tasks))
    if not looks:
        raise InputError(next(iter(skipped.values())))
    _write(folder, finished, looks)
    counted = sum(bool(getattr(f, "above_operating_point", False)) for each in looks for f in each.findings)
    tracking.log_metrics(config.logger, folder, {"series": len(looks), "findings": counted, "skipped": len(skipped)})
    return Skipped(skipped).report(folder)


def _open(config: PredictConfig) -> FinishedRun:
    """The run, its detectors joined by those of the ensemble."""
    finished = open_run(config.run)
    model = together([finished.model, *(open_run(other).model for other in config.ensemble)])
    return replace(finished, model=replace(model, looks=Looks(flip=config.flip)))


def is_manifest(path: str) -> bool:
    """Whether the input names the images rather than being one."""
    return path.endswith(".json")


def tasks_of_manifest(path: Path) -> Iterator[Task]:
    """The T2 series of every study that is not excluded."""
    for study in read_manifest(path).studies:
        for series in study.series if study.excluded is None else ():
            if series.weighting == "T2":
                yield Task(study.id, series.id, partial(read_series, series), series.plane)


def tasks_of(holdings: Holdings, plane: Plane | None) -> list[Task]:
    """Every image: a file is a study of its own, the chosen DICOM stacks of one examination are one study."""
    return [Task(each.study, each.id, each.read, plane or each.plane) for each in holdings.images]


def look(task: Task, finished: FinishedRun, config: PredictConfig, folder: Path) -> Look:
    """Findings of one series, with a picture of those above the operating point.

    Raises:
        InputError: the image cannot be used, or the run does not know its plane.
    """
    volume = task.read()
    plane = task.plane or plane_of(volume.grid)
    if plane not in finished.model.detectors:
        raise InputError(
            f"{task.series} is {plane.value} and the run has no {plane.value} detector; set plane= or run="
        )
    thresholds = finished.operating_point.values
    found = tuple(
        f.model_copy(update={"above_operating_point": f.score >= thresholds[plane.value, f.category]})
        for f in find_in(finished.model, volume, plane, task.series, config.min_score)
    )
    picture = folder / "pictures" / f"{task.name}.png" if config.pictures else None
    if picture:
        _draw(volume, plane, found, picture)
    return Look(task, plane, volume.grid, found, picture)


def _draw(volume: Volume, plane: Plane, found: tuple[Finding, ...], path: Path) -> None:
    marks = [Mark(f.box, f.score, f.category) for f in found if getattr(f, "above_operating_point", False)]
    write_bytes(path, draw_series(volume, SPECS[plane], [], marks))


def _write(folder: Path, finished: FinishedRun, looks: list[Look]) -> None:
    """`findings.json`, a page over the pictures, and a table of the series."""
    studies: dict[str, list[SeenSeries]] = {}
    table = Table("study", "series", "plane", "findings", "highest score", title="findings above the operating point")
    for each in looks:
        studies.setdefault(each.task.study, []).append(each.seen)
        above = [f.score for f in each.findings if getattr(f, "above_operating_point", False)]
        best = f"{max(above):.2f}" if above else "–"
        table.add_row(each.task.study, each.task.series, each.plane.value, str(len(above)), best)
    answers = tuple(_study(name, seen) for name, seen in studies.items())
    model: dict[str, FiniteJson] = {
        "name": finished.model.name,
        "operating_point_sha256": finished.operating_point.sha256,
    }
    write_findings(folder / "findings.json", Findings(model=model, studies=answers))
    entries = [Entry(each.task.name, each.plane, each.findings, each.picture) for each in looks]
    notes = (f"Thresholds were frozen on {finished.operating_point.chosen_on.studies} tuning studies.",)
    write_index(folder / "index.html", model_title(finished), entries, finished.operating_point.values, notes)
    results.print(table)
    console.print(f"findings: {folder / 'findings.json'}, pictures: {folder / 'index.html'}")


def _study(name: str, seen: list[SeenSeries]) -> StudyFindings:
    """Findings of each series, and where there are several series, beside them those of all together."""
    found = tuple(finding for series in seen for finding in series.findings)
    fused = {"fused": [each.model_dump(mode="json") for each in fuse(seen)]} if len(seen) > 1 else {}
    return StudyFindings(id=name, findings=found, **fused)


def model_title(finished: FinishedRun) -> str:
    """Headline of the page."""
    return f"{finished.model.name}: findings on T2 MRI of the {finished.model.region.value} spine"


def main() -> None:
    """Entry point."""
    register(PredictConfig, "predict")
    run_command("predict", predict)


if __name__ == "__main__":
    main()
