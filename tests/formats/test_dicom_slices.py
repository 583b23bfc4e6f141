"""DICOM slices: places in the patient, angled blocks told apart, boxes around points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Grid, inside
from spinedet.formats.dicom_slices import folder_of, point_box, read_stacks
from spinedet.imaging.volume import read_volume

from .conftest import write_dicom

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def tilted(degrees: float) -> tuple[float, ...]:
    """Axial slices turned about the left-right axis, LPS."""
    turn = np.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, float(np.cos(turn)), float(np.sin(turn)))


def write_stack(folder: Path, orientation: tuple[float, ...], start: float, count: int, first: int = 1) -> None:
    normal = np.cross(orientation[:3], orientation[3:])
    for n in range(count):
        place = normal * 4 * n + np.array([-10.0, -20.0, start])
        write_dicom(folder / f"{first + n}.dcm", tuple(place.tolist()), ("1.1", "1.2", f"1.3.{first + n}"), orientation)


def test_a_point_lies_where_the_header_says(tmp_path: Path) -> None:
    for n, left in ((1, -8.0), (2, -4.0)):
        write_dicom(tmp_path / f"{n}.dcm", (left, 10.0, 100.0), ("1.1", "1.2", f"1.3.{n}"))
    (tmp_path / "readme.txt").write_text("no image", "utf-8")
    (stack,) = read_stacks(tmp_path)
    index = stack.index("1")
    assert index is not None
    assert stack.index("readme") is None
    # Column 20 x 0.8 mm to the back, row 30 x 0.5 mm to the feet: LPS -8, 26, 85.
    assert stack.point(20, 30, index) == pytest.approx((8.0, -26.0, 85.0))
    assert stack.holds(-0.5, 39.4)
    assert not stack.holds(29.5, 10)


def test_angled_blocks_come_apart_and_read_as_volumes(tmp_path: Path) -> None:
    folder = tmp_path / "series"
    write_stack(folder, tilted(20), 0.0, 3)
    write_stack(folder, tilted(-10), 60.0, 4, first=4)
    write_stack(folder, AXIAL, 200.0, 1, first=8)
    stacks = read_stacks(folder)
    assert sorted(len(stack.files) for stack in stacks) == [3, 4]
    for number, stack in enumerate(stacks):
        assert stack.plane is Plane.AXIAL
        linked = folder_of(stack, tmp_path / "links" / str(number))
        volume = read_volume(linked)
        assert volume.grid.shape == stack.grid.shape
        assert np.allclose(volume.grid.affine, stack.grid.affine)
        assert folder_of(stack, tmp_path / "links" / str(number)) == linked


def test_a_whole_series_needs_no_links(tmp_path: Path) -> None:
    write_stack(tmp_path / "series", AXIAL, 0.0, 3)
    (stack,) = read_stacks(tmp_path / "series")
    assert folder_of(stack, tmp_path / "links") == tmp_path / "series"
    assert not (tmp_path / "links").exists()


def test_distance_of_a_point_from_a_stack(tmp_path: Path) -> None:
    write_stack(tmp_path, AXIAL, 0.0, 3)  # slices at S 0, 4, 8; x from -10, y from -20 (LPS)
    (stack,) = read_stacks(tmp_path)
    assert stack.distance(np.array([5.0, 15.0, 5.0])) == pytest.approx(1.0)
    assert stack.distance(np.array([5.0, 15.0, 20.0])) == pytest.approx(12.0)
    assert stack.distance(np.array([50.0, 15.0, 5.0])) == float("inf")


def test_a_box_around_a_point_follows_the_series(tmp_path: Path) -> None:
    affine = np.array([[0, 0, 1.0, -50], [-1.0, 0, 0, 50], [0, -1.0, 0, 50], [0, 0, 0, 1]])
    box = point_box(np.array([1.0, 2.0, 3.0]), [20, 10, 5], Grid((100, 100, 100), affine))
    assert box is not None
    assert (box.center, box.size) == ((1.0, 2.0, 3.0), (20.0, 10.0, 5.0))
    write_stack(tmp_path, tilted(20), 0.0, 2)
    (stack,) = read_stacks(tmp_path)
    turned = point_box(stack.point(15, 20, 0), [4, 3, 2], stack.grid)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    assert turned is not None
    # Rows run back and up (LPS 0, c, s), so the second axis of the box points forward and down.
    assert np.allclose(turned.axes, [[1, 0, 0], [0, c, -s], [0, s, c]])
    assert turned.size == pytest.approx((4, 3, 2))


def test_a_box_stays_in_its_image_and_around_its_point() -> None:
    grid = Grid((10, 20, 5), np.diag([1.0, 1.0, 4.0, 1.0]))
    # Edges: -0.5..9.5, -0.5..19.5, -2..18. The point is 2.5, 10.5 and 2 mm from the nearest.
    box = point_box(np.array([2.0, 9.0, 0.0]), [8, 8, 30], grid)
    assert box is not None
    assert (box.center, box.size) == ((2.0, 9.0, 0.0), (5.0, 8.0, 4.0))
    assert inside(box, grid)
    assert point_box(np.array([2.0, 9.0, 17.9]), [8, 8, 30], grid) is None
