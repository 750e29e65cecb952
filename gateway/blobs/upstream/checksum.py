"""Checksums that the service compares with what it received, in a header or behind the body.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html and, for the framing,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from awscrt.checksums import crc32c

from gateway.blobs.port import Bytes

CHUNK_BYTES = 256 * 1024
"""Payload bytes of a chunk, but for the last."""
STREAMING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_CRC_BYTES = 8


def encode_crc32c(value: int) -> str:
    return base64.b64encode(value.to_bytes(4)).decode()


def base64_md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def trailer_headers(length: int) -> tuple[tuple[str, str], ...]:
    """The headers of a request whose `length` bytes are sent in chunks with their CRC32C behind them."""
    return (
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", str(length)),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
    )


def trailer_length(length: int) -> int:
    """How long a body of `length` bytes becomes on the wire."""
    full, rest = divmod(length, CHUNK_BYTES)
    size = full * (CHUNK_BYTES + len(f"{CHUNK_BYTES:x}") + 4)
    if rest:
        size += rest + len(f"{rest:x}") + 4
    return size + len(_end("A" * _CRC_BYTES))


def trailer_body(data: bytes, crc: str) -> bytes:
    """A small body in this framing, in one chunk."""
    return b"%x\r\n%b\r\n%b" % (len(data), data, _end(crc))


def _end(crc: str) -> bytes:
    return f"0\r\nx-amz-checksum-crc32c:{crc}\r\n\r\n".encode()


class TrailerFraming:
    """Puts a body of `length` bytes into chunks as it comes, and its CRC32C behind it."""

    __slots__ = ("_chunk_left", "_crc", "_left")

    def __init__(self, length: int) -> None:
        self._left = length
        self._chunk_left = 0
        self._crc = 0

    def add(self, pieces: Sequence[Bytes]) -> list[Bytes]:
        """What to send for these bytes; no more may come than were announced."""
        out: list[Bytes] = []
        for piece in pieces:
            self._crc = crc32c(piece, self._crc)
            view = memoryview(piece)
            while view:
                if not self._chunk_left:
                    self._chunk_left = min(CHUNK_BYTES, self._left)
                    out.append(b"%x\r\n" % self._chunk_left)
                taken = view[: self._chunk_left]
                out.append(taken)
                view = view[len(taken) :]
                self._chunk_left -= len(taken)
                self._left -= len(taken)
                if not self._chunk_left:
                    out.append(b"\r\n")
        return out

    @property
    def crc(self) -> str:
        """The CRC32C of what was added, in base64."""
        return encode_crc32c(self._crc)

    def end(self) -> bytes:
        return _end(self.crc)
