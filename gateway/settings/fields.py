"""What groups of settings are made of, and kinds of values that several settings take."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class SettingsGroup(BaseModel):
    """Settings that belong together. Their validators are built when they are first used: only those of all groups are."""

    model_config = ConfigDict(defer_build=True)


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(value: object) -> object:
    """`20 MB`, `1.5GiB`, `4096`: bytes. KB is 1,000 bytes, KiB 1,024. Raises ValueError for anything else in a string."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("is not a size such as 500MB, 1GiB or 4096")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWER[unit.lower()])


def split_commas(value: object) -> object:
    """`a, b` as a tuple; what is no string as it is."""
    if isinstance(value, str):
        return tuple(piece.strip() for piece in value.split(",") if piece.strip())
    return value


def parse_object_name(value: object) -> object:
    """`bucket/key` as it is. Raises ValueError for another string."""
    if isinstance(value, str) and not all(value.partition("/")):
        raise ValueError("is not bucket/key")
    return value


PARSES_SIZE = BeforeValidator(parse_size)
Size = Annotated[int, PARSES_SIZE, Field(ge=0)]
"""Bytes."""
CENTURY = 100 * 365 * 86_400
"""In seconds."""
Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
"""Several, separated by commas."""


def secret(description: str) -> Any:
    """A field that is never shown; None where it is not set."""
    return Field(default=None, repr=False, description=description, json_schema_extra={"secret": True})


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0))
