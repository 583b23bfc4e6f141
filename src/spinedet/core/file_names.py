"""Names of files for ids that may hold any text."""

from __future__ import annotations

import hashlib
import re

# Most file systems take 255 bytes; endings and a series' name come on top.
_MOST_BYTES = 100
_DIGEST_DIGITS = 8


def file_name(identifier: str) -> str:
    """A name of one path component: the id itself where it is one, else its plain characters and a hash of all of it.

    Two ids never share a name by what was replaced in them.
    """
    plain = re.sub(r"[^\w.-]+", "_", identifier).lstrip(".")
    if plain == identifier and 0 < len(plain.encode()) <= _MOST_BYTES:
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    kept = plain.encode("utf-8", "ignore")[: _MOST_BYTES - _DIGEST_DIGITS - 1].decode("utf-8", "ignore")
    return f"{kept}-{digest}" if kept else digest
