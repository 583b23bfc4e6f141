"""Manifests written for other tools, read back, and compared in mm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.colors import FINDING_COLOR, REFERENCE_COLOR
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Box, Lesion, Manifest, Series, Split, Study
from spinedet.formats.annotated_dataset import Dataset, Unused
from spinedet.formats.coco import CocoConfig, open_coco
from spinedet.formats.export_targets import DESTINATIONS
from spinedet.formats.instance_masks import MasksConfig, open_masks
from spinedet.formats.manifest_export import Outgoing, OutgoingScan
from spinedet.formats.slicer import SlicerConfig, display, open_slicer
from spinedet.imaging.volume import Volume, read_volume, write_volume

from .conftest import grey

SHAPE = (6, 30, 40)
STRAIGHT = np.array([[-4.0, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 0.5, -30], [0, 0, 0, 1]])
C, S = np.cos(np.radians(20)), np.sin(np.radians(20))
TILTED = np.array([[4.0, 0, 0, -10], [0, 0.5 * C, -0.5 * S, -20], [0, 0.5 * S, 0.5 * C, 30], [0, 0, 0, 1]])


def edge_box(low: Iterable[float], high: Iterable[float]) -> EdgeBox:
    return EdgeBox(np.array(list(low), float), np.array(list(high), float))


def make(folder: Path, affine: np.ndarray, split: Split | None = Split.TRAIN) -> Manifest:
    """One study with two lesions and one to ignore on its first series, none on its second."""
    grid = Grid(SHAPE, affine)
    for name in ("sag", "ax"):
        write_volume(folder / "images" / f"{name}.nii.gz", Volume(grey(SHAPE), grid))
    places = ((1, 5, 8), (3, 15, 20)), ((4, 20, 30), (5, 24, 38)), ((0, 0, 0), (1, 4, 4))
    lesions = tuple(
        Lesion(
            id=str(n),
            series="sag",
            category=category,
            level=level,
            box=grid.world(edge_box(*place)),
            ignore=n == 3,
            attributes={"grade": n},
        )
        for n, (category, level, place) in enumerate(
            zip(("bulge", "modic", "bulge"), ("L4/L5", None, "L5/S1"), places, strict=True), start=1
        )
    )
    series = tuple(
        Series(id=name, plane=plane, path=(folder / "images" / f"{name}.nii.gz").absolute())
        for name, plane in (("sag", Plane.SAGITTAL), ("ax", Plane.AXIAL))
    )
    study = Study(id="A-1", patient="p", center="A", split=split, series=series, lesions=lesions)
    return Manifest(name="own set", region=Region.LUMBAR, categories=("bulge", "modic"), studies=(study,))


def scans_of(manifest: Manifest) -> list[OutgoingScan]:
    return [
        OutgoingScan(study, series, read_volume(series.path), tuple(x for x in study.lesions if x.series == series.id))
        for study in manifest.studies
        for series in study.series
    ]


def write(manifest: Manifest, folder: Path, to: str, *, hull: bool = False) -> tuple[Unused, ...]:
    folder.mkdir()
    return DESTINATIONS[to](Outgoing(manifest, folder, scans_of(manifest), hull))


def lesions_of(dataset: Dataset) -> list[Lesion]:
    readings = [case.read() for case in dataset.cases]
    assert [unused for reading in readings for unused in reading.unused] == []
    return [lesion for reading in readings for lesion in reading.study.lesions]


def assert_same(found: Box, meant: Box) -> None:
    assert np.allclose(found.center, meant.center, atol=1e-6)
    assert np.allclose(found.size, meant.size, atol=1e-6)
    assert np.allclose(found.axes, meant.axes, atol=1e-9)


@pytest.mark.parametrize("affine", [STRAIGHT, TILTED])
def test_coco_there_and_back(tmp_path: Path, affine: np.ndarray) -> None:
    manifest = make(tmp_path, affine)
    assert write(manifest, tmp_path / "out", "coco") == ()
    dataset = open_coco(tmp_path / "out" / "coco.json", CocoConfig())
    (study,) = (case.read().study for case in dataset.cases)
    meant = manifest.studies[0]
    assert (study.id, study.patient, study.center, study.split) == (meant.id, meant.patient, meant.center, meant.split)
    assert [(s.id, s.plane) for s in study.series] == [(s.id, s.plane) for s in meant.series]
    for found, lesion in zip(study.lesions, meant.lesions, strict=True):
        assert_same(found.box, lesion.box)
        assert (found.category, found.level, found.ignore) == (lesion.category, lesion.level, lesion.ignore)
        assert found.attributes == lesion.attributes
    content = json.loads((tmp_path / "out" / "coco.json").read_text("utf-8"))
    assert content["annotations"][0]["bbox"] == pytest.approx([1, 5, 8, 2, 10, 12])


def test_coco_boxes_alone_come_back_too(tmp_path: Path) -> None:
    """A tool that keeps `bbox` and drops everything else loses no millimetre."""
    manifest = make(tmp_path, TILTED)
    write(manifest, tmp_path / "out", "coco")
    path = tmp_path / "out" / "coco.json"
    content = json.loads(path.read_text("utf-8"))
    for annotation in content["annotations"]:
        del annotation["box"]
    path.write_text(json.dumps(content), "utf-8")
    for found, lesion in zip(lesions_of(open_coco(path, CocoConfig())), manifest.studies[0].lesions, strict=True):
        assert_same(found.box, lesion.box)


@pytest.mark.parametrize("affine", [STRAIGHT, TILTED])
def test_slicer_there_and_back(tmp_path: Path, affine: np.ndarray) -> None:
    manifest = make(tmp_path, affine)
    assert write(manifest, tmp_path / "out", "slicer") == ()
    dataset = open_slicer(tmp_path / "out", SlicerConfig())
    assert dataset.unused == ()
    (study,) = (case.read().study for case in dataset.cases)
    assert (study.id, sorted(series.id for series in study.series)) == ("A-1", ["ax", "sag"])
    told = {(x.category, x.level, x.ignore): x.box for x in study.lesions}
    for lesion in manifest.studies[0].lesions:
        assert_same(told[lesion.category, lesion.level, lesion.ignore], lesion.box)
    content = json.loads((tmp_path / "out" / "A-1" / "sag.bulge L4-L5.mrk.json").read_text("utf-8"))
    blue, orange = (display(color)["color"] for color in (REFERENCE_COLOR, FINDING_COLOR))
    assert content["markups"][0]["display"]["color"] == blue != orange
    assert "loadMarkups" in (tmp_path / "out" / "A-1" / "open_in_slicer.py").read_text("utf-8")


def test_a_slicer_box_points_along_the_columns_of_its_orientation(tmp_path: Path) -> None:
    write(make(tmp_path, TILTED), tmp_path / "out", "slicer")
    content = json.loads((tmp_path / "out" / "A-1" / "sag.bulge L4-L5.mrk.json").read_text("utf-8"))
    (roi,) = content["markups"]
    # In RAS the second axis is (0, C, S); in LPS its front-back part is the other way round.
    assert np.array(roi["orientation"]).reshape(3, 3)[:, 1] == pytest.approx([0, -C, S])
    assert roi["size"] == pytest.approx([8, 5, 6])


@pytest.mark.parametrize("affine", [STRAIGHT, TILTED])
def test_nndetection_there_and_back(tmp_path: Path, affine: np.ndarray) -> None:
    manifest = make(tmp_path, affine)
    (left_out,) = write(manifest, tmp_path / "out", "nndetection")
    assert left_out.where == "A-1/sag, lesion 3"
    task = tmp_path / "out" / "Task100_ownset"
    dataset = open_masks(task, MasksConfig())
    assert dataset.categories == ("bulge", "modic")
    told = {lesion.category: lesion.box for lesion in lesions_of(dataset)}
    for lesion in manifest.studies[0].lesions[:2]:
        assert_same(told[lesion.category], lesion.box)
    assert (task / "raw_splitted_data" / "imagesTr" / "A-1_ax_0000.nii.gz").is_symlink()


def test_test_studies_go_to_the_test_folders_of_nndetection(tmp_path: Path) -> None:
    write(make(tmp_path, STRAIGHT, Split.TEST), tmp_path / "out", "nndetection")
    folder = tmp_path / "out" / "Task100_ownset"
    assert (folder / "raw_splitted_data" / "labelsTs" / "A-1_sag.json").is_file()
    assert json.loads((folder / "dataset.json").read_text("utf-8"))["test_labels"] is True


def with_boxes(manifest: Manifest, *boxes: EdgeBox) -> Manifest:
    """The manifest with other boxes in its first lesions' place."""
    study, grid = manifest.studies[0], Grid(SHAPE, STRAIGHT)
    lesions = tuple(x.model_copy(update={"box": grid.world(box)}) for x, box in zip(study.lesions, boxes, strict=False))
    return manifest.model_copy(update={"studies": (study.model_copy(update={"lesions": lesions}),)})


