"""The fonts that text may be drawn in: those of one folder, made known to fontconfig before a decoder's files close."""

from __future__ import annotations

import os
import tempfile
from xml.sax.saxutils import escape

import pyvips

from transforms.fonts import DEFAULT_FOLDER, files

_FAMILIES = {
    "sans": ("DejaVu Sans", "Noto Sans", "Liberation Sans", "Open Sans", "Roboto"),
    "serif": ("DejaVu Serif", "Noto Serif", "Liberation Serif"),
    "monospace": ("DejaVu Sans Mono", "Noto Sans Mono", "Liberation Mono"),
}
"""What stands for the generic families, in the order in which they are looked for."""

_font: str | None = None
"""A font file of the folder: that it can be opened shows that others can."""


def prepare(folder: str = "") -> tuple[str, ...]:
    """Has fontconfig read `folder` (the distribution's where empty), and nothing else, for the life of this process.

    Gives the folders that must stay readable: a font's file is opened when it is first drawn with. Call it before any
    text is drawn and while files can be opened; a folder without fonts gives none.
    """
    global _font
    wanted = folder or DEFAULT_FOLDER
    first = next(files(wanted), None)
    _font = None if first is None else str(first)
    # libvips has no way to give fontconfig its settings but a file.
    with tempfile.NamedTemporaryFile("w", suffix=".conf", prefix="pixgate-fonts-", encoding="utf-8") as file:
        file.write(_settings(wanted))
        file.flush()
        # For the C library alone: nothing of ours reads the environment.
        os.putenv("FONTCONFIG_FILE", file.name)
        pyvips.Image.text("a", font="sans 10").avg()
    return (wanted,) if _font is not None else ()


def readable() -> bool:
    """Whether there are fonts, and this process may still open them."""
    if _font is None:
        return False
    try:
        os.close(os.open(_font, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _settings(folder: str) -> str:
    aliases = "".join(
        f"<alias binding='same'><family>{name}</family><prefer>{_families(families)}</prefer></alias>"
        for generic, families in _FAMILIES.items()
        for name in ((generic, "sans-serif") if generic == "sans" else (generic,))
    )
    # A family that is not there becomes the first of these, not whatever comes first in the folder.
    last = "".join(f"<string>{escape(family)}</string>" for family in _FAMILIES["sans"])
    return (
        f"<?xml version='1.0'?><fontconfig><dir>{escape(folder)}</dir>{aliases}"
        f"<match target='pattern'><edit name='family' mode='append_last' binding='weak'>{last}</edit></match>"
        "<config><rescan><int>0</int></rescan></config></fontconfig>"
    )


def _families(names: tuple[str, ...]) -> str:
    return "".join(f"<family>{escape(name)}</family>" for name in names)
