"""One task of the study of radiographs in sentences that follow from its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spinedet.core.radiograph import VIEWS
from spinedet.report.html import change_in_text, in_text
from spinedet.report.label_parts import part_in_words
from spinedet.report.number_format import counted, listed, p_value
from spinedet.report.radiograph_study_results import (
    Baseline,
    TaskResults,
    accuracy_of,
    baselines_of,
    labels_of,
    pooled_of,
    rows_of,
)
from spinedet.scoring.classification.counts import of_label
from spinedet.scoring.classification.pairs import ALL, NETWORKS, WITH_READERS
from spinedet.scoring.classification.records import Discordance, LabelPair, LabelScores

_LEVEL = 0.05


def summary(task: TaskResults) -> Iterator[str]:
    """Nothing where no training came to its end."""
    scores = task.scores
    if scores is None:
        return
    yield from _results(task, scores)
    yield from _pairs(scores.pairs)
    yield from _views(task.views)
    yield from _labels(task, scores)
    yield from _centers(scores)
    yield from _rejection(scores)
    if task.control is not None:
        yield from _control(task.control)
    yield _baselines(list(baselines_of(task.baselines)), leaks=task.leaks)
    for one in task.confounded:
        yield (
            f"Confounder: {one.name}, trained where a lead letter tells the label, has an AUC of "
            f"{in_text(one.with_it.auc.bootstrap)} there and of {in_text(one.without_it.auc.bootstrap)} on the same "
            "patients without the letter."
        )


def _results(task: TaskResults, scores: LabelScores) -> Iterator[str]:
    finding = task.manifest.task.positive is not None
    for row in rows_of(scores, task.centers):
        if "view" in row.by and any("view" not in group.by for group in scores.groups):
            continue
        found = [
            f"{in_text(group.auc.bootstrap if finding else accuracy_of(group))} at centre {center}"
            for center, group in zip(task.centers, row.groups, strict=False)
            if group is not None
        ]
        yield f"{row.name}, {part_in_words(row.by)}: {'AUC' if finding else 'accuracy'} {', '.join(found)}."


def _pairs(pairs: Sequence[LabelPair]) -> Iterator[str]:
    """How many pairs of networks differ, over patients, or over images where labels belong to views."""
    networks = [pair for pair in pairs if pair.kind == NETWORKS]
    units = {pair.by["unit"] for pair in networks}
    own = [pair for pair in networks if pair.by["unit"] == ("patient" if "patient" in units else "image")]
    if not own:
        return
    right = [f"{_over(pair, one)} (p {_bound(one.p_holm)})" for pair, one in _significant(own)]
    areas = [f"{pair.second} minus {pair.first} {change_in_text(pair.auc)}" for pair in own if pair.auc and _sure(pair)]
    yield (
        f"{counted(len(own), 'pair')} of algorithms on the same {listed(sorted({part_in_words(p.by) for p in own}))}, "
        f"Holm's correction: in accuracy (exact McNemar) {_those(right)}"
        + (f"; in AUC (DeLong) {_those(areas)}." if any(pair.auc for pair in own) else ".")
    )


def _those(found: Sequence[str]) -> str:
    return f"{len(found)} differ: {listed(found)}" if found else "none is shown to differ"


def _significant(pairs: Sequence[LabelPair]) -> Iterator[tuple[LabelPair, Discordance]]:
    for pair in pairs:
        for one in pair.discordance:
            if one.among == ALL and one.p_holm is not None and one.p_holm < _LEVEL:
                yield pair, one


def _sure(pair: LabelPair) -> bool:
    return pair.auc_p_holm is not None and pair.auc_p_holm < _LEVEL


def _over(pair: LabelPair, one: Discordance) -> str:
    names = (pair.first, pair.second) if one.first_right > one.second_right else (pair.second, pair.first)
    part = f", {part_in_words(pair.by)}" if "view" in pair.by else ""
    return f"{' over '.join(names)}{part}"


def _bound(p: float | None) -> str:
    text = p_value(p or 0.0)
    return text if text.startswith("<") else f"= {text}"


def _views(pairs: Sequence[LabelPair]) -> Iterator[str]:
    """Over all centres."""
    for pair in (one for one in pairs if "center" not in one.by):
        (one,) = (each for each in pair.discordance if each.among == ALL)
        second, first = VIEWS[pair.second].title, VIEWS[pair.first].title
        yield (
            f"{pair.by['network']}, {second} against {first} on the same {counted(one.items, 'patient')} of "
            f"all centres: {one.second_right} against {one.first_right} right, difference in accuracy "
            f"{change_in_text(pair.differences['accuracy'])}, exact McNemar p {_bound(one.p_holm)} after Holm."
        )


def _labels(task: TaskResults, scores: LabelScores) -> Iterator[str]:
    lines = labels_of(task, scores)
    for one in pooled_of(lines, scores.bootstrap.confidence):
        names = listed([line.label for line in lines if line.rare == one.rare])
        which = f"Rare labels ({names})" if one.rare else f"The {one.labels} frequent labels"
        yield (
            f"{which}, {scores.model_name}, all centres: recall {in_text(one.recall)} of {one.items}, precision "
            f"{in_text(one.precision)}, exact intervals."
        )


def _centers(scores: LabelScores) -> Iterator[str]:
    finding = scores.task.get("positive")
    metric = of_label("auc", str(finding)) if finding else "accuracy"
    parts = [one for one in scores.contrasts if one.metric == metric]
    whole = [one for one in parts if one.by["unit"] == "patient"] or parts
    for one in whole:
        yield (
            f"{scores.model_name}, {part_in_words(one.by)}, centre {one.external} minus {one.internal}: "
            f"{'AUC' if finding else 'accuracy'} {change_in_text(one.difference)}, p {_bound(one.p_holm)} after Holm."
        )


def _rejection(scores: LabelScores) -> Iterator[str]:
    found = [f"{in_text(one.auroc)} ({VIEWS[one.by['view']].title})" for one in scores.rejection if one.other]
    if found:
        yield f"None of the labels, {scores.model_name}: AUROC of the novelty {listed(found)}."


def _control(scores: LabelScores) -> Iterator[str]:
    """Every network beside every reader, over patients."""
    for pair in scores.pairs:
        if pair.kind != WITH_READERS or pair.by["unit"] != "patient":
            continue
        sides = [one for one in pair.discordance if one.among != ALL]
        words = [
            f"{one.first_right} against {one.second_right} of {one.items} {one.among} (p {_bound(one.p_holm)})"
            for one in sides
        ]
        yield f"Control set, {pair.first} against {pair.second}: right in {listed(words)}, exact McNemar, Holm."


def _baselines(baselines: Sequence[Baseline], *, leaks: bool) -> str:
    tested = [one for one in baselines if one.at_chance is not None]
    above = [f"{one.name} ({part_in_words(one.group.by)})" for one in tested if not one.at_chance]
    if not above:
        return f"Baselines: all {len(tested)} intervals of the AUC hold chance."
    nature = " These labels can be told by nature: age, size and metal differ between them." if leaks else ""
    return f"Baselines: {len(above)} of {len(tested)} intervals of the AUC leave out chance: {listed(above)}.{nature}"
