"""Reads thumbor's and imagor's filters about size, cut, position and background."""

from __future__ import annotations

from gateway.img.dialects.arguments import decimal, named_colour, refuse, switch, unsupported, whole
from gateway.img.dialects.thumbor.arguments import Arguments, few, given, none, one
from gateway.img.dialects.thumbor.asked import Filters


def background_color(filters: Filters, name: str, arguments: Arguments) -> None:
    _ground(filters, name, one(name, arguments))


def _ground(filters: Filters, name: str, text: str) -> None:
    if text.lower() == "auto":
        raise unsupported(name, "a colour or blur, as none is chosen from the picture")
    if text.lower() in ("none", "transparent"):
        colour = "transparent"
    else:
        colour = "blur" if text.lower() == "blur" and name == "fill" else named_colour(name, text)
    if filters.background not in (None, colour):
        raise refuse(name, "one background for the whole picture")
    filters.background = colour


def fill(filters: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 1, 2)
    if given(arguments, 1):
        switch(name, arguments[1])
    _ground(filters, name, arguments[0])
    filters.fill = True


def focal(filters: Filters, name: str, arguments: Arguments) -> None:
    numbers = [part for argument in arguments for part in argument.replace(":", "x").split("x")]
    if len(numbers) not in (2, 4):
        raise refuse(name, "left x top : right x bottom" + (", or x,y" if filters.dialect == "imagor" else ""))
    sides = [decimal(name, number, 0) for number in numbers]
    left, top, right, bottom = sides if len(sides) == 4 else (*sides, *sides)
    if right < left or bottom < top:
        raise refuse(name, "its right bottom corner beyond its left top one")
    filters.focal = ((left + right) / 2, (top + bottom) / 2)


def no_upscale(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.upscale = False


def orient(filters: Filters, name: str, arguments: Arguments) -> None:
    filters.orient = _quarters(name, arguments)


def _quarters(name: str, arguments: Arguments) -> int:
    """Degrees clockwise; both programs turn the other way round."""
    angle = whole(name, one(name, arguments), -999_999_999)
    if angle % 90:
        raise unsupported(name, "a multiple of 90")
    return -angle % 360


def padding(filters: Filters, name: str, arguments: Arguments) -> None:
    if len(arguments) not in (2, 3, 5):
        raise refuse(name, "color,left[,top[,right,bottom]]")
    left = whole(name, arguments[1])
    top = whole(name, given(arguments, 2) or str(left))
    right, bottom = (whole(name, side) for side in (given(arguments, 3) or str(left), given(arguments, 4) or str(top)))
    _ground(filters, name, arguments[0])
    filters.padding = (top, right, bottom, left)


def proportion(filters: Filters, name: str, arguments: Arguments) -> None:
    share = decimal(name, one(name, arguments), 0, 100)
    if filters.dialect == "imagor" and share > 1:
        share /= 100
    if not 0 < share <= 1:
        raise refuse(name, "a number above 0 and up to 1")
    filters.proportion = share


def rotate(filters: Filters, name: str, arguments: Arguments) -> None:
    filters.rotate = _quarters(name, arguments)


def round_corner(filters: Filters, name: str, arguments: Arguments) -> None:
    if filters.dialect == "imagor":
        few(name, arguments, 1, 3)
        across, down, colour = arguments[0], given(arguments, 1) or arguments[0], given(arguments, 2)
    else:
        few(name, arguments, 1, 5)
        across, _, down = arguments[0].partition("|")
        down = down or across
        if len(arguments) not in (1, 4, 5):
            raise refuse(name, "radius,red,green,blue[,transparent]")
        rgb = arguments[1:4]
        colour = bytes(whole(name, part, 0, 255) for part in rgb).hex() if rgb else ""
        if given(arguments, 4) and switch(name, arguments[4]):
            colour = ""
    if across != down:
        raise unsupported(name, "one radius for both axes")
    filters.radius = whole(name, across)
    if colour:
        _ground(filters, name, colour)


def stretch(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.stretch = True


def upscale(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.upscale = True
