"""Damaged files are refused, or read to finite grey values; nothing else happens."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.imaging.radiograph.read import read_radiograph

from .films import as_integers, dicom, film, lookup_table, save

SMALL = film(96, 80)
TRIES = 60


def written(path: Path) -> Path:
    if path.suffix != ".dcm":
        return save(path, SMALL)
    table = lookup_table(list(range(64)), 0, 12)
    field = {"CollimatorShape": "RECTANGULAR", "CollimatorLeftVerticalEdge": 4, "CollimatorRightVerticalEdge": 70}
    field |= {"CollimatorUpperHorizontalEdge": 2, "CollimatorLowerHorizontalEdge": 90}
    return dicom(
        path, as_integers(SMALL), VOILUTSequence=[table], PixelSpacing=[0.1, 0.1], PixelPaddingValue=0, **field
    )


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A few bytes replaced, cut out or put in, most of them in the header."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 2, 5, 20))):
        place = rng.randrange(min(len(made), 1500) if rng.random() < 0.8 else len(made))
        piece = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
        made[place : place + rng.choice((0, len(piece)))] = rng.choice((b"", piece, piece[:1]))
    return bytes(made)


@pytest.mark.parametrize("name", ["a.dcm", "a.png", "a.tif", "a.jpg"])
def test_a_damaged_file_is_refused_or_read(tmp_path: Path, name: str) -> None:
    content, rng = written(tmp_path / name).read_bytes(), random.Random(name)  # noqa: S311
    for _ in range(TRIES):
        path = tmp_path / f"damaged-{name}"
        path.write_bytes(damaged(content, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom and Pillow
            try:
                pixels = read_radiograph(path).pixels
            except InputError:
                continue
        assert np.isfinite(pixels).all()
        assert 0 <= pixels.min() <= pixels.max() <= 1


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1), (2, 700), (3, 3)])
def test_slivers_are_rejected_and_not_crashed_on(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    image = read_radiograph(save(tmp_path / "a.png", values))
    assert "size" in {one.question for one in image.checks}
