"""The checksums of S3: computed piece by piece, and combined from parts without their bytes."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable
from typing import Protocol

from awscrt import checksums as crt

from gateway.model.checksums import ChecksumAlgorithm

Bytes = bytes | bytearray | memoryview


class Hasher(Protocol):
    def update(self, data: Bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A CRC behind the interface of hashlib; the digest is big-endian, as S3 transmits it."""

    __slots__ = ("_function", "_size", "value")

    def __init__(self, function: Callable[[Bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self.value = 0

    def update(self, data: Bytes, /) -> None:
        self.value = self._function(data, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(self._size)


def _md5() -> Hasher:
    return hashlib.md5(usedforsecurity=False)


_NEW: dict[ChecksumAlgorithm, Callable[[], Hasher]] = {
    ChecksumAlgorithm.CRC32: lambda: _Crc(zlib.crc32, 4),
    ChecksumAlgorithm.CRC32C: lambda: _Crc(crt.crc32c, 4),
    ChecksumAlgorithm.CRC64NVME: lambda: _Crc(crt.crc64nvme, 8),
    ChecksumAlgorithm.SHA1: lambda: hashlib.sha1(usedforsecurity=False),
    ChecksumAlgorithm.SHA256: hashlib.sha256,
}
_COMBINE: dict[ChecksumAlgorithm, tuple[Callable[[int, int, int], int], int]] = {
    ChecksumAlgorithm.CRC32: (crt.combine_crc32, 4),
    ChecksumAlgorithm.CRC32C: (crt.combine_crc32c, 4),
    ChecksumAlgorithm.CRC64NVME: (crt.combine_crc64nvme, 8),
}
DIGEST_BYTES = {
    ChecksumAlgorithm.CRC32: 4,
    ChecksumAlgorithm.CRC32C: 4,
    ChecksumAlgorithm.CRC64NVME: 8,
    ChecksumAlgorithm.SHA1: 20,
    ChecksumAlgorithm.SHA256: 32,
}


def new_md5() -> Hasher:
    return _md5()


def new_hasher(algorithm: ChecksumAlgorithm) -> Hasher:
    return _NEW[algorithm]()


def encode(digest: bytes) -> str:
    """A digest as S3 writes it: base64."""
    return base64.b64encode(digest).decode()


def combine(algorithm: ChecksumAlgorithm, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """The CRC of a whole from (digest, bytes) of its parts, in order."""
    function, size = _COMBINE[algorithm]
    value = 0
    for digest, length in parts:
        value = function(value, int.from_bytes(digest), length)
    return value.to_bytes(size)


def composite(algorithm: ChecksumAlgorithm, parts: Iterable[bytes]) -> str:
    """The checksum of the parts' digests, as base64 with `-N` behind it."""
    hasher = new_hasher(algorithm)
    count = 0
    for digest in parts:
        hasher.update(digest)
        count += 1
    return f"{encode(hasher.digest())}-{count}"
