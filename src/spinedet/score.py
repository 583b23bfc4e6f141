"""`python -m spinedet.score reference=MANIFEST findings=FINDINGS`: score any detector's findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from spinedet.cli import tracking
from spinedet.cli.app import CommonConfig, Skipped, Status, claim_output, console, register, results, run_command
from spinedet.cli.progress import progress_bar
from spinedet.cli.score_table import show_scores
from spinedet.core.errors import InputError
from spinedet.core.manifest import read_manifests
from spinedet.core.types import Manifest, Split, is_number
from spinedet.formats.detector_findings import ImportSettings, import_findings
from spinedet.formats.score_exports import EXPORTS
from spinedet.report.number_format import signed
from spinedet.scoring import (
    CRITERIA,
    BootstrapSettings,
    Comparison,
    Contender,
    ScoreSettings,
    Selection,
    compare,
    examine,
    read_operating_point,
    report,
    write_comparison,
    write_scores,
)
from spinedet.scoring.metrics.counts import froc_name

_SHOWN = ("f1", froc_name(1.0), "ap")


@dataclass
class ScoreConfig(CommonConfig):
    """What is scored, and how.

    Attributes:
        reference: one manifest, or several in brackets. findings: a detector's file in the format that `read` tells.
        compare: two findings files instead of one. threshold: one frozen threshold, or operating_point: a file of
            them, for each detector. Without either every finding counts.
        split, planes, allow_missing: which studies, see docs/scoring.md. by: further groups, such as vendor or
            center*vendor. strata: kinds of lesions. internal: the centre to compare the others with.
        export: csv, coco or picai files of the judged findings. pages: figures, tables and scores.html as well.
    """

    reference: Any = MISSING
    findings: str | None = None
    compare: list[str] = field(default_factory=list)
    criterion: Any = MISSING
    threshold: Any = None
    operating_point: Any = None
    split: str | None = None
    planes: list[str] | None = None
    allow_missing: bool = False
    by: list[str] = field(default_factory=list)
    strata: list[str] | None = None
    size_edges: list[float] = field(default_factory=list)
    secondary: list[float] = field(default_factory=lambda: [0.1, 0.25, 0.5])
    internal: str | None = None
    froc: str = "step"
    coco_compat: bool = False
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    read: ImportSettings = field(default_factory=ImportSettings)
    export: list[str] = field(default_factory=list)
    pages: bool = True

    def __post_init__(self) -> None:
        if self.split not in (None, *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use train, tune or test, or leave it out for all studies")
        if (self.findings is None) == (not self.compare) or len(self.compare) not in (0, 2):
            raise InputError("pass findings=FILE to score one detector, or compare=[A.json,B.json] to compare two")
        unknown = sorted(set(self.export) - set(EXPORTS))
        if unknown:
            raise InputError(f"export={unknown}: use some of {sorted(EXPORTS)}")


def score(config: ScoreConfig) -> Status:
    """Read, score, write; or compare."""
    folder = claim_output(config, "score")
    paths = config.reference if isinstance(config.reference, list) else [config.reference]
    manifest = read_manifests([Path(str(path)) for path in paths])
    return _compare(config, manifest, folder) if config.compare else _score(config, manifest, folder)


def _score(config: ScoreConfig, manifest: Manifest, folder: Path) -> Status:
    found = _contender(config, manifest, str(config.findings), 0)
    examination = examine(manifest, found.findings, _settings(config, found))
    with progress_bar("resampling patients") as progress:
        scores = report(manifest.name, examination, progress)
    write_scores(folder / "scores.json", scores)
    for kind in config.export:
        EXPORTS[kind](folder, examination.judgement)
    if config.pages:
        from spinedet.report.score_page import (
            write_everything,  # matplotlib and jinja2 take longer to load than to score
        )

        write_everything(folder, examination, scores)
    tracking.log_metrics(config.logger, folder, tracking.headlines(scores))
    _say(scores.notes)
    show_scores(scores)
    return Skipped(dict.fromkeys(scores.not_read, "not read: the findings do not have it")).report(folder)


def _compare(config: ScoreConfig, manifest: Manifest, folder: Path) -> Status:
    first, second = (_contender(config, manifest, path, row) for row, path in enumerate(config.compare))
    comparison = compare(manifest, first, second, _settings(config, first))
    write_comparison(folder / "comparison.json", comparison)
    _say(comparison.notes)
    results.print(_differences_table(comparison))
    console.print(f"all differences: {folder / 'comparison.json'}")
    return Status.DONE


def _contender(config: ScoreConfig, manifest: Manifest, path: str, row: int) -> Contender:
    """A detector's findings with the threshold that is its own."""
    threshold, point = _own(config.threshold, row), _own(config.operating_point, row)
    if threshold is not None and point is not None:
        raise InputError("pass threshold= or operating_point=, not both")
    if threshold is not None and not is_number(threshold):
        raise InputError(f"threshold={threshold}: use a number such as 0.5, or one for each detector in brackets")
    return Contender(
        name=f"{Path(path).parent.name}/{Path(path).stem}",
        findings=import_findings(Path(path), manifest, config.read),
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
        froc=config.froc,
        coco_compat=config.coco_compat,
    )


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        console.print(Text.assemble(("note ", "yellow"), note))


def _differences_table(comparison: Comparison) -> Table:
    """Every part's F1, sensitivity at one false positive per scan and AP."""
    table = Table(title=f"second minus first; {comparison.criterion['description']}", title_justify="left", box=None)
    for name in ("", "statistic", escape(comparison.first), escape(comparison.second), "difference", "p", "p (Holm)"):
        table.add_column(name, justify="left" if name in ("", "statistic") else "right")
    for one in comparison.differences:
        if one.metric in _SHOWN:
            part = ", ".join(str(value) for value in one.by.values()) or "everything"
            cell = signed(one.difference)
            numbers = ("–" if value is None else f"{value:.3f}" for value in (one.first, one.second))
            p = ("–" if value is None else f"{value:.4f}" for value in (one.p, one.p_holm))
            table.add_row(escape(part), one.metric, *numbers, f"{cell.value} {cell.interval or cell.remark}", *p)
    return table


def main() -> None:
    """Entry point."""
    register(ScoreConfig, "score", {"criterion": CRITERIA})
    run_command("score", score)


if __name__ == "__main__":
    main()
