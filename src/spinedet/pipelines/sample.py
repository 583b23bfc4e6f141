"""The scan of a real spine that comes with the package, for a first look."""

from __future__ import annotations

from pathlib import Path

# `input=sample` names it.
SAMPLE = "sample"
NOTE = "the weights that ship were trained on this patient of SPIDER (CC BY 4.0): the page shows outputs, no evidence"


def sample_scan() -> Path:
    """The image; `ATTRIBUTION.md` beside it says whose it is."""
    return Path(__file__).parents[1] / "sample" / "sample_lumbar_t2.nii.gz"
