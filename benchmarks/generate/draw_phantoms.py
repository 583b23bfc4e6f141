"""Draw the side-by-side pictures of `docs/phantom.md`: phantoms above, real scans below, on one scale.

    SPINEDET_REAL_DATA=... python -m benchmarks.generate.draw_phantoms

Real scans are shown under their licences: SPIDER (van der Graaf et al., 2024, CC BY 4.0), SpineSource (Zukic et al.,
2014, Apache-2.0) and the Spinal Cord Toolbox's tutorial data (MIT).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from spinedet.core.anatomy import Plane, Region
from spinedet.report.phantom_exhibits import phantom_exhibits, real_exhibits
from spinedet.report.realism_page import Exhibit, draw_rows

FIGURES = Path(__file__).resolve().parents[2] / "docs/figures"
# Centres, phantoms of each, real scans that are shown (all measured ones are in the realism report).
SHOWN = {
    Region.LUMBAR: (("I", "II", "III", "R"), 2, ("S01", "AKs5", "C002", "t2_lumbar", "127", "185", "22_", "35")),
    Region.CERVICAL: (("IV",), 4, ("t2_sagittal", "t2_axial")),
}


def choose(region: Region) -> list[Exhibit]:
    """The phantoms and real scans of one region."""
    centers, studies, names = SHOWN[region]
    real = real_exhibits(Path(os.environ["SPINEDET_REAL_DATA"]), region)
    kept = [exhibit for exhibit in real if exhibit.name.startswith(names)]
    return [*phantom_exhibits(centers, studies, seed=0), *kept]


def main() -> None:
    """Both regions, both planes."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for region in Region:
        exhibits = choose(region)
        for plane in Plane:
            path = FIGURES / f"phantom-{region.value}-{plane.value}.png"
            path.write_bytes(draw_rows([exhibit for exhibit in exhibits if exhibit.plane is plane], plane))
            print(path)


if __name__ == "__main__":
    main()
