"""Bounded random access to an image's bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from transforms.errors import DecodeFailed

MAX_READS = 4096
"""Reads that one header may cost; a JPEG with a large colour profile needs some fifty."""
MAX_READ = 4096
"""Bytes of one read."""
WINDOW_BYTES = 65_536
"""Bytes of one window: what is scanned rather than hopped over."""
MAX_COUNTED = 2_001
"""Frames or pages are counted up to here."""


class Size(NamedTuple):
    """What a header says: see `transforms.headers.Header`, which has the same fields."""

    width: int
    height: int
    animated: bool = False
    frames: int = 1
    alpha: bool | None = None
    orientation: int = 1


class Source:
    """Reads small pieces of an image through `read(offset, length)`, which may give less at the end."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read = read
        self._reads_left = MAX_READS
        self.size = size

    @classmethod
    def of_bytes(cls, data: bytes | memoryview) -> Source:
        """A source over bytes in memory."""
        return cls(lambda offset, length: bytes(data[offset : offset + length]), len(data))

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes. Raises DecodeFailed beyond the end, or when the header takes too many reads."""
        self._reads_left -= 1
        if self._reads_left < 0 or length > MAX_READ:
            raise DecodeFailed("The image's header is too long.")
        data = self._read(offset, length) if offset >= 0 and offset + length <= self.size else b""
        if len(data) != length:
            raise DecodeFailed("The image is truncated in its header.")
        return data

    def window(self, offset: int) -> bytes:
        """Up to WINDOW_BYTES from `offset`, fewer at the end of the image. Counts as one read."""
        self._reads_left -= 1
        if self._reads_left < 0:
            raise DecodeFailed("The image's header is too long.")
        return self._read(offset, max(0, min(WINDOW_BYTES, self.size - offset))) if offset < self.size else b""

    def big(self, offset: int, length: int) -> int:
        """An unsigned big-endian integer."""
        return int.from_bytes(self.read(offset, length), "big")

    def little(self, offset: int, length: int) -> int:
        """An unsigned little-endian integer."""
        return int.from_bytes(self.read(offset, length), "little")
