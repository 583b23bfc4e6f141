"""Model card, data card and the row that a reviewer of the literature would extract."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from spinedet.checklists.answers import Answer, Answers
from spinedet.checklists.automatic import facts, listed_notes
from spinedet.checklists.catalogue import BY_NAME
from spinedet.checklists.checklist import NOT_ANSWERED
from spinedet.checklists.evidence import Evidence
from spinedet.checklists.found import criterion_in_words
from spinedet.checklists.participant_answers import part_in_words
from spinedet.checklists.result_answers import group_name, main_groups
from spinedet.core.manifest import phantom_note
from spinedet.core.types import KnownResults, Manifest
from spinedet.report.document import Block, Bullets, Document, Heading, Paragraph, TextTable
from spinedet.report.html import in_text
from spinedet.report.number_format import counted, listed, plain
from spinedet.scoring.participants import Participants, participants

NO_DEVICE = "Research software, no medical device."


def _written(name: str, answers: Answers) -> str:
    """What a person wrote on a topic; else that it is not answered, with the question."""
    answer = answers.given.get(name, Answer())
    if answer.na:
        return f"Not applicable: {answer.na}"
    return answer.text or f"{NOT_ANSWERED} ({BY_NAME[name].prompt})"


# --- model card ---


def model_card(evidence: Evidence, answers: Answers) -> Document:
    """What a model is and is not, with its evaluation, thresholds, limits and hash."""
    name = evidence.model.get("name") or (evidence.scores.model.get("name") if evidence.scores else evidence.name)
    notes = tuple(dict.fromkeys((NO_DEVICE, *listed_notes(evidence))))
    return Document(f"Model card: {name}", notes, tuple(_model_blocks(evidence, answers)))


def _model_blocks(evidence: Evidence, answers: Answers) -> Iterator[Block]:
    found = facts(evidence)

    def fact(topic: str) -> Iterator[Block]:
        if topic in found:
            yield Paragraph(found[topic].text)

    yield Heading("What it is")
    yield Paragraph(_written("summary", answers))
    yield from fact("model")
    yield from fact("preprocessing")
    yield Heading("Use")
    yield from fact("calculation")
    yield Paragraph(_written("intended_use", answers))
    yield Heading("Out of scope")
    yield Paragraph(_written("out_of_scope", answers))
    yield Heading("Training data")
    yield Paragraph(_written("training_data", answers))
    if evidence.developed:
        yield Bullets(tuple(part_in_words(part) for part in evidence.developed))
    yield from fact("initialisation")
    yield from fact("training")
    yield Heading("Evaluation")
    if evidence.crossed or evidence.labels:
        yield from fact("performance")
    else:
        yield from _evaluation(evidence, answers)
    yield Heading("Thresholds")
    yield from fact("threshold")
    yield Heading("Limits and risks")
    yield Bullets((*_risks(evidence), _written("limitations", answers)))
    yield Heading("Identification")
    yield Bullets(tuple(_identity(evidence, answers)))


def _evaluation(evidence: Evidence, answers: Answers) -> Iterator[Block]:
    scores = evidence.scores
    if scores is not None:
        yield Paragraph(
            f"{criterion_in_words(scores.criterion)} {scores.bootstrap.description}. {evidence.simulated}".strip()
        )
        head = ("Studies", "Patients", "Scans", "Lesions", "Precision", "Recall", "F1", "Average precision")
        yield TextTable(
            head,
            tuple(
                (
                    group_name(group),
                    *(str(number) for number in (group.n.patients, group.n.series, group.n.lesions)),
                    *(in_text(one) for one in (group.precision, group.recall, group.f1, group.ap)),
                )
                for group in main_groups(scores)
            ),
        )
        return
    known = evidence.trained_on.known if evidence.trained_on else None
    if known is not None:
        yield _known_table(known)
    yield Paragraph(_written("evaluation", answers))


def _known_table(known: KnownResults) -> TextTable:
    rows = []
    for one in known.results:
        value = "–" if one.value is None else plain(one.value)
        interval = "" if one.low is None or one.high is None else f" ({plain(one.low)}–{plain(one.high)})"
        patients = str(one.patients) if one.patients else "–"
        rows.append((one.plane, one.data or "–", patients, one.statistic or "–", value + interval, one.remark))
    return TextTable(("Plane", "Tested on", "Patients", "Statistic", "Value (95 % interval)", "Remark"), tuple(rows))


def _risks(evidence: Evidence) -> Iterator[str]:
    """What the run's own facts say of its limits."""
    parts = evidence.tested or evidence.developed
    if evidence.simulated:
        yield evidence.simulated
    ages = [part.age for part in parts if part.age]
    if ages:
        low, high = min(one.low for one in ages), max(one.high for one in ages)
        yield f"No patient under {low:g} or over {high:g} years was in it."
    vendors = {name for part in parts for name in part.counts.get("vendor", {})}
    if len(vendors) == 1:
        yield f"One scanner maker: {vendors.pop()}."
    for gap in evidence.scores.center_gaps if evidence.scores else ():
        if not gap.internal:
            change = in_text(gap.change["f1"])
            yield f"{gap.plane}, external {listed(gap.centers)}: F1 {in_text(gap.f1)}, {change} against internal."


def _identity(evidence: Evidence, answers: Answers) -> Iterator[str]:
    if evidence.weights_sha256:
        yield f"Weights: SHA-256 {evidence.weights_sha256}"
    if evidence.run and evidence.run.commit:
        yield f"Commit: {evidence.run.commit}"
    yield f"Licence: {_written('licence', answers)}"
    yield f"Contact: {_written('contact', answers)}"


# --- data card ---


