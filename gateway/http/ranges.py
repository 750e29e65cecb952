"""The Range header, as far as S3 has it: one range, in bytes (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SINGLE = re.compile(r"bytes\s*=\s*(\d{0,1000})\s*-\s*(\d{0,1000})\s*", re.IGNORECASE | re.ASCII)


class RangeNotSatisfiable(Exception):
    """The range lies outside the `size` bytes that there are."""

    def __init__(self, size: int) -> None:
        super().__init__("The requested range is not satisfiable")
        self.size = size


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included. `last` None: to the end. `first` None: the last `last` bytes."""

    first: int | None
    last: int | None

    def resolve(self, size: int) -> tuple[int, int]:
        """(start, length) within `size` bytes; what is beyond the end is cut off. Raises RangeNotSatisfiable."""
        if self.first is None:
            length = min(self.last or 0, size)
            if length == 0:
                raise RangeNotSatisfiable(size)
            return size - length, length
        if self.first >= size:
            raise RangeNotSatisfiable(size)
        last = size - 1 if self.last is None else min(self.last, size - 1)
        return self.first, last - self.first + 1


def parse_range(text: str) -> ByteRange | None:
    """The range asked for. None where the header is to be ignored: another unit, several ranges, or not a range.

    S3 answers requests for several ranges with the whole object, which RFC 9110, section 14.2, allows.
    """
    match = _SINGLE.fullmatch(text.strip())
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        return ByteRange(None, int(last))
    if not last:
        return ByteRange(int(first), None)
    if int(first) > int(last):
        return None
    return ByteRange(int(first), int(last))


def content_range(start: int, length: int, size: int) -> str:
    """The value of Content-Range for `length` bytes at `start`."""
    return f"bytes {start}-{start + length - 1}/{size}"
