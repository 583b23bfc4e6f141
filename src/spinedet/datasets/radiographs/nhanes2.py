"""NHANES II: digitised lateral films of the cervical and lumbar spine, as the region that each shows."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.radiograph import LATERAL, Radiograph, RadiographStudy, Task
from spinedet.datasets.radiographs.dataset import RadiographCase, RadiographDataset, RadiographReading, images_below

_NAME = re.compile(r"(?P<region>[CL])0*(?P<person>\d+)", re.IGNORECASE)
_REGIONS = {"C": Region.CERVICAL, "L": Region.LUMBAR}
# The laser scanner's spot, at the film.
_MM = 0.175


@dataclass
class Nhanes2Config:
    """NHANES II; the label of a film is its region, by the first letter of the file's name."""

    name: str = "nhanes2"


def open_nhanes2(root: Path, config: Nhanes2Config) -> RadiographDataset:
    """The films under `root`, as TIFF or JPEG: `C00123.jpg` cervical, `L00123.jpg` lumbar.

    Films of one number are taken to be of one person. The raw 12-bit files (.nh2) are not read.

    Raises:
        InputError: there is no such film.
    """
    people: dict[str, list[tuple[Region, Path]]] = defaultdict(list)
    skipped = {path.name: "raw films are not read; take TIFF or JPEG" for path in sorted(root.rglob("*.nh2"))}
    for path in images_below(root):
        found = _NAME.fullmatch(path.stem)
        if found is None:
            skipped[path.name] = "its name is no C or L with a number"
        else:
            people[found["person"]].append((_REGIONS[found["region"].upper()], path))
    if not people:
        raise InputError(f"{root} holds no film such as C00123.jpg or L00123.tif of NHANES II; give its folder")
    task = Task(name="region", labels=tuple(region.value for region in _REGIONS.values()), views=(LATERAL.name,))
    cases = tuple(RadiographCase(name, partial(_read, name, films)) for name, films in people.items())
    rule = {"label": "the region, by the file's name", "mm": _MM, "patient": "films of one number"}
    return RadiographDataset("nhanes2", task, cases, rule, skipped=skipped)


def _read(name: str, films: list[tuple[Region, Path]]) -> RadiographReading:
    images = tuple(
        Radiograph(id=path.stem.lower(), view=LATERAL.name, path=path, mm=_MM, label=region.value)
        for region, path in films
    )
    return RadiographReading(RadiographStudy(id=name, patient=name, center="nhanes2", images=images))
