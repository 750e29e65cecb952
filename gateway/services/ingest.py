"""From a request's body to a blob: digests, checks, and the bytes where they belong.

Small bodies are gathered and appended to the pack. Larger ones go to a file of their own, in pieces of about a
mebibyte: while one is hashed and written in threads, the next is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.blobs.encryption.chunks import Sealer, stored_length
from gateway.blobs.port import PACKED_BYTES, BlobReader, BlobWriter, Bytes, Placed, Store
from gateway.errors import (
    ChecksumMismatch,
    GatewayError,
    LengthMismatch,
    Md5Mismatch,
    ObjectTooLarge,
    Sha256Mismatch,
    StoreUnavailable,
)
from gateway.metadata.contents import NewBlob
from gateway.metadata.port import Durable
from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.model.contents import Segment
from gateway.model.objects import Expectations
from gateway.services import checksums
from gateway.services.body import Body
from gateway.services.keyring import BlobKey
from gateway.services.stores import Stores
from transforms.sniff import HEAD_BYTES

PIECE_BYTES = 1024 * 1024
SNIFF_BYTES = HEAD_BYTES


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

    def __init__(self, expect: Expectations, keep: ChecksumAlgorithm | None = None, *, md5: bool = True) -> None:
        """`keep` names a checksum to store in place of the one that the client sent to be checked against.

        Without `md5` that is not computed, and empty.
        """
        self.expect = expect
        self._keep = None
        self._kept = keep
        if keep is not None and keep is not expect.checksum_algorithm:
            self._keep = checksums.new_hasher(keep)
        self._md5 = checksums.new_md5() if md5 else None
        self._algorithm = expect.checksum_algorithm
        self._sha256 = None
        if expect.sha256 is not None:
            self._sha256 = checksums.new_hasher(ChecksumAlgorithm.SHA256)
        self._checksum = None
        if self._algorithm is not None and not (self._algorithm is ChecksumAlgorithm.SHA256 and self._sha256):
            self._checksum = checksums.new_hasher(self._algorithm)

    def leave_md5(self) -> bool:
        """Compute none, since the store will; gives whether that may be: what the client sent is compared here."""
        if self.expect.md5 is not None:
            return False
        self._md5 = None
        return True

    def update(self, piece: Bytes) -> None:
        if self._md5 is not None:
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
        md5 = b"" if self._md5 is None else self._md5.digest()
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
    key: BlobKey | None = None,
) -> Ingested:
    """Take a body into `store`, encrypted with `key`; the checksum `keep`, where named, is the one to be stored.

    Raises BodyMismatch facts, StoreUnavailable, DiskFull, and what reading the body raises.
    On any failure what was written stays: no row names it, and the sweep of this process's lease removes it.
    """
    store.check_room()
    # Of what only a customer's key opens no MD5 is kept: it is computed where the client wants it checked.
    digests = Digests(expect, keep, md5=key is None or not key.customers or expect.md5 is not None)
    if expect.length <= PACKED_BYTES:
        return await _ingest_small(store, digests, body, key)
    return await _ingest_large(store, executor, digests, body, key)


def takes_any_length(store: Store, *, sealed: bool) -> bool:
    """Whether a blob can be begun in `store` whose length is not known yet: a service, and a seal, want to know it."""
    return store.kind == "folder" and not sealed


async def ingest_unmeasured(
    store: Store, executor: ThreadPoolExecutor, limit: int, body: Body, *, keep: ChecksumAlgorithm
) -> Ingested:
    """Take a body of more than PACKED_BYTES whose length nobody has said into a store that `takes_any_length`.

    Raises ObjectTooLarge beyond `limit` bytes, and what `ingest` raises.
    """
    store.check_room()
    return await _ingest_large(store, executor, Digests(Expectations(limit), keep), body, None, exact=False)


async def _ingest_small(store: Store, digests: Digests, body: Body, key: BlobKey | None) -> Ingested:
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
    placed = await store.append(data if key is None else bytes(Sealer(key.key, size).seal((data,))))
    return Ingested(size, md5, checksum, _blob(placed, size, key), placed.durable, data[:SNIFF_BYTES])


def _blob(placed: Placed, length: int, key: BlobKey | None) -> NewBlob:
    return NewBlob(placed.store, placed.name, placed.offset, length, None if key is None else key.wrapped)


class _SealingWriter:
    """Encrypts what it hands on to a writer, whose digest is therefore not the plaintext's."""

    gives_md5 = False

    def __init__(self, writer: BlobWriter, sealer: Sealer, executor: ThreadPoolExecutor) -> None:
        self._writer = writer
        self._sealer = sealer
        self._executor = executor
        self.finish = writer.finish
        self.abandon = writer.abandon

    async def write(self, pieces: Sequence[Bytes]) -> None:
        sealed = await asyncio.get_running_loop().run_in_executor(self._executor, self._sealer.seal, pieces)
        if sealed:
            await self._writer.write((sealed,))


