"""Reads imgproxy's options about how a picture is handed out."""

from __future__ import annotations

from gateway.img.dialects.arguments import base64_text, refuse, switch, unescaped_text
from gateway.img.dialects.imgproxy.arguments import Arguments, few, given, one
from gateway.img.dialects.imgproxy.asked import Asked


def raw(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.raw = switch(name, one(name, arguments))


def cachebuster(_: Asked, name: str, arguments: Arguments) -> None:
    one(name, arguments)


def expires(asked: Asked, name: str, arguments: Arguments) -> None:
    text = one(name, arguments)
    # A timestamp of milliseconds, or one far away, is a number all the same.
    if not (0 < len(text) <= 18 and text.isascii() and text.isdigit()):
        raise refuse(name, "a Unix timestamp")
    asked.expires = int(text) or None


def filename(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 2)
    encoded = bool(given(arguments, 1)) and switch(name, arguments[1])
    asked.filename = (base64_text if encoded else unescaped_text)(name, arguments[0]) or None


def attachment(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.attachment = switch(name, one(name, arguments))
