"""What `outputs=` may name. An output is a module here with an `OUTPUT`, and a line in this table.

Modules are imported only when their output is requested, so that the libraries of the others are not needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from spinedet.core.errors import InputError

OUTPUTS = {
    "page": "spinedet.pipelines.outputs.page",
    "csv": "spinedet.pipelines.outputs.csv_table",
    "slicer": "spinedet.pipelines.outputs.slicer",
    "fhir": "spinedet.pipelines.outputs.fhir",
    "sr": "spinedet.pipelines.outputs.sr",
}
# Extras of the package that install the libraries of an output.
EXTRAS = {"sr": "dicom"}


def check_outputs(names: Sequence[str]) -> None:
    """Refuse an output that is not in the table, or named twice.

    Raises:
        InputError: names it, and those that are there.
    """
    for number, name in enumerate(names):
        if name not in OUTPUTS:
            raise InputError(f"outputs={name}: use {', '.join(OUTPUTS)}")
        if name in names[:number]:
            raise InputError(f"outputs= names {name} twice")
