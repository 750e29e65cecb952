"""What an S3 service can do, found out by trying: the answers to one probe each, on a small object."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from dataclasses import dataclass

from awscrt.checksums import crc32c

from gateway.blobs.upstream.checksum import base64_md5, encode_crc32c, trailer_body, trailer_headers
from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.errors import Failed, Refused, ServerError
from gateway.blobs.upstream.request import Headers, Request, etag_of
from gateway.blobs.upstream.retry import ATTEMPTS, delay, is_busy
from gateway.errors import DiskFull

PROBE = b"pixgate: what can this store do?"


@dataclass(frozen=True, slots=True)
class Features:
    """Which of the things that we use a service has. What is not known yet counts as missing."""

    md5_etags: bool = False
    """The ETag of an object that was sent in one piece is its MD5."""
    checksums: bool = False
    """`x-amz-checksum-crc32c` is compared with the body."""
    trailers: bool = False
    """So is one that follows the body (STREAMING-UNSIGNED-PAYLOAD-TRAILER)."""
    content_md5: bool = False
    """`Content-MD5` is compared with the body."""
    conditional_writes: bool = False
    """`If-None-Match: *` refuses to overwrite."""
    ranges: bool = False

    def missing(self) -> tuple[str, ...]:
        """What it lacks, in words for who looks after it."""
        lacks = {
            "ETags that are the MD5": self.md5_etags,
            "checksum headers (CRC32C)": self.checksums,
            "checksums that follow the body": self.trailers,
            "Content-MD5": self.content_md5,
            "conditional writes (If-None-Match: *)": self.conditional_writes,
            "ranges": self.ranges,
        }
        return tuple(name for name, has in lacks.items() if not has)


async def find_features(client: Client, bucket: str, key: bytes, extra: Headers = ()) -> Features:
    """Try each on the object `key`, which is written, read and deleted. Raises UpstreamError, DiskFull.

    A service that asks for patience says nothing of what it can do: it is asked again, and in the end not judged.
    """

    async def put(*headers: tuple[str, str], body: bytes = PROBE, payload: str = "UNSIGNED-PAYLOAD") -> int:
        """The status."""
        request = Request("PutObject", "PUT", bucket, key, headers=(*headers, *extra), body=body, payload=payload)
        attempt = 1
        while True:
            try:
                return (await client.call(request, again=False)).status
            except (Refused, ServerError) as error:
                if not is_busy(error):
                    return error.status
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(delay(attempt, random.random()))  # noqa: S311 - it spreads load, it hides nothing
                attempt += 1

    async def takes(*headers: tuple[str, str], body: bytes = PROBE, payload: str = "UNSIGNED-PAYLOAD") -> bool:
        return await put(*headers, body=body, payload=payload) < 300

    async def stored() -> bytes:
        return (await client.call(Request("GetObject", "GET", bucket, key), accept=(404,))).body

    # Streamed, so that the client learns whether the service asks for bodies (Expect: 100-continue).
    upload = await client.upload(Request("PutObject", "PUT", bucket, key, headers=extra), len(PROBE))
    await upload.write([PROBE], last=True)
    written = await upload.finish()
    if not written.ok:
        raise written.error()
    wrong, right = encode_crc32c(1), encode_crc32c(crc32c(PROBE))
    try:
        ranged = await client.call(Request("GetObject", "GET", bucket, key, headers=(("range", "bytes=3-9"),)))
        checksums = await takes(("x-amz-checksum-crc32c", right)) and not await takes(("x-amz-checksum-crc32c", wrong))
        streaming = trailer_headers(len(PROBE))
        payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        trailers = (
            await takes(*streaming, body=trailer_body(PROBE, right), payload=payload)
            and await stored() == PROBE
            and not await takes(*streaming, body=trailer_body(PROBE, wrong), payload=payload)
        )
        return Features(
            md5_etags=etag_of(written.headers) == hashlib.md5(PROBE, usedforsecurity=False).hexdigest(),
            checksums=checksums,
            trailers=trailers,
            content_md5=await takes(("content-md5", base64_md5(PROBE)))
            and not await takes(("content-md5", base64_md5(b"something else"))),
            conditional_writes=await put(("if-none-match", "*")) in (409, 412),
            ranges=ranged.body == PROBE[3:10],
        )
    finally:
        # What may be left is a few bytes under a name that no blob has.
        with contextlib.suppress(Refused, Failed, DiskFull):
            await client.call(Request("DeleteObject", "DELETE", bucket, key), accept=(404,))
