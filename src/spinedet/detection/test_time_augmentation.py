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
    networks: Sequence[Detector], image: Tensor, spec: PlaneSpec, augmentation: TestTimeAugmentation
) -> Detections:
    """Boxes in (1, 1, slices, rows, columns); those of several predictions are fused, those of one stay as they are."""
    predictions = [detect_in_tiles(network, image, spec) for network in networks]
    if augmentation.flip:
        axis = spec.left_right_axis
        extent = image.shape[2 + axis] * spec.spacing[axis]
        mirrored = (detect_in_tiles(network, image.flip(2 + axis), spec) for network in networks)
        predictions += [_mirror(prediction, axis, extent) for prediction in mirrored]
    return predictions[0] if len(predictions) == 1 else weighted_box_fusion(predictions)


def _mirror(prediction: Detections, axis: int, extent: float) -> Detections:
    boxes = prediction.boxes.clone()
    boxes[:, axis] = extent - boxes[:, axis]
    return replace(prediction, boxes=boxes)
