"""A folder with an ONNX file for each plane, what stays outside of it, test vectors, and a script that reads images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from spinedet.core.anatomy import Plane, Region
from spinedet.core.files import file_header, write_json, write_text
from spinedet.core.geometry import Grid
from spinedet.core.types import FiniteJson
from spinedet.detection.batch import Detections
from spinedet.detection.dataset import LEAST_SLICES
from spinedet.detection.model_files import PlaneDetector
from spinedet.detection.onnx_file import INPUT, OPSET, OUTPUTS, run_onnx, write_onnx
from spinedet.detection.postprocess import MOST_FINDINGS, THINNEST_MM
from spinedet.detection.tiling import TILE_BEYOND
from spinedet.imaging.planes import PlaneSpec
from spinedet.imaging.resample import prepare
from spinedet.imaging.volume import Volume
from spinedet.pipelines.bundles.readme import LICENSE, read_me
from spinedet.runs.run_folder import FinishedRun
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.scanner.protocol import Sampling
from spinedet.simulation.study import draw_study

FORMAT = "spinedet-onnx"
DESCRIPTION, SCRIPT = "onnx.json", "infer.py"
# How far what the file finds may be from what PyTorch finds.
BOX_MM, SCORE, GRADE = 1e-2, 1e-4, 1e-3
# What is done to an image before the graph and to boxes behind it, in words; the script does it.
OUTSIDE = (
    "reading the image, and turning it so that array axes run along `axes`",
    "resampling to `spacing_mm` x `patient_mm_per_working_mm` with a triangle filter on voxel edges",
    "intensities: mean 0 and deviation 1 over the body, clipped at its 0.5 and 99.5 percentiles",
    f"stacks of fewer than {LEAST_SLICES} slices repeat their last one",
    f"tiles of an image that is more than {TILE_BEYOND} times as long as `field_of_view_mm`",
    "boxes from the working grid to RAS mm, cut to the image",
    "averaging over mirror images or several networks (flip=, ensemble=), and names of levels",
)


def write_onnx_folder(run: FinishedRun, folder: Path) -> dict[str, str]:
    """Write the folder; what each file is.

    Raises:
        InputError: a library is missing, or a network cannot be exported.
        RuntimeError: the file finds something else than the network.
    """
    planes: FiniteJson = {plane.value: _write_plane(run, plane, folder) for plane in run.model.detectors}
    model, identity = run.model, run.identity
    trained_on = None if run.trained_on is None else run.trained_on.model_dump(mode="json")
    content: dict[str, FiniteJson] = {
        **file_header(FORMAT),
        "model": identity.record,
        "region": model.region.value,
        "trained_on": trained_on,
        "categories": list(model.categories),
        "opset": OPSET,
        "input": {"name": INPUT, "shape": [1, 1, "slices", "rows", "columns"], "dtype": "float32"},
        "outputs": {
            OUTPUTS[0]: "(n, 6): centre and size along slice, row, column, working mm from the image's outer corner",
            OUTPUTS[1]: "(n, categories): 0 where a row is to be left out",
            OUTPUTS[2]: "(n, scales): expected grades on the scales of `grades`",
        },
        "outside": list(OUTSIDE),
        "least_slices": LEAST_SLICES,
        "tile_beyond": TILE_BEYOND,
        "most_findings": MOST_FINDINGS,
        "thinnest_mm": THINNEST_MM,
        "planes": planes,
    }
    write_json(folder / DESCRIPTION, content)
    script = Path(__file__).with_name("infer_onnx.py").read_text(encoding="utf-8")
    write_text(folder / SCRIPT, script)
    contents = {f"{name.value}.onnx": "the network, its test vectors beside it (.npz)" for name in run.model.detectors}
    contents |= {DESCRIPTION: "spacing, axes, thresholds, what stays outside", SCRIPT: "an image to findings.json"}
    write_text(folder / "README.md", read_me(run, "ONNX", f"python {SCRIPT} IMAGE findings.json", contents))
    write_text(folder / "LICENSE", LICENSE)
    return contents


def _write_plane(run: FinishedRun, plane: Plane, folder: Path) -> FiniteJson:
    """The plane's file and test vectors; its entry of the description."""
    detector = run.model.detectors[plane]
    path = folder / f"{plane.value}.onnx"
    properties = {
        "name": run.model.name,
        "plane": plane.value,
        "spinedet": run.identity.version,
        "weights_sha256": run.identity.weights_sha256[0],
        "statements": " ".join(run.identity.statements),
    }
    write_onnx(path, detector.network, properties)
    spec = detector.spec(plane).of(run.model.region)
    parity = _write_vectors(path, detector, list(_images(spec, run.model.region)))
    thresholds: dict[str, FiniteJson] = {
        category: value for (name, category), value in run.operating_point.values.items() if name == plane.value
    }
    return {
        "file": path.name,
        "test_vectors": path.with_suffix(".npz").name,
        "axes": list(spec.codes),
        "spacing_mm": list(spec.spacing),
        "patient_mm_per_working_mm": spec.scale,
        "field_of_view_mm": list(spec.field_of_view),
        "grades": list(detector.card.grades),
        "thresholds": thresholds,
        "parity": parity,
    }


