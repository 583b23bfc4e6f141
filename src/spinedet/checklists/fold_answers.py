"""Answers from a cross-validation, in place of those of a single test, and from one of its folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import CONFIG, CROSSED, HELD_OUT, RUN, Found, criterion_in_words
from spinedet.report.number_format import counted, in_words, listed, plain
from spinedet.scoring import Estimate
from spinedet.scoring.cross_validated import CrossValidated, CrossValidationResults

# Statistics by the words for them.
_NUMBERS = {"F1": "f1", "precision": "precision", "recall": "recall", "average precision": "ap"}
# Rules that see no image end so.
_NO_IMAGE = "no image"


@dataclass(frozen=True)
class _Crossed:
    """A cross-validation with what else is known of it."""

    evidence: Evidence
    record: CrossValidationResults

    @property
    def own(self) -> CrossValidated:
        return self.record.results[0]

    @property
    def by(self) -> str | None:
        """The attribute whose values are the folds."""
        return self.record.by or _value(self, "by")

    @property
    def seeds(self) -> str:
        """Of the trainings: `2 training seeds (0 and 1)`."""
        return f"{counted(len(self.record.thresholds), 'training seed')} ({listed(list(self.record.thresholds))})"

    @property
    def others(self) -> list[str]:
        """Names of other detectors whose results stand beside."""
        return [one.name for one in self.record.results[1:] if not one.name.endswith(_NO_IMAGE)]

    def words(self, estimate: Estimate) -> str:
        """With its interval; see `unknown_level`."""
        if self.record.bootstrap is not None:
            return in_words(estimate, self.record.bootstrap.confidence)
        if estimate.value is None or estimate.low is None or estimate.high is None:
            return in_words(estimate, 0)
        return f"{plain(estimate.value)} ({plain(estimate.low)} to {plain(estimate.high)})"

    @property
    def unknown_level(self) -> str:
        """What files of earlier versions left out."""
        return "" if self.record.bootstrap else "Intervals in brackets; their level is not recorded. "

    def numbers(self, name: str, results: Sequence[CrossValidated]) -> str:
        """The detector's own results on a part of the data, in a sentence."""
        own = results[0]
        shown = [f"{word} {self.words(own.numbers[key])}" for word, key in _NUMBERS.items() if key in own.numbers]
        return f"{name[0].upper()}{name[1:]}: {', '.join(shown)}."


def cross_validation_facts(evidence: Evidence, record: CrossValidationResults) -> dict[str, Found | None]:
    """The answers of a cross-validation by topic; None where the answer of a single test would be wrong here."""
    task = _Crossed(evidence, record)
    return {name: answer(task) for name, answer in _ANSWERS.items()}


def _goal(task: _Crossed) -> Found:
    text = "Development of a detector with an internal test: every patient is tested by detectors that never saw them."
    return Found(text, f"{CROSSED} folds")


def _sources(task: _Crossed) -> Found | None:
    name = task.record.name or (task.evidence.run.data.name if task.evidence.run and task.evidence.run.data else None)
    centers = [part.center for part in task.record.participants]
    if name is None and not centers:
        return None
    places = f", from {counted(len(centers), 'centre')}: {listed(centers)}" if centers else ""
    return Found(f"The data set {name or '(its name is not recorded)'}{places}.", f"{CROSSED} name, participants")


def _partitions(task: _Crossed) -> Found:
    sizes = [len(patients) for patients in task.record.folds.values()]
    seed = "" if task.by else f" (seed {found})" if (found := _value(task, "seed")) else ""
    what = f"by the values of {task.by} into {len(sizes)} groups" if task.by else f"into {len(sizes)} folds{seed}"
    text = (
        f"Cross-validation over patients: {counted(sum(sizes), 'patient')} were cut {what} of "
        f"{listed([str(size) for size in sizes])}. Each part was tested by a detector that was trained on the patients "
        f"of the others alone, with {task.seeds}."
    )
    return Found(text, f"{CROSSED} folds, thresholds")


def _value(task: _Crossed, key: str) -> str | None:
    given: Any = task.evidence.config.get(key)
    return None if given in (None, "null") else str(given)


def _disjoint(task: _Crossed) -> Found:
    return Found(
        "No patient is in two folds: all scans of a patient are tested by the same detectors, which saw none of them.",
        f"{CROSSED} folds",
    )


