"""Reads thumbor's and imagor's filters about format, quality and metadata of the result."""

from __future__ import annotations

from gateway.img.dialects.arguments import switch, unsupported, whole
from gateway.img.dialects.thumbor.arguments import Arguments, few, given, none, one
from gateway.img.dialects.thumbor.asked import Filters
from transforms.formats import OUTPUT_FORMATS

_FORMATS = {"jpg": "jpeg", "tif": "tiff"}


def autojpg(filters: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 0, 1)
    if not given(arguments, 0) or switch(name, arguments[0]):
        filters.format = "jpeg"


def cover(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.pixels.append(("still", "1"))


def output_format(filters: Filters, name: str, arguments: Arguments) -> None:
    text = one(name, arguments)
    kind = _FORMATS.get(text, text)
    if kind not in OUTPUT_FORMATS:
        raise unsupported(name, "one of " + ", ".join(OUTPUT_FORMATS))
    filters.format = kind


def max_bytes(filters: Filters, name: str, arguments: Arguments) -> None:
    limit = whole(name, one(name, arguments))
    if limit:
        filters.pixels.append(("max-bytes", str(limit)))


def max_frames(filters: Filters, name: str, arguments: Arguments) -> None:
    if whole(name, one(name, arguments), 1) != 1:
        raise unsupported(name, "1, or all frames")
    filters.pixels.append(("still", "1"))


def page(filters: Filters, name: str, arguments: Arguments) -> None:
    page = whole(name, one(name, arguments), 1, 10_000)
    if page > 1:
        filters.pixels.append(("page", str(page)))


def quality(filters: Filters, name: str, arguments: Arguments) -> None:
    quality = whole(name, one(name, arguments), 0, 100)
    if quality:
        filters.pixels.append(("q", str(quality)))


def strip_exif(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.pixels.append(("strip", "1"))


def strip_icc(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.pixels.append(("icc", "srgb"))


def to_colorspace(_: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 0, 1)
    if given(arguments, 0).lower() not in ("", "srgb"):
        raise unsupported(name, "srgb")
