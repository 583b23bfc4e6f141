"""The tasks that are simulated: their labels, and how one study of a label is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.radiograph.types import Task
from spinedet.core.radiograph.views import AP, LATERAL, VIEWS
from spinedet.core.types import FiniteJson
from spinedet.simulation.anatomy.spine import Patient as Person
from spinedet.simulation.radiograph.beam import Points, corners
from spinedet.simulation.radiograph.centers import RadiographCenter
from spinedet.simulation.radiograph.child import KINDS, draw_child
from spinedet.simulation.radiograph.fractures import draw_fractured
from spinedet.simulation.radiograph.hardware import SYSTEMS, extent
from spinedet.simulation.radiograph.lumbar_scenes import LUMBAR_TECHNIQUES, aimed_at, draw_instrumented
from spinedet.simulation.radiograph.room import Room, TakenImage, Technique
from spinedet.simulation.radiograph.skeleton import Patient


@dataclass(frozen=True, slots=True, eq=False)
class Landmark:
    """A structure of known place: `points` (n, 3) around it, RAS mm; `evidence` marks those that justify the label."""

    name: str
    points: Points
    evidence: bool = False
    attributes: dict[str, FiniteJson] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRadiographs:
    """A study: its images, and what is known of them."""

    person: Person
    images: tuple[TakenImage, ...]
    landmarks: tuple[Landmark, ...]
    attributes: dict[str, FiniteJson] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimulatedTask:
    """A task of radiographs that can be simulated.

    Attributes:
        task: labels and views.
        draw: draws a study of a label in a room from its own random numbers.
        drawn: names of what is drawn where labels are per view (`VIEW/name`); the labels themselves when empty.
        others: labels that can be drawn and are none of the task's: written as `other`.
        shares: of the labels; equal when empty.
    """

    task: Task
    draw: Callable[[str, Room, np.random.Generator], DrawnRadiographs]
    drawn: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    def limited(self, names: tuple[str, ...]) -> SimulatedTask:
        """The task with these categories instead, out of those that can be drawn; the others count as `other`.

        Raises:
            InputError: the task's labels are fixed, or a category is unknown or alone.
        """
        known = (*self.drawn, *self.others)
        if not self.drawn:
            raise InputError(f"categories: the labels of {self.task.name} are fixed; leave them out")
        if len(set(names)) < max(len(names), 2) or not set(names) <= set(known):
            raise InputError(f"categories={list(names)}: give at least two different ones of {', '.join(known)}")
        labels = tuple(f"{view}/{name}" for view in self.task.views for name in names)
        shares = {**dict.fromkeys(known, 0.06), **dict(zip(self.drawn, self.shares, strict=True))}
        return replace(
            self,
            task=self.task.model_copy(update={"labels": labels}),
            drawn=names,
            others=tuple(name for name in known if name not in names),
            shares=tuple(shares[name] for name in names),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What studies are labelled."""
        return self.drawn or self.task.labels

    def shares_at(self, center: RadiographCenter) -> dict[str, float]:
        """How often each label occurs at a hospital, relative to each other."""
        labels = self.names
        if self.task.positive:
            return {label: center.positive if label == self.task.positive else 1 - center.positive for label in labels}
        if not self.shares:
            return dict.fromkeys(labels, 1.0)
        factors = dict(zip(_CATEGORIES, center.shares, strict=False))
        return {label: share * factors.get(label, 1.0) for label, share in zip(labels, self.shares, strict=True)}


def _implants(label: str, room: Room, rng: np.random.Generator) -> DrawnRadiographs:
    body, *visits = rng.spawn(3)
    drawn = draw_instrumented(SYSTEMS[label], room.center.size, body)
    patient = drawn.patient
    images = tuple(
        room.take(patient, technique, aimed_at(patient.spine, "L3", technique.ahead, visit), visit)
        for technique, visit in zip(LUMBAR_TECHNIQUES, visits, strict=True)
    )
    marks = (Landmark("hardware", extent(drawn.metal), evidence=True), *vertebra_marks(patient))
    return DrawnRadiographs(patient.spine.patient, images, marks)


