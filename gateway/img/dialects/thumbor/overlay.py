"""Reads thumbor's and imagor's filters about watermark and text."""

from __future__ import annotations

from decimal import Decimal

from gateway.img.dialects.arguments import (
    base64_text,
    decimal,
    named_colour,
    refuse,
    unescaped_text,
    unsupported,
    whole,
    with_alpha,
    written,
)
from gateway.img.dialects.thumbor.arguments import Arguments, few, given
from gateway.img.dialects.thumbor.asked import Filters, Label, Watermark

Offset = tuple[str, Decimal]
"""Along one axis: the edge (`n`, `s`, `w`, `e`, or nothing for the middle) and how far from it."""
_EDGES = {"left": "w", "l": "w", "right": "e", "r": "e", "top": "n", "t": "n", "bottom": "s", "b": "s", "center": ""}


def label(filters: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 1, 7)
    _write(
        filters,
        name,
        arguments,
        size=given(arguments, 3) or "20",
        font=_spoken(name, given(arguments, 6)),
    )


def text(filters: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 1, 13)
    if any(argument not in ("", "0", "normal", "none", "low", "left") for argument in arguments[6:]):
        raise unsupported(name, "text, x, y, font, color and alpha, and nothing behind them")
    family, size = _font(_spoken(name, given(arguments, 3)))
    _write(filters, name, arguments, size=size, font=family)


def _write(filters: Filters, name: str, arguments: Arguments, *, size: str, font: str) -> None:
    if filters.label is not None:
        raise refuse(name, "one text", "is repeated")
    opacity = 1 - decimal(name, given(arguments, 5) or "0", 0, 100) / 100
    filters.label = Label(
        text=_spoken(name, arguments[0]),
        place=_placed(
            _along(name, given(arguments, 1) or "0", across=True),
            _along(name, given(arguments, 2) or "0", across=False),
        ),
        size=whole(name, size, 4, 2000),
        colour=with_alpha(named_colour(name, given(arguments, 4) or "black"), opacity),
        font=font or None,
    )


def _font(description: str) -> tuple[str, str]:
    """Family and size of a Pango description whose spaces are hyphens: `sans-bold-24`."""
    family, _, size = description.replace("-", " ").rpartition(" ")
    return (family, size) if size.isascii() and size.isdigit() else (description.replace("-", " "), "20")


def _spoken(name: str, text: str) -> str:
    if text.startswith("b64:"):
        return base64_text(name, text[4:])
    return unescaped_text(name, text.replace("+", " "))


def watermark(filters: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 1, 6)
    source, x, y = arguments[0], given(arguments, 1) or "0", given(arguments, 2) or "0"
    if "repeat" in (x, y):
        if x != y:
            raise unsupported(name, "tiles in both directions, or none")
        place = "repeat"
    else:
        place = _placed(_along(name, x, across=True), _along(name, y, across=False))
    width, height = (None if text in ("", "none") else text for text in (given(arguments, 4), given(arguments, 5)))
    if height is not None:
        raise unsupported(name, "a size by its width")
    filters.watermark = Watermark(
        source=base64_text(name, source[4:]) if source.startswith("b64:") else unescaped_text(name, source),
        place=place,
        opacity=1 - decimal(name, given(arguments, 3) or "0", 0, 100) / 100,
        scale=None if width is None else decimal(name, width, 0, 100) / 100,
    )


def _along(name: str, text: str, *, across: bool) -> Offset:
    """Where something stands along one axis."""
    near, far = ("w", "e") if across else ("n", "s")
    if text in _EDGES:
        edge = _EDGES[text]
        if edge and edge not in (near, far):
            raise refuse(name, "left, right or center, and top, bottom or center")
        return edge, Decimal(0)
    edge = far if text.startswith("-") else near
    bare = text.removeprefix("-")
    if bare.endswith("p"):
        value = decimal(name, bare[:-1], 0, 100) / 100
        if value == 1:
            raise unsupported(name, "percentages under 100")
        return edge, value
    value = decimal(name, bare, 0)
    if value != value.to_integral_value() and value > 1:
        raise refuse(name, "whole pixels, a percentage with p, or a fraction under 1")
    return edge, value


def _placed(across: Offset, down: Offset) -> str:
    place = (down[0] + across[0]) or "c"
    x, y = across[1], down[1]
    return f"{place}:{written(x)}:{written(y)}" if x or y else place
