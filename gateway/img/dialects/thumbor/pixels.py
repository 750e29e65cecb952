"""Reads thumbor's and imagor's filters about colours and effects."""

from __future__ import annotations

from decimal import Decimal

from gateway.img.dialects.arguments import decimal, switch, unsupported, written
from gateway.img.dialects.thumbor.arguments import Arguments, few, given, none, one
from gateway.img.dialects.thumbor.asked import Filters


def blur(filters: Filters, name: str, arguments: Arguments) -> None:
    few(name, arguments, 1, 2)
    sigma = decimal(name, given(arguments, 1) or arguments[0], 0)
    _add(filters, "blur", sigma / 2 if filters.dialect == "imagor" else sigma)


def brightness(filters: Filters, name: str, arguments: Arguments) -> None:
    _add(filters, "brightness", _percent(name, one(name, arguments)))


def contrast(filters: Filters, name: str, arguments: Arguments) -> None:
    amount = _percent(name, one(name, arguments))
    if filters.dialect == "thumbor":
        slope = (1 + amount / 100) ** 2
    else:
        of_255 = amount * 255 / 100
        slope = 259 * (of_255 + 255) / (255 * (259 - of_255))
    if slope > 2:
        raise unsupported(name, "at most " + ("41" if filters.dialect == "thumbor" else "33"))
    _add(filters, "contrast", (slope - 1) * 100)


def grayscale(filters: Filters, name: str, arguments: Arguments) -> None:
    none(name, arguments)
    filters.pixels.append(("gray", "1"))


def hue(filters: Filters, name: str, arguments: Arguments) -> None:
    _add(filters, "hue", decimal(name, one(name, arguments)) % 360)


def saturation(filters: Filters, name: str, arguments: Arguments) -> None:
    _add(filters, "saturation", _percent(name, one(name, arguments)))


def sharpen(filters: Filters, name: str, arguments: Arguments) -> None:
    if filters.dialect == "imagor":
        few(name, arguments, 1, 3)
        amount = decimal(name, arguments[0] if len(arguments) == 1 else arguments[1], 0)
        _add(filters, "sharpen", 1 + 2 * amount)
        return
    few(name, arguments, 3, 3)
    switch(name, arguments[2].lower())
    if decimal(name, arguments[0], 0):
        _add(filters, "sharpen", decimal(name, arguments[1], 0))


def _add(filters: Filters, option: str, value: Decimal) -> None:
    if value:
        filters.pixels.append((option, written(value)))


def _percent(name: str, text: str) -> Decimal:
    return decimal(name, text, -100, 100)
