"""`python -m spinedet.score reference=MANIFEST findings=FINDINGS`: score any detector's findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from spinedet.cli import tracking
from spinedet.cli.console import console, plain_table, show_notes, show_table
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.cli.score_table import show_scores
from spinedet.core.errors import InputError
from spinedet.core.reference import Reference, read_references
from spinedet.core.types import is_number
from spinedet.formats.detector_findings import import_findings
from spinedet.formats.score_exports import EXPORTS
from spinedet.report.number_format import signed
from spinedet.score import ScoreConfig
from spinedet.scoring import (
    Comparison,
    Contender,
    Examination,
    Scores,
    ScoreSettings,
    Selection,
    compare,
    examine,
    read_operating_point,
    report,
    write_comparison,
    write_scores,
)
from spinedet.scoring.matching.cohort import as_table, boxes_of
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.statistics.sample_size import needed_in_words

_SHOWN = ("f1", froc_name(1.0), "ap")


def score(config: ScoreConfig) -> Status:
    """Read, score, write; or compare."""
    folder = claim_output(config, "score")
    paths = config.reference if isinstance(config.reference, list) else [config.reference]
    manifest = read_references([Path(str(path)) for path in paths])
    return _compare(config, manifest, folder) if config.compare else _score(config, manifest, folder)


def _score(config: ScoreConfig, manifest: Reference, folder: Path) -> Status:
    examination = _examined(config, manifest, folder)
    with progress_bar("resampling patients") as progress:
        scores = report(manifest.name, examination, progress)
    write_scores(folder / "scores.json", scores)
    if config.pages:
        from spinedet.report.score_page import (
            write_everything,  # matplotlib and jinja2 take longer to load than to score
        )

        write_everything(folder, examination, scores)
    tracking.log_metrics(config.logger, folder, tracking.headlines(scores))
    show_notes(scores.banner)
    show_scores(scores)
    if scores.sample_sizes:
        show_table(_sample_sizes_table(scores))
    return Skipped(dict.fromkeys(scores.not_read, "not read: the findings do not have it")).report(folder)


def _examined(config: ScoreConfig, manifest: Reference, folder: Path) -> Examination:
    """Match and export the findings, whose boxes are not held any longer."""
    found = _contender(config, manifest, str(config.findings), 0)
    table = as_table(found.findings)
    examination = examine(manifest, table, _settings(config, found))
    for kind in config.export:
        EXPORTS[kind](folder, examination.matched, boxes_of(table, examination.cohort.marks))
    return examination


def _compare(config: ScoreConfig, manifest: Reference, folder: Path) -> Status:
    first, second = (_contender(config, manifest, path, row) for row, path in enumerate(config.compare))
    comparison = compare(manifest, first, second, _settings(config, first))
    write_comparison(folder / "comparison.json", comparison)
    if config.pages:
        from spinedet.report.comparison_page import write_comparison_page  # jinja2 is slow to load

        write_comparison_page(folder / "comparison.html", comparison)
    show_notes(comparison.notes)
    show_table(_differences_table(comparison))
    console.print(f"all differences: {folder / 'comparison.json'}")
    return Status.DONE


def _contender(config: ScoreConfig, manifest: Reference, path: str, row: int) -> Contender:
    """A detector's findings with the threshold that is its own."""
    threshold, point = _own(config.threshold, row), _own(config.operating_point, row)
    if threshold is not None and point is not None:
        raise InputError("pass threshold= or operating_point=, not both")
    if threshold is not None and not is_number(threshold):
        raise InputError(f"threshold={threshold}: use a number such as 0.5, or one for each detector in brackets")
    return Contender(
        name=f"{Path(path).parent.name}/{Path(path).stem}",
        findings=import_findings(Path(path), manifest, config.read, config.processes),
        threshold=None if threshold is None else float(threshold),
        operating_point=None if point is None else read_operating_point(Path(str(point))),
    )


def _own(setting: Any, row: int) -> Any:
    """One setting for all, or each detector's own in brackets."""
    if not isinstance(setting, list):
        return setting
    if row >= len(setting):
        raise InputError(f"{setting} has no entry for detector number {row + 1}; give one for each")
    return setting[row]


def _settings(config: ScoreConfig, detector: Contender) -> ScoreSettings:
    planes = tuple(config.planes) if config.planes else None
    return ScoreSettings(
        criterion=config.criterion,
        selection=Selection(config.split, planes, config.allow_missing),
        threshold=detector.threshold,
        operating_point=detector.operating_point,
        bootstrap=config.bootstrap,
        by=tuple(config.by),
        strata=None if config.strata is None else tuple(config.strata),
        size_edges=tuple(config.size_edges),
        secondary=tuple(config.secondary),
        internal=config.internal,
        half_width=config.half_width,
        froc=config.froc,
        coco_compat=config.coco_compat,
    )


def _sample_sizes_table(scores: Scores) -> Table:
    """Patients of a test for intervals of the wanted width."""
    head = ("", "statistic", "half-width", "patients needed", "pilot patients", "pilot half-width")
    table = plain_table(*head, title="for patients like these; few pilot patients give a rough number")
    for row in needed_in_words(scores.sample_sizes):
        table.add_row(*row)
    return table


def _differences_table(comparison: Comparison) -> Table:
    """Every part's F1, sensitivity at one false positive per scan and AP."""
    title = f"second minus first; {comparison.criterion['description']}"
    table = plain_table(
        "", "statistic", comparison.first, comparison.second, "difference", "p", "p (Holm)", title=title
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for one in comparison.differences:
        if one.metric in _SHOWN:
            part = ", ".join(str(value) for value in one.by.values()) or "everything"
            cell = signed(one.difference)
            numbers = ("–" if value is None else f"{value:.3f}" for value in (one.first, one.second))
            p = ("–" if value is None else f"{value:.4f}" for value in (one.p, one.p_holm))
            table.add_row(part, one.metric, *numbers, f"{cell.value}\n{cell.interval or cell.remark}", *p)
    return table
