"""Reads imgproxy's options about colours and effects."""

from __future__ import annotations

from decimal import Decimal

from gateway.img.dialects.arguments import decimal, hex_colour, refuse, unsupported, whole
from gateway.img.dialects.imgproxy.arguments import Arguments, few, given, one
from gateway.img.dialects.imgproxy.asked import Asked


def background(asked: Asked, name: str, arguments: Arguments) -> None:
    if len(arguments) == 3:
        asked.background = bytes(whole(name, part, 0, 255) for part in arguments).hex()
    elif len(arguments) == 1:
        asked.background = hex_colour(name, arguments[0]) if arguments[0] else None
    else:
        raise refuse(name, "a colour as rrggbb, or as R:G:B")


def background_alpha(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.background_alpha = decimal(name, one(name, arguments), 0, 1)


def adjust(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 3)
    for read, text in zip((brightness, contrast, saturation), arguments, strict=False):
        if text:
            read(asked, name, (text,))


def brightness(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.brightness = Decimal(whole(name, one(name, arguments), -255, 255))


def contrast(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.contrast = _factor(name, arguments)


def saturation(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.saturation = _factor(name, arguments)


def _factor(name: str, arguments: Arguments) -> Decimal:
    value = decimal(name, one(name, arguments), 0)
    if value > 2:
        raise unsupported(name, "a factor up to 2")
    return value


def monochrome(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 2)
    colour = given(arguments, 1)
    asked.monochrome = (decimal(name, arguments[0], 0, 1), hex_colour(name, colour) if colour else "b3b3b3")


def duotone(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 3)
    intensity = decimal(name, arguments[0], 0, 1)
    if intensity not in (0, 1):
        raise unsupported(name, "an intensity of 0 or 1")
    dark, light = given(arguments, 1) or "000000", given(arguments, 2) or "ffffff"
    asked.duotone = (intensity, hex_colour(name, dark), hex_colour(name, light))


def blur(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.blur = decimal(name, one(name, arguments), 0)


def sharpen(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.sharpen = decimal(name, one(name, arguments), 0)


def pixelate(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.pixelate = whole(name, one(name, arguments))
