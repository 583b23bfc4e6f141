"""The tasks that are simulated: their labels, and how one study of a label is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from spinedet.core.radiograph.types import Task
from spinedet.core.radiograph.views import LATERAL, VIEWS
from spinedet.core.types import FiniteJson
from spinedet.simulation.anatomy.spine import Patient as Person
from spinedet.simulation.radiograph.beam import Points, corners
from spinedet.simulation.radiograph.centers import RadiographCenter
from spinedet.simulation.radiograph.fractures import draw_fractured
from spinedet.simulation.radiograph.hardware import extent
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
        others: labels that can be drawn and are none of the task's: written as `other`.
        shares: of the labels; equal when empty.
    """

    task: Task
    draw: Callable[[str, Room, np.random.Generator], DrawnRadiographs]
    others: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    def shares_at(self, center: RadiographCenter) -> dict[str, float]:
        """How often each label occurs at a hospital, relative to each other."""
        labels = self.task.labels
        if self.task.positive:
            return {label: center.positive if label == self.task.positive else 1 - center.positive for label in labels}
        if not self.shares:
            return dict.fromkeys(labels, 1.0)
        factors = center.shares or (1.0,) * len(self.shares)
        return {label: a * b for label, a, b in zip(labels, self.shares, factors, strict=True)}


def _implants(label: str, room: Room, rng: np.random.Generator) -> DrawnRadiographs:
    body, *visits = rng.spawn(3)
    drawn = draw_instrumented(label, room.center.size, body)
    patient = drawn.patient
    images = tuple(
        room.take(patient, technique, aimed_at(patient.spine, "L3", visit), visit)
        for technique, visit in zip(LUMBAR_TECHNIQUES, visits, strict=True)
    )
    marks = (Landmark("hardware", extent(drawn.metal), evidence=True), *vertebra_marks(patient))
    return DrawnRadiographs(patient.spine.patient, images, marks)


_FRACTURE_TECHNIQUE = Technique(LATERAL, 86.0, (205.0, 250.0), (215.0, 245.0), 0.85)


def _fractures(label: str, room: Room, rng: np.random.Generator) -> DrawnRadiographs:
    body, visit = rng.spawn(2)
    drawn = draw_fractured(label == "fresh", room.center.size, room.center.easy, body)
    patient = drawn.patient
    count = 1 + int(visit.random() < room.images - 1)
    images = tuple(
        room.take(patient, _FRACTURE_TECHNIQUE, aimed_at(patient.spine, "L1", visit), visit) for _ in range(count)
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


def vertebra_marks(patient: Patient) -> tuple[Landmark, ...]:
    """The free vertebral bodies."""
    return tuple(
        Landmark(bone.name, corners(bone.frame, (bone.half_width, bone.half_depth, bone.height / 2)))
        for bone in patient.spine.vertebrae
        if not bone.sacral
    )


TASKS: dict[str, SimulatedTask] = {
    "implants": SimulatedTask(
        Task(name="implants", labels=("A", "B", "C", "D", "E"), views=tuple(VIEWS)),
        _implants,
        others=("X", "Y"),
    ),
    "fractures": SimulatedTask(
        Task(name="fractures", labels=("not_fresh", "fresh"), views=(LATERAL.name,), positive="fresh"),
        _fractures,
    ),
}