def mask_of(folder: Path) -> np.ndarray:
    path = folder / "Task100_ownset" / "raw_splitted_data" / "labelsTr" / "A-1_sag.nii.gz"
    return read_volume(path).array


def test_a_box_between_voxels_keeps_the_voxels_whose_centres_it_holds(tmp_path: Path) -> None:
    manifest = with_boxes(make(tmp_path, STRAIGHT), edge_box((1.4, 5.5, 8.6), (1.5, 7.5, 10.2)))
    assert write(manifest, tmp_path / "out", "nndetection") == ()
    # Thinner than a voxel along i: one voxel; along j the centres 5.5 and 6.5; along k 9.5.
    assert np.argwhere(mask_of(tmp_path / "out")).tolist() == [[1, 5, 9], [1, 6, 9]]


def test_boxes_that_others_cover_are_listed(tmp_path: Path) -> None:
    plain = make(tmp_path, STRAIGHT)
    large, small, hidden = (
        edge_box((1, 5, 5), (3, 15, 15)),
        edge_box((1, 5, 5), (3, 15, 6)),
        edge_box((0, 0, 0), (1, 1, 2)),
    )
    (left_out,) = write(with_boxes(plain, large, small), tmp_path / "part", "nndetection")
    assert (left_out.where, left_out.reason) == ("A-1/sag, lesion 1", "another box covers part of it")
    between = edge_box((0.4, 0, 0), (0.6, 1, 2))
    (left_out,) = write(with_boxes(plain, hidden, between), tmp_path / "whole", "nndetection")
    assert (left_out.where, left_out.reason) == ("A-1/sag, lesion 1", "another box covers it whole")
    assert np.unique(mask_of(tmp_path / "whole")).tolist() == [0, 1]


