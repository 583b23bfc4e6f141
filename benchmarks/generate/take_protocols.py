"""Take the T2-weighted protocols that hospitals really used from SPIDER's acquisition table.

    SPINEDET_REAL_DATA=... python -m benchmarks.generate.take_protocols

reads `$SPINEDET_REAL_DATA/spider/overview.csv` (van der Graaf et al., Sci Data 11:264, 2024, CC BY 4.0) and writes
`src/spinedet/simulation/protocols.json`: settings and how many series used them, nothing about patients.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections import Counter
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "src/spinedet/simulation/protocols.json"


def settings(row: dict[str, str]) -> tuple[str, float, str, float, float, float, float, float, float]:
    """Vendor, field, kind, TR, TE, bandwidth, thickness, pitch and pixel of one series, rounded."""
    thickness = float(row["SliceThickness"])
    pitch = float(row["SpacingBetweenSlices"] or 1.1 * thickness)
    return (
        row["Manufacturer"].split()[0].upper(),
        float(row["MagneticFieldStrength"]),
        "3D" if thickness < 2 else "2D",
        round(float(row["RepetitionTime"]), -1),
        round(float(row["EchoTime"])),
        round(float(row["PixelBandwidth"])),
        thickness,
        round(pitch, 2),
        round(float(row["PixelSpacing"].strip("[]").split(",")[0]), 3),
    )


def main() -> None:
    """Count the distinct settings of the complete T2 rows."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with (Path(os.environ["SPINEDET_REAL_DATA"]) / "spider/overview.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if "_t2" in row["new_file_name"] and row["RepetitionTime"]]
    names = ("vendor", "field_tesla", "kind", "tr_ms", "te_ms", "bandwidth_hz", "thickness", "pitch", "pixel")
    counted = sorted(Counter(settings(row) for row in rows).items())
    protocols = [dict(zip(names, key, strict=True)) | {"series": count} for key, count in counted]
    lines = ",\n ".join(json.dumps(protocol) for protocol in protocols)
    TABLE.write_text(f"[{lines}]\n")
    print(f"{len(protocols)} protocols of {len(rows)} series in {TABLE}")


if __name__ == "__main__":
    main()
