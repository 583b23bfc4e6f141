"""Weights that ship for networks of radiographs, taught on simulated ones; importable without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

from spinedet.core.errors import InputError

# What `network.weights=` takes beside a file.
PHANTOMS, NONE = "phantoms", "none"
# By the network's table, from `benchmarks/generate/radiograph_backbone.py`.
PHANTOM_WEIGHTS = {
    table: Path(__file__).parent / "weights" / f"{table}.safetensors"
    for table in ("efficientnet_lite0", "mobilenet_v3_large", "mnasnet_b1")
}


def names_file(weights: str | None) -> TypeGuard[str]:
    """Whether `network.weights=` is the path of a file."""
    return weights not in (None, NONE, PHANTOMS)


def refuse_phantom_weights(weights: str | None, network: str) -> None:
    """Refuse the weights that ship for a network that they are not of.

    Raises:
        InputError: as said.
    """
    if weights == PHANTOMS and network not in PHANTOM_WEIGHTS:
        raise InputError(
            f"network.weights={PHANTOMS}: no weights taught on phantoms ship for {network}, only for "
            f"{', '.join(PHANTOM_WEIGHTS)}; name a local file, or network.weights={NONE} for random ones"
        )


def weights_file(weights: str | None, network: str) -> Path | None:
    """The file of what `network.weights=` says; None for random weights.

    Raises:
        InputError: see `refuse_phantom_weights`.
    """
    if weights is None or weights == NONE:
        return None
    refuse_phantom_weights(weights, network)
    return PHANTOM_WEIGHTS[network] if weights == PHANTOMS else Path(weights)
