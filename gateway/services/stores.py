"""The stores by name: where new blobs go, and reading what is stored, wherever it lies."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial

from gateway.blobs.adopted import is_adopted
from gateway.blobs.encryption.chunks import Opener, covering
from gateway.blobs.encryption.reading import SealedReader
from gateway.blobs.port import BlobReader, Bytes, Store
from gateway.errors import BlobDamaged, StoreUnavailable
from gateway.model.buckets import Bucket
from gateway.model.contents import Segment
from gateway.services.keyring import Keyring
from gateway.services.lease import Lease

log = logging.getLogger("pixgate.stores")

SMALL_SECONDS = 4.6
"""What a small blob may take to arrive, tries included."""


class Stores:
    """`memory_bytes` is what small blobs of remote stores may take in this process's memory: they never change."""

    def __init__(
        self, stores: Sequence[Store], default: str, lease: Lease, keyring: Keyring, *, memory_bytes: int = 0
    ) -> None:
        self.keyring = keyring
        self._stores = {store.name: store for store in stores}
        self._told: set[str] = set()
        self._default = self._stores[default]
        self._lease = lease
        self._memory = _Memory(memory_bytes)

    def __iter__(self) -> Iterator[Store]:
        return iter(self._stores.values())

    @property
    def default(self) -> Store:
        return self._default

    def named(self, name: str) -> Store:
        """Raises StoreUnavailable where the settings have no such store."""
        store = self._stores.get(name)
        if store is None:
            if name not in self._told:
                self._told.add(name)
                log.error(
                    "rows name the store %r, which this node's settings do not: nothing in it can be read here", name
                )
            raise StoreUnavailable(f"The store {name!r} is not configured.")
        return store

    def placing(self, bucket: Bucket) -> Store:
        """Where new blobs of a bucket go. Raises StoreUnavailable."""
        return self._default if bucket.store is None else self.named(bucket.store)

    def begin_read(self) -> int:
        """Say that a read begins that may last, of versions looked up just now; `end_read` takes the ticket back."""
        return self._lease.begin_read()

    def end_read(self, ticket: int) -> None:
        self._lease.end_read(ticket)

    async def open(self, segment: Segment) -> BlobReader:
        """Open a segment for reading; the caller closes it. Raises StoreUnavailable, AdoptedChanged.

        Of an encrypted one the reader gives the plaintext: it has no file, and may raise BlobDamaged.
        """
        store = self._stores.get(segment.store)
        if store is None:
            store = self.named(segment.store)
        sealed = segment.sealed
        if sealed is None:
            return await store.open(segment)
        key = await self.keyring.open(sealed)
        what = covering(sealed.length, segment.offset - sealed.base, segment.length)
        reader = await store.open(Segment(segment.store, segment.name, sealed.base + what.offset, 0, what.length))
        return SealedReader(
            reader, Opener(key, sealed.length, what, segment.length), segment.length, damaged=partial(_log, segment)
        )

    async def read(self, segments: Sequence[Segment]) -> bytes:
        """All bytes of a few small segments. Raises StoreUnavailable, AdoptedChanged."""
        return b"".join([await self.read_one(segment) for segment in segments])

    async def read_one(self, segment: Segment) -> bytes | bytearray:
        """All bytes of a small segment. Raises StoreUnavailable, AdoptedChanged."""
        remembered = self._memory.get(segment)
        if remembered is not None:
            return remembered
        if self.named(segment.store).kind == "folder":
            return await self._read_one(segment)
        try:
            # Whoever reads a small one whole has said nothing to the client yet.
            async with asyncio.timeout(SMALL_SECONDS):
                return await self._read_one(segment)
        except TimeoutError:
            raise StoreUnavailable("The store does not answer.") from None

    async def _read_one(self, segment: Segment) -> bytes | bytearray:
        reader = await self.open(segment)
        try:
            first = await reader.read()
            if len(first) < segment.length:
                first = await _rest(first, reader)
        finally:
            reader.close()
        if len(first) != segment.length:
            raise StoreUnavailable("The store holds fewer bytes than it should.")
        data = bytes(first) if isinstance(first, memoryview) else first
        if reader.fd is None and (segment.sealed is None or segment.sealed.customer_key is None):
            self._memory.put(segment, bytes(data))
        return data


def _log(segment: Segment, error: BlobDamaged) -> None:
    log.error("store %s, blob %s at %s: %s", segment.store, segment.name, segment.offset, error)


async def _rest(first: Bytes, reader: BlobReader) -> bytes:
    pieces = [first]
    while piece := await reader.read():
        pieces.append(piece)
    return b"".join(pieces)


class _Memory:
    """Small blobs by their place, the least recently read thrown out first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._blobs: OrderedDict[tuple[str, str, int, int], bytes] = OrderedDict()

    def get(self, segment: Segment) -> bytes | None:
        if not self._blobs:
            return None
        place = (segment.store, segment.name, segment.offset, segment.length)
        found = self._blobs.get(place)
        if found is not None:
            self._blobs.move_to_end(place)
        return found

    def put(self, segment: Segment, data: bytes) -> None:
        if len(data) > self._limit // 16 or is_adopted(segment.name):
            return
        place = (segment.store, segment.name, segment.offset, segment.length)
        if place not in self._blobs:
            self._blobs[place] = data
            self._size += len(data) + OVERHEAD
            while self._size > self._limit:
                _, dropped = self._blobs.popitem(last=False)
                self._size -= len(dropped) + OVERHEAD


OVERHEAD = 400
"""Bytes that an entry takes besides its data."""
