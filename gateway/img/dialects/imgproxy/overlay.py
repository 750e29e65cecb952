"""Reads imgproxy's options about watermark and text."""

from __future__ import annotations

from gateway.img.dialects.arguments import base64_text, decimal, refuse, unsupported
from gateway.img.dialects.imgproxy.arguments import PLACES, Arguments, few, given, one
from gateway.img.dialects.imgproxy.asked import Asked, Position


def watermark(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 5)
    asked.watermark_opacity = decimal(name, arguments[0], 0, 1)
    place = given(arguments, 1) or "ce"
    x, y = (decimal(name, given(arguments, index) or "0") for index in (2, 3))
    if place == "re":
        if x or y:
            raise unsupported(name, "re without spaces between the tiles")
        asked.watermark_place = Position("repeat")
    elif place == "ch":
        raise unsupported(name, "re, as tiles in the order of a chessboard do not exist")
    elif place in PLACES:
        asked.watermark_place = Position(PLACES[place], x, y)
    else:
        raise refuse(name, "a position of " + ", ".join(PLACES) + ", re")
    asked.watermark_scale = decimal(name, given(arguments, 4) or "0", 0)


def watermark_source(asked: Asked, name: str, arguments: Arguments) -> None:
    text = one(name, arguments)
    asked.watermark_source = base64_text(name, text) if text else None


def watermark_text(asked: Asked, name: str, arguments: Arguments) -> None:
    text = base64_text(name, one(name, arguments)) if one(name, arguments) else None
    if text is not None and ("<" in text or "&" in text):
        raise unsupported(name, "plain text, as no Pango markup is read")
    asked.watermark_text = text
