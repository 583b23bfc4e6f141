"""The pages of the study of radiographs: one for each task, one for each control set, and an index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinedet import __version__
from spinedet.core.files import write_text
from spinedet.report.html import render, render_text
from spinedet.report.label_page import Extras, view_of
from spinedet.report.number_format import MARKS
from spinedet.report.radiograph_study_results import (
    Metric,
    TaskResults,
    baselines_of,
    labels_of,
    metrics_of,
    parts_of,
    pooled_of,
    repeats_of,
    rows_of,
)
from spinedet.report.radiograph_study_summary import summary
from spinedet.report.study_steps import StepLine, broken_steps
from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.records import LabelGroup, LabelScores
from spinedet.scoring.records import Estimate


def write_radiograph_study(folder: Path, size: str, tasks: Sequence[TaskResults], steps: Sequence[StepLine]) -> Path:
    """Write `index.html`, the same as text in `study.md`, and the pages of tasks and control sets; gives the first."""
    for task in tasks:
        if task.scores is not None:
            values = _task_view(task, task.scores)
            write_text(folder / f"{task.name}.html", render("radiograph_task.html", **values))
            write_text(folder / f"{task.name}.md", render_text("radiograph_task.md", **values))
        if task.control is not None:
            write_text(folder / f"{task.name}-control.html", render("labels.html", **_control_view(task, task.control)))
    notes = dict.fromkeys(note for task in tasks for note in task.baselines.notes)
    values = {
        "title": f"Radiographs on phantoms, size {size}",
        "notes": (*notes, *broken_steps(steps)),
        "tasks": [_index_view(task) for task in tasks],
        "steps": steps,
        "marks": MARKS,
        "as_answered": AS_ANSWERED,
        "version": __version__,
    }
    write_text(folder / "study.md", render_text("radiograph_study.md", **values))
    write_text(folder / "index.html", render("radiograph_study.html", **values))
    return folder / "index.html"


def _shared(task: TaskResults, scores: LabelScores) -> dict[str, Any]:
    """What the index and the page of a task both show."""
    lines = labels_of(task, scores)
    return {
        "task": task,
        "summary": list(summary(task)),
        "metrics": metrics_of(task),
        "rows": rows_of(scores, task.centers),
        "labels": lines,
        "pooled": pooled_of(lines, scores.bootstrap.confidence),
        "parts": parts_of(task.manifest),
        "control_rows": rows_of(task.control, ["only"]) if task.control else [],
        "control_metrics": _CONTROL_METRICS,
    }


def _sensitivity(group: LabelGroup) -> Estimate:
    finding = group.answer(AS_ANSWERED).finding
    return finding.sensitivity_exact if finding else Estimate(reason="no answer")


def _specificity(group: LabelGroup) -> Estimate:
    finding = group.answer(AS_ANSWERED).finding
    return finding.specificity_exact if finding else Estimate(reason="no answer")


_CONTROL_METRICS = (
    Metric("sensitivity", _sensitivity),
    Metric("specificity", _specificity),
    Metric("accuracy", lambda group: group.answer(AS_ANSWERED).accuracy_exact),
    Metric("AUC", lambda group: group.auc.bootstrap),
)


def _task_view(task: TaskResults, scores: LabelScores) -> dict[str, Any]:
    seeds = list(task.by_seed)
    view = view_of(scores, Extras(published=task.published))
    return view | {
        **_shared(task, scores),
        "title": f"{task.name.capitalize()}: {', '.join(one.model_name for one in (scores, *scores.others))}",
        "seeds": seeds,
        "baselines": list(baselines_of(task.baselines)),
        "repeats": list(repeats_of(task.by_seed)) if len(seeds) > 1 else [],
    }


def _control_view(task: TaskResults, scores: LabelScores) -> dict[str, Any]:
    facts = (
        ("Control set", "patients that neither trained, tuned nor tested a network; everything frozen before"),
        ("Simulated readers", "drawn by chance with a stated sensitivity and specificity; they are no surgeons"),
    )
    view = view_of(scores, Extras(facts=facts, published=task.published))
    names = ", ".join(one.model_name for one in (scores, *scores.others))
    return view | {"title": f"{task.name.capitalize()}, control set: {names}"}


def _index_view(task: TaskResults) -> dict[str, Any]:
    return {"task": task, "scores": task.scores, **(_shared(task, task.scores) if task.scores else {})}
