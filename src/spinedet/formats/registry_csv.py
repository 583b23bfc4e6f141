"""One row for each radiograph as registries take them in: `registry.csv`."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from spinedet.core.files import write_text
from spinedet.core.radiograph import RadiographManifest
from spinedet.core.radiograph.readings import ImageReading, Readings

COLUMNS = (
    "study",
    "image",
    "patient_pseudonym",
    "center",
    "view_told",
    "view_seen",
    "label",
    "probability",
    "runner_up",
    "runner_up_probability",
    "rejected",
    "novelty",
    "eligibility",
    "model_sha256",
    "operating_point_sha256",
)


def write_registry(path: Path, manifest: RadiographManifest, readings: Readings) -> None:
    """Write all images of the manifest that were read; patients under a pseudonym."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(manifest, readings))
    write_text(path, stream.getvalue())


def _rows(manifest: RadiographManifest, readings: Readings) -> Iterator[tuple[str, ...]]:
    read = {(study.id, image.id): image for study in readings.studies for image in study.images}
    digests = tuple(str(readings.model.get(key) or "") for key in ("weights_sha256", "operating_point_sha256"))
    for study, image in manifest.images():
        reading = read.get((study.id, image.id))
        if reading is not None:
            yield (
                study.id,
                image.id,
                _pseudonym(study.center, study.patient),
                study.center,
                image.view or "",
                reading.view or "",
                *_columns(reading),
                *digests,
            )


def _columns(reading: ImageReading) -> tuple[str, ...]:
    ranked = sorted(reading.scores.items(), key=lambda item: -item[1])
    label = reading.label or ""
    second = next((name for name, _ in ranked if name != label), "") if label else ""
    return (
        label,
        _number(reading.scores.get(label)),
        second,
        _number(reading.scores.get(second)),
        reading.rejected or "",
        _number(reading.novelty),
        "; ".join(f"{key}: {value}" for key, value in reading.eligibility.items()),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _pseudonym(center: str, patient: str) -> str:
    """Sixteen hex digits, the same for the same patient; whoever knows the ids can find them out."""
    return hashlib.sha256(f"{center}\0{patient}".encode()).hexdigest()[:16]
