"""The reading page: one self-contained HTML file per study in which a reader decides on the findings."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image, WebPImagePlugin

from spinedet import __version__
from spinedet.core.anatomy import DISCS, Plane, Region
from spinedet.core.file_names import file_name
from spinedet.core.findings import findings_digest
from spinedet.core.types import Finding, StudyFindings
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.volume import Volume, Voxels

WARNING = "Research software, no medical device: nothing here is a diagnosis."
LOSSY = "Pictures are compressed with loss (WebP, 8 bits); measure on the original images."
# Percentiles of a series that become black and white.
WINDOW = (0.5, 99.7)
QUALITY = 80
# Of WebP, 0 to 6: the slower ones save 5 % of the bytes.
_METHOD = 1
# Voxels by which the window is found; more of them change nothing that can be seen.
_SAMPLED = 1 << 18
_SCRIPTS = ("reading_geometry.js", "reading.js")


@dataclass(frozen=True, eq=False)
class ReadingSeries:
    """One series of the page: its images, and the name that they have in an exported manifest."""

    id: str
    plane: Plane
    volume: Volume
    path: str


@dataclass(frozen=True, eq=False)
class ReadingStudy:
    """What the page shows.

    Attributes:
        findings: of the study, with the naming of their levels. thresholds: by (plane, category).
        model: the description of the detector in the findings file. notes: what a reader must know first.
    """

    findings: StudyFindings
    series: tuple[ReadingSeries, ...]
    region: Region
    thresholds: Mapping[tuple[str, str], float]
    model: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def reading_page(study: ReadingStudy) -> str:
    """The page as HTML: images, boxes, script and styles inside, nothing fetched."""
    return scripted_page(
        "reading.html",
        _SCRIPTS,
        page_data(study),
        title=study.findings.id,
        notes=(*study.notes, LOSSY),
        footer=f"spinedet {__version__}; a score is the detector's own and no probability of disease.",
    )


def scripted_page(template: str, scripts: Sequence[str], data: Mapping[str, Any], **words: Any) -> str:
    """A page whose policy lets nothing run but its own script, by its hash.

    Args:
        scripts: names of templates, joined. data: what the script is given. words: of the template.
    """
    folder = files("spinedet.report") / "templates"
    script = "\n".join((folder / name).read_text("utf-8") for name in scripts)
    environment = Environment(
        loader=PackageLoader("spinedet.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        warning=WARNING,
        data=json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **words,
    )


def page_data(study: ReadingStudy) -> dict[str, Any]:
    """What the script is given."""
    planes = sorted({one.plane.value for one in study.series})
    thresholds: dict[str, dict[str, float]] = {plane: {} for plane in planes}
    for (plane, category), value in study.thresholds.items():
        if plane in thresholds:
            thresholds[plane][category] = value
    order = list(SPECS)
    return {
        "study": study.findings.id,
        "file": file_name(study.findings.id),
        "region": study.region.value,
        "categories": sorted({category for _, category in study.thresholds}),
        "levels": list(DISCS),
        "thresholds": thresholds,
        "model": dict(study.model),
        "findings_sha256": findings_digest(study.findings),
        "naming": naming_sentence(study.findings),
        "if_six": _if_six(study.findings),
        "heights": _heights(study.findings),
        "series": [_series(one) for one in sorted(study.series, key=lambda one: order.index(one.plane))],
        "findings": [_finding(number, one) for number, one in enumerate(study.findings.findings, start=1)],
        "fused": [{"level": one.level, "score": one.score} for one in study.findings.fused or ()],
    }


def _finding(number: int, one: Finding) -> dict[str, Any]:
    kept = one.model_dump(mode="json", include={"series", "category", "score", "level", "ordinal", "grades", "box"})
    return {"id": f"f{number}", "ordinal": None, "grades": None, **kept}


def _series(one: ReadingSeries) -> dict[str, Any]:
    """Upright slices as pictures, with where their voxels lie."""
    spec = SPECS[one.plane]
    oriented = orient(one.volume, spec)
    return {
        "id": one.id,
        "plane": one.plane.value,
        "codes": list(spec.codes),
        "path": one.path,
        "shape": list(oriented.grid.shape),
        "affine": [[float(value) for value in row] for row in oriented.grid.affine[:3]],
        "images": [_webp(picture) for picture in eight_bits(oriented.array)],
    }


def eight_bits(array: Voxels) -> NDArray[np.uint8]:
    """The series' own window on 0 to 255."""
    flat = array.reshape(-1)
    black, white = np.percentile(flat[:: max(1, flat.size // _SAMPLED)], WINDOW)
    scaled = array - np.float32(black)
    scaled *= np.float32(255 / max(white - black, 1e-6))
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def _webp(picture: NDArray[np.uint8]) -> str:
    stream = BytesIO()
    # A format that is not among Pillow's first five makes it import all forty, unless it is registered already.
    Image.fromarray(picture).save(stream, WebPImagePlugin.WebPImageFile.format, quality=QUALITY, method=_METHOD)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"


def naming_sentence(study: StudyFindings) -> str:
    """How the levels were found, or why they are not known."""
    namings: list[dict[str, Any]] = [one for one in (study.naming or {}).values() if isinstance(one, dict)]
    named = next((one for one in namings if one["state"] != "unresolved"), None)
    if named is None:
        reasons = "; ".join(f"{one['series']}: {one['reason']}" for one in namings)
        if not namings:
            return "Levels are unresolved: no sagittal series names the discs."
        return f"Levels are unresolved ({reasons}). Discs are numbered from the lowest one found in the sagittal view."
    counted = f"Levels are counted from {named['anchor']}"
    if named["state"] == "manual":
        counted += f", set by hand ({named['by']})"
    else:
        counted += f" (posterior {named['probability']:.2f})"
    second = named["second"]
    if second and second["ordinal"] and second["probability"] >= 0.01:
        counted += f"; by the second hypothesis ({second['probability']:.2f}) it is disc {second['ordinal']} from below"
    counted += f". Assumed: {named['assumes']}." if named["assumes"] else "."
    if named.get("transitional"):
        counted += (
            f" The box of the lumbosacral disc measures {named['disc_ratio']:.2f} of the one above: a transitional "
            "vertebra is possible; with six lumbar vertebrae the names in brackets hold."
        )
    return counted


def _if_six(study: StudyFindings) -> dict[str, str]:
    """The other name of each level of chains that show a sign of transitional anatomy."""
    shown = [_chain(one) for one in (study.naming or {}).values() if isinstance(one, dict) and one.get("transitional")]
    return {disc["level"]: disc["if_six_lumbar"] for chain in shown for disc in chain if disc.get("if_six_lumbar")}


def _heights(study: StudyFindings) -> dict[str, float]:
    """S mm of each name in the table, so that rows lie as the spine does."""
    found: dict[str, float] = {}
    for one in (study.naming or {}).values():
        for disc in _chain(one):
            height = float(disc["center"][2])
            found.setdefault(f"disc {disc['ordinal']}", height)
            if disc["level"]:
                found[disc["level"]] = height
    return found


def _chain(naming: Any) -> Sequence[dict[str, Any]]:
    return naming["chain"] if isinstance(naming, dict) else ()
