"""Lists of values in SQL: `IN (?, ?, ?, ?)`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 512
"""Values in one statement at most."""


def batches(values: Sequence[T]) -> Iterator[tuple[str, tuple[T, ...]]]:
    """Question marks and values for one statement each.

    Lengths are powers of two, the last value repeated, so that an engine that prepares statements sees few of them.
    """
    for start in range(0, len(values), AT_ONCE):
        batch = tuple(values[start : start + AT_ONCE])
        length = 1 << (len(batch) - 1).bit_length()
        yield ", ".join("?" * length), batch + batch[-1:] * (length - len(batch))
