"""`python -m spinedet.readers reference=MANIFEST readers=[A,B] model=F`: analyse a reader study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from spinedet.cli.console import console, plain_table, show_notes, show_table
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, sha256
from spinedet.core.findings import FindingsTable, tabulate
from spinedet.core.manifest import phantom_note, read_manifests
from spinedet.core.radiograph.readings import FORMAT as READINGS
from spinedet.core.types import Manifest, is_number
from spinedet.formats.detector_findings import import_findings
from spinedet.formats.reading_exports import read_sessions
from spinedet.formats.rjafroc import write_rjafroc, write_rjafroc_roc
from spinedet.pipelines.radiograph_readers import ReadingFiles, holds_radiographs, study_radiograph_readers
from spinedet.readers import ReadersConfig
from spinedet.report.number_format import p_value, plain, shown, signed
from spinedet.scoring.reader_study.aided_reading import ReadingSession, aided_reading, session_findings
from spinedet.scoring.reader_study.effects import (
    AIDED,
    METHOD,
    PROGRAM,
    UNAIDED,
    analyses,
    disagreements,
    reader_rows,
)
from spinedet.scoring.reader_study.figures_of_merit import FEWEST_LESION_FREE, FIGURES, UNITS
from spinedet.scoring.reader_study.labels import LABEL_FIGURES, LabelReaderSettings
from spinedet.scoring.reader_study.obuchowski_rockette import FEWEST_READERS
from spinedet.scoring.reader_study.records import AidedReading, Analysis, Design, ReaderStudy, write_reader_study
from spinedet.scoring.reader_study.study import (
    GivenReading,
    MatchedReading,
    ReaderSettings,
    criterion_of,
    describe_figure,
    match_readings,
    threshold_words,
)
from spinedet.scoring.thresholds import AppliedThresholds, FrozenThresholds, GivenThreshold, NoThreshold, TuningData


def readers(config: ReadersConfig) -> Status:
    """Read, match, analyse, write."""
    config.check_readers()
    given = config.reference if isinstance(config.reference, list) else [config.reference]
    paths = [Path(str(path)) for path in given]
    if holds_radiographs(paths):
        config.refuse_for_radiographs()
        study = study_radiograph_readers(_files(config, paths), _label_settings(config), _design(config))
        folder = claim_output(config, "readers")
        if "rjafroc" in config.export:
            write_rjafroc_roc(folder / "rjafroc.xlsx", study.measured)
        _write(config, folder, study.record)
    else:
        _read_findings(config, paths)
    return Status.DONE


def _read_findings(config: ReadersConfig, paths: Sequence[Path]) -> None:
    settings = _settings(config)
    folder = claim_output(config, "readers")
    manifest = read_manifests(paths)
    given = list(_given(config, manifest))
    matched = match_readings(manifest, [one.reading for one in given], settings)
    aided = tuple(aided_reading(one.reading.reader, one.sessions, manifest, settings) for one in given if one.sessions)
    if "rjafroc" in config.export:
        write_rjafroc(folder / "rjafroc.xlsx", matched)
    _write(config, folder, _study(config, manifest, matched, aided))


def _write(config: ReadersConfig, folder: Path, study: ReaderStudy) -> None:
    write_reader_study(folder / "readers.json", study)
    if config.pages:
        from spinedet.report.reader_page import write_reader_page  # jinja2 is slow to load

        write_reader_page(folder / "readers.html", study)
    show_notes(study.notes)
    show_table(_readings_table(study))
    title = f"{study.figure['description']}; {study.criterion['description']}"
    show_table(_effects_table(study.analyses, title))
    if study.time_analyses:
        show_table(_effects_table(study.time_analyses, "mean seconds per image"))
    console.print(f"all numbers: {folder / 'readers.json'}")


def _files(config: ReadersConfig, paths: Sequence[Path]) -> ReadingFiles:
    return ReadingFiles(
        reference=tuple(paths),
        readers=tuple(map(Path, config.readers)),
        aided=tuple(map(Path, config.aided)),
        names=tuple(_names(config)),
        program=Path(config.model) if config.model else None,
        threshold=config.model_threshold,
    )


def _label_settings(config: ReadersConfig) -> LabelReaderSettings:
    return LabelReaderSettings(config.fom, config.unit, config.split, config.confidence)


def _design(config: ReadersConfig) -> Design:
    return Design(order=config.order, washout=config.washout, program_first=config.program_first)


def _names(config: ReadersConfig) -> list[str]:
    return config.names or [f"reader {number}" for number in range(1, len(config.readers) + 1)]


def _settings(config: ReadersConfig) -> ReaderSettings:
    if config.fom not in FIGURES:
        films = "; it is a figure of radiographs" if config.fom in LABEL_FIGURES else ""
        raise InputError(f"fom={config.fom}: use one of {', '.join(FIGURES)}{films}")
    if config.unit not in UNITS:
        raise InputError(f"unit={config.unit}: use {' or '.join(UNITS)}")
    return ReaderSettings(
        criterion=config.criterion,
        figure=config.fom,
        unit=config.unit,
        split=config.split,
        planes=tuple(config.planes) if config.planes else None,
        confidence=config.confidence,
    )


@dataclass(frozen=True, eq=False)
class _Given:
    """A reading with the sessions that it was exported from, if it was."""

    reading: GivenReading
    sessions: list[ReadingSession]


def _given(config: ReadersConfig, manifest: Manifest) -> Iterator[_Given]:
    threshold = NoThreshold() if config.threshold is None else GivenThreshold.at(config.threshold)
    for condition, paths in ((UNAIDED, config.readers), (AIDED, config.aided)):
        for name, path in zip(_names(config), map(Path, paths), strict=False):
            _refuse_readings(path)
            sessions = read_sessions(path) if _is_export(path) else []
            findings = _of_sessions(name, path, sessions) if sessions else import_findings(path, manifest, config.read)
            yield _Given(GivenReading(name, condition, findings, threshold, sha256(path)), sessions)
    if config.model:
        path = Path(config.model)
        _refuse_readings(path)
        findings = import_findings(path, manifest, config.read)
        yield _Given(GivenReading("program", PROGRAM, findings, _program_threshold(config, path), sha256(path)), [])


def _refuse_readings(path: Path) -> None:
    """Readings of radiographs go with a manifest of radiographs."""
    raw: Any = read_json(path) if path.suffix == ".json" else {}
    if isinstance(raw, dict) and raw.get("format") == READINGS:
        raise InputError(f"{path} holds readings of radiographs; pass the manifest of the radiographs as reference=")


def _is_export(path: Path) -> bool:
    if path.is_dir():
        return True
    raw: Any = read_json(path) if path.suffix == ".json" else {}
    return isinstance(raw, dict) and "reading" in raw


def _of_sessions(name: str, path: Path, sessions: Sequence[ReadingSession]) -> FindingsTable:
    return tabulate(session_findings(name, sessions), str(path))


def _program_threshold(config: ReadersConfig, path: Path) -> AppliedThresholds:
    """`model_threshold`, else the operating point that the findings file states, else none."""
    if config.model_threshold is not None:
        return GivenThreshold.at(config.model_threshold)
    raw: Any = read_json(path) if path.suffix == ".json" else {}
    point: Any = raw.get("operating_point") if isinstance(raw, dict) else None
    listed = point.get("thresholds") if isinstance(point, dict) else None
    if not listed:
        return NoThreshold()
    if not all(isinstance(one, dict) and is_number(one.get("value")) for one in listed):
        raise InputError(f"{path}: operating_point.thresholds cannot be read; pass model_threshold=")
    content = {"criterion": {}, "chosen_on": TuningData(studies=0, data_sha256="unknown"), "rule": point.get("rule")}
    thresholds = [{key: one.get(key) for key in ("plane", "category", "value")} for one in listed]
    return FrozenThresholds.model_validate(
        {**content, "thresholds": thresholds, "sha256": str(point.get("sha256", "unknown"))}, strict=False
    )


def _study(
    config: ReadersConfig, manifest: Manifest, matched: Sequence[MatchedReading], aided: tuple[AidedReading, ...]
) -> ReaderStudy:
    settings = _settings(config)
    first = matched[0]
    measured = [one.measured for one in matched]
    program = next((one.given.findings for one in matched if one.given.condition == PROGRAM), None)
    return ReaderStudy(
        name=manifest.name,
        figure=describe_figure(settings),
        unit=settings.unit,
        criterion=dict(criterion_of(settings)),
        confidence=settings.confidence,
        method=METHOD,
        patients=first.cases.patients,
        diseased_cases=int((first.cases.lesions > 0).sum()),
        lesion_free_cases=int(first.cases.free.sum()),
        lesions=int(first.cases.lesions.sum()),
        readings=tuple(reader_rows(measured, settings.confidence)),
        analyses=tuple(analyses(measured, settings.confidence)),
        disagreements=tuple(disagreements(measured)),
        aided=aided,
        design=_design(config),
        thresholds=threshold_words([one.given for one in matched]),
        notes=tuple(_notes(config, matched)),
        model=None if program is None else program.model,
    )


def _notes(config: ReadersConfig, matched: Sequence[MatchedReading]) -> Iterator[str]:
    cohort = matched[0].matched.cohort
    yield from phantom_note(cohort.studies)
    if len(config.readers) < FEWEST_READERS:
        yield f"{len(config.readers)} readers: the results hold for these people and say nothing of other readers"
    if config.aided and not config.washout:
        yield "the time between the unaided and the aided reading was not stated (washout=)"
    free = int(matched[0].cases.free.sum())
    if config.fom in ("auc", "specificity") and free < FEWEST_LESION_FREE:
        yield f"only {free} lesion-free cases ({config.unit}s): the figure rests on them"
    if config.fom in ("auc", "wafroc") and any(len(set(one.given.findings.score.tolist())) < 2 for one in matched):
        yield "a reading has no grades of confidence, so that its curve has one point; f1 is a fairer figure"
    known = next((one.given.findings.trained_on for one in matched if one.given.condition == PROGRAM), None)
    yield from known.sentences if known else ()


def _readings_table(study: ReaderStudy) -> Table:
    given = "answers" if study.labels else "marks"
    table = plain_table("reader", "condition", given, study.figure["name"], "interval", title=study.name)
    for column in table.columns[2:]:
        column.justify = "right"
    for one in study.readings:
        cell = shown(one.figure)
        table.add_row(one.reader, one.condition, str(one.marks), cell.value, cell.interval)
    return table


def _effects_table(effects: Sequence[Analysis], title: str) -> Table:
    table = plain_table("question", "readers", "effect", "interval", "df", "p", title=title)
    for one in effects:
        for kind, effect in (("random", one.random), ("fixed", one.fixed)):
            cell = shown(effect.effect) if effect.p is None and kind == "fixed" else signed(effect.effect)
            if one.question.startswith("readers"):
                cell = shown(effect.effect)
            df = "–" if effect.df is None else plain(effect.df, 1)
            p = "–" if effect.p is None else p_value(effect.p, 4)
            table.add_row(one.question, kind, cell.value, cell.interval or cell.remark, df, p)
    return table
