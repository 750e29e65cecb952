"""Opening a stored image: one named reader for each format, chosen by the content's own type."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyvips

from transforms.codecs import bmp, heic, jxl, pdf, svg, tiff_ycc
from transforms.codecs.coded_primaries import with_profile
from transforms.errors import DecodeFailed, UnsupportedFormat
from transforms.formats import Format

_NO_MEMORY = re.compile("out of memory|allocat", re.IGNORECASE)
_OWN_LIMIT = re.compile("security limit", re.IGNORECASE)
"""libheif calls it a failed allocation when a file asks for more than the library allows any."""
_INTERNAL = re.compile(
    r"^(?:(?:\w*vips\w*|\w+(?:load|save)(?:_\w+)?|heif|webp|source|target): *)+|\blib\w+ +", re.IGNORECASE
)
"""Names of functions and libraries in libvips' messages, which say nothing to who asked for a picture."""
_NO_SUCH_SAMPLES = re.compile("samples out of range|bad labq", re.IGNORECASE)
"""What libvips says of kinds of TIFF that it does not read: 64-bit samples, CIELAB of 8 bits in three bands."""
_SAMPLES = frozenset({"uchar", "ushort"})
_SPACES = frozenset({"scrgb", "lab", "labs", "xyz"})
"""Colour spaces in which numbers beyond 16 bits, or with a sign, have one meaning."""
_FAIL_ON = {"tiff": "error"}
"""What ends a decode besides a file that is too short; libtiff calls that an error and nothing less."""
_PAGED = ("gif", "webp", "tiff")
"""Formats whose pages or frames libvips reads by their number."""
_OTHERS: dict[str, Callable[..., pyvips.Image]] = {
    "heic": heic.load,
    "bmp": bmp.load,
    "jxl": jxl.load,
    "svg": svg.load,
    "pdf": pdf.load,
}
"""Readers of our own. Each takes the bytes; those of drawings and documents take `scale`, of documents `page`."""


def open_picture(data: bytes, kind: Format, *, page: int = 1, frames: int = 1, **settings: Any) -> pyvips.Image:
    """The picture, in general not decoded yet; with `frames` above 1 all of them on top of each other.

    `settings` are those of the reader that make it smaller (`shrink`, `scale`). Raises UnsupportedFormat where an extra
    is missing and for samples of unknown meaning, DecodeFailed for a broken file, OptionError for a page that a PDF does not have.
    """
    if kind.name == "pdf":
        settings["page"] = page
    elif kind.name in _PAGED:
        settings |= {"n": -1} if frames > 1 else {"page": page - 1}
    try:
        if kind.name in _OTHERS:
            return with_profile(_OTHERS[kind.name](data, **settings), data, kind.name)
        assert kind.loader is not None
        image: pyvips.Image = pyvips.Operation.call(
            kind.loader, data, access="sequential", fail_on=_FAIL_ON.get(kind.name, "truncated"), **settings
        )
        if kind.name == "tiff":
            _check_samples(image)
            image = tiff_ycc.with_rgb(image, data, page)
        return with_profile(image, data, kind.name)
    except pyvips.Error as error:
        if kind.name == "tiff" and _NO_SUCH_SAMPLES.search(str(error)):
            raise UnsupportedFormat("tiff (in this kind of samples)") from None
        raise failed(kind.name, error) from None


def _check_samples(image: pyvips.Image) -> None:
    """Measurements are no pictures: what is black and white of grey in floating point, or 32 bits, no file says."""
    if image.format not in _SAMPLES and image.interpretation not in _SPACES:
        raise UnsupportedFormat(f"tiff ({image.interpretation} in {image.format})")


def failed(name: str, error: pyvips.Error) -> Exception:
    """The fact behind an error of libvips while it reads: the image's fault, or MemoryError where memory ran out."""
    text = str(error.detail or error.message)
    if _NO_MEMORY.search(text) and not _OWN_LIMIT.search(text):
        return MemoryError(text[:200])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    detail = _INTERNAL.sub("", lines[0] if lines else "")[:200].rstrip(".") or "unreadable"
    return DecodeFailed(f"The {name} image is truncated or broken: {detail}.")
