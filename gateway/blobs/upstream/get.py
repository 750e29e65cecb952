"""Reading: exactly the bytes that were asked for, or an error."""

from __future__ import annotations

import re
import time

from gateway.blobs.port import Bytes
from gateway.blobs.upstream.client import Client, Stream
from gateway.blobs.upstream.errors import BadResponse, Refused
from gateway.blobs.upstream.request import Headers, Request, etag_of
from gateway.errors import AdoptedChanged, StoreUnavailable

_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:[0-9]{1,19}|\*)", re.ASCII)


class UpstreamReader:
    """A run of an object on its way. `reads` holds when each open one began, in ns since the epoch."""

    __slots__ = ("_head", "_left", "_reads", "_stream", "fd", "length", "offset")

    def __init__(self, stream: Stream | None, offset: int, length: int, reads: dict[UpstreamReader, int]) -> None:
        self.fd: int | None = None
        self.offset = offset
        self.length = length
        self._left = length
        self._stream = stream
        self._reads = reads
        self._head = None if stream is None else stream.head
        reads[self] = time.time_ns()

    @property
    def headers(self) -> dict[str, str]:
        """What the service said of the object, names in lower case."""
        return {} if self._head is None else self._head.headers

    async def read(self) -> Bytes:
        if not self._left or self._stream is None:
            return b""
        piece = await self._stream.read()
        self._left -= len(piece)
        if not piece:
            raise StoreUnavailable("The store holds fewer bytes than it should.")
        if not self._left:
            # The end of the answer was read with its last byte: the connection serves the next one at once.
            self._stream.close()
        return piece

    def close(self) -> None:
        self._reads.pop(self, None)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


async def open_range(
    client: Client,
    bucket: str,
    key: bytes,
    offset: int,
    length: int,
    reads: dict[UpstreamReader, int],
    *,
    query: str = "",
    headers: Headers = (),
    adopted: bool = False,
    adopted_etag: str | None = None,
) -> UpstreamReader:
    """Open `length` bytes at `offset`.

    Raises UpstreamError; StoreUnavailable where the object is missing or shorter; where it is `adopted`, AdoptedChanged,
    also for another ETag than `adopted_etag`.
    """
    if not length:
        return UpstreamReader(None, offset, 0, reads)
    last = offset + length - 1
    wanted = ("range", f"bytes={offset}-{last}")
    if adopted_etag is not None:
        headers = (*headers, ("if-match", f'"{adopted_etag}"'))
    try:
        stream = await client.stream(Request("GetObject", "GET", bucket, key, query, (wanted, *headers)))
    except Refused as error:
        if adopted and error.status in (404, 405, 412, 416):
            raise AdoptedChanged from error
        if error.status in (404, 416):
            raise StoreUnavailable("The store does not have what it should.") from error
        raise
    head = stream.head
    if adopted_etag is not None and etag_of(head.headers) != adopted_etag:
        # A service that knows no If-Match.
        stream.close()
        raise AdoptedChanged
    if head.length != length or not _matches(head.status, head.first(b"content-range"), offset, last):
        stream.close()
        raise BadResponse(f"GetObject: {head.status}, {head.length} bytes, range {head.headers.get('content-range')}")
    return UpstreamReader(stream, offset, length, reads)


def _matches(status: int, content_range: str | None, offset: int, last: int) -> bool:
    if content_range is None:
        # A service without ranges may be read from the start; the length says whether that was the whole.
        return status == 200 and offset == 0
    # Some send a range with 200 in place of 206; the range itself is what counts.
    match = _RANGE.fullmatch(content_range)
    return match is not None and (int(match[1]), int(match[2])) == (offset, last)
