"""The true discs of a phantom study, as `attributes.discs` of its manifest holds them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from spinedet.core.errors import InputError
from spinedet.core.types import Box, FiniteJson, Level, Name, Record, Study

KEY = "discs"
# Values of `attributes.transitional` of lumbar phantoms.
NONE, SIXTH, SACRALISED = "none", "sixth lumbar vertebra", "sacralised L5"


class TrueDisc(Record):
    """One disc that was drawn, whether it bears a lesion or not.

    Attributes:
        box: in the disc's own frame, its axes right, anterior and up; without bulges and herniations.
        stub: what is left of a disc between fused vertebrae.
        visible: ids of the series that show it, by the rule for reference boxes.
    """

    level: Level
    box: Box
    stub: bool = False
    visible: tuple[Name, ...] = ()

    def record(self) -> dict[str, FiniteJson]:
        """For the manifest."""
        return dict(self.model_dump(mode="json"))


def transitional(discs: Sequence[TrueDisc]) -> str:
    """Which transitional anatomy the discs of a lumbar phantom show: `NONE`, `SIXTH` or `SACRALISED`."""
    if any(disc.level == "L6/S1" for disc in discs):
        return SIXTH
    return SACRALISED if any(disc.level == "L5/S1" and disc.stub for disc in discs) else NONE


_DISCS = TypeAdapter(tuple[TrueDisc, ...])


def true_discs(study: Study) -> tuple[TrueDisc, ...]:
    """The true discs of a study from tail to head; none where its manifest gives none.

    Raises:
        InputError: `attributes.discs` is no list of discs.
    """
    given = study.attributes.get(KEY, [])
    try:
        return _DISCS.validate_json(json.dumps(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (KEY, *first["loc"])))
        raise InputError(
            f"study {study.id!r}, attributes.{where}: {first['msg']}; draw the phantoms again, or remove the key"
        ) from None
