"""Damaged and hostile manifests, findings and annotations give values or one clear sentence, in bounded time."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinedet.audit.manifests import read_leniently
from spinedet.core.files import file_name_of, write_json
from spinedet.core.findings import read_findings, read_findings_table
from spinedet.core.manifest import read_manifest, read_unused, write_manifest
from spinedet.core.types import Manifest
from spinedet.formats.annotated_dataset import Dataset
from spinedet.formats.coco import CocoConfig, open_coco
from spinedet.formats.csv_boxes import CsvConfig, open_csv
from spinedet.formats.detector_findings import ImportSettings, import_findings
from spinedet.formats.instance_masks import MasksConfig, open_masks
from spinedet.formats.slicer import SlicerConfig, open_slicer
from spinedet.formats.voc import VocConfig, open_voc
from spinedet.imaging.volume import read_grid

from ..imaging.test_fuzz import edited, edits, fuzz, is_bounded
from .conftest import write_dicom
from .test_annotated_images import roi, write_image, write_masks

BOX = {"center": [2.0, -17.25, 74.25], "size": [8.0, 5.0, 2.0], "axes": [[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]]}
PLACE = {"series": "sag", "level": "L4/L5", "box": BOX, "attributes": {"severity": 2, "side": "left"}}
MANIFEST = {
    "format": "spinedet-manifest",
    "version": 1,
    "space": "RAS",
    "name": "m",
    "region": "lumbar",
    "categories": ["bulge"],
    "studies": [
        {
            "id": "A",
            "patient": "p",
            "center": "c",
            "split": "train",
            "attributes": {"age": 61},
            "excluded": None,
            "series": [{"id": "sag", "plane": "sagittal", "path": "a.mha", "sha256": "0" * 64}],
            "lesions": [{**PLACE, "id": "1", "category": "bulge", "origin": "manual", "ignore": False}],
            "negatives": [PLACE],
        }
    ],
}
FINDING = {**PLACE, "category": "bulge", "score": 0.9, "severity": 1.5, "grades": {"bulging": 0.4}, "naming": {}}
FINDINGS = {
    "format": "spinedet-findings",
    "version": 1,
    "space": "RAS",
    "model": {"name": "d"},
    "created": "2026-01-01",
    "trained_on": {"kind": "both", "phantoms": 3, "patients": 4},
    "studies": [
        {
            "id": "A",
            "findings": [FINDING, {**FINDING, "above_operating_point": True, "ordinal": 2}],
            "eligibility": {},
            "images": {"sag": "0" * 64},
        }
    ],
}
MONAI = {"validation": [{"image": "A/sag", "box": [[2, -17, 74, 8, 5, 2]], "label": [0], "score": [0.5]}]}
NNDETECTION = {
    "pred_boxes": [[1, 50, 3, 54, 10, 20]],
    "pred_scores": [0.9],
    "pred_labels": [0],
    "itk_origin": [0, 0, 0],
    "itk_spacing": [1, 1, 1],
    "itk_direction": [1, 0, 0, 0, 1, 0, 0, 0, 1],
}
COCO = {
    "info": {"frame": "voxel"},
    "images": [{"id": 1, "file_name": "a.mha", "study": "A", "plane": "sagittal"}],
    "categories": [{"id": 7, "name": "bulge"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 50, 1, 10, 4, 2], "level": "L4-L5", "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 7, "bbox": [1, 1, 1, 1, 1, 1], "box": BOX},
    ],
}
UNUSED = [{"study": "A", "where": "line 2", "reason": "x", "effect": "excluded"}]
LABELS = {"labels": {"background": 0, "bulge": [1, 2], "ignore": 3}}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([0, -1, 1e300, -1e-300, 10**400, "", "1", "L4/L5", "../../x", "\ud800", "\x00", "x" * 3000])
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within a JSON value."""
    yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*path, key))


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> bytes:
    """A JSON document with values replaced, removed or repeated, or with bytes overwritten."""
    made = copy.deepcopy(document)
    for path in draw(st.lists(st.sampled_from(list(places(document))), max_size=3)):
        if not path:
            made = draw(st.just(made) | json_values)
            continue
        try:
            parent = made
            for key in path[:-1]:
                parent = parent[key]
            action = draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
            if action == "replace":
                parent[path[-1]] = draw(json_values)
            elif action == "remove":
                del parent[path[-1]]
            elif isinstance(parent, list):
                parent.append(copy.deepcopy(parent[path[-1]]))
        except (KeyError, IndexError, TypeError):
            continue
    content = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"]))
    data = json.dumps(made).encode(content)
    if draw(st.integers(0, 4)) == 0:
        data = edited(data, draw(edits(max(1, len(data)))), draw(st.none() | st.integers(0, len(data))))
    return data


