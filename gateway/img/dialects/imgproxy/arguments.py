"""The arguments of one option: how many there are, and the places of imgproxy's compass."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.img.dialects.arguments import decimal, refuse, unsupported
from gateway.img.dialects.imgproxy.asked import Position

Arguments = Sequence[str]
PLACES = {
    "no": "n", "so": "s", "ea": "e", "we": "w", "noea": "ne", "nowe": "nw", "soea": "se", "sowe": "sw", "ce": "c",
}  # fmt: skip
"""Its compass, in ours."""


def few(name: str, arguments: Arguments, most: int) -> None:
    if len(arguments) > most:
        raise refuse(name, f"at most {most} arguments" if most > 1 else "one argument")


def one(name: str, arguments: Arguments) -> str:
    few(name, arguments, 1)
    return arguments[0]


def given(arguments: Arguments, index: int) -> str:
    """An argument, empty where it is left out."""
    return arguments[index] if index < len(arguments) else ""


def position(name: str, arguments: Arguments, *, smart: bool) -> Position:
    kind, *offsets = arguments
    if smart and kind == "sm":
        few(name, offsets, 0)
        return Position("smart")
    if smart and kind in ("obj", "objw"):
        classes = offsets[::2] if kind == "objw" else offsets
        if classes != ["face"]:
            raise unsupported(name, "objects other than a face; sm looks for what draws the eye")
        return Position("face")
    if kind == "fp":
        if len(offsets) != 2:
            raise refuse(name, "fp:x:y with two numbers from 0 to 1")
        return Position("fp", decimal(name, offsets[0], 0, 1), decimal(name, offsets[1], 0, 1))
    if kind not in PLACES:
        raise refuse(name, "one of " + ", ".join(PLACES) + (", sm, obj:face" if smart else "") + ", fp:x:y")
    few(name, offsets, 2)
    x, y = (decimal(name, given(offsets, index) or "0") for index in (0, 1))
    return Position(PLACES[kind], x, y)
