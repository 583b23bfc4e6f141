"""A 3D detector of degenerative spine disease on T2-weighted MRI, with the multicentre evidence around it."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinedet.api import load, read_findings, read_manifest, score

__all__ = ["__version__", "load", "read_findings", "read_manifest", "score"]

__version__ = "0.1.0"

# OpenMP threads that spin while they wait make a training on shared cores up to ten times slower; sleeping ones do
# not. It has to be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    """The functions of `spinedet.api`, imported when they are first used: `import spinedet` costs no torch."""
    if name == "score":
        return import_module("spinedet.score")  # the command's module, which can be called
    if name in __all__:
        return getattr(import_module("spinedet.api"), name)
    raise AttributeError(f"module 'spinedet' has no attribute {name!r}")
