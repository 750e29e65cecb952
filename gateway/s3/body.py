"""The body of a request: opened after authorising, its framing taken off, read as bytes or as XML."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from gateway.errors import ChecksumMismatch, LengthMismatch, Md5Mismatch, Sha256Mismatch
from gateway.http.incoming import BodyEnded, Incoming
from gateway.model.objects import MAX_PUT_BYTES, Expectations
from gateway.s3.call import Call
from gateway.s3.checksum_headers import expectations, trailer_names
from gateway.s3.errors import S3Error, invalid_argument, too_large
from gateway.s3.xml import Element, parse
from gateway.services.checksums import new_hasher
from signing.chunked import ChunkedDecoder
from signing.errors import IncompleteBody
from signing.sigv4.payload import PayloadMode

T = TypeVar("T")

MAX_XML = 1024 * 1024
MAX_COMPLETION = 2 * 1024 * 1024
"""Bytes of the XML of DeleteObjects and CompleteMultipartUpload: 1,000 keys, 10,000 parts."""
LONG_XML = 64 * 1024
"""From here on XML is read in a thread: some milliseconds."""
THREAD_BYTES = 256 * 1024
"""From here on decoding a signed piece (its SHA-256 takes a millisecond and more) is done in a thread."""


class PlainBody:
    """A body without framing of its own, of a declared length."""

    __slots__ = ("_incoming", "_left")

    def __init__(self, incoming: Incoming, length: int) -> None:
        self._incoming = incoming
        self._left = length

    async def read(self) -> bytes | memoryview:
        if self._left == 0:
            return b""
        try:
            data = await self._incoming.read()
        except BodyEnded:
            raise IncompleteBody from None
        if not data:
            raise IncompleteBody
        self._left -= len(data)
        return data

    def trailer(self, _name: str) -> str | None:
        return None


class ChunkedBody:
    """An aws-chunked body. A read past the last byte verifies that the end was whole."""

    __slots__ = ("_decoder", "_incoming", "_pieces", "_signed")

    def __init__(self, incoming: Incoming, decoder: ChunkedDecoder, *, signed: bool) -> None:
        self._incoming = incoming
        self._decoder = decoder
        self._pieces: deque[memoryview] = deque()
        self._signed = signed

    async def read(self) -> bytes | memoryview:
        while not self._pieces:
            try:
                data = await self._incoming.read()
            except BodyEnded:
                raise IncompleteBody from None
            if not data:
                self._decoder.finish()
                return b""
            if self._signed and len(data) >= THREAD_BYTES:
                pieces = await asyncio.to_thread(self._decoder.feed, data)
            else:
                pieces = self._decoder.feed(data)
            self._pieces.extend(piece for piece in pieces if len(piece))
        return self._pieces.popleft()

    def trailer(self, name: str) -> str | None:
        return self._decoder.trailers.get(name)


DecodedBody = PlainBody | ChunkedBody


def open_body(call: Call, *, limit: int = MAX_PUT_BYTES) -> tuple[Expectations, DecodedBody]:
    """The body of a request and what it is said to be. Nothing is read yet.

    Raises S3Error MissingContentLength, EntityTooLarge (more than `limit` bytes), InvalidDigest, InvalidRequest.
    """
    incoming = call.incoming
    verified = call.authentication.verified
    mode = PayloadMode.UNSIGNED if verified is None else verified.payload.mode
    if mode.chunked:
        text = call.headers.get("x-amz-decoded-content-length")
        if text is None:
            raise S3Error("MissingContentLength")
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise invalid_argument(
                "x-amz-decoded-content-length is not a valid number", "x-amz-decoded-content-length", text
            )
        length = int(text)
        if length > limit:
            raise too_large(length)
        expect = expectations(call.headers, verified, length)
        assert verified is not None
        decoder = ChunkedDecoder(
            mode,
            decoded_length=length,
            trailers=trailer_names(call.headers),
            context=verified.context,
        )
        return expect, ChunkedBody(incoming, decoder, signed=mode is not PayloadMode.STREAMING_UNSIGNED_TRAILER)
    if "x-amz-trailer" in call.headers:
        # Nothing would look at the trailer: a client that counts on its checksum must not be told that all is well.
        raise S3Error("InvalidRequest", "x-amz-trailer needs an aws-chunked body")
    if incoming.length is None:
        if "transfer-encoding" in call.headers or call.request._message.method == "PUT":
            raise S3Error("MissingContentLength")
        return expectations(call.headers, verified, 0), PlainBody(incoming, 0)
    if incoming.length > limit:
        raise too_large(incoming.length)
    return expectations(call.headers, verified, incoming.length), PlainBody(incoming, incoming.length)


async def read_whole(call: Call, limit: int) -> bytes:
    """A small body, whole and verified.

    Raises S3Error MaxMessageLengthExceeded, MissingContentLength, and BodyMismatch facts.
    """
    try:
        expect, body = open_body(call, limit=limit)
    except S3Error as error:
        if error.code == "EntityTooLarge":
            raise S3Error("MaxMessageLengthExceeded") from None
        if error.code == "MissingContentLength" and call.incoming.complete:
            return b""
        raise
    pieces: list[bytes] = []
    size = 0
    while piece := await body.read():
        size += len(piece)
        if size > limit:
            raise S3Error("MaxMessageLengthExceeded")
        pieces.append(bytes(piece))
    data = b"".join(pieces)
    if size != expect.length:
        raise LengthMismatch("You did not provide the number of bytes specified by the Content-Length HTTP header")
    if expect.md5 is not None and hashlib.md5(data, usedforsecurity=False).digest() != expect.md5:
        raise Md5Mismatch("The Content-MD5 you specified did not match what we received.")
    if expect.sha256 is not None and hashlib.sha256(data).digest() != expect.sha256:
        raise Sha256Mismatch("The provided 'x-amz-content-sha256' header does not match what was computed.")
    algorithm = expect.checksum_algorithm
    if algorithm is not None:
        hasher = new_hasher(algorithm)
        hasher.update(data)
        digest = hasher.digest()
        declared = body.trailer(algorithm.header) if expect.checksum_in_trailer else None
        if (expect.checksum_value is not None and digest != expect.checksum_value) or (
            expect.checksum_in_trailer and declared != base64.b64encode(digest).decode()
        ):
            raise ChecksumMismatch(algorithm.value)
    return data


async def read_xml(call: Call, root: str, *, limit: int = MAX_XML) -> Element:
    """The body as XML with that root element.

    Raises S3Error MissingRequestBodyError (an empty body), MaxMessageLengthExceeded, MalformedXML, BodyMismatch facts.
    """
    return await read_parsed(call, lambda data: parse(data, root), limit=limit)


async def read_parsed(call: Call, parser: Callable[[bytes], T], *, limit: int) -> T:
    """What `parser` makes of the body; a long one in a thread. Raises what `read_xml` raises, and what `parser` does."""
    data = await read_whole(call, limit)
    if not data:
        raise S3Error("MissingRequestBodyError")
    if len(data) > LONG_XML:
        return await asyncio.to_thread(parser, data)
    return parser(data)


def require_digest(call: Call, operation: str) -> None:
    """DeleteObjects and its like want Content-MD5 or a checksum. Raises S3Error InvalidRequest."""
    headers = call.headers
    if "content-md5" in headers or trailer_names(headers):
        return
    if not any(name.startswith("x-amz-checksum-") and name != "x-amz-checksum-mode" for name in headers):
        raise S3Error(
            "InvalidRequest",
            f"Missing required header for this request: Content-MD5 OR x-amz-checksum-* ({operation})",
        )
