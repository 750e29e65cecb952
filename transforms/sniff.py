"""What kind of image some bytes are, by their first 512 bytes and nothing else.

Runs at every PUT: no parsing, no allocation beyond the answer. The declared media type plays no part. An SVG is known by
its root element, which a declaration, comments and a document type may precede.
"""

from __future__ import annotations

import re

from transforms.formats import FORMATS, Format

HEAD_BYTES = 512
"""How many leading bytes `sniff` looks at."""

_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"))


def sniff(head: bytes) -> Format | None:
    """The row of the format table for content that starts with `head`, or None if it is no known image."""
    name = _name(head[:HEAD_BYTES])
    return FORMATS[name] if name else None


def _name(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[4:8] == b"ftyp":
        return _heif_name(head)
    if head.startswith((b"II*\x00", b"MM\x00*")):
        return "tiff"
    # "BM" alone would claim too many texts: the four reserved bytes are zero, then a header size that exists.
    if head.startswith(b"BM") and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADER_SIZES:
        return "bmp"
    if head.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")):
        return "jxl"
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith((b"<", b"\xef\xbb\xbf", b" ", b"\n", b"\r", b"\t")):
        return "svg" if _is_svg(head.removeprefix(b"\xef\xbb\xbf")) else None
    return None


_BEFORE_ROOT = ((b"<?", b"?>"), (b"<!--", b"-->"))
_SVG_ROOT = re.compile(rb"<!DOCTYPE\s+svg\b|<(?:svg:)?svg(?=[\s/>]|\Z)")


def _is_svg(head: bytes) -> bool:
    """Whether the root element, or the document type before it, is SVG's."""
    text = head.lstrip()
    while True:
        for opening, closing in _BEFORE_ROOT:
            if text.startswith(opening):
                end = text.find(closing, len(opening))
                if end < 0:
                    return False
                text = text[end + len(closing) :].lstrip()
                break
        else:
            return _SVG_ROOT.match(text) is not None


_BMP_HEADER_SIZES = frozenset(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 108, 124))


def _heif_name(head: bytes) -> str | None:
    """AVIF or HEIC by the brands of the file type box (ISO/IEC 14496-12, section 4.3): the major one, then the rest."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    for brand in (head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))):
        if brand in _AVIF_BRANDS:
            return "avif"
        if brand in _HEIC_BRANDS:
            return "heic"
    return None
