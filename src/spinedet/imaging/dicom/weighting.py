"""The weighting of a series from its tags, and where these give none, from its description."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spinedet.imaging.dicom.headers import words_in
from spinedet.imaging.dicom.records import Acquisition

# Spin echo contrast by the usual bounds: short TE and TR are T1, short TE and long TR proton density, long TE is T2.
_T2_ECHO_MS = 60.0
_T1_REPETITION_MS = 1200.0
# Shorter repetition with a long echo is a gradient echo that does not state it. 3D spin echo T2 goes down to 1,000 ms.
_T2_REPETITION_MS = 900.0
_STIR_INVERSION_MS = 300.0
_CONTRASTS = {
    "T1": "T1",
    "T2": "T2",
    "T2_STAR": "T2*",
    "PROTON_DENSITY": "PD",
    "STIR": "STIR",
    "FLUID_ATTENUATED": "FLAIR",
}
_CONTRASTS |= {"DIFFUSION": "DWI"}
# Of several words the most specific one decides: a "T2 STIR" is a STIR.
_BY_WORD = ("STIR", "FLAIR", "DWI", "myelogram", "T2*", "PD", "T2", "T1")
_DIFFUSION_KINDS = {"DIFFUSION", "ADC", "TRACEW", "FA", "EADC"}
_FAT_OPTIONS = {"FS", "SFS", "FATSAT_GEMS", "WATER_EXCITATION"}
_FAT_KINDS = {"W", "WATER"}


@dataclass(frozen=True, slots=True)
class Weighting:
    """A contrast, and the source of it.

    Attributes:
        name: `T2`, `T1`, `STIR`, ...; None when unknown.
        source: `tags`, `description` or `nothing`.
        reason: in words.
    """

    name: str | None
    source: str
    reason: str


def weighting_of(acquisition: Acquisition) -> Weighting:
    """What contrast the series has: tags first, the description only where they are silent."""
    if acquisition.modality not in ("", "MR"):
        return Weighting(acquisition.modality, "tags", f"Modality is {acquisition.modality}")
    tagged = _tagged(acquisition)
    if tagged is not None:
        return Weighting(tagged[0], "tags", f"{tagged[0]}: {tagged[1]}")
    word = next((word for word in _BY_WORD if word in acquisition.words), None)
    if word is not None:
        return Weighting(word, "description", f"{word}: not in the tags, by the description")
    return Weighting(None, "nothing", "neither tags nor description give the weighting")


def weighting_in(name: str) -> str | None:
    """The contrast that a file's name begins one of its parts with, as in `scan_T2w`; None when it names none."""
    parts = [part for part in re.split(r"[^a-z0-9*]+", name.lower()) if re.match(r"t1|t2|pd|stir|tirm|flair|dwi", part)]
    words = words_in(" ".join(parts))
    return next((word for word in _BY_WORD if word in words), None)


def suppresses_fat(acquisition: Acquisition) -> bool:
    """Whether fat is dark by design, so that the image differs from the usual T2."""
    return bool(
        acquisition.options & _FAT_OPTIONS or acquisition.kinds & _FAT_KINDS or "fat-suppressed" in acquisition.words
    )


def _tagged(acquisition: Acquisition) -> tuple[str, str] | None:
    """Contrast and reason, or None when the tags do not give it."""
    if acquisition.contrast in _CONTRASTS:
        return _CONTRASTS[acquisition.contrast], f"AcquisitionContrast is {acquisition.contrast}"
    if acquisition.kinds & _DIFFUSION_KINDS or (acquisition.b_value or 0) > 0:
        return "DWI", "it is a diffusion image"
    if "IR" in acquisition.sequence or (acquisition.inversion_time or 0) > 0:
        inversion = acquisition.inversion_time
        short = inversion is not None and inversion <= _STIR_INVERSION_MS
        return ("STIR" if short else "IR"), "inversion recovery" + (f", TI {inversion:g} ms" if inversion else "")
    if "GR" in acquisition.sequence and "SE" not in acquisition.sequence:
        return "T2*", "gradient echo"
    return _by_times(acquisition)


def _by_times(acquisition: Acquisition) -> tuple[str, str] | None:
    echo, repetition = acquisition.echo_time, acquisition.repetition_time
    if echo is None or echo <= 0:
        return None
    reason = f"TE {echo:g} ms" + (f", TR {repetition:g} ms" if repetition else "")
    if echo >= _T2_ECHO_MS:
        return None if repetition and repetition < _T2_REPETITION_MS else ("T2", reason)
    if not repetition:
        return None
    return ("T1" if repetition < _T1_REPETITION_MS else "PD"), reason