FRACTURE_TECHNIQUE = Technique(LATERAL, 86.0, (205.0, 250.0), (215.0, 245.0), 0.85, ahead=14.0)


def _fractures(label: str, room: Room, rng: np.random.Generator) -> DrawnRadiographs:
    body, visit = rng.spawn(2)
    drawn = draw_fractured(label == "fresh", room.center.size, room.center.easy, body)
    patient = drawn.patient
    count = 1 + int(visit.random() < room.images - 1)
    images = tuple(
        room.take(patient, technique, aimed_at(patient.spine, "L1", technique.ahead, visit), visit)
        for technique in (FRACTURE_TECHNIQUE,) * count
    )
    ages = {fracture.level: fracture for fracture in drawn.fractures}
    marks = []
    for mark in vertebra_marks(patient):
        found = ages.get(mark.name)
        state: dict[str, FiniteJson] = (
            {"fracture": found.age, "height_loss": found.loss} if found else {"fracture": "none"}
        )
        marks.append(replace(mark, evidence=found is not None and found.age == "fresh", attributes=state))
    return DrawnRadiographs(patient.spine.patient, images, tuple(marks))


WHOLE_SPINE_TECHNIQUES = (
    Technique(AP, 82.0, (140.0, 180.0), (760.0, 830.0), 0.46, (1780.0, 1900.0), equalise=0.2),
    Technique(LATERAL, 90.0, (230.0, 280.0), (760.0, 830.0), 0.44, (1780.0, 1900.0), ahead=38.0, equalise=0.2),
)


def _scoliosis(label: str, room: Room, rng: np.random.Generator) -> DrawnRadiographs:
    body, *visits = rng.spawn(3)
    patient, drawn = draw_child(KINDS[label], room.center.size, body)
    k = patient.spine.patient.scale
    views = WHOLE_SPINE_TECHNIQUES if body.random() < 2 * room.images - 1 else WHOLE_SPINE_TECHNIQUES[:1]
    images = tuple(
        room.take(
            patient,
            replace(view, field=(view.field[0] * k, view.field[1] * k)),
            aimed_at(patient.spine, "T9", view.ahead, visit),
            visit,
        )
        for view, visit in zip(views, visits, strict=False)
    )
    marks = vertebra_marks(patient)
    if patient.metal:
        marks = (Landmark("hardware", extent(patient.metal), evidence=True), *marks)
    return DrawnRadiographs(patient.spine.patient, images, marks, {"curve": drawn.curve, "cobb": drawn.cobb})


def vertebra_marks(patient: Patient) -> tuple[Landmark, ...]:
    """The free vertebral bodies."""
    return tuple(
        Landmark(bone.name, corners(bone.frame, (bone.half_width, bone.half_depth, bone.height / 2)))
        for bone in patient.spine.vertebrae
        if not bone.sacral
    )


# Ours: the published ten are not told.
_CATEGORIES = tuple(name for name, kind in KINDS.items() if kind.share)

TASKS: dict[str, SimulatedTask] = {
    "implants": SimulatedTask(
        Task(name="implants", labels=("A", "B", "C", "D", "E"), views=tuple(VIEWS)),
        _implants,
        others=("X", "Y"),
    ),
    "scoliosis": SimulatedTask(
        Task(
            name="scoliosis",
            labels=tuple(f"{view}/{name}" for view in VIEWS for name in _CATEGORIES),
            views=tuple(VIEWS),
        ),
        _scoliosis,
        drawn=_CATEGORIES,
        others=tuple(name for name in KINDS if name not in _CATEGORIES),
        shares=tuple(KINDS[name].share for name in _CATEGORIES),
    ),
    "fractures": SimulatedTask(
        Task(name="fractures", labels=("not_fresh", "fresh"), views=(LATERAL.name,), positive="fresh"),
        _fractures,
    ),
}
