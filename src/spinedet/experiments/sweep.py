"""What the jobs of an evaluation sweep left behind: one table, one page, and which jobs broke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from spinedet.cli.console import console, results, show_notes, show_table
from spinedet.cli.exit_status import Status
from spinedet.cli.sweep_jobs import SweepJob
from spinedet.cli.sweep_table import sweep_table
from spinedet.core.errors import InputError
from spinedet.core.files import write_json
from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifests
from spinedet.pipelines.splits import only
from spinedet.report.sweep_page import SweepLine, banner, write_sweep
from spinedet.runs.claimed_folder import RunFolder
from spinedet.scoring import read_scores


def collect_sweep(folder: Path, jobs: Sequence[SweepJob]) -> None:
    """Write `sweep.json` and `sweep.html` into the sweep's folder; a broken job is named there."""
    lines, broken = [], []
    for job in jobs:
        try:
            lines += list(_lines(job))
        except InputError as error:
            broken.append((" ".join(job.words), str(error)))
    content = {
        "jobs": [{"words": list(job.words), "folder": job.folder.name, "status": int(job.status)} for job in jobs],
        "results": [line.record for line in lines],
    }
    write_json(folder / "sweep.json", content)
    show_notes(banner(lines))
    show_table(sweep_table(lines))
    for words, why in broken:
        results.print(f"broken job: {words}: {why}")
    console.print(f"sweep: {write_sweep(folder, lines, broken)}")


def _lines(job: SweepJob) -> Iterator[SweepLine]:
    """One line for each plane of a job.

    Raises:
        InputError: it left no results.
    """
    if job.status not in (Status.DONE, Status.SKIPPED):
        raise InputError(job.reason)
    run = RunFolder(job.folder)
    config, scores, findings = OmegaConf.load(run.config), read_scores(run.scores), read_findings(run.findings)
    data = config.data
    files = [*data.manifests] or [Path(data.folder or job.folder / "cohort") / "manifest.json"]
    manifest = read_manifests([Path(file) for file in files])
    read = {study.id for study in findings.studies}
    reference = only(manifest, (study for study in manifest.studies if study.id in read))
    name = Path(config.run).name
    for plane in dict.fromkeys(str(group.by["plane"]) for group in scores.groups if "plane" in group.by):
        yield SweepLine(name, config.center or "all", plane, scores, reference, findings)