def _flow(task: _Crossed) -> Found:
    tested = sum(len(patients) for patients in task.record.folds.values())
    run, skipped = task.evidence.run, len(task.evidence.skipped)
    excluded = list(run.excluded.values()) if run else []
    lines = [
        f"Each of {counted(tested, 'patient')} was tested once by each training seed",
        *(f"{counted(excluded.count(why), 'study')} excluded ({why})" for why in dict.fromkeys(excluded)),
        *([f"{counted(skipped, 'study')} could not be read"] if skipped else []),
    ]
    return Found(f"{'; '.join(lines)}.", f"{CROSSED} folds" + (f"; {RUN} excluded" if excluded else ""))


def _analysed(task: _Crossed) -> Found | None:
    lines = [
        f"Centre {part.center}: {counted(part.patients, 'patient')}, {counted(part.series, 'scan')}, "
        f"{counted(part.lesions, 'lesion')}."
        for part in task.record.participants
    ]
    return Found(" ".join(lines), f"{CROSSED} participants") if lines else None


def _performance(task: _Crossed) -> Found:
    record = task.record
    lines = [task.numbers(name, found) for name, found in {"all studies": record.results, **record.parts}.items()]
    head = f"{criterion_in_words(record.criterion)} " if record.criterion else ""
    seeds = f"Means over {task.seeds}. " if len(record.thresholds) > 1 else f"From {task.seeds}. "
    text = f"{head}{seeds}{task.unknown_level}{' '.join([*lines, *_rules(task)])}"
    return Found(text, f"{CROSSED} results, parts")


def _rules(task: _Crossed) -> Iterator[str]:
    """What rules reach that see no image, and how much better the detector is than the best known of them."""
    rules = [one for one in task.record.results if one.name.endswith(_NO_IMAGE)]
    shown = [f"{one.name}: F1 {task.words(one.numbers['f1'])}" for one in rules if "f1" in one.numbers]
    if shown:
        yield f"Rules for comparison on all studies: {'; '.join(shown)}."
    if (apart := task.own.numbers.get("f1 difference")) is not None:
        yield f"F1 of the detector minus that of the lowest four: {task.words(apart)}."


def _internal(task: _Crossed) -> Found:
    found = _performance(task)
    return Found(f"Cross-validation is an internal test. {found.text}", found.source)


def _external(task: _Crossed) -> Found:
    if task.by is None:
        return Found("Not done: a cross-validation over patients is an internal test.", f"{CROSSED} folds")
    lines = [task.numbers(name, found) for name, found in task.record.parts.items()]
    text = f"Each value of {task.by} was tested by a detector of the other values, with a threshold from these alone."
    return Found(" ".join([text, *lines]), f"{CROSSED} parts")


def _subgroups(task: _Crossed) -> Found:
    if not task.record.parts:
        return Found("Not analysed by sex, age or scanner.", f"{CROSSED} parts")
    lines = [task.numbers(name, found) for name, found in task.record.parts.items()]
    return Found(" ".join(lines), f"{CROSSED} parts")


def _measures(task: _Crossed) -> Found:
    head = f"{criterion_in_words(task.record.criterion)} " if task.record.criterion else ""
    graded = "; the AUC of grading assessed places" if "grading auc" in task.own.numbers else ""
    text = (
        "Precision, recall and F1 of lesions at each fold's threshold, the best F1 over thresholds, average precision "
        f"and the sensitivity at one false positive per scan, over all patients together{graded}."
    )
    return Found(head + text, f"{CROSSED} criterion, results")


def _uncertainty(task: _Crossed) -> Found | None:
    bootstrap = task.record.bootstrap
    if bootstrap is None:
        return None
    text = f"{bootstrap.description[0].upper()}{bootstrap.description[1:]}; seed {bootstrap.seed}."
    return Found(f"{text} Replicates are of the mean over training seeds.", f"{CROSSED} bootstrap")


def _clusters(task: _Crossed) -> Found:
    text = "Patients are resampled with all their scans and lesions."
    lines = [task.numbers(name, found) for name, found in task.record.parts.items()]
    return Found(" ".join([text, *lines]), f"{CROSSED} parts")


def _threshold(task: _Crossed) -> Found:
    values = [value for each in task.record.thresholds.values() for value in each.values()]
    rule = task.record.rule or _value(task, "rule")
    chosen = f" by the rule {rule}" if rule else ""
    where = f"the other values of {task.by}" if task.by else "the other folds"
    return Found(
        f"Every fold has its own, chosen{chosen} on the findings in {where}, before the fold was scored: "
        f"{plain(min(values))} to {plain(max(values))} over {counted(len(values), 'training')}.",
        f"{CROSSED} thresholds",
    )


def _sample_size(task: _Crossed) -> Found:
    tested = sum(len(patients) for patients in task.record.folds.values())
    return Found(f"No planning is recorded; {counted(tested, 'patient')} were tested.", f"{CROSSED} folds")


