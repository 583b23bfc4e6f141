"""`radiograph.convert`: fixtures in the published layouts become manifests, and nothing unusable counts as healthy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.radiograph import RadiographManifest, read_radiographs
from spinedet.core.types import Split
from tests.imaging.radiograph.films import as_integers, dicom, film, save

from .conftest import Run


def converted(run: Run, out: Path, *words: str) -> tuple[int, RadiographManifest, str]:
    status, printed = run("convert", *words, f"out={out}")
    return status, read_radiographs(out / "manifest.json"), printed


def skipped(out: Path) -> dict[str, str]:
    return {row["study"]: row["reason"] for row in json.loads((out / "skipped.json").read_text())}


def unused(out: Path) -> list[dict[str, Any]]:
    return list(json.loads((out / "unused.json").read_text()))


# --- VinDr-SpineXR ---

VINDR = """image_id,series_id,study_id,rad_id,lesion_type,xmin,ymin,xmax,ymax
i1,se1,st1,rad1,Surgical implant,10.5,20.5,60,90
i1,se1,st1,rad1,Osteophytes,1,2,3,4
i2,se2,st1,rad1,No finding,,,,
i3,se3,st2,rad2,Osteophytes,5,6,7,8
i4,se4,st2,rad2,,5,6,7,8
i5,se5,st3,rad1,Surgical implant,60,20,10,90
i6,se6,st3,rad1,No finding,,,,
"""


@pytest.fixture
def vindr(tmp_path: Path) -> Path:
    root = tmp_path / "vindr"
    (root / "annotations").mkdir(parents=True)
    (root / "annotations/train.csv").write_text(VINDR)
    head = VINDR.splitlines()[0]
    (root / "annotations/test.csv").write_text(f"{head}\ni7,se7,st4,rad1,Surgical implant,1,2,3,4\n")
    (root / "train_images").mkdir()
    (root / "test_images").mkdir()
    for number in range(1, 8):
        folder = root / ("test_images" if number == 7 else "train_images")
        view = {2: "LL", 3: None, 6: "RAO"}.get(number, "AP")
        dicom(folder / f"i{number}.dicom", as_integers(film(seed=number)), ViewPosition=view)
    return root


def test_vindr(run: Run, vindr: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, manifest, printed = converted(run, out, "source=vindr", f"root={vindr}")
    assert status == 3
    assert (manifest.task.labels, manifest.task.positive) == (
        ("no surgical implant", "surgical implant"),
        "surgical implant",
    )
    images = {image.id: (study, image) for study in manifest.studies for image in study.images}
    assert [study.split for study in manifest.studies] == [Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.TEST]
    assert images["i1"][1].label == "surgical implant"
    assert images["i1"][1].truth == ((10.5, 20.5, 60.0, 90.0),)
    assert [images[name][1].view for name in ("i1", "i2", "i3")] == ["ap", "lateral", None]
    assert [images[name][1].label for name in ("i2", "i3")] == ["no surgical implant"] * 2
    # A row without a type may be an implant: its image is neither of the labels.
    assert images["i4"][1].label is None
    assert images["i4"][1].excluded == "an annotation cannot be used: a row without a lesion type"
    # A box that is none takes nothing from the label.
    assert (images["i5"][1].label, images["i5"][1].truth) == ("surgical implant", ())
    assert images["i6"][1].excluded == "ViewPosition: oblique"
    assert {row["where"]: row.get("effect", "none") for row in unused(out)} == {"i4": "excluded", "i5": "none"}
    assert set(skipped(out)) == {"st2/i4", "st3/i6"}
    assert len(list((out / "pictures").glob("*.png"))) == 3
    assert "Doe^Jane" not in printed + (out / "manifest.json").read_text()


def test_vindr_of_another_finding_and_split(run: Run, vindr: Path, tmp_path: Path) -> None:
    words = ("source=vindr", f"root={vindr}", "source.finding=Osteophytes", "split=test", "hashes=false", "pictures=0")
    _, manifest, _ = converted(run, tmp_path / "out", *words)
    assert manifest.task.positive == "osteophytes"
    assert {study.split for study in manifest.studies} == {Split.TEST}
    assert all(image.sha256 is None for study in manifest.studies for image in study.images)


def test_vindr_with_a_file_that_is_not_there(run: Run, vindr: Path, tmp_path: Path) -> None:
    (vindr / "train_images/i1.dicom").unlink()
    (vindr / "train_images/i2.dicom").write_bytes(b"damaged")
    status, manifest, _ = converted(run, tmp_path / "out", "source=vindr", f"root={vindr}")
    assert status == 3
    assert manifest.studies[0].used == ()
    assert {"st1/i1", "st1/i2"} <= set(skipped(tmp_path / "out"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "annotations/train.csv").write_text("image_id,study_id\n"), "no column 'lesion_type'"),
        (lambda root: [path.unlink() for path in (root / "annotations").iterdir()], "holds no annotations/train.csv"),
    ],
)
def test_vindr_that_is_none(run: Run, vindr: Path, tmp_path: Path, spoil: Any, words: str) -> None:
    spoil(vindr)
    status, printed = run("convert", "source=vindr", f"root={vindr}", f"out={tmp_path / 'out'}")
    assert status == 2
    assert words in printed


def test_vindr_without_the_finding(run: Run, vindr: Path, tmp_path: Path) -> None:
    status, printed = run("convert", "source=vindr", f"root={vindr}", "source.finding=Gout", f"out={tmp_path / 'o'}")
    assert status == 2
    assert "the findings are no finding, osteophytes, surgical implant" in printed


# --- BUU-LSPINE ---


def corners(view: str, lines: int) -> str:
    """End plates from top to bottom, ten pixels apart, with a class in the last column."""
    return "".join(f"{100 + n},{20 + 10 * n},{140 + n},{22 + 10 * n},{n % 2}\n" for n in range(lines))


@pytest.fixture
def buu(tmp_path: Path) -> Path:
    root = tmp_path / "buu"
    for folder, code, lines in (("AP", "AP", 10), ("LA", "LA", 11)):
        (root / folder).mkdir(parents=True)
        for number, person in enumerate(("0001-F-037Y0", "0002-M-061Y1")):
            save(root / folder / f"{person}_{code}.jpg", film(seed=10 * lines + number))
            (root / folder / f"{person}_{code}.csv").write_text(corners(code, lines))
    return root


def test_buu(run: Run, buu: Path, tmp_path: Path) -> None:
    status, manifest, _ = converted(run, tmp_path / "out", "source=buu", f"root={buu}")
    assert status == 0
    first, second = manifest.studies
    assert (first.id, first.attributes) == ("0001-F-037Y0", {"sex": "F", "age": 37})
    assert second.attributes == {"sex": "M", "age": 61}
    assert [(image.view, image.label) for image in first.images] == [("ap", "ap"), ("lateral", "lateral")]
    assert [place.name for place in first.images[0].places] == ["L1", "L2", "L3", "L4", "L5"]
    assert first.images[0].places[1].box == (102.0, 40.0, 143.0, 52.0)
    assert first.images[1].places[0].attributes["class"] == ["0", "1"]


def test_buu_with_corner_points_that_cannot_be_used(run: Run, buu: Path, tmp_path: Path) -> None:
    (buu / "AP/0001-F-037Y0_AP.csv").write_text(corners("AP", 9))
    (buu / "LA/0001-F-037Y0_LA.csv").write_text(corners("LA", 11).replace("100,20,", "nan,20,"))
    (buu / "LA/0002-M-061Y1_LA.csv").unlink()
    save(buu / "AP/overview.jpg", film(seed=1))
    status, manifest, _ = converted(run, tmp_path / "out", "source=buu", f"root={buu}")
    assert status == 3  # because of the file that is no radiograph of the set
    assert skipped(tmp_path / "out") == {"overview.jpg": "its name does not end with _AP or _LA"}
    ap, lateral = manifest.studies[0].images
    assert (ap.label, ap.places) == ("ap", ())
    assert [place.name for place in lateral.places] == ["L2", "L3", "L4", "L5"]
    assert [row["reason"] for row in unused(tmp_path / "out")] == [
        "9 lines where 10 are published",
        "its corner points are no vertebra",
        "no corner points",
    ]


# --- NHANES II ---


def test_nhanes2(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "nhanes"
    (root / "jpg").mkdir(parents=True)
    for number, name in enumerate(("C00123.jpg", "L00123.tif", "L04567.jpg", "notes.png")):
        save(root / "jpg" / name, film(seed=number))
    (root / "C00999.nh2").write_bytes(b"raw")
    status, manifest, _ = converted(run, tmp_path / "out", "source=nhanes2", f"root={root}")
    assert status == 3
    assert [(study.id, [image.label for image in study.images]) for study in manifest.studies] == [
        ("123", ["cervical", "lumbar"]),
        ("4567", ["lumbar"]),
    ]
    assert {(image.view, image.mm) for _, image in manifest.images()} == {("lateral", 0.175)}
    assert set(skipped(tmp_path / "out")) == {"C00999.nh2", "notes.png"}


# --- AASCE ---


def landmarks(wrong: int | None = None) -> list[float]:
    """17 vertebrae as shares of width and height, one of them with its corners in a wrong order."""
    x, y = [], []
    for n in range(17):
        left, right = (0.6, 0.4) if n == wrong else (0.4, 0.6)
        x += [left, right, left, right]
        y += [0.05 * n + 0.05, 0.05 * n + 0.05, 0.05 * n + 0.09, 0.05 * n + 0.09]
    return [*x, *y]


NAMES = {
    "training": ["ab-1th-01-Mar-2017-313 A AP.jpg", "cd-1th-02-Mar-2017-40 A AP.jpg", "ef-1th-05-May-2017-9 B AP.jpg"],
    "test": ["gh-1th-07-May-2017-71 A AP.jpg", "ef-1th-05-May-2017-9 C AP.jpg"],
}


@pytest.fixture
def aasce(tmp_path: Path) -> Path:
    root = tmp_path / "boostnet_labeldata"
    for part, names in NAMES.items():
        for folder in (root / "data" / part, root / "labels" / part):
            folder.mkdir(parents=True)
        for number, name in enumerate(names):
            save(root / "data" / part / name, film(seed=ord(part[1]) + number))
        labels = root / "labels" / part
        (labels / "filenames.csv").write_text("".join(f"{name}\n" for name in names))
        rows = [landmarks(wrong=2 if number == 1 else None) for number in range(len(names))]
        (labels / "landmarks.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        (labels / "angles.csv").write_text("".join(f"{5 + 20 * n},3.5,1\n" for n in range(len(names))))
    return root


def test_aasce(run: Run, aasce: Path, tmp_path: Path) -> None:
    status, manifest, _ = converted(run, tmp_path / "out", "source=aasce", f"root={aasce.parent}")
    assert status == 3
    text = (tmp_path / "out/manifest.json").read_text()
    studies = list(manifest.studies)
    assert [study.label for study in studies] == ["straight", "curved", "curved", "straight", "curved"]
    assert manifest.task.positive == "curved"
    first, second, third, _, _ = studies
    assert first.attributes["cobb"] == [5.0, 3.5, 1.0]
    names = [place.name for place in first.images[0].places]
    assert (len(names), names[0], names[-1]) == (17, "T1", "L5")
    assert first.images[0].places[0].box == pytest.approx((0.4 * 288, 0.05 * 320, 0.6 * 288, 0.09 * 320))
    assert [place.name for place in second.images[0].places if place.name == "T3"] == []
    # One patient of both parts is tested and not trained.
    assert third.excluded == "images of this patient are in the test part"
    assert {study.id for study in studies}.isdisjoint(
        {name.rpartition(".")[0] for names in NAMES.values() for name in names}
    )
    assert text.count("Mar-2017") == 2  # the paths alone


def test_aasce_without_an_angle_is_no_straight_spine(run: Run, aasce: Path, tmp_path: Path) -> None:
    (aasce / "labels/training/angles.csv").write_text("5,3,1\nnan,1,1\nx,1,1\n")
    status, manifest, _ = converted(run, tmp_path / "out", "source=aasce", f"root={aasce}", "source.degrees=4")
    assert status == 3
    assert [study.label for study in manifest.studies[:3]] == ["curved", None, None]
    assert manifest.studies[1].excluded is not None
    assert sum(row.get("effect") == "excluded" for row in unused(tmp_path / "out")) == 2


def test_aasce_with_tables_of_different_lengths(run: Run, aasce: Path, tmp_path: Path) -> None:
    (aasce / "labels/test/angles.csv").write_text("5,3,1\n")
    status, printed = run("convert", "source=aasce", f"root={aasce}", f"out={tmp_path / 'out'}")
    assert status == 2
    assert "they must be as many" in printed


# --- tables ---

TABLE = """path;patient;label;view;split;center;mm;sex
a.png;p1;C;ap;train;A;0.14;F
b.png;p1;;lateral;train;A;;F
c.png;p2;other;ap;test;B;x;M
d.png;p3;D;oblique;test;B;;M
gone.png;p4;C;ap;test;B;;M
e.png;;C;ap;test;B;;M
f.png;p5;C;ap;test;B;;M
g.png;p5;C;ap;train;B;;M
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for number, name in enumerate("abcdefg"):
        save(tmp_path / f"{name}.png", film(seed=number))
    (tmp_path / "films.csv").write_text(TABLE)
    return tmp_path / "films.csv"


