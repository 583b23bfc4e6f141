"""Write the `data_manifests/` entry of every shipped phantom cohort: what it is, how to draw it, what comes out.

    python -m benchmarks.generate.record_cohorts smoke demo    # draws these and records the SHA-256 of their manifests

A manifest holds the SHA-256 of every image, so its own covers all pixels and boxes. Cohorts that are not named keep
the digest of an unchanged entry; without one it is null.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spinedet.core.files import sha256, write_json
from spinedet.simulation.cohort import describe_cohort, draw_cohort
from spinedet.simulation.shipped_cohorts import SHIPPED

FOLDER = Path(__file__).resolve().parents[2] / "data_manifests"


def entry(name: str, digest: str | None) -> dict[str, Any]:
    """One file's content."""
    return {
        "cohort": describe_cohort(SHIPPED[name]),
        "draw": f"python -m spinedet.phantom cohort={name} out=FOLDER",
        "studies": sum(group.studies for group in SHIPPED[name].groups),
        "manifest_sha256": digest,
        "drawn_with": {
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "scipy": version("scipy"),
            "zlib": zlib.ZLIB_RUNTIME_VERSION,
        },
    }


def known_digest(name: str) -> str | None:
    """The digest on record, if the cohort is still the one it was taken from."""
    path = FOLDER / f"phantom-{name}.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text("utf-8"))
    same = content["cohort"] == describe_cohort(SHIPPED[name])
    return content["manifest_sha256"] if same else None


def main() -> None:
    """All entries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cohorts to draw")
    names = parser.parse_args().names
    for name, config in SHIPPED.items():
        digest = known_digest(name)
        if name in names:
            with tempfile.TemporaryDirectory() as folder:
                digest = sha256(draw_cohort(config, Path(folder), workers=2))
        write_json(FOLDER / f"phantom-{name}.json", entry(name, digest))
        print(f"{name}: {digest}")


if __name__ == "__main__":
    main()
