"""`python -m spinedet.predict run=RUN input=PATH`: findings and pictures of images that nobody has annotated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from spinedet.cli import tracking
from spinedet.cli.console import console, results
from spinedet.cli.dicom_table import report_choices
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import sha256, write_bytes
from spinedet.core.findings import stream_findings, write_findings
from spinedet.core.geometry import Grid
from spinedet.core.streaming import stream_studies, survey
from spinedet.core.types import Finding, Findings, FiniteJson, Study, StudyFindings
from spinedet.detection.cross_plane_fusion import SeriesFindings, fuse
from spinedet.detection.dataset import read_series
from spinedet.detection.inference import as_ensemble, detect_native_volume
from spinedet.detection.test_time_augmentation import TestTimeAugmentation
from spinedet.imaging.input_checks import (
    DeclaredMetadata,
    InputCheck,
    Suitability,
    as_record,
    check_input,
    declared_in_dicom,
    declared_in_name,
    describe_concerns,
    overall_suitability,
)
from spinedet.imaging.planes import SPECS, plane_of
from spinedet.imaging.volume import ImageIndex, ImageSource, Volume, index_images
from spinedet.predict import PredictConfig
from spinedet.report.prediction_page import Entry, write_index
from spinedet.report.slice_pictures import Mark, draw_series
from spinedet.runs.run_folder import FinishedRun, open_run
from spinedet.runs.sharding import Journal, all_done, claim_archive, merging, records

# Series of an archive that the terminal and the page list; the file holds all of them.
MOST_LISTED = 200


# Only series that a manifest calls T2 become tasks.
T2_BY_MANIFEST = DeclaredMetadata("T2", None, "manifest")


@dataclass(frozen=True)
class Task:
    """One series to look at, and where it belongs."""

    study: str
    series: str
    read: Callable[[], Volume]
    plane: Plane | None
    said: DeclaredMetadata = T2_BY_MANIFEST

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
    checks: tuple[InputCheck, ...] = ()

    @property
    def seen(self) -> SeriesFindings:
        """As one of its study's series."""
        return SeriesFindings(self.task.series, self.plane, self.grid, self.findings)


def predict(config: PredictConfig) -> Status:
    """Look at every series, write what is found, go on when one cannot be read."""
    finished = _open(config)
    if config.region is not None:
        finished = on_region(finished, Region(config.region))
    if is_manifest(config.input):
        return predict_archive(config, finished)
    index = index_images(Path(config.input), config.dicom)
    tasks = tasks_of(index, Plane(config.plane) if config.plane else None)
    folder = claim_output(config, "predict")
    report_choices(index.choices, folder)
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
    counted = sum(bool(f.above_operating_point) for each in looks for f in each.findings)
    tracking.log_metrics(config.logger, folder, {"series": len(looks), "findings": counted, "skipped": len(skipped)})
    return Skipped(skipped).report(folder)


def _open(config: PredictConfig) -> FinishedRun:
    """The run, its detectors joined by those of the ensemble."""
    finished = open_run(config.run)
    model = as_ensemble([finished.model, *(open_run(other).model for other in config.ensemble)])
    return replace(finished, model=replace(model, augmentation=TestTimeAugmentation(flip=config.flip)))


def on_region(finished: FinishedRun, region: Region) -> FinishedRun:
    """The run, used on images of this region; says so when it learned on another."""
    if region is not finished.model.region:
        console.print(f"[yellow]note:[/] this run learned on the {finished.model.region.value} spine")
    return replace(finished, model=replace(finished.model, region=region))


def is_manifest(path: str) -> bool:
    """Whether the input names the images rather than being one."""
    return path.endswith(".json")


