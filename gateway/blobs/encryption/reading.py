"""Reading a sealed blob: the reader of its store, and the chunks opened on the way."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.blobs.encryption.chunks import Opener
from gateway.blobs.port import BlobReader, Bytes
from gateway.errors import BlobDamaged, StoreUnavailable

ON_LOOP_BYTES = 256 * 1024
"""More than this is opened in a thread: on the event loop it would hold up everybody for longer than 0.1 ms."""


class _Damage(Protocol):
    def __call__(self, error: BlobDamaged) -> None: ...


class SealedReader:
    """A run of plaintext, `length` bytes, out of the chunks that `reader` reads. Closes it."""

    fd: int | None = None
    offset = 0

    def __init__(self, reader: BlobReader, opener: Opener, length: int, *, damaged: _Damage) -> None:
        """`damaged` is told where the stored bytes are not those that were written."""
        self.length = length
        self._reader = reader
        self._opener = opener
        self._left = length
        self._damaged = damaged

    async def read(self) -> Bytes:
        """The next piece, at most a mebibyte; empty at the end. Raises StoreUnavailable, BlobDamaged."""
        while self._left:
            piece = await self._reader.read()
            if not piece:
                raise StoreUnavailable("The store holds fewer bytes than it should.")
            try:
                if len(piece) > ON_LOOP_BYTES:
                    plain = await asyncio.to_thread(self._opener.open, (piece,))
                else:
                    plain = self._opener.open((piece,))
            except BlobDamaged as error:
                self._damaged(error)
                raise
            if plain:
                self._left -= len(plain)
                return plain
        return b""

    def close(self) -> None:
        self._reader.close()
