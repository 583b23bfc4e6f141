"""Simulated radiographs with what is known of every part on them, to teach the features of a network with.

None of the labels of the shipped tasks is among what is known: pedicle screws are of systems drawn at random between
the shipped ones, fractures are described by their signs and not by their age, scoliosis by the tilt of its vertebrae.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinedet.core.radiograph import LATERAL
from spinedet.imaging.radiograph.read import prepare
from spinedet.imaging.radiograph.records import Polarity, StoredRadiograph
from spinedet.simulation.anatomy.spine import Vector
from spinedet.simulation.radiograph.centers import CENTERS, RadiographCenter
from spinedet.simulation.radiograph.child import KINDS, draw_child
from spinedet.simulation.radiograph.cohort import random_stream
from spinedet.simulation.radiograph.fractures import draw_fractured
from spinedet.simulation.radiograph.hardware import Core, Metal, MetalBlock, Rod, Screw, System, Tulip, extent
from spinedet.simulation.radiograph.lumbar_scenes import LUMBAR_TECHNIQUES, aimed_at, draw_instrumented
from spinedet.simulation.radiograph.projector import Material, Tube
from spinedet.simulation.radiograph.room import Room, TakenImage
from spinedet.simulation.radiograph.skeleton import Patient
from spinedet.simulation.radiograph.tasks import FRACTURE_TECHNIQUE, WHOLE_SPINE_TECHNIQUES
from spinedet.simulation.radiograph.vertebrae import BodySolid

# Quantities that are lengths, mm: mean and scale.
LENGTHS = {
    "rod": (5.5, 0.6),
    "pitch": (2.6, 0.4),
    "tulip width": (13.0, 1.1),
    "tulip height": (15.0, 1.5),
    "bore": (4.3, 0.65),
    "screw diameter": (6.5, 0.6),
    "dent": (2.0, 2.5),
}
# Other numbers: shares, vertebrae counted from T1 on, degrees.
NUMBERS = {
    **LENGTHS,
    "tulip profile": (0.0, 0.12),
    "front lost": (0.06, 0.1),
    "level": (14.5, 2.0),
    "tilt": (0.0, 12.0),
}
# Quantities that are there or not.
SIGNS = (
    *("lateral", "round ends", "cobalt", "two starts", "cone", "hub", "flat tulip", "cannula"),
    *("plastic cage", "titanium cage", "step", "band", "sclerosis", "lip"),
)
QUANTITIES = (*NUMBERS, *SIGNS)
TILT = QUANTITIES.index("tilt")
_VERTEBRAE = (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))

Values = NDArray[np.float32]


class Part(IntEnum):
    """What lies at a point of a picture."""

    BODY = 0
    TULIP = 1
    SHANK = 2
    ROD_END = 3


class Kind(IntEnum):
    """What a picture shows."""

    HARDWARE = 0
    FRACTURES = 1
    WHOLE_SPINE = 2


# Studies of a round, by centre.
STUDIES = {
    Kind.HARDWARE: {"R": 20, "A": 8, "B": 3, "C": 4},
    Kind.FRACTURES: {"R": 5, "A": 3, "B": 1, "C": 1},
    Kind.WHOLE_SPINE: {"R": 2, "A": 2},
}
SEED = 303
# Most hardware is taken close up, which costs less: share, height of the field at the spine in mm, and rows.
CLOSE, CLOSE_FIELD, CLOSE_ROWS = 0.7, (105.0, 150.0), (130.0, 230.0)
WIDE_ROWS, SPINE_ROWS = (260.0, 400.0), (280.0, 400.0)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at a point of the body; `up` points to the head, where the part has a direction."""

    part: Part
    at: Vector
    values: dict[str, float]
    up: Vector | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A radiograph as it is read, and what is known of its parts.

    Attributes:
        pixels: (rows, columns) uint8, bone white. mm: of a pixel, at the detector.
        whole: (quantities,) of all of it, NaN where not known.
        places: (m, 2) of the parts, x and y in pixel edges. ups: (m, 2) unit vectors, NaN where there is none.
        parts: (m,) what they are. values: (m, quantities) of each.
    """

    kind: Kind
    pixels: NDArray[np.uint8]
    mm: float
    whole: Values
    places: Values
    ups: Values
    parts: NDArray[np.int64]
    values: Values


def draw_system(rng: np.random.Generator) -> System:
    """A pedicle-screw system that is none of the shipped ones, its measures between (and a little beyond) theirs."""

    def within(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 6)

    return System(
        rod=within(4.6, 6.5),
        round_ends=bool(rng.random() < 0.5),
        pitch=within(1.9, 3.3),
        starts=1 if rng.random() < 0.7 else 2,
        core=list(Core)[int(rng.integers(len(Core)))],
        tulip=(within(11.2, 14.8), within(12.6, 17.4)),
        flat=bool(rng.random() < 0.45),
        profile=(0.0, within(-0.2, -0.08), within(0.08, 0.16))[int(rng.choice(3, p=(0.5, 0.35, 0.15)))],
        bore=within(3.2, 5.4),
        cannula=0.0 if rng.random() < 0.6 else within(1.2, 1.8),
        swing=within(2.0, 25.0),
    )


def draw_round(number: int) -> Iterator[Picture]:
    """All pictures of a round; every study has random numbers of its own."""
    draw = {Kind.HARDWARE: hardware, Kind.FRACTURES: fractures, Kind.WHOLE_SPINE: whole_spine}
    for kind, centers in STUDIES.items():
        for center, count in centers.items():
            for index in range(number * count, (number + 1) * count):
                rng = random_stream(SEED, f"backbone {kind.name}", center, index)
                yield from draw[kind](CENTERS[center], rng)


def hardware(hospital: RadiographCenter, rng: np.random.Generator) -> Iterator[Picture]:
    """Both views of one instrumented segment."""
    body, *visits = rng.spawn(3)
    system = draw_system(body)
    drawn = draw_instrumented(system, hospital.size, body)
    bodies = (_only(one, "level") for one in _bodies(drawn.patient))
    known = (*_screws(drawn.screws, system), *_heads_and_rods(drawn.metal, system), *bodies)
    points = extent(drawn.metal)
    middle = (points.min(0) + points.max(0)) / 2
    whole = {**_of_tulip(system), **_of_shank(system), **_of_rod(system), **_of_cage(drawn.metal)}
    whole["level"] = float(_VERTEBRAE.index(drawn.level.partition("/")[0]))
    for technique, visit in zip(LUMBAR_TECHNIQUES, visits, strict=True):
        if visit.random() < CLOSE:
            technique = replace(technique, field=CLOSE_FIELD, aspect=1.0)
            x, y, z = (round(float(v), 6) for v in middle + visit.normal(0, 6, 3))
            target, rows = (x, y, z), int(visit.uniform(*CLOSE_ROWS))
        else:
            target, rows = aimed_at(drawn.patient.spine, "L3", technique.ahead, visit), int(visit.uniform(*WIDE_ROWS))
        yield _picture(Kind.HARDWARE, Room(hospital, rows).take(drawn.patient, technique, target, visit), whole, known)


def fractures(hospital: RadiographCenter, rng: np.random.Generator) -> Iterator[Picture]:
    """A lateral of the thoracolumbar junction."""
    body, visit = rng.spawn(2)
    patient = draw_fractured(bool(body.random() < 0.5), hospital.size, hospital.easy, body).patient
    target = aimed_at(patient.spine, "L1", FRACTURE_TECHNIQUE.ahead, visit)
    image = Room(hospital, int(visit.uniform(*WIDE_ROWS))).take(patient, FRACTURE_TECHNIQUE, target, visit)
    yield _picture(Kind.FRACTURES, image, {}, tuple(_bodies(patient)))


def whole_spine(hospital: RadiographCenter, rng: np.random.Generator) -> Iterator[Picture]:
    """Both views of a child with scoliosis, before or after surgery."""
    body, *visits = rng.spawn(3)
    patient, _ = draw_child(list(KINDS.values())[int(body.integers(len(KINDS)))], hospital.size, body)
    bodies = tuple(_only(one) for one in _bodies(patient))
    low, high = (patient.spine.patient.scale * height for height in WHOLE_SPINE_TECHNIQUES[0].field)
    for technique, visit in zip(WHOLE_SPINE_TECHNIQUES, visits, strict=True):
        target = aimed_at(patient.spine, "T9", technique.ahead, visit)
        room = Room(hospital, int(visit.uniform(*SPINE_ROWS)))
        image = room.take(patient, replace(technique, field=(low, high)), target, visit)
        yield _picture(Kind.WHOLE_SPINE, image, {}, bodies)


def _only(one: Known, *names: str) -> Known:
    """The same with so many of its values."""
    return replace(one, values={name: one.values[name] for name in names if name in one.values})


def _of_tulip(system: System) -> dict[str, float]:
    width, height = system.tulip
    return {
        "tulip width": width,
        "tulip height": height,
        "tulip profile": system.profile,
        "bore": system.bore,
        "flat tulip": float(system.flat),
    }


def _of_shank(system: System) -> dict[str, float]:
    return {
        "pitch": system.pitch,
        "two starts": float(system.starts == 2),
        "cone": float(system.core is Core.CONE),
        "hub": float(system.core is Core.HUB),
        "cannula": float(system.cannula > 0),
    }


def _of_rod(system: System) -> dict[str, float]:
    return {"rod": system.rod, "round ends": float(system.round_ends)}


def _of_cage(metal: Metal) -> dict[str, float]:
    pins = any(isinstance(part, Tube) and part.material is Material.TANTALUM for part in metal)
    block = any(isinstance(part, MetalBlock) for part in metal)
    return {"plastic cage": float(pins), "titanium cage": float(block)}


def _screws(screws: tuple[Screw, ...], system: System) -> Iterator[Known]:
    for screw in screws:
        values = {**_of_shank(system), "screw diameter": screw.diameter}
        yield Known(Part.SHANK, screw.at(0.6 * screw.length), values)


def _heads_and_rods(metal: Metal, system: System) -> Iterator[Known]:
    for part in metal:
        if isinstance(part, Tulip):
            yield Known(Part.TULIP, part.frame.center, _of_tulip(system))
        elif isinstance(part, Rod):
            values = {**_of_rod(system), "cobalt": float(part.material is Material.COBALT)}
            for end in (-0.5, 0.5):
                yield Known(Part.ROD_END, part.frame.at(0, 0, end * part.length), values)


def _bodies(patient: Patient) -> Iterator[Known]:
    """The free vertebral bodies with the signs of fractures."""
    for solid in patient.solids:
        if not isinstance(solid, BodySolid):
            continue
        bone, dents = solid.bone, solid.dents
        values = {
            "front lost": solid.crush[0],
            "dent": max((dent.depth for dent in dents), default=0.0),
            "step": float(any(dent.step > 0 for dent in dents)),
            "band": float(any(dent.dense > 0 and dent.band[1] >= 2 for dent in dents)),
            "sclerosis": float(any(dent.dense > 0 and dent.band[1] < 2 for dent in dents)),
            "lip": float(any(dent.lip > 0 for dent in dents)),
        }
        if bone.name in _VERTEBRAE:
            values["level"] = float(_VERTEBRAE.index(bone.name))
        yield Known(Part.BODY, bone.frame.center, values, bone.frame.up)


def _vector(values: dict[str, float]) -> Values:
    """(quantities,), NaN where not known."""
    return np.array([values.get(name, np.nan) for name in QUANTITIES], np.float32)


def _picture(kind: Kind, image: TakenImage, whole: dict[str, float], known: tuple[Known, ...]) -> Picture:
    read = prepare(StoredRadiograph(image.pixels.astype(np.float32), Polarity(True, "simulation")), "the simulation")
    places = _projected(image, [one.at for one in known])
    ups = _projected(image, [_above(one) for one in known]) - places
    length = np.hypot(*ups.T)[:, None]
    ups = np.where(length > 1e-3, ups / np.maximum(length, 1e-3), np.nan)
    rows, columns = image.pixels.shape
    inside = (places[:, 0] > 0) & (places[:, 0] < columns) & (places[:, 1] > 0) & (places[:, 1] < rows)
    return Picture(
        kind,
        np.rint(255 * read.pixels).astype(np.uint8),
        image.mm,
        _vector({"lateral": float(image.view is LATERAL), **whole}),
        places[inside],
        ups[inside],
        np.array([one.part for one in known], np.int64)[inside],
        np.stack([_vector(one.values) for one in known])[inside],
    )


def _above(one: Known) -> Vector:
    if one.up is None:
        return one.at
    x, y, z = (a + 10 * u for a, u in zip(one.at, one.up, strict=True))
    return x, y, z


def _projected(image: TakenImage, points: Iterable[Vector]) -> Values:
    """(n, 2): x and y in pixel edges."""
    row, column, _ = image.beam.project(np.array(list(points)))
    if image.mirrored:
        column = image.pixels.shape[1] - column
    return np.stack([column, row], 1).astype(np.float32)


def pictures(folder: Path, rounds: int) -> list[list[Picture]]:
    """The pictures of each of so many rounds; those that the folder does not hold yet are drawn."""
    found = []
    for number in range(rounds):
        path = folder / f"round-{number}.npz"
        if not path.is_file():
            _write(path, list(draw_round(number)))
            print(f"drew round {number + 1} of {rounds}", flush=True)
        found.append(_read(path))
    return found


_ARRAYS = tuple(one.name for one in fields(Picture) if one.name not in ("kind", "mm"))


def _write(path: Path, drawn: list[Picture]) -> None:
    arrays = {f"{name}-{row}": getattr(one, name) for row, one in enumerate(drawn) for name in _ARRAYS}
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, kind=[one.kind for one in drawn], mm=[one.mm for one in drawn], **arrays)
    part.replace(path)


def _read(path: Path) -> list[Picture]:
    with np.load(path) as content:
        return [
            Picture(Kind(kind), mm=mm, **{name: content[f"{name}-{row}"] for name in _ARRAYS})
            for row, (kind, mm) in enumerate(zip(content["kind"].tolist(), content["mm"].tolist(), strict=True))
        ]
