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
from transforms.headers import bmp, gif, heif, jpeg, png, tiff, webp
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
    """Whether more than one frame is announced."""

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
}
"""The parser of each row of the format table."""


def read_header(source: Source) -> Header:
    """Format and size of the image in `source`.

    Raises NotAnImage where the first bytes are no known image's, DecodeFailed where the header is broken.
    """
    kind = sniff(source.read(0, min(HEAD_BYTES, source.size)))
    if kind is None:
        raise NotAnImage
    width, height, animated = PARSERS[kind.name](source)
    if width < 1 or height < 1:
        raise DecodeFailed(f"The {kind.name} header gives no size.")
    return Header(kind, width, height, animated)