def read_all(open_dataset: Callable[[Path], Dataset]) -> Callable[[Path], list[Any]]:
    """Open a data set and read every study of it."""

    def read(path: Path) -> list[Any]:
        return [case.read() for case in open_dataset(path).cases]

    return read


# --- manifests and findings ---


@fuzz
@given(content=damaged(MANIFEST))
def test_fuzz_manifests(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    assert is_bounded(read_leniently, path) is None

    def again(file: Path) -> None:
        write_manifest(tmp_path / "again.json", read_manifest(file))
        read_manifest(tmp_path / "again.json")

    is_bounded(again, path)


@fuzz
@given(content=damaged(UNUSED))
def test_fuzz_lists_of_unused_annotations(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "unused.json").write_bytes(content)
    is_bounded(read_unused, tmp_path / "manifest.json")


@fuzz
@given(content=damaged(FINDINGS))
def test_fuzz_findings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "findings.json"
    path.write_bytes(content)
    is_bounded(read_findings, path)
    is_bounded(read_findings_table, path)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("manifest") / "manifest.json"
    write_json(path, MANIFEST)
    return read_manifest(path)


@fuzz
@given(
    content=damaged(MONAI),
    mode=st.sampled_from(["xyzxyz", "cccwhd"]),
    space=st.sampled_from(["RAS", "voxel"]),
    half_voxel=st.booleans(),
)
def test_fuzz_monai_findings(
    tmp_path: Path, manifest: Manifest, content: bytes, mode: str, space: str, half_voxel: bool
) -> None:
    path = tmp_path / "monai.json"
    path.write_bytes(content)
    is_bounded(lambda file: import_findings(file, manifest, ImportSettings("monai", mode, space, half_voxel)), path)


@fuzz
@given(content=damaged(NNDETECTION))
def test_fuzz_nndetection_findings(tmp_path: Path, manifest: Manifest, content: bytes) -> None:
    path = tmp_path / "A_boxes.json"
    path.write_bytes(content)
    is_bounded(lambda file: import_findings(file, manifest, ImportSettings("nndetection")), path)


# --- tables ---

cells = st.one_of(
    st.sampled_from(["", "a.mha", "bulge", "2", "-17.25", "8", "nan", "1e999", "1,5", "L4-L5", "yes", "train", "1_0"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    st.floats().map(str),
)


@st.composite
def tables(draw: st.DrawFn, content: str) -> bytes:
    """A CSV table of `column=cell`s, some replaced, columns left out, in one of several dialects and encodings."""
    header, row = zip(*(each.split("=") for each in content.split(",")), strict=True)
    columns = draw(st.lists(st.sampled_from(header), unique=True, min_size=max(1, len(header) - 2)))
    rows = []
    for _ in range(draw(st.integers(0, 3))):
        made = [row[header.index(name)] for name in columns]
        for place in draw(st.lists(st.integers(0, len(made) - 1), max_size=3)):
            made[place] = draw(cells)
        rows.append(made + draw(st.lists(cells, max_size=1)))
    delimiter = draw(st.sampled_from([",", ",", ";", "\t"]))
    text = "\n".join(delimiter.join(each) for each in [columns, *rows])
    data = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])), errors="replace")
    return edited(data, draw(edits(max(1, len(data)))) if draw(st.integers(0, 4)) == 0 else [], None)


FINDINGS_ROW = (
    "study=A,series=sag,category=bulge,score=0.9,level=L4/L5,center_r=2,center_a=-17,center_s=74,"
    "size_x=8,size_y=5,size_z=2"
)
BOXES_ROW = (
    "image=a.mha,category=bulge,x=2,y=-17.25,z=74.25,width=8,height=5,depth=2,study=A,patient=p,split=train,"
    "plane=sagittal,level=L4-L5,ignore=no,severity=2"
)


@fuzz
@given(content=tables(FINDINGS_ROW))
def test_fuzz_findings_tables(tmp_path: Path, manifest: Manifest, content: bytes) -> None:
    path = tmp_path / "findings.csv"
    path.write_bytes(content)
    is_bounded(lambda file: import_findings(file, manifest, ImportSettings("csv")), path)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_image(folder / "a.mha")
    return folder


@fuzz
@given(content=tables(BOXES_ROW))
def test_fuzz_boxes_tables(images: Path, content: bytes) -> None:
    path = images / "boxes.csv"
    path.write_bytes(content)
    is_bounded(read_all(lambda file: open_csv(file, CsvConfig())), path)


