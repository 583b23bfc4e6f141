"""Whether a radiograph is one that a model was made for: its view, what it shows, and whether metal is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from spinedet.imaging.radiograph.metal import groups_in_white, metal_groups
from spinedet.imaging.radiograph.records import DeclaredView, RadiographImage
from spinedet.imaging.suitability import InputCheck, Suitability

# Hardware covers at least this share of an image, and other metal (a clip, a marker) at most that.
_HARDWARE, _LITTLE = 2e-3, 8e-3


@dataclass(frozen=True, slots=True)
class ViewEstimate:
    """What a classifier of views sees.

    Attributes:
        name: the view; None when it is none of them: another part of the body, a photograph, an MRI slice.
        probability: of that answer. shown: what else it is, in words, where the classifier knows.
    """

    name: str | None
    probability: float
    shown: str = ""


class ViewClassifier(Protocol):
    """A view router: what a radiograph shows, by its pixels alone."""

    def __call__(self, image: RadiographImage) -> ViewEstimate:
        """The view of an image in [0, 1], bone white."""
        ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model reads.

    Attributes:
        views: names. metal: whether images need hardware (True), must have none (False), or either (None).
        sure: probability from which the classifier's answer counts.
        foreign: what becomes of an image that it takes for none of the views.
    """

    views: tuple[str, ...]
    metal: bool | None = None
    sure: float = 0.8
    foreign: Suitability = Suitability.REJECTED


def check_radiograph(
    image: RadiographImage, expected: Expected, estimate: ViewEstimate | None = None, written: str | None = None
) -> tuple[InputCheck, ...]:
    """Everything that is doubtful or unfit about an image for a model; what is not named is sound.

    Args:
        estimate: of a view classifier; without one the view is what is declared, and what the image shows is not asked.
        written: the view that a manifest gives, which goes before the file's own.
    """
    declared = DeclaredView(written, "manifest") if written else image.view
    found = [*image.checks, *_file_against_manifest(image.view, written), *_view(declared, estimate, expected)]
    return (*found, *_metal(image, expected))


def view_of(declared: DeclaredView, estimate: ViewEstimate | None, sure: float = 0.8) -> str | None:
    """The view by which an image is read: as declared, else as the classifier sees it."""
    if declared.name is not None or declared.foreign is not None or estimate is None:
        return declared.name
    return estimate.name if estimate.probability >= sure else None


def _file_against_manifest(file: DeclaredView, written: str | None) -> Iterator[InputCheck]:
    if written is None or (file.name is None and file.foreign is None) or file.name == written:
        return
    said = file.name or file.foreign
    reason = f"the manifest says {written}, {file.source} of the file {said}"
    yield InputCheck("view tag", Suitability.DOUBTFUL, reason)


def _view(declared: DeclaredView, estimate: ViewEstimate | None, expected: Expected) -> Iterator[InputCheck]:
    if declared.foreign is not None:
        yield InputCheck("view", Suitability.REJECTED, f"{declared.source} says {declared.foreign}")
        return
    sure = estimate is not None and estimate.probability >= expected.sure
    if estimate is not None and sure and estimate.name is None:
        shown = f" ({estimate.shown})" if estimate.shown else ""
        yield InputCheck("content", expected.foreign, f"the pixels show none of the views{shown}")
        if expected.foreign is Suitability.REJECTED:
            return
    view = view_of(declared, estimate, expected.sure)
    if view is None:
        yield InputCheck("view", Suitability.DOUBTFUL, "neither the file nor its pixels say which view it is")
    elif view not in expected.views:
        yield InputCheck("view", Suitability.REJECTED, f"a {view} view, where {' or '.join(expected.views)} is read")
    elif estimate is not None and sure and estimate.name not in (None, view):
        reason = f"{declared.source} says {view}, the pixels look {estimate.name}"
        yield InputCheck("view", Suitability.DOUBTFUL, reason)


def _metal(image: RadiographImage, expected: Expected) -> Iterator[InputCheck]:
    if expected.metal is None:
        return
    metal = metal_groups(image)
    certain = max((group.certain for group in metal), default=0.0)
    if expected.metal and certain < _HARDWARE:
        anything = metal or groups_in_white(image)
        how = Suitability.DOUBTFUL if anything else Suitability.REJECTED
        found = "nothing that is surely hardware" if anything else "no hardware"
        yield InputCheck("metal", how, f"{found} was found, and the model tells systems of hardware")
    if not expected.metal and certain >= _LITTLE:
        yield InputCheck("metal", Suitability.DOUBTFUL, "there is metal, and the model has learnt images without")
