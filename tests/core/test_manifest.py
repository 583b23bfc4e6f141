"""The reference standard is read whole or refused with the file, the study and the field."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.leakage import refuse_leakage
from spinedet.core.manifest import read_manifest, read_manifests, write_manifest
from spinedet.core.types import Origin, Split

Content = dict[str, Any]
Write = Callable[[Content], Path]
NAN = float("nan")
ROOT = Path(__file__).parents[2]


def put(content: Content, place: str, value: Any) -> None:
    """Set `studies/0/lesions/0/level` and the like."""
    *steps, last = [int(step) if step.isdigit() else step for step in place.split("/")]
    here: Any = content
    for step in steps:
        here = here[step]
    here[last] = value


def take(content: Content, place: str) -> None:
    *steps, last = place.split("/")
    here: Any = content
    for step in steps:
        here = here[int(step) if step.isdigit() else step]
    del here[last]


def test_a_manifest_says_what_its_file_says(reference: Content, write: Write) -> None:
    path = write(reference)
    manifest = read_manifest(path)
    assert (manifest.name, manifest.region, manifest.categories) == ("two", Region.LUMBAR, ("bulge", "modic"))
    first, second = manifest.studies
    assert (first.id, first.patient, first.center, first.split) == ("A-1", "p1", "A", Split.TRAIN)
    assert second.split is Split.TEST
    assert first.series[0].plane is Plane.SAGITTAL
    assert first.series[0].path == path.parent / "A-1" / "sag.nii.gz"
    lesion = first.lesions[0]
    assert (lesion.level, lesion.origin, lesion.ignore) == ("L4/L5", Origin.MANUAL, False)
    assert lesion.box.center == (1.5, -32.0, 110.4)
    assert lesion.box.size == (14.0, 11.5, 9.0)


def test_a_study_knows_its_manifests_region_and_does_not_write_it(reference: Content, write: Write) -> None:
    reference["region"] = "cervical"
    manifest = read_manifest(write(reference))
    assert {study.region for study in manifest.studies} == {Region.CERVICAL}
    assert "region" not in manifest.studies[0].model_dump(mode="json")


def test_what_may_be_absent(reference: Content, write: Write) -> None:
    for place in ("lesions", "excluded", "split", "attributes"):
        take(reference, f"studies/0/{place}")
    study = read_manifest(write(reference)).studies[0]
    assert (study.lesions, study.excluded, study.split, study.attributes) == ((), None, None, {})


# --- refusals; each message names the file ---


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("format", "spinedet-findings", ['"format" must be "spinedet-manifest"']),
        ("format", None, ['"format" must be "spinedet-manifest"']),
        ("version", 2, ["has version 2", "reads version 1"]),
        ("version", "1", ["has version '1'"]),
        ("space", "LPS", ["has space 'LPS'", "convert its coordinates to RAS"]),
        ("space", None, ["has space None"]),
        ("name", "", ["name"]),
        ("region", "thoracic", ["region", "'lumbar' or 'cervical'", '"thoracic"']),
        ("categories", [], ["categories is empty"]),
        ("categories", "bulge", ["categories", "array"]),
        ("categories", [1], ["categories, 0", "string"]),
        ("studies", 5, ["studies", "array"]),
        ("studies/0", 5, ["study 0", "object", "found 5"]),
        ("studies/0/id", 5, ["study 5", "id", "string"]),
        ("studies/0/id", "", ["study ''", "id", "at least 1 character"]),
        ("studies/0/patient", None, ["study 'A-1'", "patient", "found null"]),
        ("studies/0/center", 3, ["study 'A-1'", "center"]),
        ("studies/0/split", "validation", ["study 'A-1'", "split", "'train', 'tune' or 'test'", '"validation"']),
        ("studies/0/excluded", True, ["study 'A-1'", "excluded", "string"]),
        ("studies/0/attributes/age", NAN, ["study 'A-1'", "attributes, age", "finite", "found nan"]),
        ("studies/0/attributes/ages", [1, float("inf")], ["study 'A-1'", "attributes, ages", "finite"]),
        ("studies/0/extra", NAN, ["study 'A-1'", "extra", "finite"]),
        ("extra", {"a": [NAN]}, ["extra", "finite"]),
        ("studies/0/series", None, ["study 'A-1'", "series", "array"]),
        ("studies/0/series/0/plane", "coronal", ["study 'A-1', series 'sag', plane", "'sagittal' or 'axial'"]),
        ("studies/0/series/0/path", 5, ["study 'A-1', series 'sag', path", "found 5"]),
        ("studies/0/series/0/extra", NAN, ["study 'A-1', series 'sag', extra", "finite"]),
        ("studies/0/lesions/0/category", "fracture", ["study 'A-1', lesion '1', category", "'fracture'", "'modic'"]),
        ("studies/0/lesions/0/series", "ax", ["study 'A-1', lesion '1', series", "no series 'ax'"]),
        ("studies/0/lesions/0/level", "L9", ["study 'A-1', lesion '1', level", "'L9'", "write discs as 'L4/L5'"]),
        ("studies/0/lesions/0/origin", "guess", ["study 'A-1', lesion '1', origin"]),
        ("studies/0/lesions/0/ignore", "no", ["study 'A-1', lesion '1', ignore", "boolean"]),
        ("studies/0/lesions/0/box/size", [1, 0, 1], ["study 'A-1', lesion '1', box, size, 1", "greater than 0"]),
        ("studies/0/lesions/0/box/size", [1, 1, -2], ["study 'A-1', lesion '1', box, size, 2", "found -2"]),
        ("studies/0/lesions/0/box/center", [NAN, 1, 1], ["study 'A-1', lesion '1', box, center, 0", "finite"]),
        ("studies/0/lesions/0/box/center", [1, 1], ["study 'A-1', lesion '1', box, center, 2: Field required"]),
        ("studies/0/lesions/0/box/center", ["1", 1, 1], ["lesion '1', box, center, 0", "valid number"]),
        ("studies/0/lesions/0/box/axes", [[1, 0, 0]] * 3, ["study 'A-1', lesion '1', box", "orthonormal unit rows"]),
        ("studies/0/lesions/0/box/extra", NAN, ["study 'A-1', lesion '1', box, extra", "finite"]),
    ],
)
def test_refused_values(reference: Content, write: Write, place: str, value: Any, words: list[str]) -> None:
    put(reference, place, value)
    path = write(reference)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("format", '"format" must be'),
        ("version", "version None"),
        ("space", "space None"),
        ("name", "name: Field required"),
        ("region", "region: Field required"),
        ("categories", "categories: Field required"),
        ("studies", "studies: Field required"),
        ("studies/0/id", "study 0, id: Field required"),
        ("studies/0/patient", "study 'A-1', patient: Field required"),
        ("studies/0/center", "study 'A-1', center: Field required"),
        ("studies/0/series", "study 'A-1', series: Field required"),
        ("studies/0/series/0/plane", "study 'A-1', series 'sag', plane: Field required"),
        ("studies/0/series/0/path", "study 'A-1', series 'sag', path: Field required"),
        ("studies/0/lesions/0/id", "study 'A-1', lesion 0, id: Field required"),
        ("studies/0/lesions/0/box", "study 'A-1', lesion '1', box: Field required"),
        ("studies/0/lesions/0/box/size", "study 'A-1', lesion '1', box, size: Field required"),
    ],
)
def test_what_must_be_there(reference: Content, write: Write, place: str, words: str) -> None:
    take(reference, place)
    path = write(reference)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "found" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"spinedet-manifest"', "\ufeff nope"])
def test_files_that_are_no_manifest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"m\.json is (not valid JSON|no spinedet-manifest file)"):
        read_manifest(path)


def test_an_image_given_as_manifest(tmp_path: Path) -> None:
    path = tmp_path / "sag.nii.gz"
    path.write_bytes(bytes.fromhex("1f8b0800000000000003"))
    with pytest.raises(InputError, match=r"sag\.nii\.gz is not valid JSON"):
        read_manifest(path)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json does not exist"):
        read_manifest(tmp_path / "gone.json")
    with pytest.raises(InputError, match="is a folder where a file is needed"):
        read_manifest(tmp_path)


def test_numbers_beyond_the_largest_are_not_finite(reference: Content, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(reference).replace("110.4", "1e999"))
    with pytest.raises(InputError, match=r"study 'A-1', lesion '1', box, center, 2: .*finite.*found inf"):
        read_manifest(path)


def test_json_that_the_strict_reader_cannot_take(reference: Content, write: Write) -> None:
    value: Any = [[]]
    for _ in range(300):
        value = [value]
    reference["extra"] = value
    path = write(reference)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}: Invalid JSON: ")


# --- repeated ids ---


@pytest.mark.parametrize(
    ("repeat", "words"),
    [
        (lambda m: m["studies"].append(copy.deepcopy(m["studies"][0])), ": study id 'A-1' appears more than once"),
        (lambda m: m["studies"][0]["series"].append(m["studies"][0]["series"][0]), "study 'A-1': series id 'sag'"),
        (lambda m: m["studies"][0]["lesions"].append(m["studies"][0]["lesions"][0]), "study 'A-1': lesion id '1'"),
    ],
    ids=["study", "series", "lesion"],
)
def test_repeated_ids(reference: Content, write: Write, repeat: Callable[[Content], None], words: str) -> None:
    repeat(reference)
    path = write(reference)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


# --- leakage ---


def test_a_category_twice(reference: Content, write: Write) -> None:
    reference["categories"] = ["degeneration", "degeneration"]
    with pytest.raises(InputError, match="category id 'degeneration' appears more than once"):
        read_manifest(write(reference))


def test_a_patient_in_two_splits(reference: Content, write: Write) -> None:
    put(reference, "studies/1/patient", "p1")
    with pytest.raises(InputError, match=r"file0\.json: patient 'p1' is in two splits \(train and test.*study 'A-2'"):
        read_manifest(write(reference))


def test_no_split_is_a_split_of_its_own(reference: Content, write: Write) -> None:
    put(reference, "studies/1/patient", "p1")
    put(reference, "studies/0/split", None)
    with pytest.raises(InputError, match=r"patient 'p1' is in two splits \(null and test"):
        read_manifest(write(reference))


def test_a_patient_in_two_centres(reference: Content, write: Write) -> None:
    put(reference, "studies/1/patient", "p1")
    put(reference, "studies/1/split", "train")
    put(reference, "studies/1/center", "B")
    with pytest.raises(InputError, match=r"patient 'p1' is in two centres \(A and B.*study 'A-2'"):
        read_manifest(write(reference))


def test_a_patient_may_have_two_studies(reference: Content, write: Write) -> None:
    put(reference, "studies/1/patient", "p1")
    put(reference, "studies/1/split", "train")
    assert [study.patient for study in read_manifest(write(reference)).studies] == ["p1", "p1"]


@pytest.mark.parametrize("again", ["ab12", "AB12"])
def test_one_image_in_two_splits(reference: Content, write: Write, again: str) -> None:
    put(reference, "studies/0/series/0/sha256", "ab12")
    put(reference, "studies/1/series/0/sha256", again)
    with pytest.raises(InputError, match=r"studies 'A-1' \(train\) and 'A-2' \(test\) hold the same image"):
        read_manifest(write(reference))


def test_one_image_may_come_twice_in_one_split(reference: Content, write: Write) -> None:
    put(reference, "studies/1/split", "train")
    for number in (0, 1):
        put(reference, f"studies/{number}/series/0/sha256", "ab12")
    assert len(read_manifest(write(reference)).studies) == 2


def test_images_without_a_hash_are_not_alike(reference: Content, write: Write) -> None:
    put(reference, "studies/0/series/0/sha256", "")
    put(reference, "studies/1/series/0/sha256", None)
    assert len(read_manifest(write(reference)).studies) == 2


def test_leakage_is_refused_on_values_too(reference: Content, write: Write) -> None:
    first, second = read_manifest(write(reference)).studies
    refuse_leakage([first, second], "cohort")
    with pytest.raises(InputError, match=r"^cohort: patient 'p1' is in two splits"):
        refuse_leakage([first, second.model_copy(update={"patient": "p1"})], "cohort")


# --- several manifests ---


def of_center(reference: Content, center: str) -> Content:
    other = copy.deepcopy(reference)
    other["name"] = center
    for number, study in enumerate(other["studies"]):
        study |= {"id": f"{center}-{number}", "patient": f"{center}-p{number}", "center": center}
    return other


def test_centres_make_one_cohort(reference: Content, write: Write) -> None:
    other = of_center(reference, "B")
    other["categories"] = ["modic", "schmorl"]
    for study in other["studies"]:
        study["lesions"] = []
    whole = read_manifests([write(reference), write(other)])
    assert whole.name == "two+B"
    assert whole.categories == ("bulge", "modic", "schmorl")
    assert [study.id for study in whole.studies] == ["A-1", "A-2", "B-0", "B-1"]


def test_one_name_is_not_said_twice(reference: Content, write: Write) -> None:
    other = of_center(reference, "B") | {"name": "two"}
    assert read_manifests([write(reference), write(other)]).name == "two"


def test_no_manifest() -> None:
    with pytest.raises(InputError, match=r"pass data\.manifests=\["):
        read_manifests([])


def test_regions_do_not_mix(reference: Content, write: Write) -> None:
    neck = of_center(reference, "B") | {"region": "cervical"}
    with pytest.raises(InputError, match=r"different regions \(cervical, lumbar\)"):
        read_manifests([write(reference), write(neck)])


def test_the_file_at_fault_is_named(reference: Content, write: Write) -> None:
    bad = of_center(reference, "B")
    put(bad, "studies/0/split", "dev")
    with pytest.raises(InputError, match=r"^\S*file1\.json: study 'B-0', split"):
        read_manifests([write(reference), write(bad)])


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("studies/0/id", "A-1", "study id 'A-1' appears more than once"),
        ("studies/0/patient", "p1", "patient 'p1' is in two centres"),
        ("studies/1/patient", "p1", "patient 'p1' is in two splits"),
        ("studies/1/series/0/sha256", "ab12", "hold the same image"),
    ],
)
def test_what_leaks_between_manifests(reference: Content, write: Write, place: str, value: str, words: str) -> None:
    put(reference, "studies/0/series/0/sha256", "ab12")
    other = of_center(reference, "B")
    take(other, "studies/0/series/0/sha256")
    put(other, place, value)
    paths = [write(reference), write(other)]
    with pytest.raises(InputError, match=words) as caught:
        read_manifests(paths)
    assert all(str(path) in str(caught.value) for path in paths)


# --- writing and paths ---


def test_unknown_keys_survive_reading_and_writing(reference: Content, write: Write, tmp_path: Path) -> None:
    extra = {"licence": "CC BY 4.0", "readers": [{"name": "R1", "years": 9.5}, None], "blinded": True}
    for place in ("", "studies/0/", "studies/0/series/0/", "studies/0/lesions/0/", "studies/0/lesions/0/box/"):
        put(reference, f"{place}x-extra", extra)
    out = tmp_path / "again.json"
    write_manifest(out, read_manifest(write(reference)))
    written = json.loads(out.read_text())
    study = written["studies"][0]
    for record in (written, study, study["series"][0], study["lesions"][0], study["lesions"][0]["box"]):
        assert record["x-extra"] == extra
    assert read_manifest(out) == read_manifest(tmp_path / "file0.json")


def test_the_header_is_written_first(reference: Content, write: Write, tmp_path: Path) -> None:
    write_manifest(tmp_path / "out.json", read_manifest(write(reference)))
    written = json.loads((tmp_path / "out.json").read_text())
    assert list(written.items())[:3] == [("format", "spinedet-manifest"), ("version", 1), ("space", "RAS")]


def test_paths_are_written_from_the_manifests_own_folder(reference: Content, write: Write, tmp_path: Path) -> None:
    put(reference, "studies/1/series/0/path", "../elsewhere/sag.nii.gz")
    manifest = read_manifest(write(reference))
    assert manifest.studies[1].series[0].path == tmp_path.parent / "elsewhere" / "sag.nii.gz"
    out = tmp_path / "sub" / "folder" / "out.json"
    write_manifest(out, manifest)
    paths = [study["series"][0]["path"] for study in json.loads(out.read_text())["studies"]]
    assert paths == ["../../A-1/sag.nii.gz", "../../../elsewhere/sag.nii.gz"]
    assert read_manifest(out) == manifest


def test_absolute_paths_stay_where_they_point(reference: Content, write: Write) -> None:
    put(reference, "studies/0/series/0/path", "/data/x/../sag.nii.gz")
    assert read_manifest(write(reference)).studies[0].series[0].path == Path("/data/sag.nii.gz")


def test_the_working_directory_does_not_matter(
    reference: Content, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(reference)
    monkeypatch.chdir(tmp_path.parent)
    relative = read_manifest(Path(tmp_path.name) / path.name)
    assert relative == read_manifest(path)
    write_manifest(Path(tmp_path.name) / "out.json", relative)
    assert read_manifest(tmp_path / "out.json") == relative


def test_a_linked_folder_reads_as_the_real_one(reference: Content, write: Write, tmp_path: Path) -> None:
    # On clusters, runs/ is often a link to scratch; "../" then leads out of the real folder.
    real, link = tmp_path / "scratch" / "deep" / "cohort", tmp_path / "link"
    real.mkdir(parents=True)
    link.symlink_to(real)
    manifest = read_manifest(write(reference))
    write_manifest(link / "m.json", manifest)
    assert json.loads((real / "m.json").read_text())["studies"][0]["series"][0]["path"] == "../../../A-1/sag.nii.gz"
    assert read_manifest(link / "m.json") == read_manifest(real / "m.json") == manifest


def test_an_image_that_is_a_link_is_not_followed(reference: Content, write: Write, tmp_path: Path) -> None:
    # git-annex and DataLad keep images as links to files with meaningless names.
    (tmp_path / "A-1").mkdir()
    (tmp_path / "A-1" / "sag.nii.gz").symlink_to(tmp_path / "objects" / "MD5E-s1")
    write_manifest(tmp_path / "out.json", read_manifest(write(reference)))
    assert json.loads((tmp_path / "out.json").read_text())["studies"][0]["series"][0]["path"] == "A-1/sag.nii.gz"


def test_the_example_manifest_is_valid() -> None:
    example = read_manifest(ROOT / "data_manifests" / "example.json")
    assert {study.split for study in example.studies} == {Split.TRAIN, Split.TUNE, Split.TEST, None}
    assert any(lesion.ignore for study in example.studies for lesion in study.lesions)
    assert any(study.excluded for study in example.studies)
