"""Train on phantoms alone, test on real scans, and take the phantoms' randomisation apart.

    python -m benchmarks.experiments.zero_shot SPIDER_FOLDER runs/zero_shot [variant ...] [--epochs 12] [--seed 0]

Every variant draws a cohort of its own (200 studies to train on, 40 to freeze the threshold on), trains the sagittal
detector for the same number of steps and is tested once on the scans of SPIDER that the folder holds (whole-disc
boxes; a lesion is a disc with bulging, herniation or Pfirrmann >= 4). Finished steps are not done again. The table and
`zero_shot.json` come with two references that look at no image: every disc, and the lowest four.

Localisation apart from grading: a disc is found when any finding, however low its score, hits it; grading is the area
under the ROC curve of the best score on each graded disc (0 when there is none). 95 % intervals resample patients.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.experiments.spider import (
    BOOTSTRAP,
    Discs,
    Interval,
    command,
    convert,
    discs_found,
    grading,
    interval,
    lowest,
    read_patients,
    show,
    shown_on_discs,
    triple,
)
from spinedet.core.files import write_json
from spinedet.core.findings import read_findings, read_findings_table
from spinedet.core.manifest import read_manifests
from spinedet.scoring import Contender, ScoreSettings, Selection, compare, read_operating_point, read_scores, score
from spinedet.scoring.matching.cohort import as_table
from spinedet.simulation.centers import CENTERS, CenterConfig
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig

TUNE = 40
# Fields of ImagingConfig by what they randomise.
CONTRAST = ("te_factor", "tr_factor", "tint", "gamma")
PROTOCOLS = ("vendor", "field_tesla", "kind")
ARTEFACTS = (
    *("noise", "coil_depth", "levelling", "band", "band_start", "bias", "white"),
    *("blur", "pulsation", "breathing", "motion", "wrap"),
)


def variants() -> dict[str, CenterConfig]:
    """The randomised centre, that centre with one part as at hospital I, and hospital I alone."""
    wide, hospital = CENTERS["R"], CENTERS["I"]

    def imaging_of_hospital(fields: Sequence[str]) -> CenterConfig:
        usual = {name: getattr(hospital.imaging, name) for name in fields}
        return replace(wide, imaging=replace(wide.imaging, **usual))

    return {
        "randomised": wide,
        "usual contrast": imaging_of_hospital(CONTRAST),
        "usual protocols": imaging_of_hospital(PROTOCOLS),
        "usual artefacts": imaging_of_hospital(ARTEFACTS),
        "usual geometry": replace(wide, sagittal=hospital.sagittal),
        "plain lesions": replace(wide, wear=CENTERS["A"].wear),
        "usual lesions": replace(wide, wear=hospital.wear),
        "hospital I": replace(hospital, habits=wide.habits),
    }


@dataclass(frozen=True)
class Row:
    """What one variant reaches on real scans: value, low, high."""

    ap: Interval
    f1: Interval
    precision: Interval
    recall: Interval
    sensitivity_at_1: Interval
    best_f1: float
    discs_found: Interval
    shown_on_discs: Interval
    grading: Interval
    f1_against_lowest_four: Interval


def train(name: str, out: Path, options: argparse.Namespace) -> Path:
    """Cohort and run of one variant."""
    run = out / f"{name.replace(' ', '_')}-{options.seed}"
    centers = {"R": replace(variants()[name], name="R")}
    groups = [GroupConfig("R", "train", options.studies), GroupConfig("R", "tune", TUNE)]
    cohort = CohortConfig(f"phantom-{name}", groups=groups, seed=options.seed, coarseness=1.4, positions=1)
    manifest = draw_cohort(cohort, out / f"cohort-{run.name}", options.workers, centers=centers)
    if not (run / "report.html").exists():
        command(
            "spinedet.train",
            f"data.manifests=[{manifest}]",
            "planes=[sagittal]",
            f"trainer.max_epochs={options.epochs}",
            f"trainer.validate_every={options.epochs}",
            f"seed={options.seed}",
            f"workers={options.workers}",
            f"out={run}",
            f"resume={run.exists()}",
        )
    return run


def measure(run: Path, discs: Discs) -> Row:
    """Test a run on the real scans."""
    tested = run.with_name(f"test-{run.name}")
    if not (tested / "scores.json").exists():
        command("spinedet.evaluate", f"run={run}", f"data.manifests=[{discs.lesions}]", f"out={tested}")
    group = next(group for group in read_scores(tested / "scores.json").groups if not group.by)
    patients = read_patients(read_findings(tested / "findings.json"), discs)
    return Row(
        ap=triple(group.ap),
        f1=triple(group.f1),
        precision=triple(group.precision),
        recall=triple(group.recall),
        sensitivity_at_1=next(triple(point.sensitivity) for point in group.froc if point.fp_per_scan == 1),
        best_f1=group.f1_max.value or 0.0,
        discs_found=interval(patients, discs_found),
        shown_on_discs=interval(patients, shown_on_discs),
        grading=interval(patients, grading),
        f1_against_lowest_four=against_lowest_four(run, tested, discs),
    )


def against_lowest_four(run: Path, tested: Path, discs: Discs) -> Interval:
    """F1 of the run minus that of the lowest four discs, from common resamples of the patients."""
    manifest = read_manifests([discs.lesions])
    trivial = Contender("lowest four", as_table(lowest(discs, 4)), threshold=0.5)
    point = read_operating_point(run / "operating_point.json")
    ours = Contender("ours", read_findings_table(tested / "findings.json"), operating_point=point)
    settings = ScoreSettings(bootstrap=BOOTSTRAP, selection=Selection(planes=("sagittal",)))
    compared = compare(manifest, trivial, ours, settings)
    return next(triple(row.difference) for row in compared.differences if not row.by and row.metric == "f1")


def reference_lines(discs: Discs) -> Iterator[str]:
    """What is reached without looking."""
    manifest = read_manifests([discs.lesions])
    for name, count in (("every disc", 99), ("lowest four", 4)):
        scores = score(manifest, lowest(discs, count), ScoreSettings(threshold=0.5, bootstrap=BOOTSTRAP))
        group = next(group for group in scores.groups if not group.by)
        cells = (group.ap, group.f1, group.precision, group.recall)
        yield f"| *{name}* | " + " | ".join(show(triple(cell)) for cell in cells) + " | | | | | |"


def main() -> None:
    """All variants, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("variants", nargs="*", default=[])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    discs = convert(options.root, options.out)
    rows = {}
    for name in options.variants or list(variants()):
        rows[name] = measure(train(name, options.out, options), discs)
        write_json(options.out / f"{name.replace(' ', '_')}-{options.seed}.json", asdict(rows[name]))
    heads = list(Row.__dataclass_fields__)
    print("| trained on | " + " | ".join(head.replace("_", " ") for head in heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for name, row in rows.items():
        cells = [show(cell) if isinstance(cell, tuple) else f"{cell:.3f}" for cell in asdict(row).values()]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for line in reference_lines(discs):
        print(line)


if __name__ == "__main__":
    main()
