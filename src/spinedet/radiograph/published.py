"""Published results of tasks like the shipped ones: other patients, definitions partly unknown; context alone."""

from __future__ import annotations

from spinedet.report.label_page import Published

# By the name of the task.
PUBLISHED = {
    "implants": Published(
        source="Yang et al., Spine 2021;46:E318: five pedicle-screw systems, 2,894 images (AP 1,446, lateral 1,448)",
        numbers=(
            ("transfer learning, precision / recall, AP", "97.0 / 96.7 %"),
            ("transfer learning, precision / recall, lateral", "98.7 / 98.2 %"),
            ("Google AutoML, AP", "91.4 / 87.4 %"),
            ("Google AutoML, lateral", "97.9 / 98.4 %"),
            ("Apple Create ML, AP", "76.0 / 73.0 %"),
            ("Apple Create ML, lateral", "89.0 / 87.0 %"),
        ),
        remarks=(
            "Systems, class counts, split, averaging and threshold are not told. The algorithms here are a fine-tuned "
            "network, frozen features with logistic regression, and a search; they are not those services.",
        ),
    ),
    "scoliosis": Published(
        source="Mulford et al., Spine Deform 2024;12:1607: ten categories, test 1,166 AP and 843 lateral images",
        numbers=(
            ("accuracy, AP and lateral", "1.00 and 1.00"),
            ("class precision, AP", ".98–1.00"),
            ("class precision, lateral", ".91–1.00"),
        ),
        remarks=(
            "A class precision below 1 needs an error, so 1.00 is rounded. Had all 1,166 been right, the exact lower "
            "limit would be .9968. The ten categories here are of our choice; the paper does not name its own.",
        ),
    ),
    "fractures": Published(
        source="Li et al., Spine 2024 (online 29 October): 3,025 lateral images of 2,224 patients; control set of 155",
        numbers=(
            ("AUC, validation: EfficientNet / MobileNet / MnasNet", ".861 / .852 / .865"),
            ("accuracy, validation", "83.0 / 82.4 / 82.2 %"),
            ("accuracy, control set", "78.1 / 78.1 / 80.7 %"),
        ),
        remarks=(
            "The control counts are 121, 121 and 125 of 155: exact 95 % intervals .707–.843 and .735–.865. The parts "
            "add up to images, not patients; here the images of a patient are kept together.",
        ),
    ),
}
