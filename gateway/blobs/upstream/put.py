"""Bodies on their way up, and the proof that the service has what was sent.

The proof, by what the service can do: a CRC32C that it compares itself (behind the body where that is streamed), else
`Content-MD5` for what lies in memory, else the ETag that must be the MD5 of what went out.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from awscrt.checksums import crc32c

from gateway.blobs.port import Bytes, Placed
from gateway.blobs.upstream.checksum import (
    STREAMING,
    TrailerFraming,
    base64_md5,
    encode_crc32c,
    trailer_headers,
    trailer_length,
)
from gateway.blobs.upstream.client import Client, Upload
from gateway.blobs.upstream.errors import BadResponse
from gateway.blobs.upstream.features import Features
from gateway.blobs.upstream.request import Headers, Request, etag_of
from gateway.errors import StoreUnavailable

THREAD_BYTES = 256 * 1024
"""More than this is hashed in a thread."""


async def put_whole(
    client: Client, features: Features, bucket: str, key: bytes, data: bytes, headers: Headers = ()
) -> None:
    """Store a body that lies in memory. Raises UpstreamError, DiskFull."""
    if features.checksums:
        proof = ("x-amz-checksum-crc32c", encode_crc32c(crc32c(data)))
    else:
        proof = ("content-md5", base64_md5(data))
    answer = await client.call(Request("PutObject", "PUT", bucket, key, headers=(*headers, proof), body=data))
    if not (features.checksums or features.content_md5) and features.md5_etags:
        _same(etag_of(answer.headers), hashlib.md5(data, usedforsecurity=False).hexdigest())


def _same(etag: str, md5: str) -> None:
    if etag != md5:
        raise BadResponse("the store holds other bytes than were sent")


class BodyUpload:
    """One request of `length` bytes that is streamed, as an object or as a part of one."""

    def __init__(self, client: Client, features: Features, request: Request, length: int) -> None:
        self._client = client
        self._features = features
        self._request = request
        self._length = length
        self._left = length
        self._upload: Upload | None = None
        self._framing: TrailerFraming | None = None
        self._md5 = None
        if features.trailers:
            self._framing = TrailerFraming(length)
        elif features.md5_etags:
            self._md5 = hashlib.md5(usedforsecurity=False)

    @property
    def crc32c(self) -> str | None:
        """What was sent, where the service compares it; in base64."""
        return None if self._framing is None else self._framing.crc

    @property
    def left(self) -> int:
        """Bytes that are still to come."""
        return self._left

    async def write(self, pieces: Sequence[Bytes]) -> None:
        """Send these; no more than are left. Raises UpstreamError, DiskFull."""
        amount = sum(map(len, pieces))
        self._left -= amount
        upload = self._upload or await self._begin()
        hashing = None
        if self._md5 is not None:
            if amount > THREAD_BYTES:
                hashing = asyncio.get_running_loop().run_in_executor(None, self._hash, pieces)
            else:
                self._hash(pieces)
        out = list(pieces) if self._framing is None else self._framing.add(pieces)
        last = not self._left
        if last and self._framing is not None:
            out.append(self._framing.end())
        try:
            await upload.write(out, last=last)
        finally:
            if hashing is not None:
                await asyncio.shield(hashing)

    async def _begin(self) -> Upload:
        request, length = self._request, self._length
        if self._framing is not None:
            headers = (*request.headers, *trailer_headers(length))
            request = Request(
                request.operation,
                request.method,
                request.bucket,
                request.key,
                request.query,
                headers,
                payload=STREAMING,
            )
            length = trailer_length(length)
        self._upload = await self._client.upload(request, length)
        return self._upload

    def _hash(self, pieces: Sequence[Bytes]) -> None:
        assert self._md5 is not None
        for piece in pieces:
            self._md5.update(piece)

    async def finish(self) -> str:
        """The ETag of what is stored now. Raises UpstreamError, DiskFull."""
        upload = self._upload or await self._begin()
        if self._left:
            upload.close()
            raise StoreUnavailable("A blob is shorter than it was announced.")
        answer = await upload.finish()
        if not answer.ok:
            raise answer.error()
        etag = etag_of(answer.headers)
        if self._md5 is not None:
            _same(etag, self._md5.hexdigest())
        return etag

    def close(self) -> None:
        if self._upload is not None:
            self._upload.close()


class PutWriter:
    """A blob that goes up in one request.

    `gives_md5`: `Placed.md5` will be the MD5 of the bytes: the service's ETag, which is worth as much as a digest of our
    own, since it also compared our CRC32C of the same bytes, or since it was compared with a digest of our own.
    """

    def __init__(self, store: str, name: str, body: BodyUpload, length: int, *, gives_md5: bool) -> None:
        self._store = store
        self._name = name
        self._body = body
        self._length = length
        self.gives_md5 = gives_md5

    async def write(self, pieces: Sequence[Bytes]) -> None:
        if sum(map(len, pieces)) > self._body.left:
            raise StoreUnavailable("A blob is longer than it was announced.")
        await self._body.write(pieces)

    async def finish(self) -> Placed:
        etag = await self._body.finish()
        md5 = bytes.fromhex(etag) if self.gives_md5 and len(etag) == 32 else None
        if self.gives_md5 and md5 is None:
            raise BadResponse("the ETag is no MD5, as it was before")
        return Placed(self._store, self._name, 0, self._length, None, md5)

    def abandon(self) -> None:
        self._body.close()
