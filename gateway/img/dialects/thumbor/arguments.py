"""The arguments of one filter: how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.img.dialects.arguments import refuse

Arguments = Sequence[str]


def few(name: str, arguments: Arguments, least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise refuse(name, f"{least} to {most} arguments" if least < most else f"{least} arguments")


def one(name: str, arguments: Arguments) -> str:
    few(name, arguments, 1, 1)
    return arguments[0]


def none(name: str, arguments: Arguments) -> None:
    if arguments and tuple(arguments) != ("",):
        raise refuse(name, "no arguments")


def given(arguments: Arguments, index: int) -> str:
    return arguments[index] if index < len(arguments) else ""
