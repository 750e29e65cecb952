"""Names of files as clients send them, made harmless."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 255
MAX_BYTES = 900
"""So that a key has room for an image id before it."""
# Cc: controls. Cs: halves of surrogate pairs. Cf holds what turns the direction of text, behind which endings hide.
_DROPPED = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})


def safe_filename(name: str | None, otherwise: str) -> str:
    """The name without folders and without what is invisible, cut so that its ending stays; `otherwise` for none."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    kept = "".join(character for character in last if unicodedata.category(character) not in _DROPPED).strip()
    if not kept.strip("."):
        return otherwise
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > 16:
        stem, dot, ending = kept, "", ""
    tail = dot + ending
    stem = stem[: MAX_CHARACTERS - len(tail)]
    room = MAX_BYTES - len(tail.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + tail
