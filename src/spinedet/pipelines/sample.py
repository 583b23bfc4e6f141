"""The scan of a real spine that comes with the package, for a first look."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from spinedet.core.files import sha256

# `input=sample` names it.
SAMPLE = "sample"
NOTE = "the weights that ship were trained on this patient of SPIDER (CC BY 4.0): the page shows outputs, no evidence"


def sample_note(digests: Iterable[str]) -> str | None:
    """What has to be known of a study that holds the sample scan, by the SHA-256 of its images; else None."""
    return f"This scan comes with the package; {NOTE}." if _sample_digest() in set(digests) else None


@cache
def _sample_digest() -> str:
    return sha256(sample_scan())


def sample_scan() -> Path:
    """The image; `ATTRIBUTION.md` beside it says whose it is."""
    return Path(__file__).parents[1] / "sample" / "sample_lumbar_t2.nii.gz"