def predict_archive(config: PredictConfig, finished: FinishedRun) -> Status:
    """Look at the studies of a manifest, however many, one at a time; put the parts together when all are done."""
    path = Path(config.input)
    manifest, studies = survey(path)
    finished = on_region(finished, Region(config.region or manifest.region))
    facts = {
        "input_sha256": sha256(path),
        "operating_point_sha256": finished.operating_point.sha256,
        "region": finished.model.region.value,
    }
    settings = {"min_score": config.min_score, "flip": config.flip, "ensemble": list(config.ensemble)}
    settings["eligibility"] = json.loads(json.dumps(asdict(config.eligibility)))
    folder, shard = claim_archive(config, "predict", {**facts, **settings})
    with Journal(folder, shard).open() as (done, write), progress_bar("looking for findings") as progress:
        studied = enumerate(stream_studies(path, manifest.region))
        mine = (study for number, study in studied if shard.holds(number))
        for number, study in enumerate(mine, start=1):
            if number > done:
                write(_record(study, finished, config, folder))
            progress(number, shard.size(studies))
    with merging(folder):
        if not all_done(folder, studies, shard.count):
            console.print(f"part {shard.index + 1} of {shard.count} is done; the last one to end puts them together")
            return Status.DONE
        return _merge(folder, finished, shard.count, config)


def _record(study: Study, finished: FinishedRun, config: PredictConfig, folder: Path) -> dict[str, Any]:
    """What the journal keeps of a study: its findings, its series as the page lists them, and what was skipped."""
    looks: list[Look] = []
    skipped: dict[str, str] = {}
    for series in study.series if study.excluded is None else ():
        if series.weighting == "T2":
            task = Task(study.id, series.id, partial(read_series, series), series.plane)
            try:
                looks.append(look(task, finished, config, folder))
            except InputError as error:
                skipped[f"{study.id}/{series.id}"] = str(error)
    answer = _study(study.id, looks).model_dump(mode="json") if looks else None
    return {"id": study.id, "answer": answer, "looks": [_listed(each) for each in looks], "skipped": skipped}


def _listed(each: Look) -> dict[str, Any]:
    above = [f.score for f in each.findings if f.above_operating_point]
    picture = str(each.picture) if each.picture else None
    names = {"series": each.task.series, "name": each.task.name, "plane": each.plane.value, "picture": picture}
    remarks = list(describe_concerns(each.checks))
    suitability = overall_suitability(each.checks).value
    return {**names, "above": len(above), "best": max(above, default=None), "remarks": remarks, "input": suitability}


def _merge(folder: Path, finished: FinishedRun, parts: int, config: PredictConfig) -> Status:
    """Everything in one `findings.json`, never all of it in memory; the page shows the first series."""
    rows: list[tuple[str, dict[str, Any]]] = []
    entries: list[Entry] = []
    skipped: dict[str, str] = {}
    counted = {"series": 0, "findings": 0}

    def answers() -> Iterator[dict[str, Any]]:
        for record in records(folder, parts):
            skipped.update(record["skipped"])
            for each in record["looks"]:
                counted["series"] += 1
                counted["findings"] += each["above"]
                if len(rows) < MOST_LISTED:
                    rows.append((record["id"], each))
                    entries.append(_entry(each, record["answer"]["findings"]))
            if record["answer"] is not None:
                yield record["answer"]

    stream_findings(folder / "findings.json", _model(finished), answers())
    if not counted["series"] and skipped:
        raise InputError(next(iter(skipped.values())))
    _show(folder, finished, rows, entries)
    if counted["series"] > len(rows):
        console.print(f"... and {counted['series'] - len(rows)} more series, all in findings.json")
    tracking.log_metrics(config.logger, folder, {**counted, "skipped": len(skipped)})
    return Skipped(skipped).report(folder)


def _entry(each: dict[str, Any], findings: list[dict[str, Any]]) -> Entry:
    own = tuple(Finding.model_validate_json(json.dumps(f)) for f in findings if f["series"] == each["series"])
    picture = Path(each["picture"]) if each["picture"] else None
    return Entry(each["name"], Plane(each["plane"]), own, picture, tuple(each["remarks"]))


def tasks_of(index: ImageIndex, plane: Plane | None) -> list[Task]:
    """Every image: a file is a study of its own, the chosen DICOM stacks of one examination are one study."""
    return [Task(each.study, each.id, each.read, plane or each.plane, said_of(each)) for each in index.images]