def test_a_table(run: Run, table: Path, tmp_path: Path) -> None:
    status, manifest, _ = converted(run, tmp_path / "out", "source=table", f"root={table}", "source.task=implants")
    assert status == 3
    assert (manifest.task.name, manifest.task.labels) == ("implants", ("C", "D"))
    studies = {study.id: study for study in manifest.studies}
    assert set(studies) == {"p1", "p2", "p3", "p4"}
    first, second = studies["p1"].images
    assert (first.label, first.view, first.mm, first.path) == ("C", "ap", 0.14, tmp_path / "a.png")
    assert (second.label, second.mm) == (None, None)
    assert studies["p1"].attributes == {"sex": "F"}
    assert (studies["p2"].images[0].label, studies["p2"].center) == ("other", "B")
    # An unknown view excludes the image; it is not read as another one.
    assert studies["p3"].images[0].excluded == (
        "an annotation cannot be used: unknown view 'oblique'; the views are ap, lateral"
    )
    assert studies["p4"].images[0].excluded == "its file is not there"
    assert set(skipped(tmp_path / "out")) == {"p3/line-5", "p4/line-6", "line 7", "p5"}
    assert "another split" in skipped(tmp_path / "out")["p5"]


def test_a_table_of_named_labels(run: Run, table: Path, tmp_path: Path) -> None:
    words = ("source.labels=[C,E]", "source.positive=C", "source.views=[ap]")
    _, manifest, _ = converted(run, tmp_path / "out", "source=table", f"root={table}", *words)
    assert (manifest.task.labels, manifest.task.positive, manifest.task.views) == (("C", "E"), "C", ("ap",))
    reasons = {study.id: [image.excluded for image in study.images] for study in manifest.studies}
    assert reasons["p1"][1] == "an annotation cannot be used: a lateral view, which the task does not have"
    assert "unknown" in str(reasons["p3"][0])


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        ("path,label\na.png,C\n", (), "no column 'patient'"),
        ("path,patient,label\na.png,p,C\n", (), "holds 1 labels"),
        ("path,patient,label\na.png,p,C\nb.png,q,D\n", ("source.positive=Z",), "the finding of a task with two labels"),
        ("path,patient,label\nx.png,p,C\ny.png,q,D\n", (), "no image can be used"),
        ("path,patient,label\na.png,p,C\na.png,q,D\n", ("split=nonsense",), "use published, train"),
    ],
)
def test_a_table_that_cannot_be_used(
    run: Run, table: Path, tmp_path: Path, content: str, words: tuple[str, ...], message: str
) -> None:
    table.write_text(content)
    status, printed = run("convert", "source=table", f"root={table}", f"out={tmp_path / 'out'}", *words)
    assert status == 2
    assert message in printed
    assert "Traceback" not in printed


