"""Which fonts there are: a rendition with text is a function of them too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

DEFAULT_FOLDER = "/usr/share/fonts"
"""Where the fonts of Linux distributions are."""
_ENDINGS = (".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2", ".pfb")


def files(folder: str) -> Iterator[Path]:
    """The font files below a folder, in an order that depends on their names only."""
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(_ENDINGS):
                yield Path(path, name)


@cache
def fingerprint(folder: str) -> str:
    """A short text that differs where names or sizes of the font files do; read once a process."""
    digest = hashlib.sha256()
    for path in files(folder):
        try:
            size = path.stat().st_size
        except OSError:
            continue
        digest.update(f"{path.relative_to(folder)}\0{size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]
