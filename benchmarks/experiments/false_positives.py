"""What detectors say of real volumes that nobody has annotated for disease, at their frozen operating points.

    python -m benchmarks.experiments.false_positives SPIDER_FOLDER SCANS_FOLDER runs/false_positives --steps 480

The shipped weights, trained on phantoms, beside themselves fine-tuned on the scans of SPIDER: one fold of the
cross-validation chooses threshold and recipe, the other five train. The volumes are those under `lumbar`, `cervical`
and `other` of the folder; all are read, those too that `predict` would refuse, and the page says which. Where
`lumbar/vertebra_centres.json` knows a volume's vertebrae, a finding is on a disc when its centre lies within 15 mm of
the middle between two neighbours; elsewhere between the first and the last vertebra it is certainly wrong. Whether a
disc is diseased nobody has said: a finding on a disc may be right.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from benchmarks.experiments.budgeted_training import quiet
from benchmarks.experiments.cross_validation import FINE_TUNED, PLANE, Fold, Trial, develop, prepare_trial
from spinedet.core.anatomy import Region
from spinedet.core.files import read_json, write_json, write_text
from spinedet.core.types import Finding
from spinedet.detection.inference import detect_native_volume
from spinedet.detection.model_files import DESCRIPTION, Model, save_model
from spinedet.imaging.input_checks import check_input, declared_in_name, overall_suitability
from spinedet.imaging.planes import plane_of
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.volume import read_volume
from spinedet.runs.run_folder import SHIPPED, FinishedRun, open_run
from spinedet.scoring import write_operating_point

ON_DISC_MM = 15.0


@dataclass(frozen=True)
class Counts:
    """Findings at or above the threshold in one volume; where vertebrae are known, where they lie.

    Attributes:
        on_discs: findings on some disc. discs: that have one.
    """

    findings: int
    on_discs: int | None = None
    discs: int | None = None
    beside_discs: int | None = None
    beyond: int | None = None


@dataclass(frozen=True)
class Row:
    """One volume; counts are None for a detector that does not know its plane."""

    volume: str
    plane: str
    standing: str
    discs: int | None
    phantoms: Counts | None
    fine_tuned: Counts | None


def fine_tune(trial: Trial, folder: Path) -> FinishedRun:
    """The shipped weights, fine-tuned on all of the scans but those that choose threshold and recipe."""
    if not (folder / "model" / DESCRIPTION).is_file():
        tune = trial.folds[0].tune
        every = frozenset.union(*(fold.test for fold in trial.folds))
        fold = Fold(every - tune, tune, frozenset())
        best = max((develop(trial, recipe, fold) for recipe in FINE_TUNED), key=lambda one: one.tuning_ap)
        write_operating_point(folder / "operating_point.json", best.point)
        save_model(folder / "model", Model("fine-tuned", Region.LUMBAR, {PLANE: best.trained.detector}))
    return open_run(str(folder))


def vertebrae_of(path: Path) -> NDArray[np.float64]:
    """Centres of a volume's vertebrae from the sacrum up, (n, 3) RAS mm; none where they are not known."""
    known = read_json(path.parent / "vertebra_centres.json") if path.parent.name == "lumbar" else {}
    one = next((one for one in known.values() if path.name.startswith(one["file"].split(".")[0])), None)
    indices = [center["nifti_ijk"] for center in one["vertebra_centres"].values()] if one else []
    return apply_affine(read_volume(path).grid.affine, np.array(indices, float).reshape(-1, 3))


def count(found: Sequence[Finding], vertebrae: NDArray[np.float64]) -> Counts:
    """Findings by where they lie: on a disc, beside all discs, or beyond the known vertebrae."""
    if len(vertebrae) < 2:
        return Counts(len(found))
    middles = (vertebrae[1:] + vertebrae[:-1]) / 2
    centers = np.array([finding.box.center for finding in found]).reshape(-1, 3)
    near = np.linalg.norm(centers[:, None] - middles, axis=2) <= ON_DISC_MM
    on, heights = near.any(axis=1), vertebrae[:, 2]
    within = (centers[:, 2] >= heights.min()) & (centers[:, 2] <= heights.max())
    discs = int(near.any(axis=0).sum())
    return Counts(len(found), int(on.sum()), discs, int((within & ~on).sum()), int((~within & ~on).sum()))


def row_of(path: Path, runs: Mapping[str, FinishedRun]) -> Row:
    """One volume, read by every run whose planes it has."""
    volume, vertebrae = read_volume(path), vertebrae_of(path)
    plane = plane_of(volume.grid)
    checks = check_input(volume, plane, declared_in_name(path.name), Region.LUMBAR, EligibilityLimits())
    counts: dict[str, Counts | None] = {}
    for name, run in runs.items():
        if plane in run.model.detectors:
            found = detect_native_volume(run.model, volume, plane, path.stem, min_score=0.01)
            limits = run.operating_point.values
            counts[name] = count([f for f in found if f.score >= limits[plane.value, f.category]], vertebrae)
    discs = len(vertebrae) - 1 if len(vertebrae) else None
    name = path.name.split(".")[0]
    standing = overall_suitability(checks).value
    return Row(name, plane.value, standing, discs, counts.get("phantoms"), counts.get("fine_tuned"))


def volumes(root: Path) -> list[Path]:
    """Images, not their labels."""
    found = (path for folder in ("lumbar", "cervical", "other") for path in sorted((root / folder).glob("*.nii.gz")))
    return [path for path in found if "_labels" not in path.name]


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = ["| volume | plane | as `predict` sees it | discs marked | phantoms only | fine-tuned |", "|" + "---|" * 6]
    for row in rows:
        discs = "–" if row.discs is None else str(row.discs)
        cells = (row.volume, row.plane, row.standing, discs, words(row.phantoms), words(row.fine_tuned))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def words(counts: Counts | None) -> str:
    """Counts in a cell."""
    if counts is None:
        return "no such plane"
    if counts.on_discs is None:
        return str(counts.findings)
    places = (
        f"{counts.on_discs} on {counts.discs} discs, {counts.beside_discs} beside, {counts.beyond} beyond the marks"
    )
    return f"{counts.findings}: {places}"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="SPIDER")
    parser.add_argument("scans", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=480, help="of fine-tuning")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Fine-tune unless that is done, look at every volume, write `false_positives.json` and `false_positives.md`."""
    quiet()
    arguments = parse()
    trial = prepare_trial(arguments.root, arguments.out, arguments.steps, arguments.seed)
    tuned = fine_tune(trial, arguments.out / f"fine-tuned-seed{trial.seed}")
    runs = {"phantoms": open_run(SHIPPED), "fine_tuned": tuned}
    rows = [row_of(path, runs) for path in volumes(arguments.scans)]
    write_json(arguments.out / "false_positives.json", [asdict(row) for row in rows])
    write_text(arguments.out / "false_positives.md", markdown(rows))
    print(markdown(rows))


if __name__ == "__main__":
    main()