def said_of(image: ImageSource) -> DeclaredMetadata:
    """What accompanies an image: the tags of DICOM, or the file's own name."""
    return declared_in_dicom(image.block) if image.block else declared_in_name(image.path.name)


def look(task: Task, finished: FinishedRun, config: PredictConfig, folder: Path) -> Look:
    """Findings of one series, with a picture of those above the operating point.

    Raises:
        InputError: the image cannot be used or is not eligible, or the run does not know its plane.
    """
    volume = task.read()
    plane = task.plane or plane_of(volume.grid)
    checks = check_input(volume, plane, task.said, finished.model.region, config.eligibility)
    if config.eligibility.gate and overall_suitability(checks) is Suitability.REJECTED:
        raise InputError(
            f"{task.series} is not eligible: {'; '.join(describe_concerns(checks))} (eligibility.gate=false reads it)"
        )
    if plane not in finished.model.detectors:
        raise InputError(
            f"{task.series} is {plane.value} and the run has no {plane.value} detector; set plane= or run="
        )
    thresholds = finished.operating_point.values
    found = tuple(
        f.model_copy(update={"above_operating_point": f.score >= thresholds[plane.value, f.category]})
        for f in detect_native_volume(finished.model, volume, plane, task.series, config.min_score)
    )
    picture = folder / "pictures" / f"{task.name}.png" if config.pictures else None
    if picture:
        _draw(volume, plane, found, picture)
    return Look(task, plane, volume.grid, found, picture, checks)


def _draw(volume: Volume, plane: Plane, found: tuple[Finding, ...], path: Path) -> None:
    marks = [Mark(f.box, f.score, f.category) for f in found if f.above_operating_point]
    write_bytes(path, draw_series(volume, SPECS[plane], [], marks))


def _write(folder: Path, finished: FinishedRun, looks: list[Look]) -> None:
    """`findings.json`, a page over the pictures, and a table of the series."""
    studies: dict[str, list[Look]] = {}
    for each in looks:
        studies.setdefault(each.task.study, []).append(each)
    answers = tuple(_study(name, own) for name, own in studies.items())
    write_findings(folder / "findings.json", Findings(model=_model(finished), studies=answers))
    entries = [
        Entry(each.task.name, each.plane, each.findings, each.picture, tuple(describe_concerns(each.checks)))
        for each in looks
    ]
    _show(folder, finished, [(each.task.study, _listed(each)) for each in looks], entries)


def _model(finished: FinishedRun) -> dict[str, FiniteJson]:
    return {"name": finished.model.name, "operating_point_sha256": finished.operating_point.sha256}


def _show(folder: Path, finished: FinishedRun, rows: list[tuple[str, dict[str, Any]]], entries: list[Entry]) -> None:
    columns = ("study", "series", "plane", "input", "findings", "highest score")
    table = Table(*columns, title="findings above the operating point")
    for study, each in rows:
        best = "–" if each["best"] is None else f"{each['best']:.2f}"
        table.add_row(study, each["series"], each["plane"], each.get("input", "–"), str(each["above"]), best)
    notes = (f"Thresholds were frozen on {finished.operating_point.chosen_on.studies} tuning studies.",)
    write_index(folder / "index.html", model_title(finished), entries, finished.operating_point.values, notes)
    results.print(table)
    console.print(f"findings: {folder / 'findings.json'}, pictures: {folder / 'index.html'}")


def _study(name: str, looks: list[Look]) -> StudyFindings:
    """Findings and eligibility of each series, and where there are several, beside them those of all together."""
    seen = [each.seen for each in looks]
    found = tuple(finding for series in seen for finding in series.findings)
    fused = tuple(fuse(seen)) if len(seen) > 1 else None
    eligibility: dict[str, FiniteJson] = {each.task.series: as_record(each.checks) for each in looks}
    return StudyFindings(id=name, findings=found, eligibility=eligibility, fused=fused)


def model_title(finished: FinishedRun) -> str:
    """Headline of the page."""
    return f"{finished.model.name}: findings on T2 MRI of the {finished.model.region.value} spine"
