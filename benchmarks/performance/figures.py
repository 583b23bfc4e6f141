"""Size and CPU time of one FROC figure drawn for a page (`report/curves`) and for a journal (`report/score_figures`).

python -m benchmarks.performance.figures
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from spinedet.core.anatomy import Plane, Region
from spinedet.core.types import Box, Finding, Findings, Lesion, Manifest, Series, Study, StudyFindings
from spinedet.report.evaluation_page import Page, render_page
from spinedet.report.score_figures import rendered
from spinedet.report.score_page import curves_of, draw
from spinedet.report.scored_cases import cases_of
from spinedet.scoring import BootstrapSettings, ScoreSettings, examine, report

STUDIES, REPEATS = 100, 5
FROC = 'role="img" aria-label="FROC'


def cohort() -> tuple[Manifest, Findings]:
    """Sagittal scans of two centres with two lesions and five findings each, seed 0."""
    rng = np.random.default_rng(0)

    def box(place: float) -> Box:
        return Box(center=(0.0, 0.0, place), size=(10.0, 10.0, 10.0))

    studies, found = [], []
    for number in range(STUDIES):
        name, kind = f"s{number}", {"series": "s", "category": "lesion"}
        lesions = tuple(Lesion(id=str(k), box=box(30.0 * k), **kind) for k in range(2))
        findings = (
            Finding(score=float(rng.random()), box=box(30 * k + float(rng.normal(0, 4))), **kind) for k in range(5)
        )
        series = (Series(id="s", plane=Plane.SAGITTAL, path=Path(f"{name}.nii")),)
        studies.append(Study(id=name, patient=name, center="AB"[number % 2], series=series, lesions=lesions))
        found.append(StudyFindings(id=name, findings=tuple(findings)))
    manifest = Manifest(name="figures", region=Region.LUMBAR, categories=("lesion",), studies=tuple(studies))
    return manifest, Findings(model={"name": "none"}, studies=tuple(found))


def measured(name: str, work: Callable[[], int]) -> None:
    """Print bytes and the median CPU time of one drawing, after one that is not counted."""
    size, seconds = work(), []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    print(f"{name}: {size / 1024:.1f} KiB, {1e3 * median(seconds):.1f} ms")


def main() -> None:
    """Print a line for each way."""
    ArgumentParser(description=__doc__).parse_args()
    manifest, findings = cohort()
    examination = examine(manifest, findings, ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=200)))
    scores, cases = report("figures", examination), cases_of(examination, manifest, findings)

    def page() -> int:
        text = render_page(Page("figures", scores, cases, Region.LUMBAR, shown=0))
        return text.index("</svg>", text.index(FROC)) - text.index(FROC)

    measured("page, SVG (the time is that of the whole page, without pictures)", page)
    journal = draw(scores, curves_of(examination))["froc_sagittal"]
    for kind in ("svg", "png"):
        measured(f"journal, {kind.upper()}", lambda kind=kind: len(rendered(journal, kind)))


if __name__ == "__main__":
    main()
