"""Reads thumbor's and imagor's filters about how a picture is handed out."""

from __future__ import annotations

from gateway.img.dialects.arguments import refuse, unescaped_text
from gateway.img.dialects.thumbor.arguments import Arguments, few, given, none, one
from gateway.img.dialects.thumbor.asked import Filters

_MILLISECONDS = 1000


def attachment(filters: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 0, 1)
    filters.download = unescaped_text(name, given(arguments, 0))


def expire(filters: Filters, name: str, arguments: Arguments) -> None:
    text = one(name, arguments)
    if not (0 < len(text) <= 18 and text.isascii() and text.isdigit()):
        raise refuse(name, "a Unix timestamp in milliseconds")
    filters.expires = int(text) // _MILLISECONDS


def preview(_: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)


def raw(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.raw = True
