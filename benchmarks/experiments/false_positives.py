"""Findings in real volumes that nobody has annotated for disease, at frozen operating points.

    python -m benchmarks.experiments.false_positives SCANS_FOLDER runs/false_positives --runs shipped runs/lumbar

The volumes are those under `lumbar`, `cervical` and `other` of the folder. All are read, those too that `predict` would
refuse; the table shows which. Where `lumbar/vertebra_centres.json` has a volume's vertebrae, a finding is on a disc if
its centre lies within 15 mm of the middle between two neighbours; elsewhere between the first and the last vertebra it
is certainly wrong. Whether a disc is diseased is unknown: a finding on a disc may be right.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from spinedet.core.anatomy import Region
from spinedet.core.files import read_json, write_json, write_text
from spinedet.core.types import Finding
from spinedet.detection.inference import detect_native_volume
from spinedet.imaging.input_checks import check_input, declared_in_name
from spinedet.imaging.planes import plane_of
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import overall_suitability
from spinedet.imaging.volume import read_volume
from spinedet.runs.run_folder import SHIPPED, FinishedRun, open_run

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
    """One volume; `counts` by run, without the runs that have no detector for its plane."""

    volume: str
    plane: str
    suitability: str
    discs: int | None
    counts: Mapping[str, Counts]


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
    counts = {}
    for name, run in runs.items():
        if plane in run.model.detectors:
            found = detect_native_volume(run.model, volume, plane, path.stem, min_score=0.01)
            limits = run.operating_point.values
            counts[name] = count([f for f in found if f.score >= limits[plane.value, f.category]], vertebrae)
    discs = len(vertebrae) - 1 if len(vertebrae) else None
    return Row(path.name.split(".")[0], plane.value, overall_suitability(checks).value, discs, counts)


def volumes(root: Path) -> list[Path]:
    """Images, not their labels."""
    found = (path for folder in ("lumbar", "cervical", "other") for path in sorted((root / folder).glob("*.nii.gz")))
    return [path for path in found if "_labels" not in path.name]


def markdown(rows: Sequence[Row], runs: Sequence[str]) -> str:
    """The table."""
    header = ["volume", "plane", "for `predict`", "discs marked", *runs]
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for row in rows:
        discs = "–" if row.discs is None else str(row.discs)
        cells = (row.volume, row.plane, row.suitability, discs, *(words(row.counts.get(run)) for run in runs))
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
    parser.add_argument("scans", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", nargs="+", default=[SHIPPED], help="run folders, or shipped")
    return parser.parse_args()


def main() -> None:
    """Read every volume with every run, write `false_positives.json` and `false_positives.md`."""
    arguments = parse()
    runs = {Path(path).name: open_run(path) for path in arguments.runs}
    rows = [row_of(path, runs) for path in volumes(arguments.scans)]
    write_json(arguments.out / "false_positives.json", [asdict(row) for row in rows])
    write_text(arguments.out / "false_positives.md", markdown(rows, list(runs)))
    print(markdown(rows, list(runs)))


if __name__ == "__main__":
    main()