def test_monai_reads_its_boxes_where_they_are(tmp_path: Path) -> None:
    from monai.apps.detection.transforms.array import ConvertBoxToStandardMode
    from monai.apps.detection.transforms.dictionary import AffineBoxToImageCoordinated
    from monai.data import load_decathlon_datalist
    from monai.transforms import LoadImaged

    manifest = make(tmp_path, STRAIGHT)
    (left_out,) = write(manifest, tmp_path / "out", "monai")
    assert "to be ignored" in left_out.reason
    items = load_decathlon_datalist(str(tmp_path / "out" / "monai.json"), True, "training", str(tmp_path / "out"))
    item = LoadImaged("image", reader="NibabelReader")(items[0])
    assert items[0]["label"] == [0, 1]
    assert items[1]["box"] == []
    item["box"] = ConvertBoxToStandardMode(mode="cccwhd")(np.array(items[0]["box"], np.float64))
    moved = AffineBoxToImageCoordinated("box", "image", affine_lps_to_ras=True)(item)["box"]
    # MONAI puts voxel centres at whole numbers, so its boxes lie half a voxel below the edges.
    assert np.allclose(moved, np.array([[1, 5, 8, 3, 15, 20], [4, 20, 30, 5, 24, 38]]) - 0.5, atol=1e-4)


def test_monai_gets_no_oblique_series_unless_as_hulls(tmp_path: Path) -> None:
    manifest = make(tmp_path, TILTED)
    assert all("oblique" in each.reason for each in write(manifest, tmp_path / "out", "monai"))
    assert "training" not in json.loads((tmp_path / "out" / "monai.json").read_text("utf-8"))
    write(manifest, tmp_path / "hull", "monai", hull=True)
    content = json.loads((tmp_path / "hull" / "monai.json").read_text("utf-8"))
    (box, _), size = content["training"][0]["box"], manifest.studies[0].lesions[0].box.size
    assert box[3:] == pytest.approx([size[0], C * size[1] + S * size[2], S * size[1] + C * size[2]])


def test_a_dicom_series_leaves_as_nifti(tmp_path: Path) -> None:
    from .conftest import write_dicom

    for n in range(3):
        write_dicom(tmp_path / "dicom" / f"{n}.dcm", (4.0 * n, 10.0, 100.0), ("1.1", "1.2", f"1.3.{n}"))
    series = Series(id="sag", plane=Plane.SAGITTAL, path=tmp_path / "dicom")
    study = Study(id="A-1", patient="p", center="A", series=(series,))
    manifest = Manifest(name="x", region=Region.LUMBAR, categories=("bulge",), studies=(study,))
    write(manifest, tmp_path / "out", "slicer")
    written, source = read_volume(tmp_path / "out" / "A-1" / "sag.nii.gz"), read_volume(tmp_path / "dicom")
    assert np.allclose(written.grid.affine, source.grid.affine, atol=1e-4)
    assert (written.array == source.array).all()
    assert lesions_of(open_slicer(tmp_path / "out", SlicerConfig())) == []
