"""Reads imgproxy's options about size, cut and position."""

from __future__ import annotations

from decimal import Decimal

from gateway.img.dialects.arguments import decimal, hex_colour, refuse, switch, unsupported, whole
from gateway.img.dialects.imgproxy.arguments import Arguments, few, given, one, position
from gateway.img.dialects.imgproxy.asked import Asked

RESIZING_TYPES = ("fit", "fill", "fill-down", "force", "auto")


def resize(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 8)
    if arguments[0]:
        resizing_type(asked, name, arguments[:1])
    if len(arguments) > 1:
        size(asked, name, arguments[1:])


def size(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 7)
    if arguments[0]:
        width(asked, name, arguments[:1])
    if given(arguments, 1):
        height(asked, name, arguments[1:2])
    if given(arguments, 2):
        enlarge(asked, name, arguments[2:3])
    if given(arguments, 3):
        extend(asked, name, arguments[3:])


def resizing_type(asked: Asked, name: str, arguments: Arguments) -> None:
    if one(name, arguments) not in RESIZING_TYPES:
        raise refuse(name, "one of " + ", ".join(RESIZING_TYPES))
    asked.resizing_type = arguments[0]


def width(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.width = whole(name, one(name, arguments))


def height(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.height = whole(name, one(name, arguments))


def min_width(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.min_width = whole(name, one(name, arguments))


def min_height(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.min_height = whole(name, one(name, arguments))


def zoom(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 2)
    across = _positive(name, arguments[0])
    asked.zoom = (across, _positive(name, arguments[1]) if len(arguments) > 1 else across)


def dpr(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.dpr = _positive(name, one(name, arguments))


def _positive(name: str, text: str) -> Decimal:
    value = decimal(name, text, 0, 1000)
    if not value:
        raise refuse(name, "a number above 0")
    return value


def enlarge(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.enlarge = switch(name, one(name, arguments))


def extend(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 4)
    asked.extend = switch(name, arguments[0])
    if given(arguments, 1):
        asked.extend_gravity = position(name, arguments[1:], smart=False)


def extend_ratio(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 4)
    asked.extend_ratio = switch(name, arguments[0])
    if given(arguments, 1):
        asked.extend_ratio_gravity = position(name, arguments[1:], smart=False)


def gravity(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.gravity = position(name, arguments, smart=True)


def crop(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.crop = (decimal(name, arguments[0], 0), decimal(name, given(arguments, 1) or "0", 0))
    asked.crop_gravity = position(name, arguments[2:], smart=True) if given(arguments, 2) else None


def trim(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 4)
    if any(text and switch(name, text) for text in arguments[2:]):
        raise unsupported(name, "trim without equal parts cut from both sides")
    asked.trim = decimal(name, arguments[0], 0) if arguments[0] else None
    colour = given(arguments, 1)
    asked.trim_colour = hex_colour(name, colour) if colour else None


def padding(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 4)
    if not any(arguments):
        raise refuse(name, "at least one side")
    top = whole(name, arguments[0] or "0")
    right = whole(name, given(arguments, 1) or str(top))
    bottom = whole(name, given(arguments, 2) or str(top))
    asked.padding = (top, right, bottom, whole(name, given(arguments, 3) or str(right)))


def auto_rotate(_: Asked, name: str, arguments: Arguments) -> None:
    if not switch(name, one(name, arguments)):
        raise unsupported(name, "auto_rotate:1, as pictures are always shown upright")


def rotate(asked: Asked, name: str, arguments: Arguments) -> None:
    angle = whole(name, one(name, arguments), -999_999_999)
    if angle % 90:
        raise refuse(name, "a multiple of 90")
    asked.rotate = angle % 360


def flip(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 2)
    across = bool(arguments[0]) and switch(name, arguments[0])
    down = bool(given(arguments, 1)) and switch(name, arguments[1])
    asked.flip = ("h" if across else "") + ("v" if down else "")
