"""`python -m spinedet.checklist run=RUN name=claim-2024`: fill in a reporting checklist or write a card."""

from __future__ import annotations

import os
from pathlib import Path

from spinedet.checklist import ChecklistConfig
from spinedet.checklists.answers import FILE, Answers, add_topics, read_answers, together
from spinedet.checklists.cards import data_card, model_card, review_row
from spinedet.checklists.catalogue import CHECKLISTS
from spinedet.checklists.checklist import KINDS, FilledChecklist, fill, missing_topics
from spinedet.checklists.documents import checklist_document
from spinedet.checklists.evidence import Evidence, read_evidence
from spinedet.cli.console import console, plain_table, show_notes, show_table
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.core.files import write_text
from spinedet.core.manifest import read_manifest
from spinedet.report.document import write_document


def checklist(config: ChecklistConfig) -> Status:
    """Read the evidence and the answers, add what is not yet asked, write."""
    folder = claim_output(config, "checklist")
    if "data-card" in config.name:
        _write_data_card(config, folder)
    names = [name for name in config.name if name != "data-card"]
    if not names:
        return Status.DONE
    evidence = read_evidence(str(config.run))
    answers = _answers(config, evidence, folder)
    show_notes((*answers.warnings, *((evidence.simulated,) if evidence.simulated else ())))
    filled = [fill(name, evidence, answers) for name in names if name in CHECKLISTS]
    for one in filled:
        write_document(folder, one.name, checklist_document(one))
    if "model-card" in names:
        write_document(folder, "model-card", model_card(evidence, answers))
    if "review-row" in names:
        write_text(folder / "review-row.csv", review_row(evidence, answers))
    if filled:
        _show(filled)
    still = any(row.open for one in filled for row in one.rows)
    return Status.FAILED if config.strict and still else Status.DONE


def _answers(config: ChecklistConfig, evidence: Evidence, out: Path) -> Answers:
    """Those beside the run, then those one folder above, which all runs there share.

    The package's own answers stay as they are: what is asked about the shipped weights goes to the output folder.
    """
    nearest = Path(config.answers) if config.answers else evidence.root / FILE
    above = read_answers(evidence.root.parent / FILE) if not evidence.shipped else Answers()
    answers = together(read_answers(nearest), above)
    writable = nearest
    if not config.answers and (evidence.shipped or not os.access(evidence.root, os.W_OK)):
        writable = out / FILE
    if any(name in CHECKLISTS for name in config.name):
        if add_topics(writable, evidence.hashes, missing_topics(evidence, answers.given)):
            console.print(f"open questions: {writable}")
        return together(read_answers(nearest), above)
    return answers


def _write_data_card(config: ChecklistConfig, folder: Path) -> None:
    path = Path(str(config.manifest))
    answers = read_answers(Path(config.answers) if config.answers else path.parent / FILE)
    write_document(folder, "data-card", data_card(read_manifest(path), answers))


def _show(filled: list[FilledChecklist]) -> None:
    """A to-do list by checklist."""
    table = plain_table("checklist", *KINDS, title="items; open ones are to be answered, unread drafts to be confirmed")
    for one in filled:
        table.add_row(one.title, *(str(one.counts[kind]) for kind in KINDS))
    show_table(table)
