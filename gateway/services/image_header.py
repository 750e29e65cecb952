"""The header of an image that is streaming by: what it is and how large, without decoding and without keeping it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection

from gateway.blobs.port import Bytes
from transforms.errors import NotAnImage, TooLarge, UnsupportedFormat
from transforms.formats import Format
from transforms.headers import Header, Source, read_header
from transforms.sniff import HEAD_BYTES, sniff

KEPT_BYTES = 1024 * 1024
"""What is kept at most until the header is found: of a JPEG, whose profiles stand before it, this is plenty."""
FIRST_TRY_BYTES = 16 * 1024
WINDOW_BYTES = 64 * 1024
MAX_FETCHES = 256
"""Pieces of what is stored that one header may cost."""

Fetch = Callable[[int, int], Awaitable[bytes]]
"""Gives `length` bytes from `offset` of what is stored, fewer at the end."""


class _Beyond(Exception):
    def __init__(self, offset: int, length: int) -> None:
        super().__init__()
        self.offset = offset
        self.length = length


class HeaderWatch:
    """Raises NotAnImage, UnsupportedFormat, TooLarge (more than `max_pixels`), DecodeFailed: as soon as that is clear."""

    def __init__(self, formats: Collection[str], max_pixels: int) -> None:
        """`formats` are the names of those that are taken."""
        self._formats = formats
        self._max_pixels = max_pixels
        self._kept = bytearray()
        self._whole = True
        self._try_at = FIRST_TRY_BYTES
        self._format: Format | None = None
        self.header: Header | None = None

    def feed(self, piece: Bytes) -> None:
        """The next bytes."""
        if self.header is not None:
            return
        room = KEPT_BYTES - len(self._kept)
        if len(piece) > room:
            self._whole = False
        self._kept += piece[:room]
        if self._format is None and len(self._kept) >= HEAD_BYTES:
            self._sniff()
        if len(self._kept) >= self._try_at:
            self._try_at = 2 * len(self._kept)
            # Its size is not known yet: whatever lies behind what is there is looked at later.
            with contextlib.suppress(_Beyond):
                self._read(self._kept, size=1 << 62)

    async def finish(self, size: int, fetch: Fetch | None = None) -> Header:
        """The header, now that the image is whole, `size` bytes. `fetch` is asked for what was not kept."""
        if self.header is not None:
            return self.header
        if self._format is None:
            self._sniff()
        fetched: dict[int, bytes] = {}
        for _ in range(MAX_FETCHES):
            try:
                return self._read(self._kept, size, fetched)
            except _Beyond as beyond:
                if fetch is None:
                    raise NotAnImage("The image's header goes on for too long.") from None
                fetched[beyond.offset] = await fetch(beyond.offset, max(WINDOW_BYTES, beyond.length))
        raise NotAnImage("The image's header is too long.")

    def _sniff(self) -> None:
        kind = sniff(bytes(self._kept[:HEAD_BYTES]))
        if kind is None:
            raise NotAnImage
        if kind.name not in self._formats:
            raise UnsupportedFormat(kind.name)
        self._format = kind

    def _read(self, kept: bytearray, size: int, fetched: dict[int, bytes] | None = None) -> Header:
        there = len(kept)

        def read(offset: int, length: int) -> bytes:
            if offset + length <= there:
                return bytes(kept[offset : offset + length])
            for start, data in (fetched or {}).items():
                if start <= offset and (offset + length <= start + len(data) or start + len(data) >= size):
                    return data[offset - start : offset - start + length]
            raise _Beyond(offset, length)

        header = read_header(Source(read, size))
        if header.pixels > self._max_pixels:
            raise TooLarge("upload_max_megapixels", header.pixels, self._max_pixels)
        self.header = header
        self._kept = bytearray()
        return header
