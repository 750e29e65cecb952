"""The table of image formats: what comes in, what goes out, and with which names and bounds.

Everything that depends on a format reads it here: media types, default qualities, whether alpha survives, the largest
side an encoder takes, and the weights by which the render queue estimates a job.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One format. Sides are in pixels, weights in milliseconds a megapixel on one ordinary core."""

    name: str
    media_type: str
    loader: str | None
    """libvips' loader for a buffer; None where libvips is not what reads it, or nothing does."""
    decode_weight: float
    saver: str | None = None
    """libvips' saver to a buffer; None for formats that are only read."""
    encode_weight: float = 0.0
    max_side: int = 0
    alpha: bool = False
    """Whether the encoder keeps transparency."""
    default_quality: int | None = None
    """None where quality means nothing."""
    extra: str | None = None
    """The extra of the distribution that reads it."""


_TABLE = (
    Format("jpeg", "image/jpeg", "jpegload_buffer", 12.0, "jpegsave_buffer", 25.0, 65_500, False, 80),
    Format("png", "image/png", "pngload_buffer", 25.0, "pngsave_buffer", 180.0, 65_535, True),
    Format("webp", "image/webp", "webpload_buffer", 20.0, "webpsave_buffer", 100.0, 16_383, True, 85),
    Format("avif", "image/avif", "heifload_buffer", 40.0, "heifsave_buffer", 450.0, 16_384, True, 60),
    Format("gif", "image/gif", "gifload_buffer", 15.0, "gifsave_buffer", 700.0, 65_535, True),
    Format("tiff", "image/tiff", "tiffload_buffer", 20.0, "tiffsave_buffer", 30.0, 65_535, True, 80),
    Format("heic", "image/heic", None, 60.0, extra="heif"),
    Format("bmp", "image/bmp", None, 20.0),
    Format("svg", "image/svg+xml", "svgload_buffer", 60.0, alpha=True),
    Format("jxl", "image/jxl", None, 60.0, extra="jxl"),
    Format("pdf", "application/pdf", None, 60.0, extra="pdf"),
)

FORMATS: dict[str, Format] = {entry.name: entry for entry in _TABLE}
"""Every format by name, in the order of the table."""

OUTPUT_FORMATS: tuple[str, ...] = tuple(entry.name for entry in _TABLE if entry.saver)
"""Formats that a picture can be encoded in."""
PASSED_FORMATS: tuple[str, ...] = ("svg",)
"""Formats that can be asked for of their own kind only: nothing is drawn, the source is cleaned."""
ANIMATED_FORMATS: tuple[str, ...] = ("gif", "webp")
"""Formats that are read and written with all their frames."""
