"""The studies a command works on: manifests as they are, or a phantom cohort drawn on first use, split by patient."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.cli.console import console
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.files import refuse_repeats
from spinedet.core.leakage import refuse_leakage
from spinedet.core.manifest import read_manifests
from spinedet.core.types import Findings, Manifest, Origin, Split, Study, TrainedOn, kind_of_training
from spinedet.pipelines.settings import DataConfig, DevelopmentConfig
from spinedet.runs.run_folder import FinishedRun
from spinedet.simulation.cohort import draw_cohort


def load_manifest(config: DataConfig, out: Path, workers: int) -> Manifest:
    """The manifests as one, or the phantom cohort's, drawn if it is not there yet.

    Raises:
        InputError: as `read_manifests`.
    """
    if config.manifests:
        return read_manifests([Path(path) for path in config.manifests])
    folder = Path(config.folder) if config.folder else out / "cohort"
    console.print("no data.manifests given: drawing the phantom cohort (no patients, nothing clinical)")
    with progress_bar("drawing phantoms") as advance:
        return read_manifests([draw_cohort(config.cohort, folder, workers, advance)])


@dataclass(frozen=True)
class Splits:
    """Studies by the part they play; excluded ones play none.

    Attributes:
        weights: draws of a study's scans in an epoch, by id; once where there is none.
    """

    train: tuple[Study, ...]
    tune: tuple[Study, ...]
    test: tuple[Study, ...]
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def centers(self) -> tuple[str, ...]:
        """Where the studies that a model is developed on come from: the internal centres."""
        return tuple(sorted({study.center for study in (*self.train, *self.tune)}))

    @property
    def all(self) -> tuple[Study, ...]:
        """Every study that plays a part."""
        return (*self.train, *self.tune, *self.test)

    @property
    def labelled(self) -> tuple[Study, ...]:
        """Every study that takes part, with its split in the record."""
        parts = ((Split.TRAIN, self.train), (Split.TUNE, self.tune), (Split.TEST, self.test))
        return tuple(study.model_copy(update={"split": split}) for split, part in parts for study in part)

    @property
    def described(self) -> dict[str, Any]:
        """What `splits.json` holds: who plays which part, the known hashes of the images, and a digest of all that."""
        studies = [
            {
                "study": study.id,
                "patient": study.patient,
                "center": study.center,
                "split": study.split.value if study.split else None,
                "images": {series.id: series.sha256 for series in study.series},
            }
            for study in sorted(self.labelled, key=lambda one: one.id)
        ]
        text = json.dumps(studies, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"format": "spinedet-splits", "version": 1, "sha256": digest, "studies": studies}

    @property
    def record(self) -> dict[str, list[str]]:
        """Study ids per split."""
        return {name: [s.id for s in getattr(self, name)] for name in ("train", "tune", "test")}


def develop_on(manifest: Manifest, config: DevelopmentConfig, seed: int) -> Splits:
    """The parts that the studies play in a training, see `DevelopmentConfig`.

    Raises:
        InputError: too few patients, no such centre, or a study to mix in that does not go with the others.
    """
    used = manifest if config.hold_out is None else held_out(manifest, config.hold_out)
    if config.train_patients is not None:
        used = fewer(used, config.train_patients, seed, "data.train_patients")
    splits = split_studies(used, config.tune_fraction, seed)
    return mixed(splits, manifest.categories, config, seed) if config.mix else splits


def held_out(manifest: Manifest, center: str) -> Manifest:
    """One centre's studies test, all others' train; what the others' manifest keeps for tuning still does.

    Raises:
        InputError: no study is of this centre.
    """
    centers = sorted({study.center for study in manifest.studies})
    if center not in centers:
        raise InputError(f"data.hold_out={center}: manifest {manifest.name!r} has the centres {', '.join(centers)}")

    def part(study: Study) -> Split | None:
        if study.center == center:
            return Split.TEST
        return Split.TRAIN if study.split is Split.TEST else study.split

    return only(manifest, (study.model_copy(update={"split": part(study)}) for study in manifest.studies))


def fewer(manifest: Manifest, count: int, seed: int, key: str) -> Manifest:
    """Only `count` of the patients to train on; the first ones of an order that seed and ids fix.

    Raises:
        InputError: there are not so many, or fewer than two are requested.
    """
    patients = sorted({s.patient for s in manifest.studies if _trains(s)})
    if not 2 <= count <= len(patients):
        raise InputError(f"{key}={count}: manifest {manifest.name!r} allows 2 to {len(patients)} training patients")
    order = np.random.default_rng(np.random.SeedSequence([seed, *b"patients"])).permutation(patients)
    kept = set(order[:count].tolist())
    return only(manifest, (s for s in manifest.studies if not _trains(s) or s.patient in kept))


def _trains(study: Study) -> bool:
    return study.excluded is None and study.split in (None, Split.TRAIN)


def mixed(splits: Splits, categories: Sequence[str], config: DevelopmentConfig, seed: int) -> Splits:
    """The splits with the training studies of `data.mix` to learn from as well.

    Raises:
        InputError: another category, or a patient, image or study that is in both.
    """
    sources = [read_manifests([Path(path)]) for path in config.mix]
    if config.mix_patients is not None:
        sources = [fewer(source, config.mix_patients, seed, "data.mix_patients") for source in sources]
    for source in sources:
        strange = sorted(set(source.categories) - set(categories))
        if strange:
            raise InputError(
                f"data.mix: manifest {source.name!r} has the category {strange[0]!r} of its own; remove it"
            )
    extra = tuple(study for source in sources for study in source.studies if _trains(study))
    weights = {study.id: config.mix_weight for study in extra}
    whole = replace(splits, train=(*splits.train, *extra), weights=weights)
    refuse_repeats((study.id for study in whole.all), "data.mix", "study")
    refuse_leakage(whole.labelled, "data.mix")
    return whole


def split_studies(manifest: Manifest, tune_fraction: float, seed: int) -> Splits:
    """Split for training: null counts as train; without a tuning split one is carved out of train by patient.

    Raises:
        InputError: fewer than two training patients, so that nothing can be tuned on; or a patient or an image is in
            two splits.
    """
    used = [study for study in manifest.studies if study.excluded is None]
    train = [s for s in used if s.split in (None, Split.TRAIN)]
    tune = [s for s in used if s.split is Split.TUNE]
    if not tune:
        chosen = _carve(train, tune_fraction, seed)
        tune = [s for s in train if s.patient in chosen]
        train = [s for s in train if s.patient not in chosen]
    if not train or not tune:
        raise InputError(
            f"manifest {manifest.name!r} leaves {len(train)} studies to train on and {len(tune)} to tune on; "
            "training needs at least two patients whose split is train or null"
        )
    splits = Splits(tuple(train), tuple(tune), tuple(s for s in used if s.split is Split.TEST))
    refuse_leakage(splits.labelled, f"manifest {manifest.name!r}, split for training")
    return splits


def _carve(studies: list[Study], fraction: float, seed: int) -> set[str]:
    """Patients for the tuning split, spread over the centres, the same whatever the order of the studies."""
    chosen: set[str] = set()
    for center in sorted({s.center for s in studies}):
        patients = sorted({s.patient for s in studies if s.center == center})
        rng = np.random.default_rng(np.random.SeedSequence([seed, *center.encode()]))
        count = min(max(1, round(fraction * len(patients))), len(patients) - 1)
        chosen.update(rng.permutation(patients)[:count].tolist())
    return chosen


def trained_on(splits: Splits, initial: FinishedRun | None) -> TrainedOn | None:
    """What a model of these splits is trained on, tuning included, with what its initial run was trained on.

    A centre whose lesions are those of phantoms is one of phantoms. Patients that both trainings share count twice.
    Of several trainings, one after the other, the initial weights are the last ones whose results on patients are
    known, else the first ones. None when it is unknown what the initial run was trained on.
    """
    earlier = TrainedOn(kind="patients") if initial is None else initial.trained_on
    if earlier is None:
        return None
    began = None
    if initial is not None:
        began = earlier.initial if earlier.initial and not earlier.known else initial.as_initial
    studies = (*splits.train, *splits.tune)
    drawn = {study.center for study in studies for lesion in study.lesions if lesion.origin is Origin.PHANTOM}
    phantoms = len({study.patient for study in studies if study.center in drawn}) + earlier.phantoms
    patients = len({study.patient for study in studies if study.center not in drawn}) + earlier.patients
    return TrainedOn(kind=kind_of_training(phantoms, patients), phantoms=phantoms, patients=patients, initial=began)


def seen_note(run: FinishedRun, studies: Sequence[Study], whose: str = "this run") -> tuple[str, ...]:
    """A warning when a test holds studies that the run was developed on; nothing otherwise."""
    seen = sum(run.developed_on(study.id) for study in studies)
    if not seen:
        return ()
    return (f"{seen} of the {len(studies)} studies were used to develop {whose}: on them this is no test.",)


def rename_categories(manifest: Manifest, names: Mapping[str, str]) -> Manifest:
    """The manifest with its categories under other names; two may become one.

    Raises:
        InputError: it has no category of that name.
    """
    unknown = sorted(set(names) - set(manifest.categories))
    if unknown:
        raise InputError(
            f"categories={{{unknown[0]}: {names[unknown[0]]}}}: manifest {manifest.name!r} has the categories "
            f"{', '.join(manifest.categories)}"
        )

    def renamed(study: Study) -> Study:
        lesions = (one.model_copy(update={"category": names.get(one.category, one.category)}) for one in study.lesions)
        return study.model_copy(update={"lesions": tuple(lesions)})

    categories = tuple(dict.fromkeys(names.get(name, name) for name in manifest.categories))
    return manifest.model_copy(update={"categories": categories, "studies": tuple(map(renamed, manifest.studies))})


def only(manifest: Manifest, studies: Iterable[Study]) -> Manifest:
    """The manifest with just these studies."""
    return manifest.model_copy(update={"studies": tuple(studies)})


def findings_on(findings: Findings, manifest: Manifest) -> Findings:
    """The findings of a manifest's studies alone."""
    ids = {study.id for study in manifest.studies}
    return findings.model_copy(update={"studies": tuple(one for one in findings.studies if one.id in ids)})


def data_hash(studies: Iterable[Study]) -> str:
    """A digest of ids, splits, images and lesions: the same data gives the same digest wherever it lies."""
    digest = hashlib.sha256()
    for study in sorted(studies, key=lambda s: s.id):
        lean = study.model_copy(update={"series": tuple(s.model_copy(update={"path": ""}) for s in study.series)})
        digest.update(lean.model_dump_json().encode())
    return digest.hexdigest()
