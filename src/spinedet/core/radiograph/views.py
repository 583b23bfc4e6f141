"""The views of a spine radiograph: one table, so that a further view touches one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """A view: what differs between views is stated here and nowhere else.

    Attributes:
        name: as manifests and readings write it. title: as pages write it. meaning: in words.
        beam: patient direction in which the X-rays travel, RAS; the reverse counts as the same view.
        columns, rows: patient directions in which columns and rows increase as the image is usually displayed, RAS.
        mirror: whether an image mirrored left to right is as usual as the image itself.
        vertebrae: whether single vertebrae can be located.
    """

    name: str
    title: str
    meaning: str
    beam: tuple[int, int, int]
    columns: tuple[int, int, int]
    rows: tuple[int, int, int]
    mirror: bool
    vertebrae: bool = False


# Displayed as if facing the patient: the patient's right at the left of the picture. Mirrored, the heart would change
# sides and a right curve become a left one.
AP = ViewSpec("ap", "AP", "frontal (AP or PA)", beam=(0, -1, 0), columns=(-1, 0, 0), rows=(0, 0, -1), mirror=False)
# Patients stand facing either way.
LATERAL = ViewSpec(
    "lateral",
    "lateral",
    "from the side",
    beam=(-1, 0, 0),
    columns=(0, -1, 0),
    rows=(0, 0, -1),
    mirror=True,
    vertebrae=True,
)
VIEWS: dict[str, ViewSpec] = {spec.name: spec for spec in (AP, LATERAL)}
