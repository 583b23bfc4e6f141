"""A finished run of a classification: opened again, and what outputs state of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from spinedet import __version__
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.radiograph import RadiographStudy
from spinedet.core.types import FiniteJson
from spinedet.radiograph.classifier import DESCRIPTION, WEIGHTS, ImageClassifier, load_classifier
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.provenance import read_run_record
from spinedet.scoring.classification.operating_point import LabelOperatingPoint, read_label_operating_point
from spinedet.scoring.operating_point import study_hash


@dataclass(frozen=True)
class FinishedClassification:
    """A classifier with the operating point that was fixed for it.

    Attributes:
        model: as readings state it. developed: ids of the studies that it was trained or tuned on, where recorded.
        centers: of these studies.
    """

    classifier: ImageClassifier
    point: LabelOperatingPoint
    model: dict[str, FiniteJson]
    developed: frozenset[str] = frozenset()
    centers: tuple[str, ...] = ()

    def to(self, device: torch.device) -> FinishedClassification:
        """The same with its networks on this device."""
        return replace(self, classifier=self.classifier.to(device))

    def seen_note(self, studies: Iterable[RadiographStudy]) -> tuple[str, ...]:
        """What a reader must know where a test holds studies of the development."""
        known = frozenset(self.point.chosen_on)
        seen = [study for study in studies if study.id in self.developed or study_hash(study.id) in known]
        if not seen:
            return ()
        return (f"{len(seen)} of the studies have ids of studies that the model was developed on: no external test.",)


def identify_classifier(classifier: ImageClassifier, folder: Path, point: LabelOperatingPoint) -> dict[str, FiniteJson]:
    """The `model` of readings of a classifier that was saved in `folder`."""
    return {
        "name": classifier.name,
        "kind": "network",
        "version": __version__,
        "weights_sha256": sha256(folder / WEIGHTS),
        "operating_point_sha256": point.sha256,
    }


def open_classification(path: str, key: str = "run") -> FinishedClassification:
    """Open a run folder, or a copied `model` folder with its operating point in it or beside it.

    Args:
        key: of the setting that names the path, for messages.

    Raises:
        InputError: the path is no run, the run did not finish, or a file is damaged.
    """
    root = Path(path)
    folder = next((place for place in (root / "model", root) if (place / DESCRIPTION).is_file()), None)
    if folder is None:
        state = "was not finished; go on with resume=true" if (root / "config.yaml").is_file() else "is no run folder"
        raise InputError(f"{key}={path} {state} (it has no model/{DESCRIPTION})")
    places = (root / "operating_point.json", folder / "operating_point.json", folder.parent / "operating_point.json")
    frozen = next((place for place in places if place.is_file()), None)
    if frozen is None:
        raise InputError(f"{key}={path} has no operating_point.json; copy it from the run beside the model")
    classifier, point = load_classifier(folder), read_label_operating_point(frozen)
    known = RunFolder(root).record
    record = read_run_record(known) if known.is_file() else None
    splits = record.splits if record else None
    developed = frozenset((*splits.train, *splits.tune)) if splits else frozenset()
    return FinishedClassification(
        classifier,
        point,
        identify_classifier(classifier, folder, point),
        developed,
        record.internal_centers if record else (),
    )
