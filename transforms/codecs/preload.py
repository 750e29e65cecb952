"""Everything that decoding may need of the disk, loaded while files can still be opened."""

from __future__ import annotations

import codecs
import contextlib
import io

import pyvips
from PIL import BmpImagePlugin, Image

from transforms.codecs import bmp, faces, fonts, own_jpeg, svg

_DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><text y="8" font-size="8">a</text></svg>'
_ENCODINGS = (
    "cp1250",
    "cp1251",
    "cp1252",
    "iso8859-2",
    "iso8859-5",
    "iso8859-15",
    "koi8-r",
    "gb2312",
    "shift_jis",
    "euc-kr",
)
"""What XML is written in besides what expat knows by itself; Python imports each when it is first used."""


def preload(font_folder: str) -> tuple[str, ...]:
    """Loads the libraries, those of the installed extras too, and uses what loads more at its first use.

    Gives the folders that must stay readable. Needs `vips.prepare` before it.
    """
    readable = fonts.prepare(font_folder)
    faces.prepare()
    with contextlib.suppress(ImportError):
        import pillow_heif  # noqa: F401
    with contextlib.suppress(ImportError):
        import pillow_jxl  # noqa: F401
    with contextlib.suppress(ImportError):
        import pypdfium2  # noqa: F401
    for name in _ENCODINGS:
        codecs.lookup(name)
    svg.load(_DRAWING).avg()
    buffer = io.BytesIO()
    Image.new("P", (2, 2)).save(buffer, BmpImagePlugin.BmpImageFile.format)
    bmp.load(buffer.getvalue()).avg()
    grey = pyvips.Image.black(8, 8)
    own_jpeg.load(grey.jpegsave_buffer(), grey).avg()
    return readable
