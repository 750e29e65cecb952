"""Colour profiles made from their definitions: matrix and curve, as ICC.1:2022 (version 4) writes them."""

from __future__ import annotations

import struct

import numpy
import numpy.typing

Numbers = numpy.typing.NDArray[numpy.float64]

SRGB = numpy.array(
    [[0.43606567, 0.38514709, 0.14306641], [0.22248840, 0.71687317, 0.06060791], [0.01391602, 0.09707642, 0.71409607]]
)
"""Linear sRGB to XYZ adapted to D50 (IEC 61966-2-1, as its profile rounds it)."""
DISPLAY_P3 = numpy.array(
    [[0.51512146, 0.29197693, 0.15710449], [0.24119568, 0.69224548, 0.06657410], [-0.00105286, 0.04188538, 0.78407288]]
)
"""Linear Display P3 to XYZ adapted to D50 (SMPTE EG 432-1 primaries, white of D65)."""


def display_p3() -> bytes:
    """The wide-gamut profile of phones: the primaries of P3 with the curve of sRGB."""
    return _profile(DISPLAY_P3, b"Display P3")


def p3_to_srgb(values: Numbers) -> Numbers:
    """The sRGB numbers (0..255) that show what these Display P3 numbers do; what sRGB cannot show is clipped."""
    linear = _decoded(values / 255)
    return numpy.asarray(255 * _encoded(numpy.clip(linear @ DISPLAY_P3.T @ numpy.linalg.inv(SRGB).T, 0, 1)))


def _decoded(encoded: Numbers) -> Numbers:
    return numpy.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encoded(linear: Numbers) -> Numbers:
    return numpy.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _profile(matrix: Numbers, name: bytes) -> bytes:
    text = (
        b"mluc"
        + bytes(4)
        + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(name) * 2, 28)
        + name.decode().encode("utf-16-be")
    )
    # Parametric curve of type 3: (a X + b) ** g from d on, c X below.
    curve = (
        b"para"
        + bytes(4)
        + struct.pack(">HH", 3, 0)
        + b"".join(map(_fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    )
    tags = {
        b"desc": text,
        b"cprt": text,
        b"wtpt": _xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": _xyz(matrix[:, 0]),
        b"gXYZ": _xyz(matrix[:, 1]),
        b"bXYZ": _xyz(matrix[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for signature, data in tags.items():
        table += struct.pack(">4sII", signature, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz((0.9642, 1.0, 0.8249))[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(values: object) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, numpy.asarray(values, numpy.float64)))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(float(value) * 65536))
