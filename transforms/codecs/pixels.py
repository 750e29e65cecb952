"""From another library's rows of pixels to an image of libvips."""

from __future__ import annotations

import struct

import pyvips

BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
"""What libraries of others raise over a broken file; want of memory is no fault of the file for certain."""

_INTERPRETATIONS = {"uchar": ("b-w", "srgb"), "ushort": ("grey16", "rgb16"), "float": ("b-w", "scrgb")}


def image_of(
    rows: bytes | bytearray | memoryview,
    size: tuple[int, int],
    bands: int,
    *,
    stride: int | None = None,
    kind: str = "uchar",
    profile: bytes | None = None,
) -> pyvips.Image:
    """An image of `rows`, which lie `stride` bytes apart, of 1 to 4 bands of `uchar`, `ushort` or `float`."""
    width, height = size
    bytes_a_row = width * bands * {"uchar": 1, "ushort": 2, "float": 4}[kind]
    if stride is not None and stride != bytes_a_row:
        flat = pyvips.Image.new_from_memory(rows, stride, height, 1, "uchar")
        rows = flat.crop(0, 0, bytes_a_row, height).write_to_memory()
    image = pyvips.Image.new_from_memory(rows, width, height, bands, kind)
    image = image.copy(interpretation=_INTERPRETATIONS[kind][bands > 2])
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image
