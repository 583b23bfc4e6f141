"""The cohorts of simulated radiographs that ship with the package."""

from __future__ import annotations

from dataclasses import replace

from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup


def _groups(train: int, tune: int, test: int, outside: int) -> list[RadiographGroup]:
    """Centre A to develop and test on, B and C to test on."""
    return [
        RadiographGroup("A", "train", train),
        RadiographGroup("A", "tune", tune),
        RadiographGroup("A", "test", test),
        RadiographGroup("B", "test", outside),
        RadiographGroup("C", "test", outside),
    ]


def control_of(cohort: RadiographCohort, studies: int) -> RadiographCohort:
    """Further patients of centre A: none of them is in the cohort."""
    taken = sum(group.studies for group in cohort.groups if group.center == "A")
    group = RadiographGroup("A", "test", studies, first=taken + 1)
    return replace(cohort, name=f"{cohort.name}-control", groups=[group])


def confounded_of(cohort: RadiographCohort, train: int, tune: int) -> RadiographCohort:
    """Patients of centre A with a lead letter where the label says; those of the test are the cohort's, drawn again.

    Args:
        cohort: whose groups of centre A are train, tune and test, in this order.
        train, tune: studies to train and tune on.
    """
    before = sum(group.studies for group in cohort.groups if group.center == "A" and group.split != "test")
    (test,) = (group.studies for group in cohort.groups if group.center == "A" and group.split == "test")
    groups = [
        RadiographGroup("A", "train", train),
        RadiographGroup("A", "tune", tune),
        RadiographGroup("A", "test", test, first=before + 1),
    ]
    return replace(cohort, name=f"{cohort.name}-confounded", groups=groups, leak=1.0)


def _held_out(studies: int) -> list[RadiographGroup]:
    """Systems that no training has seen: one to tune the rejection of unknown systems with, another to test it."""
    return [RadiographGroup("A", "tune", studies, only="X"), RadiographGroup("A", "test", studies, only="Y")]


_DEMO = (
    RadiographCohort("phantom-implants", "implants", [*_groups(120, 30, 60, 30), *_held_out(10)], pixels=320),
    RadiographCohort("phantom-scoliosis", "scoliosis", _groups(120, 30, 60, 30), pixels=320),
    # A pixel of .65 mm: at 1 mm the step of a fresh fracture is one or two pixels high.
    RadiographCohort("phantom-fractures", "fractures", _groups(300, 80, 100, 60), pixels=480),
)
# The published numbers of images, parted by patient; the external centres and unknown systems are added.
_YANG = RadiographCohort(
    "phantom-yang2021", "implants", [*_groups(1013, 217, 217, 120), *_held_out(30)]
)  # 1,447 studies: 1,446 AP and 1,448 lateral radiographs
_MULFORD = RadiographCohort(
    "phantom-mulford2024", "scoliosis", _groups(5444, 1166, 1167, 300), images=0.8614
)  # 7,777 AP and about 5,621 lateral radiographs
_LI = RadiographCohort(
    "phantom-li2024", "fractures", _groups(1755, 177, 177, 200), images=1.36
)  # 2,109 patients, about 2,870 radiographs; the control set of 115 patients, 155 radiographs, is a cohort of its own
SHIPPED: dict[str, tuple[RadiographCohort, ...]] = {
    "demo": _DEMO,
    "yang2021": (_YANG,),
    "mulford2024": (_MULFORD,),
    "li2024": (_LI,),
}