def test_rows_that_cannot_be_used_end_nothing(run: Run, table: Path, tmp_path: Path) -> None:
    rows = ["a.png,p1,C,1", "b.png,p1,C,1", f"{'long' * 99}.png,p2,D,1", "c.png,p3,C,1", "d.png,p4,D,1"]
    table.write_text("\n".join(["path,patient,label,image", *rows]))
    status, manifest, _ = converted(run, tmp_path / "out", "source=table", f"root={table}")
    assert status == 3
    assert [study.id for study in manifest.studies if study.used] == ["p3", "p4"]
    assert "image '1' appears more than once in the study" in skipped(tmp_path / "out")["p1"]
    assert skipped(tmp_path / "out")["p2/1"] == "its file cannot be read (File name too long)"


def test_no_manifest_is_left_that_would_be_refused(run: Run, table: Path, tmp_path: Path) -> None:
    rows = ["a.png,p1,C,train,s1", "b.png,p1,C,test,s2", "c.png,p2,D,test,s3"]
    table.write_text("\n".join(["path,patient,label,split,study", *rows]))
    status, printed = run("convert", "source=table", f"root={table}", f"out={tmp_path / 'out'}")
    assert status == 2
    assert "films.csv: patient 'p1' is in two splits" in " ".join(printed.split())
    assert not (tmp_path / "out/manifest.json").exists()


def test_a_root_that_is_not_there_or_a_folder(run: Run, tmp_path: Path) -> None:
    for root, words in ((tmp_path / "absent", "does not exist"), (tmp_path, "give the CSV file")):
        status, printed = run("convert", "source=table", f"root={root}", f"out={tmp_path / 'out'}")
        assert status == 2
        assert words in printed


def test_what_is_converted_passes_the_audit(run: Run, buu: Path, tmp_path: Path) -> None:
    converted(run, tmp_path / "out", "source=buu", f"root={buu}", "paths=absolute")
    manifest = tmp_path / "out/manifest.json"
    status, _ = run("check", f"data.manifests=[{manifest}]", "workers=1", f"out={tmp_path / 'audit'}")
    assert status == 0