async def _create(store: Store, executor: ThreadPoolExecutor, length: int, key: BlobKey | None) -> BlobWriter:
    if key is None:
        return await store.create(length)
    return _SealingWriter(await store.create(stored_length(length)), Sealer(key.key, length), executor)


async def _ingest_large(
    store: Store,
    executor: ThreadPoolExecutor,
    digests: Digests,
    body: Body,
    key: BlobKey | None,
    *,
    exact: bool = True,
) -> Ingested:
    """Without `exact` the body may be shorter than it is expected to be."""
    loop = asyncio.get_running_loop()
    expect = digests.expect
    writer = await _create(store, executor, expect.length, key)
    stores_md5 = writer.gives_md5 and digests.leave_md5()
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
                raise _too_long(exact)
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
        if exact and size != expect.length:
            raise LengthMismatch("You did not provide the number of bytes specified by the Content-Length HTTP header")
        md5, checksum = digests.verify(body)
        placed = await writer.finish()
        if stores_md5:
            if placed.md5 is None:
                raise StoreUnavailable("The store did not say what it holds.")
            md5 = placed.md5.hex()
    except BaseException:
        if writing is not None:
            writing.cancel()
        writer.abandon()
        raise
    return Ingested(size, md5, checksum, _blob(placed, size, key), None, first)


def _too_long(exact: bool) -> GatewayError:
    if exact:
        return LengthMismatch("The body is longer than it was declared.")
    return ObjectTooLarge("The file is larger than is taken here.")


def _digest(digests: Digests, pieces: list[Bytes]) -> None:
    for piece in pieces:
        digests.update(piece)


async def digest_stored(
    stores: Stores,
    executor: ThreadPoolExecutor,
    segments: Sequence[Segment],
    algorithm: ChecksumAlgorithm | None,
    *,
    md5: bool = True,
) -> tuple[str, Checksum | None]:
    """MD5 in hex (empty without `md5`) and the checksum of bytes that are stored already. Raises StoreUnavailable."""
    digests = Digests(Expectations(0, checksum_algorithm=algorithm), md5=md5)
    loop = asyncio.get_running_loop()
    for segment in segments:
        reader = await stores.open(segment)
        try:
            while piece := await reader.read():
                await loop.run_in_executor(executor, digests.update, piece)
        finally:
            reader.close()
    return digests.verify(_Nothing())


class StoredBody:
    """What is stored already, as a body: bytes that are written anew. Raises StoreUnavailable, BlobDamaged."""

    def __init__(self, stores: Stores, segments: Sequence[Segment]) -> None:
        self._stores = stores
        self._segments = list(reversed(segments))
        self._reader: BlobReader | None = None

    async def read(self) -> bytes | memoryview:
        while True:
            if self._reader is None:
                if not self._segments:
                    return b""
                self._reader = await self._stores.open(self._segments.pop())
            piece = await self._reader.read()
            if piece:
                return piece if isinstance(piece, bytes) else memoryview(piece)
            self.close()

    def trailer(self, _name: str) -> str | None:
        return None

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


class _Nothing:
    """A body that was read already."""

    async def read(self) -> bytes:
        return b""

    def trailer(self, _name: str) -> str | None:
        return None
