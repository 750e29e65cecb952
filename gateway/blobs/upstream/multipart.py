"""Large blobs go up in parts, several at a time, with little in memory.

Bytes come in order, so parts are not sent side by side from their first byte: while the service still finishes one
(hashes, syncs, answers), the next is on its way on another connection. Nothing is kept to be sent again; a part that fails fails
the blob.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from gateway.blobs.port import Bytes, Placed
from gateway.blobs.upstream.client import STALL_SECONDS, Client
from gateway.blobs.upstream.errors import Failed, Refused, UpstreamError
from gateway.blobs.upstream.features import Features
from gateway.blobs.upstream.put import BodyUpload
from gateway.blobs.upstream.request import Headers, Request
from gateway.blobs.upstream.signer import canonical_pairs
from gateway.blobs.upstream.xml import escape
from gateway.errors import DiskFull, StoreUnavailable

MULTIPART_BYTES = 64 * 1024**2
"""Blobs above this size go up in parts."""
PART_BYTES = 16 * 1024**2
PARTS = 10_000
UNANSWERED = 4
"""Parts that may be on their way at once."""

Spawn = Callable[[Coroutine[object, object, None]], None]


def part_bytes(length: int) -> int:
    """The size of the parts of a blob of `length` bytes: a whole number of mebibytes."""
    mebibytes = -(-length // (PARTS * 1024**2))
    return max(PART_BYTES, mebibytes * 1024**2)


class MultipartWriter:
    """A blob in parts. `spawn` runs what has to be done after it was abandoned."""

    gives_md5 = False

    def __init__(
        self,
        client: Client,
        features: Features,
        placed: Placed,
        bucket: str,
        key: bytes,
        headers: Headers,
        spawn: Spawn,
    ) -> None:
        self._client = client
        self._features = features
        self._placed = placed
        self._bucket = bucket
        self._key = key
        self._headers = headers
        self._spawn = spawn
        self._part_bytes = part_bytes(placed.length)
        self._left = placed.length
        self._upload_id = ""
        self._part: BodyUpload | None = None
        self._answers: deque[asyncio.Task[tuple[str, str | None]]] = deque()
        self._parts: list[tuple[str, str | None]] = []
        self._started = 0
        self._over = False

    async def write(self, pieces: Sequence[Bytes]) -> None:
        amount = sum(map(len, pieces))
        if amount > self._left:
            raise StoreUnavailable("A blob is longer than it was announced.")
        if not self._upload_id:
            self._upload_id = await self._create()
        waiting = deque(memoryview(piece) for piece in pieces if len(piece))
        while waiting:
            part = self._part or await self._next_part()
            room = part.left
            now: list[Bytes] = []
            while waiting and room:
                piece = waiting.popleft()
                if len(piece) > room:
                    waiting.appendleft(piece[room:])
                    piece = piece[:room]
                room -= len(piece)
                now.append(piece)
            self._left -= sum(map(len, now))
            await part.write(now)
            if not part.left:
                self._part = None
                self._answers.append(asyncio.get_running_loop().create_task(_finish(part)))

    async def _next_part(self) -> BodyUpload:
        while len(self._answers) >= UNANSWERED or (self._answers and self._answers[0].done()):
            await self._collect()
        self._started += 1
        query = canonical_pairs((("partNumber", str(self._started)), ("uploadId", self._upload_id)))
        request = Request("UploadPart", "PUT", self._bucket, self._key, query)
        self._part = BodyUpload(self._client, self._features, request, min(self._part_bytes, self._left))
        return self._part

    async def _collect(self) -> None:
        # Stays in the queue until it is there: whoever abandons ends what is in the queue.
        part = await asyncio.shield(self._answers[0])
        self._answers.popleft()
        self._parts.append(part)

    async def finish(self) -> Placed:
        if self._left or self._part is not None:
            raise StoreUnavailable("A blob is shorter than it was announced.")
        while self._answers:
            await self._collect()
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{escape(etag)}&quot;</ETag>"
            + ("" if crc is None else f"<ChecksumCRC32C>{crc}</ChecksumCRC32C>")
            + "</Part>"
            for number, (etag, crc) in enumerate(self._parts, 1)
        )
        document = (
            '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{parts}</CompleteMultipartUpload>"
        )
        query = canonical_pairs((("uploadId", self._upload_id),))
        request = Request("CompleteMultipartUpload", "POST", self._bucket, self._key, query, body=document.encode())
        try:
            answer = await self._client.call(request, timeout=STALL_SECONDS, again=False)
            answer.xml("CompleteMultipartUpload")
        except (Failed, Refused):
            # It may have been completed all the same: its length tells.
            if not await self._is_there():
                raise
        self._over = True
        return self._placed

    async def _is_there(self) -> bool:
        request = Request("HeadObject", "HEAD", self._bucket, self._key)
        answer = await self._client.call(request, accept=(404,))
        return answer.ok and answer.headers.get("content-length") == str(self._placed.length)

    async def _create(self) -> str:
        headers = self._headers
        if self._features.trailers:
            headers = (*headers, ("x-amz-checksum-algorithm", "CRC32C"))
        request = Request("CreateMultipartUpload", "POST", self._bucket, self._key, "uploads=", headers)
        answer = await self._client.call(request)
        upload_id = answer.xml("InitiateMultipartUpload").get("UploadId")
        if not upload_id:
            raise UpstreamError("CreateMultipartUpload: the answer names no upload")
        return upload_id

    def abandon(self) -> None:
        """The upload is aborted in the background: it is no object yet. The sweep aborts what is left."""
        if self._over:
            return
        self._over = True
        if self._part is not None:
            self._part.close()
        for task in self._answers:
            task.cancel()
        if self._answers:
            self._spawn(_ended(tuple(self._answers)))
        if self._upload_id:
            self._spawn(abort(self._client, self._bucket, self._key, self._upload_id))


async def _finish(part: BodyUpload) -> tuple[str, str | None]:
    return await part.finish(), part.crc32c


async def _ended(tasks: Sequence[asyncio.Task[tuple[str, str | None]]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def abort(client: Client, bucket: str, key: bytes, upload_id: str) -> None:
    """Give up an unfinished upload; quietly, where the store is away."""
    query = canonical_pairs((("uploadId", upload_id),))
    try:
        await client.call(Request("AbortMultipartUpload", "DELETE", bucket, key, query), accept=(404,))
    except (UpstreamError, DiskFull):
        return
