"""Sizes of images from their headers, read by our own small parsers before any decoder sees the bytes.

    header = read_header(source)      # raises NotAnImage, DecodeFailed

Each format has its file here with one function `size(source) -> Size`. A parser reads a few bytes at a time through
`Source`, which bounds the number of reads; it allocates nothing by a length that the file states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transforms.errors import DecodeFailed, NotAnImage
from transforms.formats import Format
from transforms.headers import bmp, gif, heif, jpeg, jxl, pdf, png, svg, tiff, webp
from transforms.headers.source import Size, Source
from transforms.sniff import HEAD_BYTES, sniff

__all__ = ["PARSERS", "Header", "Source", "read_header"]


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself. Sizes in pixels as stored, before any orientation is applied."""

    format: Format
    width: int
    height: int
    animated: bool
    """Whether it has frames that follow each other in time."""
    frames: int = 1
    """Frames or pages, as far as they are counted (2,001); of a PDF they are not counted."""
    alpha: bool | None = None
    """Whether it has transparency; None where the header does not tell."""
    orientation: int = 1
    """EXIF orientation, 1 to 8, that is still to be applied."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


PARSERS: dict[str, Callable[[Source], Size]] = {
    "jpeg": jpeg.size,
    "png": png.size,
    "webp": webp.size,
    "avif": heif.size,
    "heic": heif.size,
    "gif": gif.size,
    "tiff": tiff.size,
    "bmp": bmp.size,
    "jxl": jxl.size,
    "svg": svg.size,
    "pdf": pdf.size,
}
"""The parser of each row of the format table."""


def read_header(source: Source) -> Header:
    """Format and size of the image in `source`.

    Raises NotAnImage where the first bytes are no known image's, DecodeFailed where the header is broken.
    """
    kind = sniff(source.read(0, min(HEAD_BYTES, source.size)))
    if kind is None:
        raise NotAnImage
    said = PARSERS[kind.name](source)
    if said.width < 1 or said.height < 1:
        raise DecodeFailed(f"The {kind.name} header gives no size.")
    return Header(kind, *said)
