"""PDF: the first page's size, where it stands in plain text (ISO 32000-1, section 7.7.3.3).

Many files keep their pages in compressed streams; then it is taken for a letter. Nothing depends on it but the price of
the job: whoever opens the file checks the real size before a pixel is drawn.
"""

from __future__ import annotations

import re

from transforms.headers.source import WINDOW_BYTES, Size, Source

PIXELS_PER_POINT = 2
"""How large a page is as a picture: at 144 dots an inch."""

_LETTER = (612.0, 792.0)
_NUMBER = rb"\s*(-?[0-9]{1,6}(?:\.[0-9]{0,6})?)"
_MEDIA_BOX = re.compile(rb"/MediaBox\s*\[" + _NUMBER * 4 + rb"\s*\]")


def size(source: Source) -> Size:
    """Size of the first page that is described in the first or last 64 KiB, as a picture."""
    found = _MEDIA_BOX.search(source.window(0)) or _MEDIA_BOX.search(source.window(max(0, source.size - WINDOW_BYTES)))
    across, down = _LETTER
    if found is not None:
        left, bottom, right, top = (float(number) for number in found.groups())
        across, down = abs(right - left) or across, abs(top - bottom) or down
    return Size(pixels(across), pixels(down))


def pixels(points: float) -> int:
    """A side of a page in pixels."""
    return max(1, round(points * PIXELS_PER_POINT))