def data_card(manifest: Manifest, answers: Answers) -> Document:
    """A manifest in the parts of datasheets for datasets (Gebru et al. 2021, doi:10.1145/3458723)."""
    notes = phantom_note(manifest.studies)
    return Document(f"Data card: {manifest.name}", notes, tuple(_data_blocks(manifest, answers)))


def _data_blocks(manifest: Manifest, answers: Answers) -> Iterator[Block]:
    parts = participants(manifest.studies)
    excluded = [study.excluded for study in manifest.studies if study.excluded is not None]
    yield Heading("Motivation")
    yield Paragraph(_written("motivation", answers))
    yield Heading("Composition")
    yield Paragraph(
        f"Region {manifest.region.value}, categories {listed(manifest.categories)}; "
        f"{counted(len(manifest.studies), 'study')}, {len(excluded)} of them excluded."
    )
    if excluded:
        yield Bullets(tuple(f"{counted(excluded.count(why), 'study')}: {why}" for why in dict.fromkeys(excluded)))
    yield TextTable(_COMPOSITION, tuple(_composition(part) for part in parts))
    yield Bullets(tuple(part_in_words(part) for part in parts))
    yield Heading("Collection")
    yield Paragraph(_written("collection", answers))
    yield Heading("Preprocessing and labelling")
    yield Bullets(tuple(_labelling(manifest, parts)))
    yield Paragraph(_written("annotation", answers))
    for name in ("uses", "distribution", "maintenance"):
        yield Heading(BY_NAME[name].title)
        yield Paragraph(_written(name, answers))


_COMPOSITION = ("Split", "Centre", "Patients", "Studies", "Scans", "Lesions", "Lesion-free studies", "Simulated")


def _composition(part: Participants) -> tuple[str, ...]:
    numbers = (part.patients, part.studies, part.series, part.lesions, part.lesion_free)
    return (part.split, part.center, *map(str, numbers), "yes" if part.simulated else "no")


def _labelling(manifest: Manifest, parts: tuple[Participants, ...]) -> Iterator[str]:
    if manifest.conversion:
        rule: Any = manifest.conversion.get("rule") or manifest.conversion.get("source")
        yield f"Converted: {rule}."
    for part in parts:
        origins = ", ".join(f"{name} {count}" for name, count in part.origins.items()) or "no lesion"
        grades = f"; severity {', '.join(f'{g}: {n}' for g, n in part.severity.items())}" if part.severity else ""
        yield f"Centre {part.center} ({part.split}): boxes by origin: {origins}{grades}."


# --- the row of a review ---


def review_row(evidence: Evidence, answers: Answers) -> str:
    """A CSV of one row with the fields that a scoping review extracts from every study."""
    stream = StringIO()
    fields = dict(_review_fields(evidence, answers))
    writer = csv.DictWriter(stream, list(fields), lineterminator="\n")
    writer.writeheader()
    writer.writerow(fields)
    return stream.getvalue()


def _review_fields(evidence: Evidence, answers: Answers) -> Iterator[tuple[str, str]]:
    found = {name: one.text for name, one in facts(evidence).items()}
    model: Mapping[str, Any] = evidence.model
    held = _tested(evidence)
    developed = _developed_on(evidence)
    unknown = "not recorded"

    def person(name: str) -> str:
        return _written(name, answers)

    yield "authors_and_industry", person("authors")
    yield "year", person("year")
    yield "design", person("direction")
    yield "application", found.get("goal", unknown)
    yield "anatomy", str(model.get("region", unknown))
    yield "disease", listed(model.get("categories", [])) or unknown
    yield "surgery", person("treatments")
    yield "modality_and_sequence", "radiography" if evidence.labels else "MRI, T2-weighted"
    yield "simulated", evidence.simulated or "no"
    yield "patients_tested", str(held["patients"]) if held else unknown
    yield "scans_tested", str(held["scans"]) if "scans" in held else unknown
    yield "lesion_free_scans", str(held["lesion_free"]) if "lesion_free" in held else unknown
    yield "patients_developed_on", str(developed) if developed else unknown
    yield "origin_and_centers", found.get("data_sources", unknown)
    yield "availability", found.get("sharing", unknown)
    yield "task", "classification" if evidence.labels else "detection"
    yield "architecture", found.get("model", unknown)
    yield "pipelines_compared", found.get("choice", unknown)
    yield "split", found.get("partitions", unknown)
    yield "measures", found.get("measures", unknown)
    yield "result", found.get("performance", unknown)
    yield "external_data", found.get("external", unknown)


def _tested(evidence: Evidence) -> dict[str, int]:
    """How many patients and scans were tested, and scans without lesions where that is counted."""
    if evidence.scores:
        counts = evidence.scores.group().n
        return {"patients": counts.patients, "scans": counts.series, "lesion_free": counts.lesion_free_series}
    if evidence.labels:
        whole = [part for part in evidence.labels.flow if not part.by]
        return {"patients": whole[0].patients, "scans": whole[0].labelled} if whole else {}
    if evidence.crossed:
        patients = sum(len(fold) for fold in evidence.crossed.folds.values())
        scans = sum(part.series for part in evidence.crossed.participants)
        return {"patients": patients, **({"scans": scans} if scans else {})}
    return {}


def _developed_on(evidence: Evidence) -> int:
    """Patients that were trained or tuned on; in a cross-validation all are, in other folds than that which tests."""
    if evidence.crossed:
        return sum(len(fold) for fold in evidence.crossed.folds.values())
    films = evidence.run.radiographs if evidence.run else ()
    return sum(part.patients for part in evidence.developed) + sum(one.patients for one in films if one.split != "test")
