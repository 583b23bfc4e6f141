"""Other detectors' files: what we write can be read by others, and what they write by us."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from spinedet.core.errors import InputError
from spinedet.core.findings import FindingsTable
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.formats.detector_findings import ImportSettings, import_findings
from spinedet.formats.score_exports import export_coco, export_csv, export_picai
from spinedet.scoring import IouCriterion, ScoreSettings, examine
from spinedet.scoring.matching.cohort import boxes_of
from spinedet.scoring.matching.overlaps import Boxes

Draw = Callable[..., Any]
TILTED = [[1.0, 0.0, 0.0], [0.0, 0.8, 0.6], [0.0, -0.6, 0.8]]


@pytest.fixture
def drawn(draw: Draw) -> Any:
    tilted = {"box": {"center": [7.5, 1, 2], "size": [4, 5, 6], "axes": TILTED}, "score": 0.25, "level": "L4/L5"}
    drawn = draw(categories=("disc", "other, kind")).study([0.0, 90.0], [(0.0, 0.9), tilted, (50.0, 0.5)])
    ignored = {"box": {"center": [0, 0, 0], "size": [9, 9, 9]}, "ignore": True}
    return drawn.study([ignored], [(0.0, 0.8)]).study([], [])


def judged(drawn: Any) -> Any:
    return examine(drawn.manifest, drawn.found, ScoreSettings(criterion=IouCriterion())).matched


def placed(drawn: Any) -> tuple[Any, Boxes]:
    matched = judged(drawn)
    return matched, boxes_of(drawn.table, matched.cohort.marks)


def content(table: FindingsTable) -> list[Any]:
    return [
        (
            table.studies[table.study[row]],
            table.series_names[table.series[row]],
            table.category_names[table.category[row]],
            table.score[row],
            table.level[row] >= 0 and table.level_names[table.level[row]],
            table.center[row].tolist(),
            table.size[row].tolist(),
            table.frames[table.frame[row]].tolist(),
        )
        for row in range(len(table))
    ]


def test_csv_comes_back_as_it_was(drawn: Any, tmp_path: Path) -> None:
    export_csv(tmp_path, *placed(drawn))
    back = import_findings(tmp_path / "findings.csv", drawn.manifest, ImportSettings(format="csv"))
    assert content(back) == content(drawn.table)
    assert set(back.studies) == {"s0", "s1", "s2"}  # the one without findings too


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study,series,score\n", "column 'category' is missing"),
        ("study,series,category,score\ns0,sag,disc,high\n", "line 2 \\(study 's0'\\) cannot be read"),
        ("study,series,category,score\ns0,sag,disc,0.5\n", "line 2 \\(study 's0'\\) cannot be read"),
    ],
)
def test_broken_csv_is_refused(drawn: Any, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        import_findings(tmp_path / "f.csv", drawn.manifest, ImportSettings(format="csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_is_read_with_a_byte_order_mark(drawn: Any, tmp_path: Path, encoding: str) -> None:
    export_csv(tmp_path, *placed(drawn))
    path = tmp_path / "findings.csv"
    head, *rows = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([f"Höhe,{head}", *(f"ü,{row}" for row in rows)]), encoding)
    back = import_findings(path, drawn.manifest, ImportSettings(format="csv"))
    np.testing.assert_array_equal(np.sort(back.score), np.sort(drawn.table.score))


def test_csv_in_a_legacy_encoding_is_refused(drawn: Any, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes("study,series,category,score\nHöhe,,,\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"not in UTF-8 \(line 2\); save it again"):
        import_findings(tmp_path / "f.csv", drawn.manifest, ImportSettings(format="csv"))


def test_a_csv_finding_without_a_series_is_refused(drawn: Any, tmp_path: Path) -> None:
    export_csv(tmp_path, *placed(drawn))
    path = tmp_path / "findings.csv"
    head, first, *rest = path.read_text("utf-8").splitlines()
    study, _, *cells = first.split(",")
    path.write_text("\n".join([head, ",".join([study, "", *cells]), *rest]), "utf-8")
    with pytest.raises(InputError, match="series"):
        import_findings(path, drawn.manifest, ImportSettings(format="csv"))


def test_a_csv_score_that_is_no_number_names_its_study(drawn: Any, tmp_path: Path) -> None:
    export_csv(tmp_path, *placed(drawn))
    text = (tmp_path / "findings.csv").read_text().replace(",0.25,", ",nan,")
    (tmp_path / "findings.csv").write_text(text)
    with pytest.raises(InputError, match="study 's0', finding number 1, score: Input should be a finite number"):
        import_findings(tmp_path / "findings.csv", drawn.manifest, ImportSettings(format="csv"))


def test_coco_files_hold_everything(drawn: Any, tmp_path: Path) -> None:
    export_coco(tmp_path, *placed(drawn))
    reference = json.loads((tmp_path / "coco_reference.json").read_text())
    results = json.loads((tmp_path / "coco_findings.json").read_text())
    assert [one["file_name"] for one in reference["images"]] == ["s0/sag", "s1/sag", "s2/sag"]
    assert [one["iscrowd"] for one in reference["annotations"]] == [0, 0, 1]
    assert [one["score"] for one in results] == [0.9, 0.25, 0.5, 0.8]
    assert results[0]["bbox"] == [-5, -5, 10, 10]
    assert min(one["id"] for one in (*reference["images"], *reference["annotations"], *results)) == 1
    assert results[1]["box"]["axes"] == TILTED
    coco = COCO(str(tmp_path / "coco_reference.json"))
    assert len(coco.loadRes(str(tmp_path / "coco_findings.json")).anns) == 4


def test_picai_rows_are_hit_score_closeness_with_misses_at_zero(drawn: Any, tmp_path: Path) -> None:
    export_picai(tmp_path, judged(drawn))
    metrics = json.loads((tmp_path / "picai_metrics.json").read_text())
    assert metrics["lesion_results"] == {
        "s0/sag": [[1, 0.9, 1.0], [0, 0.25, 0.0], [0, 0.5, 0.0], [1, 0.0, 0.0]],
        "s1/sag": [],  # its finding was absorbed, its lesion is to be ignored
        "s2/sag": [],
    }
    assert metrics["case_target"] == {"s0/sag": 1, "s1/sag": 0, "s2/sag": 0}
    assert metrics["case_pred"] == {"s0/sag": 0.9, "s1/sag": 0.0, "s2/sag": 0.0}


def test_picai_cannot_hold_scores_that_are_not_positive(draw: Draw, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="export=picai needs scores above 0"):
        export_picai(tmp_path, judged(draw().study([0.0], [(0.0, -1.0)])))


def monai(tmp_path: Path, drawn: Any, record: dict[str, Any], **settings: Any) -> FindingsTable:
    record = {"image": "/data/images/s0.nii.gz", "label": [0], "score": [0.7], **record}
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"validation": [record]}))
    return import_findings(path, drawn.manifest, ImportSettings(format="monai", **settings))


@pytest.mark.parametrize(
    ("mode", "box"),
    [
        ("cccwhd", [10, 20, 30, 4, 6, 8]),
        ("xyzxyz", [8, 17, 26, 12, 23, 34]),
        ("xxyyzz", [8, 12, 17, 23, 26, 34]),
        ("xyxyzz", [8, 17, 12, 23, 26, 34]),
        ("xyzwhd", [8, 17, 26, 4, 6, 8]),
    ],
)
def test_monai_s_modes_are_one_box(drawn: Any, tmp_path: Path, mode: str, box: list[float]) -> None:
    table = monai(tmp_path, drawn, {"box": [box]}, mode=mode, space="RAS")
    assert content(table) == [("s0", "sag", "disc", 0.7, False, [10, 20, 30], [4, 6, 8], np.eye(3).tolist())]
    flipped = monai(tmp_path, drawn, {"box": [box]}, mode=mode, space="LPS")
    assert flipped.center.tolist() == [[-10, -20, 30]]


def test_monai_s_modes_agree_with_monai(drawn: Any, tmp_path: Path) -> None:
    box_utils = pytest.importorskip("monai.data.box_utils")
    box = np.array([[8.0, 17.0, 26.0, 12.0, 23.0, 34.0]])
    for mode in ("xxyyzz", "xyxyzz", "xyzwhd", "cccwhd"):
        theirs = box_utils.convert_box_mode(box, src_mode="xyzxyz", dst_mode=mode)
        table = monai(tmp_path, drawn, {"box": theirs.tolist()}, mode=mode, space="RAS")
        assert (table.center.tolist(), table.size.tolist()) == ([[10, 20, 30]], [[4, 6, 8]])


def test_monai_s_voxel_boxes_lie_on_voxel_edges(drawn: Any, tmp_path: Path) -> None:
    affine = [[2, 0, 0, -50], [0, 0, 4, 10], [0, 3, 0, 0], [0, 0, 0, 1]]
    table = monai(tmp_path, drawn, {"box": [[5, 6, 7, 6, 8, 9]], "affine": affine}, mode="xyzxyz", space="voxel")
    box = Grid((9, 9, 9), np.array(affine, dtype=float)).world(EdgeBox(np.array([5.0, 6, 7]), np.array([6.0, 8, 9])))
    assert (table.center[0].tolist(), table.size[0].tolist()) == (list(box.center), list(box.size))
    assert box.center == (-40.0, 40.0, 19.5)  # voxel 5, voxels 6 and 7, voxels 7 and 8
    assert box.size == (2.0, 8.0, 6.0)


def test_monai_s_half_voxel_is_undone(drawn: Any, tmp_path: Path) -> None:
    """A true extent of 2.5 to 12.5 mm along slices of 5 mm comes out of MONAI as 5 to 15."""
    affine = [[5, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    record = {"box": [[5, -0.5, -0.5, 15, 1.5, 1.5]], "affine": affine}
    table = monai(tmp_path, drawn, record, mode="xyzxyz", space="RAS", half_voxel=True)
    assert (table.center[0, 0] - 5, table.center[0, 0] + 5) == (2.5, 12.5)


@pytest.mark.parametrize(
    ("record", "settings", "words"),
    [
        ({"box": [[1, 1, 1, 2, 2, 2]]}, {}, "name the space of MONAI's boxes"),
        ({"box": [[1, 1, 1, 2, 2, 2]]}, {"space": "RAS", "mode": "xyz"}, "MONAI's box modes are xyzxyz"),
        ({"box": [[1, 1, 1, 2, 2, 2]]}, {"space": "voxel"}, "has no affine"),
        ({"box": [[1, 1, 1, 2, 2, 2]], "label": []}, {"space": "RAS"}, "has 1, 0, 1 boxes, labels, scores"),
        ({"box": [[1, 1, 1, 2, 2, 2]], "label": [7]}, {"space": "RAS"}, "label 7 is none of the 2 categories"),
        (
            {"box": [[1, 1, 1, 2, 2, 2]], "image": "x.nii"},
            {"space": "RAS"},
            "image 'x.nii' is no series of the manifest",
        ),
        ({"box": [[1, 1, 1, 0, 2, 2]]}, {"space": "RAS"}, "study 's0', finding number 0, box, size, 0"),
    ],
)
def test_wrong_monai_files_are_refused(
    drawn: Any, tmp_path: Path, record: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        monai(tmp_path, drawn, record, **settings)


def nndetection(folder: Path, case: str, box: list[float], **about: Any) -> None:
    content = {
        "pred_boxes": [box],
        "pred_scores": [0.7],
        "pred_labels": [0],
        "itk_origin": [-100.0, -50.0, 20.0],
        "itk_spacing": [2.0, 3.0, 4.0],
        "itk_direction": [1, 0, 0, 0, 1, 0, 0, 0, 1],
        **about,
    }
    (folder / f"{case}_boxes.json").write_text(json.dumps(content))


def test_nndetection_s_boxes_lie_one_voxel_outside(drawn: Any, tmp_path: Path) -> None:
    """An object of voxels z 5, y 6-7, x 8-10 has the box (4, 5, 6, 8, 7, 11): the voxels strictly between."""
    nndetection(tmp_path, "s0", [4, 5, 6, 8, 7, 11])
    table = import_findings(tmp_path, drawn.manifest, ImportSettings(format="nndetection"))
    # LPS of the voxel centres: x -100 + 2 * 9, y -50 + 3 * 6.5, z 20 + 4 * 5; RAS turns x and y
    assert content(table) == [
        ("s0", "sag", "disc", 0.7, False, [82.0, 30.5, 40.0], [6.0, 6.0, 4.0], np.eye(3).tolist())
    ]


def test_nndetection_s_arrays_may_come_as_npz(drawn: Any, tmp_path: Path) -> None:
    nndetection(tmp_path, "s0", [4, 5, 6, 8, 7, 11])
    plain = json.loads((tmp_path / "s0_boxes.json").read_text())
    (tmp_path / "s0_boxes.json").unlink()
    np.savez(tmp_path / "s0_boxes.npz", **{name: np.array(value) for name, value in plain.items()})
    table = import_findings(tmp_path, drawn.manifest, ImportSettings(format="nndetection"))
    assert table.center.tolist() == [[82.0, 30.5, 40.0]]


def test_a_box_too_thin_for_a_voxel_keeps_a_sliver(drawn: Any, tmp_path: Path) -> None:
    nndetection(tmp_path, "s0", [4, 5, 4.5, 8, 7, 11])
    table = import_findings(tmp_path, drawn.manifest, ImportSettings(format="nndetection"))
    assert table.size[0].tolist() == pytest.approx([6.0, 6.0, 0.04])


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"itk_direction": [1, 0, 0, 1]}, "itk_direction must have nine numbers"),
        ({"pred_labels": [2]}, "label 2.0 is none of the 2 categories"),
        ({"pred_scores": []}, "has 1, 1, 0 boxes, labels, scores"),
    ],
)
def test_wrong_nndetection_files_are_refused(drawn: Any, tmp_path: Path, about: dict[str, Any], words: str) -> None:
    nndetection(tmp_path, "s0", [4, 5, 6, 8, 7, 11], **about)
    with pytest.raises(InputError, match=words):
        import_findings(tmp_path, drawn.manifest, ImportSettings(format="nndetection"))


def test_pickles_are_never_opened(drawn: Any, tmp_path: Path) -> None:
    (tmp_path / "s0_boxes.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(InputError, match="pickles are not read: they can run any code"):
        import_findings(tmp_path, drawn.manifest, ImportSettings(format="nndetection"))


def test_an_unknown_format_is_refused(drawn: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format='voc': use spinedet, csv, monai or nndetection"):
        import_findings(tmp_path, drawn.manifest, ImportSettings(format="voc"))
