"""Prediction for all studies of an input: shared among jobs, kept as it is done, put together at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from spinedet.cli.console import console, plain_table, show_labelled, show_notes, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, write_json
from spinedet.core.findings import stream_findings
from spinedet.core.types import StudyFindings
from spinedet.detection.inference import by_study, window
from spinedet.detection.worker_pool import worker_processes
from spinedet.pipelines.image_sources import ImageInput, StudySource
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.predict_series import Predictor, predict_studies, read_study, record_of, with_levels
from spinedet.pipelines.prediction import AssignLevels, SeriesRecord, StudyPrediction, StudyRecord
from spinedet.runs.provenance import findings_header
from spinedet.runs.sharding import (
    DESCRIPTION,
    Journal,
    Shard,
    all_done,
    discard_archive,
    forget_salt,
    merging,
    record_lines,
)

# Series that the terminal lists; the files hold all of them.
_MOST_LISTED = 200


@dataclass(frozen=True)
class PredictionJob:
    """One job's part of the studies of an input, and where its results go; done by `workers` processes."""

    predictor: Predictor
    input: ImageInput
    shard: Shard
    outputs: tuple[Output, ...]
    context: OutputContext
    workers: int = 1

    @property
    def folder(self) -> Path:
        """The folder that all jobs fill."""
        return self.context.folder

    @property
    def finisher(self) -> Finisher:
        """What another process needs to know to finish a study."""
        return Finisher(self.predictor.assign_levels, self.outputs, self.context)


@dataclass(frozen=True)
class Finisher:
    """What is done with a study that was predicted: levels, outputs, and the record for the journal."""

    assign_levels: AssignLevels
    outputs: tuple[Output, ...]
    context: OutputContext


@dataclass
class Counts:
    """What was predicted, over all jobs."""

    series: int = 0
    findings: int = 0
    skipped: int = 0


def predict_part(job: PredictionJob) -> None:
    """Predict for this job's studies, each kept in the journal as soon as it is done; those that are there are done."""
    with Journal(job.folder, job.shard).open() as (done, write), progress_bar("predicting") as progress:
        total = job.shard.size(job.input.count)
        mine = (study for number, study in enumerate(job.input.studies()) if job.shard.holds(number))
        with _records_of(job, islice(mine, done, None), total - done) as made:
            for number, record in enumerate(made, start=done + 1):
                write(record)
                progress(number, total)


@contextmanager
def _records_of(job: PredictionJob, sources: Iterator[StudySource], count: int) -> Iterator[Iterator[dict[str, Any]]]:
    """The journal's record of each study, in order.

    Where there are many, worker processes do whole studies, each with a network of its own: then no voxels pass from
    one process to another. A GPU, or networks that see several studies at once, stay in this process, and the workers
    read the next studies and write those before.
    """
    predictor = job.predictor
    read, finish = partial(read_study, predictor.reader), partial(finish_study, job.finisher)
    if by_study(predictor.run.model, predictor.batch):
        whole = partial(_predict_whole, predictor, job.finisher)
        with worker_processes(job.workers, count, __name__, (whole,)) as (done,):
            yield done(sources)
        return
    ahead = window(predictor.batch)
    with worker_processes(job.workers, count, __name__, (read, finish), ahead) as (reading, finishing):
        yield finishing(predict_studies(predictor, reading(sources)))


def _predict_whole(predictor: Predictor, finisher: Finisher, source: StudySource) -> dict[str, Any]:
    """Read a study, predict for it, write its outputs; its record."""
    (study,) = predict_studies(predictor, [read_study(predictor.reader, source)])
    return finish_study(finisher, study)


def finish_study(finisher: Finisher, study: StudyPrediction) -> dict[str, Any]:
    """Assign levels and write the study's outputs; its record."""
    named = with_levels(finisher.assign_levels, study)
    for output in finisher.outputs:
        output.write_study(named, finisher.context)
    return record_of(named).model_dump(mode="json")


def report_left_out(left_out: Mapping[str, str], folder: Path) -> None:
    """List what is in the input folder and was not read, such as links to what is read already, in `left_out.json`."""
    if not left_out:
        return
    write_json(folder / "left_out.json", [{"path": path, "reason": reason} for path, reason in left_out.items()])
    show_labelled("left out:", f"{len(left_out)} links or folders of the input, see left_out.json")


def summarise(job: PredictionJob, count: Callable[[Counts], None]) -> Status:
    """Put together what all jobs have done: `findings.json` and the summary of each output.

    One job does it, when every study is done. Never more than one study is in memory.

    Args:
        count: is given the numbers for a tracker.

    Raises:
        InputError: no series could be read.
    """
    with merging(job.folder):
        if not all_done(job.folder, job.input.count, job.shard.count):
            console.print(f"part {job.shard.index + 1} of {job.shard.count} is done; the last job to end merges all")
            return Status.DONE
        return _merge(job, count)


def _merge(job: PredictionJob, count: Callable[[Counts], None]) -> Status:
    rows: list[tuple[str, SeriesRecord]] = []
    skipped: dict[str, str] = {}
    counts = Counts()
    homes: dict[str, str] = {}
    copies: list[str] = []

    def studies() -> Iterator[StudyFindings]:
        for record in _records(job):
            skipped.update({f"{record.id}/{series}": reason for series, reason in record.skipped.items()})
            for series in record.series:
                counts.series += 1
                counts.findings += series.above
                if len(rows) < _MOST_LISTED:
                    rows.append((record.id, series))
            if record.findings is not None:
                for image, digest in (record.findings.images or {}).items():
                    name = f"{record.id}/{image}"
                    if homes.setdefault(digest, name) != name:
                        copies.append(f"{name} is the same image as {homes[digest]}")
                yield record.findings

    created = read_json(job.folder / DESCRIPTION)["created"]
    stream_findings(job.folder / "findings.json", findings_header(job.context.model, created), studies())
    if not counts.series and skipped:
        discard_archive(job.folder)
        first = next(iter(skipped.values()))
        raise InputError(
            first if len(skipped) == 1 else f"none of {len(skipped)} series can be used; the first: {first}"
        )
    for output in job.outputs:
        output.write_summary(lambda: _records(job), job.context)
    _show(job, rows, counts)
    if copies:
        show_notes([f"{copies[0]}{f'; so are {len(copies) - 1} more' if len(copies) > 1 else ''}: they count apart"])
    counts.skipped = len(skipped)
    count(counts)
    forget_salt(job.folder)
    return Skipped(skipped).report(job.folder)


def _records(job: PredictionJob) -> Iterator[StudyRecord]:
    return map(StudyRecord.model_validate_json, record_lines(job.folder, job.shard.count))


def _show(job: PredictionJob, rows: list[tuple[str, SeriesRecord]], counts: Counts) -> None:
    show_notes(job.context.model.statements)
    title = "findings above the operating point"
    table = plain_table("study", "series", "plane", "findings", "highest score", "input", title=title)
    for study, one in rows:
        best = "–" if one.best is None else f"{one.best:.2f}"
        table.add_row(study, one.series, one.plane, str(one.above), best, one.suitability)
    show_table(table)
    if counts.series > len(rows):
        console.print(f"... and {counts.series - len(rows)} more series, all in findings.json")
    for name in ("findings.json", *(output.shown for output in job.outputs)):
        console.print(f"written: {job.folder / name}")