def _initialisation(task: _Crossed) -> Found:
    begun = [note for note in task.record.notes if note.startswith("Initialised from")]
    seeds = f"Trained with {task.seeds}."
    return Found(" ".join([*(begun or ["Random weights; no earlier run."]), seeds]), f"{CROSSED} notes, thresholds")


def _training(task: _Crossed) -> Found | None:
    lengths = list(task.evidence.run.trainings.values()) if task.evidence.run else []
    if not lengths:
        return None
    steps = sorted(one.steps for one in lengths)
    span = counted(steps[0], "step") if steps[0] == steps[-1] else f"{steps[0]} to {steps[-1]} steps"
    recipe: Any = task.evidence.config.get("recipe", {})
    named = ("lr", "weight_decay", "batch", "ema")
    known = [f"{key} {recipe[key]}" for key in named if isinstance(recipe, dict) and recipe.get(key, "null") != "null"]
    settings = f" Settings: {', '.join(known)} (all in {CONFIG})." if known else ""
    return Found(f"{counted(len(lengths), 'training')} of {span} each.{settings}", f"{RUN} trainings; {CONFIG}")


def _choice(task: _Crossed) -> Found:
    text = (
        f"No training was chosen among others: results are those of {task.seeds}, each with the averaged weights at "
        "its end; the threshold alone was chosen, on other folds."
    )
    if task.others:
        text += (
            f" Results of {listed(task.others)} in the same folds stand beside them: how the reported detector was "
            "chosen among these has to be added (extra:)."
        )
    return Found(text, f"{CROSSED} results, thresholds")


def _ensembling(task: _Crossed) -> Found:
    return Found("None: one set of weights tests each patient; seeds are averaged as results.", f"{CROSSED} results")


def _robustness(task: _Crossed) -> Found:
    text = f"Not tested here; every fold is a run that `evaluate` tests on degraded scans of its own {HELD_OUT}."
    return Found(text, CROSSED)


def _updating(task: _Crossed) -> Found:
    return Found("No model was updated or recalibrated.", CROSSED)


def _calculation(task: _Crossed) -> Found | None:
    if not (task.evidence.root / "final/model").is_dir():
        return None
    command = "`python -m spinedet.predict run=RUN/final input=SCAN`"
    text = f"{command} with the weights of SHA-256 {task.evidence.weights_sha256}, of all patients and tested on none."
    return Found(text, "final/model")


def _uncertain(task: _Crossed) -> Found:
    unread = len(task.evidence.skipped)
    tail = f" {counted(unread, 'study')} could not be read and count nowhere." if unread else ""
    text = f"There are none: a finding counts or it does not.{tail}"
    return Found(text, CROSSED + ("; skipped.json" if unread else ""))


def _open(task: _Crossed) -> None:
    """The files of a cross-validation do not state it."""


_ANSWERS: Mapping[str, Callable[[_Crossed], Found | None]] = {
    "goal": _goal,
    "data_sources": _sources,
    "partitions": _partitions,
    "disjoint": _disjoint,
    "flow": _flow,
    "analysed": _analysed,
    "performance": _performance,
    "internal": _internal,
    "external": _external,
    "subgroups": _subgroups,
    "measures": _measures,
    "uncertainty": _uncertainty,
    "clusters": _clusters,
    "threshold": _threshold,
    "sample_size": _sample_size,
    "initialisation": _initialisation,
    "training": _training,
    "choice": _choice,
    "ensembling": _ensembling,
    "robustness": _robustness,
    "updating": _updating,
    "calculation": _calculation,
    "uncertain_results": _uncertain,
    "estimates": _open,
    "errors": _open,
}


def fold_facts(evidence: Evidence) -> dict[str, Found | None]:
    """What a single fold of a cross-validation states: who was held out; its results are in those of all folds."""
    held = sum(part.patients for part in evidence.held_out)
    goal = "One fold of a cross-validation: a detector that was trained on the patients of the other folds."
    parted = (
        f"Cross-validation over patients: this detector was trained on the patients of the other folds, and "
        f"{counted(held, 'patient')} were held out from it. The results of all folds are in the folder of the "
        "cross-validation, which `run=` takes too."
    )
    disjoint = "None of the patients held out was trained on; the threshold was chosen on the findings in other folds."
    return {
        "goal": Found(goal, HELD_OUT),
        "partitions": Found(parted, HELD_OUT),
        "disjoint": Found(disjoint, f"{HELD_OUT}; operating_point.json"),
    }
