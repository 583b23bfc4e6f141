"""Reading the real table and comparing with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.simulation.gradings import compare_gradings, read_gradings, wilson
from spinedet.simulation.prevalence import LEVELS

HEAD = (
    "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,"
    "Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade"
)


def write(folder: Path, *rows: str) -> Path:
    (folder / "radiological_gradings.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    return folder


def test_a_table_is_read(tmp_path: Path) -> None:
    table = read_gradings(write(tmp_path, "1,1,2,0,1,0,0,1,1,4", "1,9,0,0,0,0,0,0,0,1", "2,0,0,0,0,0,0,0,0,1"))
    # The third row is a caudal extra disc and left out; the second goes with the highest level.
    assert table["level"].tolist() == [0, len(LEVELS) - 1]
    assert table["grade"].tolist() == [4, 1]
    assert table["modic"].tolist() == [1, 0]
    assert table["modic_type"].tolist() == [2, 0]
    assert table["bulging"].tolist() == [1, 0]


def test_wilson_by_hand() -> None:
    # 8 of 10, z = 1.96 (Wilson 1927): 0.4902 to 0.9433
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10)[0] == pytest.approx(0, abs=1e-9)


def test_marginals() -> None:
    rows = len(LEVELS)
    real = {name: np.zeros(rows * 10) for name in ("grade", "narrowing", "bulging", "herniation", "modic")}
    real |= {name: np.zeros(rows * 10) for name in ("upper_plate", "lower_plate", "slip")}
    real["level"] = np.repeat(np.arange(float(rows)), 10)
    real["bulging"][:8] = 1
    drawn = {**real, "bulging": np.zeros(rows * 10)}
    found = {(m.finding, m.level): m for m in compare_gradings(real, drawn)}
    assert found["bulging", "L5/S1"].observed == pytest.approx(0.8)
    assert not found["bulging", "L5/S1"].inside
    assert found["bulging", "L4/L5"].inside


@pytest.mark.parametrize("text", ["Patient,IVD label\n1,1\n", "Patient,IVD label\n1,x\n"])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "radiological_gradings.csv").write_text(text)
    with pytest.raises(InputError, match=r"radiological_gradings\.csv is no table"):
        read_gradings(tmp_path)


def test_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SPINEDET_REAL_DATA"):
        read_gradings(tmp_path)
