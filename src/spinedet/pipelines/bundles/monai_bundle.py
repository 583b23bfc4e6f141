"""A MONAI bundle: the run with metadata, and an inference config that reads any image and writes findings."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

from spinedet.core.anatomy import Plane
from spinedet.core.files import write_json, write_text
from spinedet.core.types import FiniteJson
from spinedet.pipelines.bundles.readme import AUTHORS, COPYRIGHT, INTENDED_USE, LICENSE, read_me
from spinedet.runs.run_folder import FinishedRun, RunFiles

# The metadata's schema, in a version that is still served; the address that older bundles name is dead.
SCHEMA = "https://raw.githubusercontent.com/Project-MONAI/MONAI/1.5.0/monai/bundle/meta_schema.json"
_RUN = "python -m monai.bundle run --config_file configs/inference.json --input IMAGE --output findings.json"


def write_monai_bundle(run: FinishedRun, files: RunFiles, folder: Path) -> dict[str, str]:
    """Write the bundle; what each file is."""
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    for file in files.needed:
        shutil.copyfile(file, models / file.name)
    write_json(folder / "configs" / "metadata.json", _metadata(run))
    write_json(folder / "configs" / "inference.json", _inference(run))
    contents = {
        "configs/metadata.json": "what the network takes and gives (monai.bundle verify_metadata)",
        "configs/inference.json": "reads an image, DICOM folder or manifest and writes findings (monai.bundle run)",
        "models/": "weights, thresholds, parameters that name levels; `spinedet predict run=models` takes it too",
    }
    write_text(folder / "docs" / "README.md", read_me(run, "MONAI bundle", _RUN, contents))
    write_text(folder / "LICENSE", LICENSE)
    return contents


def _inference(run: FinishedRun) -> dict[str, FiniteJson]:
    """A config without a part of its own: reading, resampling, tiles, duplicates and RAS mm are those of `predict`."""
    first = next(iter(run.model.detectors)).value
    return {
        "imports": [
            "$import spinedet",
            "$from spinedet.core.findings import write_findings",
            "$from spinedet.pipelines.bundles.monai_network import network_of",
            "$from pathlib import Path",
        ],
        "bundle_root": ".",
        "input": "image.nii.gz",
        "output": "findings.json",
        "device": "auto",
        "min_score": 0.01,
        "plane": first,
        "model": "$spinedet.load(@bundle_root + '/models', @min_score, @device)",
        "network_def": "$network_of(@model.run, @plane)",
        "findings": "$@model.predict(@input)",
        "run": ["$write_findings(Path(@output), @findings)"],
    }


def _metadata(run: FinishedRun) -> dict[str, FiniteJson]:
    model, identity = run.model, run.identity
    categories = ", ".join(model.categories)
    known = run.trained_on.known if run.trained_on else None
    first, *others = model.detectors
    content: dict[str, FiniteJson] = {
        "schema": SCHEMA,
        "version": identity.version,
        "changelog": {identity.version: f"weights sha256 {', '.join(identity.weights_sha256)}"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch"),
        "numpy_version": version("numpy"),
        "required_packages_version": {"spinedet": identity.version},
        "optional_packages_version": {},
        "task": f"Detection of {categories} in T2-weighted MRI of the {model.region.value} spine",
        "description": " ".join(("Boxes in RAS mm; scores are no probabilities of disease.", *identity.statements)),
        "authors": AUTHORS,
        "copyright": COPYRIGHT,
        "intended_use": INTENDED_USE,
        "data_type": "nibabel, dicom",
        "image_classes": "one channel: T2-weighted intensities, mean 0 and deviation 1 over the body",
        "pred_classes": f"boxes of {categories}",
        "eval_metrics": {} if known is None else known.model_dump(mode="json"),
        "network_data_format": _data_format(run, first),
    }
    return content | {f"{plane.value}_data_format": _data_format(run, plane) for plane in others}


def _data_format(run: FinishedRun, plane: Plane) -> FiniteJson:
    """Input and output of a plane's `BundleNetwork`; the shape is that of a training crop, others work too."""
    detector = run.model.detectors[plane]
    spec = detector.spec(plane)
    names = [f"{what} along {axis}, mm" for what in ("centre", "size") for axis in ("slice", "row", "column")]
    names += [f"score of {category}" for category in detector.card.categories]
    names += [f"expected grade, {name}" for name in detector.card.grades]
    image: FiniteJson = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": list(spec.crop_shape),
        "dtype": "float32",
        "value_range": [-5, 5],
        "is_patch_data": False,
        "channel_def": {"0": f"T2, {plane.value}, axes {'/'.join(spec.codes)}, {'x'.join(map(str, spec.spacing))} mm"},
    }
    boxes: FiniteJson = {
        "type": "boxes",
        "format": "boxes as channels",
        "num_channels": len(names),
        "spatial_shape": ["n"],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {str(number): name for number, name in enumerate(names)},
    }
    return {"inputs": {"image": image}, "outputs": {"pred": boxes}}