def _images(spec: PlaneSpec, region: Region) -> Iterator[Volume]:
    """A phantom of the region as the network sees it, then a part of it, then a slab of few slices."""
    center = next(center for center in CENTERS.values() if center.region is region)
    study = draw_study(center, 1, sampling=Sampling(coarseness=2))
    drawn = next(
        Volume(image.astype(np.float32), stack.grid)
        for stack, image in zip(study.stacks, study.images, strict=True)
        if stack.plane is spec.plane
    )
    whole = prepare(drawn, spec)
    yield whole
    slices, rows, columns = whole.array.shape
    for shape in ((slices, 5 * rows // 6, 4 * columns // 5), (min(5, slices), rows, columns)):
        cut = np.ascontiguousarray(whole.array[: shape[0], : shape[1], : shape[2]])
        yield Volume(cut, Grid(shape, whole.grid.affine))


def _write_vectors(path: Path, detector: PlaneDetector, images: list[Volume]) -> FiniteJson:
    """Images with what the network finds in them; the largest difference of the file from that.

    Raises:
        RuntimeError: it is too large.
    """
    arrays: dict[str, np.typing.NDArray[np.float32]] = {}
    worst = dict.fromkeys(("boxes_mm", "scores", "grades"), 0.0)
    for number, image in enumerate(images):
        with torch.inference_mode():
            (wanted,) = detector.network.detect(torch.from_numpy(image.array)[None, None])
        differences = compare(wanted, run_onnx(path, image.array))
        worst = {name: max(worst[name], differences[name]) for name in worst}
        parts = {"image": image.array, "boxes": wanted.boxes.numpy(), "scores": wanted.scores.numpy()}
        if wanted.grades is not None:
            parts["grades"] = wanted.grades.numpy()
        arrays |= {f"{name}_{number}": part.astype(np.float32) for name, part in parts.items()}
    if worst["boxes_mm"] > BOX_MM or worst["scores"] > SCORE or worst["grades"] > GRADE:
        raise RuntimeError(f"{path.name} finds something else than the network: {worst}")
    with path.with_suffix(".npz").open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # numpy's hint mistakes names for its flag
    return {**worst, "images": len(images)}


def compare(wanted: Detections, found: Detections) -> Mapping[str, float]:
    """The largest differences of boxes (mm), scores and grades, each box beside the nearest; infinite if one lacks."""
    if len(wanted.boxes) != len(found.boxes):
        return dict.fromkeys(("boxes_mm", "scores", "grades"), float("inf"))
    if not len(wanted.boxes):
        return dict.fromkeys(("boxes_mm", "scores", "grades"), 0.0)
    # By score as well: two boxes of one place differ in it.
    apart = torch.cdist(wanted.boxes, found.boxes) + 100 * torch.cdist(wanted.scores, found.scores)
    found = found.select(apart.argmin(1))
    pairs = {"boxes_mm": (wanted.boxes, found.boxes), "scores": (wanted.scores, found.scores)}
    if wanted.grades is not None and found.grades is not None:
        pairs["grades"] = (wanted.grades, found.grades)
    return {"grades": 0.0} | {name: float((one - other).abs().max()) for name, (one, other) in pairs.items()}