# --- annotations ---


@fuzz
@given(content=damaged(COCO))
def test_fuzz_coco(images: Path, content: bytes) -> None:
    path = images / "coco.json"
    path.write_bytes(content)
    is_bounded(read_all(lambda file: open_coco(file, CocoConfig())), path)


@pytest.fixture(scope="module")
def slicer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slicer")
    write_image(folder / "a.nii.gz")
    return folder


@fuzz
@given(content=damaged({"markups": [roi(name="bulge L4-L5", coordinateUnits="mm", description="x")]}))
def test_fuzz_slicer_markups(slicer: Path, content: bytes) -> None:
    (slicer / "a.mrk.json").write_bytes(content)
    is_bounded(read_all(lambda folder: open_slicer(folder, SlicerConfig())), slicer)


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_masks(tmp_path_factory.mktemp("masks"), {"0": "bulge"}, None)


@fuzz
@given(labels=damaged(LABELS), instances=st.none() | damaged({"instances": {"1": 0, "2": 1}}))
def test_fuzz_labels_of_masks(masks: Path, labels: bytes, instances: bytes | None) -> None:
    (masks / "dataset.json").write_bytes(labels)
    beside = masks / "labelsTr" / "case.json"
    beside.unlink(missing_ok=True)
    if instances is not None:
        beside.write_bytes(instances)
    is_bounded(read_all(lambda folder: open_masks(folder, MasksConfig())), masks)


XML = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<annotation><size><width>{size}</width><height>40</height></size>'
    "<object><name>{name}</name><bndbox><xmin>{place}</xmin><ymin>21</ymin><xmax>20</xmax><ymax>30</ymax></bndbox>"
    "</object></annotation>"
)


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc")
    for n in range(3):
        write_dicom(root / "P1" / f"P1_{n}.dcm", (4.0 * n, 10.0, 100.0), ("1.1", "1.2", f"1.3.{n}"))
    return root


@fuzz
@given(
    encoding=st.sampled_from(["utf-8", "GB2312", "utf-16", "latin-1", "idna", "rot13", "unknown", ""]),
    size=cells,
    name=cells,
    place=st.sampled_from(["11", "0", "-5", "1e30", "nan", "", "x"]),
    anywhere=edits(320),
    cut=st.none() | st.integers(0, 320),
    damage=st.booleans(),
)
def test_fuzz_voc(
    voc: Path,
    encoding: str,
    size: str,
    name: str,
    place: str,
    anywhere: list[tuple[int, bytes]],
    cut: int | None,
    damage: bool,
) -> None:
    text = XML.format(encoding=encoding, size=size, name=name, place=place)
    content = text.encode("gb18030" if encoding == "GB2312" else "utf-8", errors="replace")
    (voc / "P1" / "P1_1.xml").write_bytes(edited(content, anywhere, cut) if damage else content)
    is_bounded(read_all(lambda root: open_voc(root, root.parent / "links", VocConfig())), voc)
    assert read_grid(voc / "P1").shape == (30, 40, 3)  # nothing of the data set was changed


def test_entities_of_xml_are_not_expanded_without_end(voc: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 1000}">' for n in range(9))
    (voc / "P1" / "P1_1.xml").write_text(f"<!DOCTYPE a [{entities}]><a>&e8;</a>", "utf-8")
    is_bounded(read_all(lambda root: open_voc(root, root.parent / "links", VocConfig())), voc)


# --- names of files ---


@fuzz
@given(ids=st.lists(st.text(max_size=300) | st.sampled_from(["../../x", "..", ".", "/", "CON", "a\x00b"]), min_size=1))
def test_fuzz_file_names(tmp_path: Path, ids: list[str]) -> None:
    name = file_name_of(*ids)
    path = tmp_path / f"{name}.json"
    assert path.parent == tmp_path
    path.write_text("{}")
    assert path.resolve().parent == tmp_path.resolve()
    path.unlink()


def test_file_names_differ_where_ids_differ() -> None:
    ids = ["a/b", "a_b", "a b", "a\x00b", "..", ".", "_", "x" * 300, "x" * 301, "腰" * 80, "腰" * 81]
    names = [file_name_of(each) for each in ids]
    assert len(set(names)) == len(ids)
    assert max(len(name.encode()) for name in names) < 200
    assert names[1] == "a_b"
    assert np.all([name[0] not in ".-" for name in names])
    assert file_name_of("a_b", "c") != file_name_of("a", "b_c") == "a_b_c"
