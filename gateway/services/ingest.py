"""From a request's body to a blob: digests, checks, and the bytes where they belong.

Small bodies are gathered and appended to the pack. Larger ones go to a file of their own, in pieces of about a
mebibyte: while one is hashed and written in threads, the next is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.blobs.port import PACKED_BYTES, Bytes, Placed, Store
from gateway.errors import ChecksumMismatch, LengthMismatch, Md5Mismatch, Sha256Mismatch
from gateway.metadata.contents import NewBlob
from gateway.metadata.port import Durable
from gateway.model import Checksum, ChecksumAlgorithm, ChecksumType, Expectations, Segment
from gateway.services import checksums
from gateway.services.body import Body
from gateway.services.stores import Stores

PIECE_BYTES = 1024 * 1024
SNIFF_BYTES = 64


@dataclass(frozen=True, slots=True)
class Ingested:
    """A body that was what it was said to be. `blob` is None where it was empty; `first` holds its first bytes."""

    size: int
    md5: str
    checksum: Checksum | None
    blob: NewBlob | None
    durable: Durable | None
    first: bytes


class Digests:
    """Everything that has to be known of a body, computed in one pass."""

    def __init__(self, expect: Expectations, keep: ChecksumAlgorithm | None = None) -> None:
        """`keep` names a checksum to store in place of the one that the client sent to be checked against."""
        self.expect = expect
        self._keep = None
        self._kept = keep
        if keep is not None and keep is not expect.checksum_algorithm:
            self._keep = checksums.new_hasher(keep)
        self._md5 = checksums.new_md5()
        self._algorithm = expect.checksum_algorithm
        self._sha256 = None
        if expect.sha256 is not None:
            self._sha256 = checksums.new_hasher(ChecksumAlgorithm.SHA256)
        self._checksum = None
        if self._algorithm is not None and not (self._algorithm is ChecksumAlgorithm.SHA256 and self._sha256):
            self._checksum = checksums.new_hasher(self._algorithm)

    def update(self, piece: Bytes) -> None:
        self._md5.update(piece)
        if self._checksum is not None:
            self._checksum.update(piece)
        if self._sha256 is not None:
            self._sha256.update(piece)
        if self._keep is not None:
            self._keep.update(piece)

    def verify(self, body: Body) -> tuple[str, Checksum | None]:
        """The MD5 in hex and the checksum. Raises Md5Mismatch, Sha256Mismatch, ChecksumMismatch."""
        expect = self.expect
        md5 = self._md5.digest()
        if expect.md5 is not None and expect.md5 != md5:
            raise Md5Mismatch("The Content-MD5 you specified did not match what we received.")
        sha256 = None if self._sha256 is None else self._sha256.digest()
        if sha256 != expect.sha256:
            raise Sha256Mismatch("The provided 'x-amz-content-sha256' header does not match what was computed.")
        checked = self._check_checksum(sha256, body)
        if self._keep is not None and self._kept is not None:
            checked = Checksum(self._kept, ChecksumType.FULL_OBJECT, checksums.encode(self._keep.digest()))
        return md5.hex(), checked

    def _check_checksum(self, sha256: bytes | None, body: Body) -> Checksum | None:
        expect = self.expect
        algorithm = self._algorithm
        if algorithm is None:
            return None
        digest = sha256 if self._checksum is None else self._checksum.digest()
        assert digest is not None
        value = checksums.encode(digest)
        if expect.checksum_value is not None and expect.checksum_value != digest:
            raise ChecksumMismatch(algorithm.value)
        if expect.checksum_in_trailer and body.trailer(algorithm.header) != value:
            raise ChecksumMismatch(algorithm.value)
        return Checksum(algorithm, ChecksumType.FULL_OBJECT, value)


async def ingest(
    store: Store,
    executor: ThreadPoolExecutor,
    expect: Expectations,
    body: Body,
    *,
    keep: ChecksumAlgorithm | None = None,
) -> Ingested:
    """Take a body into `store`; the checksum `keep`, where named, is the one to be stored.

    Raises BodyMismatch facts, StoreUnavailable, DiskFull, and what reading the body raises.
    On any failure what was written stays: no row names it, and the sweep of this process's lease removes it.
    """
    store.check_room()
    digests = Digests(expect, keep)
    if expect.length <= PACKED_BYTES:
        return await _ingest_small(store, digests, body)
    return await _ingest_large(store, executor, digests, body)


async def _ingest_small(store: Store, digests: Digests, body: Body) -> Ingested:
    expect = digests.expect
    pieces = []
    size = 0
    while piece := await body.read():
        size += len(piece)
        if size > expect.length:
            raise LengthMismatch("The body is longer than it was declared.")
        pieces.append(piece)
    if size != expect.length:
        raise LengthMismatch("You did not provide the number of bytes specified by the Content-Length HTTP header")
    data = bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)
    if data:
        digests.update(data)
    md5, checksum = digests.verify(body)
    if not data:
        return Ingested(0, md5, checksum, None, None, b"")
    placed = await store.append(data)
    return Ingested(size, md5, checksum, _blob(placed), placed.durable, data[:SNIFF_BYTES])


def _blob(placed: Placed) -> NewBlob:
    return NewBlob(placed.store, placed.name, placed.offset, placed.length)


async def _ingest_large(store: Store, executor: ThreadPoolExecutor, digests: Digests, body: Body) -> Ingested:
    loop = asyncio.get_running_loop()
    expect = digests.expect
    writer = await store.create(expect.length)
    working: asyncio.Future[None] | None = None
    writing: asyncio.Task[None] | None = None
    size = 0
    first = b""
    try:
        more = True
        while more:
            gathered: list[Bytes] = []
            amount = 0
            while amount < PIECE_BYTES:
                piece = await body.read()
                if not piece:
                    more = False
                    break
                gathered.append(piece)
                amount += len(piece)
            size += amount
            if size > expect.length:
                raise LengthMismatch("The body is longer than it was declared.")
            if len(first) < SNIFF_BYTES:
                first = (first + b"".join(bytes(piece[:SNIFF_BYTES]) for piece in gathered))[:SNIFF_BYTES]
            # One piece is being hashed and written while the next is gathered: bounded memory, both cores busy.
            if working is not None and writing is not None:
                await working
                await writing
                working = writing = None
            if gathered:
                working = loop.run_in_executor(executor, _digest, digests, gathered)
                writing = loop.create_task(writer.write(gathered))
        if working is not None and writing is not None:
            await working
            await writing
            working = writing = None
        if size != expect.length:
            raise LengthMismatch("You did not provide the number of bytes specified by the Content-Length HTTP header")
        md5, checksum = digests.verify(body)
        placed = await writer.finish()
    except BaseException:
        if writing is not None:
            writing.cancel()
        writer.abandon()
        raise
    return Ingested(size, md5, checksum, _blob(placed), None, first)


def _digest(digests: Digests, pieces: list[Bytes]) -> None:
    for piece in pieces:
        digests.update(piece)


async def digest_stored(
    stores: Stores, executor: ThreadPoolExecutor, segments: Sequence[Segment], algorithm: ChecksumAlgorithm | None
) -> tuple[str, Checksum | None]:
    """MD5 in hex and the checksum of bytes that are stored already. Raises StoreUnavailable."""
    digests = Digests(Expectations(0, checksum_algorithm=algorithm))
    loop = asyncio.get_running_loop()
    for segment in segments:
        reader = await stores.open(segment)
        try:
            while piece := await reader.read():
                await loop.run_in_executor(executor, digests.update, piece)
        finally:
            reader.close()
    return digests.verify(_Nothing())


class _Nothing:
    """A body that was read already."""

    async def read(self) -> bytes:
        return b""

    def trailer(self, _name: str) -> str | None:
        return None
