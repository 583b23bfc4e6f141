"""The Python interface: load a run, predict, score, read the files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from spinedet.cli.settings import InferenceConfig
from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings as _read_findings
from spinedet.core.manifest import read_manifest as _read_manifest
from spinedet.core.types import Findings, Manifest
from spinedet.detection.device import on_device
from spinedet.imaging.input_checks import DeclaredMetadata
from spinedet.imaging.settings import EligibilityLimits, SelectionRules
from spinedet.imaging.volume import Volume
from spinedet.pipelines.assign_levels import LevelAssigner
from spinedet.pipelines.image_sources import SeriesSource, StudySource, open_input
from spinedet.pipelines.predict_series import Predictor, in_region, predict_study
from spinedet.runs.provenance import findings_header
from spinedet.runs.run_folder import FinishedRun, open_run
from spinedet.scoring import Scores, ScoreSettings
from spinedet.scoring import score as _score
from spinedet.training.device import choose_device


@dataclass(frozen=True)
class LoadedModel:
    """A finished run that predicts in this process.

    Attributes:
        run: detectors, operating point and provenance.
        min_score: findings below it are not returned.
    """

    run: FinishedRun
    min_score: float = 0.01

    def predict(self, image: str | Path | Volume, plane: str | None = None) -> Findings:
        """Findings in RAS mm of an image file, a DICOM folder, a folder of images, a manifest, or a volume.

        Args:
            image: a path, or a volume (i, j, k) with its grid in RAS mm, which becomes study and series `volume`.
            plane: `sagittal` or `axial`; inferred from the geometry when None.

        Raises:
            InputError: there is no image, or none of the series can be used.
        """
        chosen = Plane(plane) if plane else None
        if isinstance(image, Volume):
            run, studies = self.run, iter([_study_of(image, chosen)])
        else:
            source = open_input(Path(image), SelectionRules(), chosen)
            run, studies = in_region(self.run, source.region), source.studies()
        levels = LevelAssigner(run.model.region, run.levels)
        predictor = Predictor(run, EligibilityLimits(), self.min_score, levels)
        predictions = [predict_study(predictor, study) for study in studies]
        reasons = [f"{one.id}/{series}: {why}" for one in predictions for series, why in one.skipped.items()]
        if reasons and not any(one.series for one in predictions):
            raise InputError(f"no series can be used; the first: {reasons[0]}")
        found = tuple(one.findings for one in predictions if one.series)
        return findings_header(run.identity, created=None).model_copy(update={"studies": found})


def load(run: str | Path = "shipped", min_score: float = 0.01, device: str = "auto") -> LoadedModel:
    """Open a run folder, a copied `model` folder with its operating point, or the `shipped` weights.

    Args:
        device: `auto` (a GPU when there is one), `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: the path is no run, the run did not finish, a file is damaged, or the device is not there.
    """
    InferenceConfig(device).check_inference()
    opened = open_run(str(run))
    return LoadedModel(replace(opened, model=on_device(opened.model, choose_device(device))), min_score)


def score(
    manifest: Manifest | str | Path, findings: Findings | str | Path, settings: ScoreSettings | None = None
) -> Scores:
    """Score findings against a reference standard; the definitions are in docs/scoring.md.

    Raises:
        InputError: a file breaks its format, or a study of the manifest has no findings entry.
    """
    reference = manifest if isinstance(manifest, Manifest) else read_manifest(manifest)
    found = findings if isinstance(findings, Findings) else read_findings(findings)
    return _score(reference, found, settings)


def read_manifest(path: str | Path) -> Manifest:
    """Read and validate a `spinedet-manifest`; paths of series come back absolute.

    Raises:
        InputError: the file breaks the format; the message names file, study and field.
    """
    return _read_manifest(Path(path))


def read_findings(path: str | Path) -> Findings:
    """Read and validate a `spinedet-findings` file.

    Raises:
        InputError: the file breaks the format; the message names file, study and field.
    """
    return _read_findings(Path(path))


def _study_of(volume: Volume, plane: Plane | None) -> StudySource:
    digest = hashlib.sha256(volume.array.tobytes() + volume.grid.affine.tobytes()).hexdigest()
    series = SeriesSource("volume", lambda: volume, (), plane, DeclaredMetadata(), digest)
    return StudySource("volume", (series,))
