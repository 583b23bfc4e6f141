"""`spinedet.bundle`: what other platforms read finds what `predict` finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import monai.bundle
import numpy as np
import onnx
import pytest
import torch

import spinedet
from spinedet.core.anatomy import Plane
from spinedet.core.findings import read_findings
from spinedet.core.types import Finding
from spinedet.detection import onnx_file
from spinedet.detection.onnx_file import run_onnx
from spinedet.pipelines.bundles.onnx_folder import compare
from spinedet.pipelines.sample import sample_scan
from spinedet.runs.run_folder import open_run

from .conftest import Run

# What MONAI's own schema of the metadata asks for.
_TENSOR = {
    "type": "object",
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
    "properties": {
        "num_channels": {"type": "integer"},
        "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "channel_def": {"type": "object"},
    },
}
_TENSORS = {"type": "object", "additionalProperties": _TENSOR}
_FORMAT = {
    "type": "object",
    "required": ["inputs", "outputs"],
    "properties": dict.fromkeys(("inputs", "outputs"), _TENSORS),
}
_TEXTS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors")
_OBJECTS = ("required_packages_version", "optional_packages_version", "eval_metrics", "changelog")
SCHEMA = {
    "type": "object",
    "required": [*_TEXTS, "copyright", *_OBJECTS[:2], "network_data_format"],
    "properties": {key: {"type": "string"} for key in _TEXTS} | {key: {"type": "object"} for key in _OBJECTS},
    "patternProperties": {"^[_a-zA-Z0-9]+_data_format$": _FORMAT},
}


def assert_close(found: tuple[Finding, ...], wanted: tuple[Finding, ...]) -> None:
    assert len(found) == len(wanted) > 0
    for one, other in zip(found, wanted, strict=True):
        assert one.category == other.category
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.box.center == pytest.approx(other.box.center, abs=1e-2)
        assert one.box.size == pytest.approx(other.box.size, abs=1e-2)
        assert one.above_operating_point == other.above_operating_point


@pytest.fixture(scope="module")
def monai_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from .conftest import run_command

    folder = tmp_path_factory.mktemp("bundles") / "monai"
    assert run_command("bundle", "run=shipped", "to=monai", f"out={folder}") == 0
    return folder


def test_monai_accepts_the_metadata_and_refuses_what_lacks_a_key(monai_bundle: Path, tmp_path: Path) -> None:
    schema, meta = tmp_path / "schema.json", monai_bundle / "configs" / "metadata.json"
    schema.write_text(json.dumps(SCHEMA))  # in place of a download
    monai.bundle.verify_metadata(meta_file=str(meta), filepath=str(schema))
    lacking = {name: value for name, value in json.loads(meta.read_text()).items() if name != "task"}
    (tmp_path / "lacking.json").write_text(json.dumps(lacking))
    with pytest.raises(ValueError, match="task"):
        monai.bundle.verify_metadata(meta_file=str(tmp_path / "lacking.json"), filepath=str(schema))


def test_monai_runs_it_with_the_findings_of_the_run(monai_bundle: Path, tmp_path: Path) -> None:
    config = {"bundle_root": str(monai_bundle), "input": str(sample_scan()), "output": str(tmp_path / "f.json")}
    monai.bundle.run(config_file=str(monai_bundle / "configs" / "inference.json"), **config)
    (found,) = read_findings(tmp_path / "f.json").studies
    model = spinedet.load("shipped")
    findings = model.predict(sample_scan())
    assert_close(found.findings, findings.studies[0].findings)
    assert read_findings(tmp_path / "f.json").model == findings.model
    assert found.naming == findings.studies[0].naming


def test_monai_verifies_the_network(monai_bundle: Path) -> None:
    configs = monai_bundle / "configs"
    monai.bundle.verify_net_in_out(
        "network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
        device="cpu",
        bundle_root=str(monai_bundle),
    )


def test_a_bundle_says_what_it_was_trained_on(monai_bundle: Path) -> None:
    text = (monai_bundle / "docs" / "README.md").read_text()
    meta = json.loads((monai_bundle / "configs" / "metadata.json").read_text())
    for line in open_run("shipped").identity.statements:
        assert line in text
        assert line in meta["description"]
    assert meta["eval_metrics"]["results"]
    assert open_run(str(monai_bundle / "models")).weights_sha256 == open_run("shipped").weights_sha256


@pytest.fixture(scope="module")
def onnx_bundle(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from .conftest import run_command

    folder = tmp_path_factory.mktemp("bundles") / "onnx"
    assert run_command("bundle", f"run={smoke_run}", "to=onnx", f"out={folder}") == 0
    return folder


def test_the_onnx_file_takes_images_of_any_size(onnx_bundle: Path) -> None:
    (image,) = onnx.load(onnx_bundle / "sagittal.onnx").graph.input
    sizes = [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim]
    assert sizes[:2] == [1, 1]
    assert len({size for size in sizes[2:] if isinstance(size, str)}) == 3


def test_the_onnx_file_finds_what_the_network_finds(onnx_bundle: Path, smoke_run: Path) -> None:
    network = open_run(str(smoke_run)).model.detectors[Plane.SAGITTAL].network
    for seed, shape in enumerate([(7, 150, 120), (3, 96, 140), (15, 180, 100)]):
        image = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        with torch.inference_mode():
            (wanted,) = network.detect(torch.from_numpy(image)[None, None])
        differences = compare(wanted, run_onnx(onnx_bundle / "sagittal.onnx", image))
        assert differences["boxes_mm"] < 1e-2
        assert differences["scores"] < 1e-4


def test_the_test_vectors_are_those_of_the_file(onnx_bundle: Path) -> None:
    facts = json.loads((onnx_bundle / "onnx.json").read_text())
    own = facts["planes"]["sagittal"]
    vectors = np.load(onnx_bundle / own["test_vectors"])
    assert own["parity"]["images"] == 3
    for number in range(3):
        found = run_onnx(onnx_bundle / own["file"], vectors[f"image_{number}"])
        apart = np.abs(vectors[f"boxes_{number}"][:, None] - found.boxes.numpy()[None]).max(-1)
        assert apart.min(1).max() < 1e-2


def test_the_script_beside_it_reads_an_image(run: Run, onnx_bundle: Path, smoke_run: Path, tmp_path: Path) -> None:
    script = (onnx_bundle / "infer.py").read_text()
    assert "torch" not in [line.split()[1].split(".")[0] for line in script.splitlines() if line.startswith("import ")]
    facts = json.loads((onnx_bundle / "onnx.json").read_text())
    known = open_run("shipped").trained_on
    assert known is not None
    facts["trained_on"] = known.model_dump(mode="json")  # as of weights with results on patients
    (onnx_bundle / "onnx.json").write_text(json.dumps(facts))
    words = [sys.executable, str(onnx_bundle / "infer.py"), str(sample_scan()), str(tmp_path / "f.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = read_findings(tmp_path / "f.json").studies
    assert read_findings(tmp_path / "f.json").trained_on == known
    (wanted,) = spinedet.load(smoke_run).predict(sample_scan()).studies
    assert_close(found.findings, wanted.findings)
    done = subprocess.run(
        [*words[:2], str(tmp_path / "none.nii"), "f.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_what_cannot_be_bundled(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("bundle", "run=shipped", "to=tensorrt") == 2
    assert "to=tensorrt: use one of onnx, monai" in capsys.readouterr().err
    assert run("bundle", f"run={tmp_path}", "to=monai") == 2
    assert "is no run folder" in capsys.readouterr().err
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    assert run("bundle", "run=shipped", "to=onnx", f"out={tmp_path / 'out'}") == 2
    assert "pip install 'spinedet[onnx]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
