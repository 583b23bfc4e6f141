"""The shipped cohorts and their entries on record."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import zlib
from importlib.metadata import version
from pathlib import Path

import pytest

from spinedet.core.anatomy import Region
from spinedet.core.files import sha256
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.cohort import describe_cohort, draw_cohort
from spinedet.simulation.shipped_cohorts import SHIPPED

ENTRIES = Path(__file__).parents[2] / "data_manifests"


def entry(name: str) -> dict[str, object]:
    return json.loads((ENTRIES / f"phantom-{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_entry_on_record_is_of_this_cohort(name: str) -> None:
    assert entry(name)["cohort"] == describe_cohort(SHIPPED[name])
    assert entry(name)["studies"] == sum(group.studies for group in SHIPPED[name].groups)


def test_yi2023_is_sized_as_published() -> None:
    counts = [group.studies for name in ("yi2023", "yi2023_cervical") for group in SHIPPED[name].groups]
    assert sum(counts) == 1004
    assert counts[:4] == [456, 134, 100, 114]


@pytest.mark.parametrize("name", SHIPPED)
def test_centres_scan_the_cohorts_region(name: str) -> None:
    assert all(CENTERS[group.center].region is Region(SHIPPED[name].region) for group in SHIPPED[name].groups)


def test_the_smoke_cohort_has_the_bytes_on_record(tmp_path: Path) -> None:
    drawn_with = entry("smoke")["drawn_with"]
    here = {"numpy": version("numpy"), "scipy": version("scipy"), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    if any(drawn_with[key] != value for key, value in here.items()):
        pytest.skip(f"the digest on record was taken with {drawn_with}, this is {here}")
    assert sha256(draw_cohort(SHIPPED["smoke"], tmp_path)) == entry("smoke")["manifest_sha256"]


DIGEST = """
import hashlib
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.scanner.protocol import Sampling
from spinedet.simulation.study import draw_study
digest = hashlib.sha256()
for name in ("B", "D", "R"):
    study = draw_study(CENTERS[name], 1, sampling=Sampling(4.0, 2.4))
    for image in study.images:
        digest.update(image.tobytes())
    digest.update("".join(lesion.model_dump_json() for lesion in study.lesions).encode())
print(digest.hexdigest())
"""
# numpy, glibc and OpenBLAS choose faster code on newer processors; features are named as by old and by new numpy.
OLD_MACHINE = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX2 FMA3 AVX512F AVX512_SKX",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
    "OPENBLAS_CORETYPE": "Nehalem",
}


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the switches that imitate an older machine are those of x86"
)
def test_an_older_processor_draws_the_same_bytes() -> None:
    def digest(**settings: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", DIGEST],
            env={**os.environ, **settings},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    assert digest(**OLD_MACHINE) == digest()
