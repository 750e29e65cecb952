"""EXIF as plain values (CIPA DC-008): the camera, the exposure, who made it, and where.

Files lie: no directory is followed twice, nothing is read beyond the block, and texts are cut.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

_MAX_ENTRIES = 256
_MAX_TEXT = 500
_MAX_VALUES = 16
_EXIF_POINTER, _GPS_POINTER = 0x8769, 0x8825

_IMAGE_TAGS: Mapping[int, str] = {
    0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x0112: "Orientation", 0x0131: "Software",
    0x0132: "DateTime", 0x013B: "Artist", 0x8298: "Copyright",
}  # fmt: skip
_PHOTO_TAGS: Mapping[int, str] = {
    0x829A: "ExposureTime", 0x829D: "FNumber", 0x8822: "ExposureProgram", 0x8827: "ISOSpeedRatings",
    0x9003: "DateTimeOriginal", 0x9004: "DateTimeDigitized", 0x9010: "OffsetTime", 0x9011: "OffsetTimeOriginal",
    0x9201: "ShutterSpeedValue", 0x9202: "ApertureValue", 0x9203: "BrightnessValue", 0x9204: "ExposureBiasValue",
    0x9206: "SubjectDistance", 0x9207: "MeteringMode", 0x9208: "LightSource", 0x9209: "Flash", 0x920A: "FocalLength",
    0x9291: "SubsecTimeOriginal", 0xA001: "ColorSpace", 0xA402: "ExposureMode", 0xA403: "WhiteBalance",
    0xA404: "DigitalZoomRatio", 0xA405: "FocalLengthIn35mmFilm", 0xA406: "SceneCaptureType", 0xA433: "LensMake",
    0xA434: "LensModel",
}  # fmt: skip
_GPS_TAGS: Mapping[int, str] = {
    0x0001: "LatitudeRef", 0x0002: "Latitude", 0x0003: "LongitudeRef", 0x0004: "Longitude", 0x0005: "AltitudeRef",
    0x0006: "Altitude", 0x0007: "TimeStamp", 0x0010: "ImgDirectionRef", 0x0011: "ImgDirection", 0x001D: "DateStamp",
}  # fmt: skip
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of a value by its type."""
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d"}
_RATIONALS = {5: "II", 10: "ii"}


def read_exif(block: bytes) -> dict[str, Any]:
    """The tags that are known, by their names of the standard; numbers, texts and lists of numbers.

    The place, where there is one, is under `GPS`: `latitude` and `longitude` in degrees (south and west negative),
    `altitude` in metres, `direction` in degrees, `time` in UTC. What is broken is left out.
    """
    data = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return {}
    first = dict(_entries(data, order, struct.unpack_from(order + "I", data, 4)[0]))
    found = _named(first, _IMAGE_TAGS)
    photo, gps = first.get(_EXIF_POINTER), first.get(_GPS_POINTER)
    if isinstance(photo, int):
        found |= _named(dict(_entries(data, order, photo)), _PHOTO_TAGS)
    if isinstance(gps, int):
        place = _place(_named(dict(_entries(data, order, gps)), _GPS_TAGS))
        if place:
            found["GPS"] = place
    return found


def _named(entries: Mapping[int, Any], names: Mapping[int, str]) -> dict[str, Any]:
    return {names[tag]: value for tag, value in entries.items() if tag in names}


def _entries(data: bytes, order: str, at: int) -> Iterator[tuple[int, Any]]:
    """The tags of one directory with their values; those that are broken are passed over."""
    if at + 2 > len(data):
        return
    for index in range(min(struct.unpack_from(order + "H", data, at)[0], _MAX_ENTRIES)):
        entry = at + 2 + 12 * index
        if entry + 12 > len(data):
            return
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        size = _SIZES.get(kind, 0) * count
        start = entry + 8 if size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
        if not size or start + size > len(data):
            continue
        value = _value(data[start : start + size], kind, order)
        if value is not None:
            yield tag, value


def _value(raw: bytes, kind: int, order: str) -> Any:
    """A text, a number, or a list of numbers; None for what is neither."""
    if kind == 2:
        text = raw[: 4 * _MAX_TEXT].partition(b"\0")[0].decode("utf-8", "replace")
        return "".join(char for char in text if char.isprintable()).strip()[:_MAX_TEXT] or None
    if kind == 7:
        return None
    raw = raw[: _SIZES[kind] * _MAX_VALUES]
    if kind in _RATIONALS:
        pairs = struct.iter_unpack(order + _RATIONALS[kind], raw)
        values = [round(top / bottom, 8) for top, bottom in pairs if bottom]
    else:
        values = [value for (value,) in struct.iter_unpack(order + _LETTERS[kind], raw)]
    if any(value != value or abs(value) == float("inf") for value in values):  # noqa: PLR0124 -- not a number
        return None
    return values[0] if len(values) == 1 else values or None


def _place(tags: Mapping[str, Any]) -> dict[str, Any]:
    place: dict[str, Any] = {}
    for name, limit, negative in (("Latitude", 90, "S"), ("Longitude", 180, "W")):
        parts = tags.get(name)
        if not (isinstance(parts, list) and len(parts) == 3):
            return {}
        degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
        if not 0 <= degrees <= limit:
            return {}
        place[name.lower()] = round(-degrees if tags.get(f"{name}Ref") == negative else degrees, 7)
    altitude, direction, moment = tags.get("Altitude"), tags.get("ImgDirection"), tags.get("TimeStamp")
    if isinstance(altitude, (int, float)):
        place["altitude"] = -altitude if tags.get("AltitudeRef") == 1 else altitude
    if isinstance(direction, (int, float)):
        place["direction"] = direction
    if isinstance(moment, list) and len(moment) == 3 and isinstance(tags.get("DateStamp"), str):
        hours, minutes, seconds = (int(part) for part in moment)
        place["time"] = f"{tags['DateStamp'].replace(':', '-')}T{hours:02}:{minutes:02}:{seconds:02}Z"
    return place
