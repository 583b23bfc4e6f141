"""Prediction of a volume by one or several networks, as it is or with its mirror image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from spinedet.detection.batch import Detections
from spinedet.detection.box_fusion import weighted_box_fusion
from spinedet.detection.models import Detector
from spinedet.detection.tiling import detect_in_tiles
from spinedet.imaging.planes import PlaneSpec


@dataclass(frozen=True, slots=True)
class TestTimeAugmentation:
    """Which versions of a volume are predicted; with `flip` its left-right mirror image too."""

    __test__ = False  # not a test for pytest
    flip: bool = False


def detect_augmented(
    networks: Sequence[Detector], images: Tensor, spec: PlaneSpec, augmentation: TestTimeAugmentation
) -> list[Detections]:
    """Boxes in each scan of (b, 1, slices, rows, columns), in main memory; those of several predictions are fused,
    those of one stay as they are.
    """
    predictions = [detect_in_tiles(network, images, spec) for network in networks]
    if augmentation.flip:
        axis = spec.left_right_axis
        extent = images.shape[2 + axis] * spec.spacing[axis]
        mirrored = (detect_in_tiles(network, images.flip(2 + axis), spec) for network in networks)
        predictions += [[_mirror(one, axis, extent) for one in scans] for scans in mirrored]
    if len(predictions) == 1:
        return predictions[0]
    return [weighted_box_fusion(of_scan) for of_scan in zip(*predictions, strict=True)]


def _mirror(prediction: Detections, axis: int, extent: float) -> Detections:
    boxes = prediction.boxes.clone()
    boxes[:, axis] = extent - boxes[:, axis]
    return replace(prediction, boxes=boxes)
