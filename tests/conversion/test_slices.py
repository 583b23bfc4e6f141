"""DICOM slices: points in the patient, angled blocks told apart, boxes around points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinedet.conversion.slices import Block, blocks_of, folder_of, point_box, read_slices
from spinedet.core.anatomy import Plane
from spinedet.imaging.volume import read_volume

from .conftest import write_dicom

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def tilted(degrees: float) -> tuple[float, ...]:
    """Axial slices turned about the left-right axis, LPS."""
    turn = np.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, float(np.cos(turn)), float(np.sin(turn)))


def stack(folder: Path, orientation: tuple[float, ...], start: float, count: int, first: int = 1) -> None:
    normal = np.cross(orientation[:3], orientation[3:])
    for n in range(count):
        place = normal * 4 * n + np.array([-10.0, -20.0, start])
        write_dicom(folder / f"{first + n}.dcm", tuple(place.tolist()), ("1.1", "1.2", f"1.3.{first + n}"), orientation)


def test_a_point_lies_where_the_header_says(tmp_path: Path) -> None:
    write_dicom(tmp_path / "1.dcm", (-8.0, 10.0, 100.0), ("1.1", "1.2", "1.3"))
    (piece,) = read_slices(tmp_path)
    # Column 20 x 0.8 mm to the back, row 30 x 0.5 mm to the feet: LPS -8, 26, 85.
    assert piece.point(20, 30) == pytest.approx((8.0, -26.0, 85.0))
    assert piece.holds(-0.5, 39.4)
    assert not piece.holds(29.5, 10)


def test_files_that_say_nothing_of_their_place_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no image", "utf-8")
    write_dicom(tmp_path / "1.dcm", (0, 0, 0), ("1.1", "1.2", "1.3"), orientation=(1, 0, 0, 1, 0, 0))
    assert read_slices(tmp_path) == []


def test_angled_blocks_come_apart_and_read_as_volumes(tmp_path: Path) -> None:
    folder = tmp_path / "series"
    stack(folder, tilted(20), 0.0, 3)
    stack(folder, tilted(-10), 60.0, 4, first=4)
    stack(folder, AXIAL, 200.0, 1, first=8)
    blocks = blocks_of(read_slices(folder))
    assert sorted(len(block.slices) for block in blocks) == [3, 4]
    for number, block in enumerate(blocks):
        assert (block.plane, block.pitch) == (Plane.AXIAL, pytest.approx(4.0))
        linked = folder_of(block, tmp_path / "links" / str(number))
        assert read_volume(linked).grid.shape == (30, 40, len(block.slices))
        assert folder_of(block, tmp_path / "links" / str(number)) == linked


def test_a_gap_starts_another_block_and_a_copy_is_dropped(tmp_path: Path) -> None:
    stack(tmp_path, AXIAL, 0.0, 4)
    stack(tmp_path, AXIAL, 60.0, 3, first=5)
    stack(tmp_path, AXIAL, 60.0, 1, first=8)
    assert [len(block.slices) for block in blocks_of(read_slices(tmp_path))] == [4, 3]


def test_a_whole_series_needs_no_links(tmp_path: Path) -> None:
    stack(tmp_path / "series", AXIAL, 0.0, 3)
    (block,) = blocks_of(read_slices(tmp_path / "series"))
    assert folder_of(block, tmp_path / "links") == tmp_path / "series"
    assert not (tmp_path / "links").exists()


def test_distance_of_a_point_from_a_block(tmp_path: Path) -> None:
    stack(tmp_path, AXIAL, 0.0, 3)  # slices at S 0, 4, 8; x from -10, y from -20 (LPS)
    (block,) = blocks_of(read_slices(tmp_path))
    assert block.distance(np.array([5.0, 15.0, 5.0])) == pytest.approx(1.0)
    assert block.distance(np.array([5.0, 15.0, 20.0])) == pytest.approx(12.0)
    assert block.distance(np.array([50.0, 15.0, 5.0])) == float("inf")


def test_a_box_around_a_point_follows_the_series(tmp_path: Path) -> None:
    box = point_box(np.array([1.0, 2.0, 3.0]), [20, 10, 5], np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], float))
    assert (box.center, box.size, box.axes[1]) == ((1.0, 2.0, 3.0), (20.0, 10.0, 5.0), (0.0, 1.0, 0.0))
    stack(tmp_path, tilted(20), 0.0, 2)
    (block,) = blocks_of(read_slices(tmp_path))
    assert isinstance(block, Block)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    turned = point_box(np.zeros(3), [20, 10, 5], block.axes)
    # Rows run back and up (LPS 0, c, s), so the second axis of the box points forward and down.
    assert np.allclose(turned.axes, [[1, 0, 0], [0, c, -s], [0, s, c]])
