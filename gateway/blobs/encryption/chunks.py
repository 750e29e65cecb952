"""The format of a sealed blob: chunks of 64 KiB of plaintext, each AES-256-GCM with its tag behind it.

    nonce             the chunk's number (11 bytes, big-endian), then 1 for the last chunk and 0 for every other
    associated data   the format's name and the blob's id

A chunk therefore opens only with its blob's key, at its place, and as the last one only where it is: chunks that are
exchanged, repeated, left out or cut off are errors (the STREAM construction: Hoang, Reyhanitabar, Rogaway, Vizar, 2015).
Each key seals one blob, so that a nonce never comes twice with it. A range costs the chunks that cover it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.blobs.encryption.keys import DataKey
from gateway.blobs.port import Bytes
from gateway.errors import BlobDamaged

CHUNK_BYTES = 64 * 1024
"""Plaintext of a chunk; the last one of a blob may have fewer, and never none."""
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
FORMAT = b"pixgate blob 1"
_COUNTER_BYTES = 11


def chunk_count(length: int) -> int:
    """The chunks of `length` bytes of plaintext."""
    return -(-length // CHUNK_BYTES)


def stored_length(length: int) -> int:
    """The bytes that `length` bytes of plaintext take in a store."""
    return length + TAG_BYTES * chunk_count(length)


@dataclass(frozen=True, slots=True)
class Covering:
    """The whole chunks that hold a range of a blob: where they lie in what is stored, and what of them to leave out.

    `offset` and `length` are of stored bytes from the blob's beginning, `chunk` is the first chunk's number, `skip` the
    plaintext bytes before the range.
    """

    chunk: int
    offset: int
    length: int
    skip: int


def covering(total: int, start: int, length: int) -> Covering:
    """What of a blob of `total` bytes of plaintext has to be read for `length` bytes (at least one) from `start`."""
    if start < 0 or length < 1 or start + length > total:
        raise ValueError(f"{length} bytes from {start} are not within {total}")
    first = start // CHUNK_BYTES
    last = (start + length - 1) // CHUNK_BYTES
    offset = first * SEALED_CHUNK_BYTES
    end = min((last + 1) * SEALED_CHUNK_BYTES, stored_length(total))
    return Covering(first, offset, end - offset, start - first * CHUNK_BYTES)


def _nonce(chunk: int, last: int) -> bytes:
    return (chunk << 8 | (chunk == last)).to_bytes(_COUNTER_BYTES + 1)


def _joined(pending: bytes, pieces: Sequence[Bytes]) -> Bytes:
    return pieces[0] if not pending and len(pieces) == 1 else b"".join((pending, *pieces))


class _Chunks:
    """The chunks of one blob of `total` bytes of plaintext."""

    __slots__ = ("_about", "_cipher", "_last", "_total")

    def __init__(self, key: DataKey, total: int) -> None:
        self._cipher = AESGCM(key.secret)
        self._about = FORMAT + key.blob_id
        self._total = total
        self._last = chunk_count(total) - 1


class Sealer(_Chunks):
    """Seals a blob from its beginning to its end. Its methods block for about 0.6 ms a mebibyte."""

    __slots__ = ("_next", "_pending", "_taken")

    def __init__(self, key: DataKey, total: int) -> None:
        super().__init__(key, total)
        self._next = 0
        self._taken = 0
        self._pending = b""

    def seal(self, pieces: Sequence[Bytes]) -> bytearray:
        """Seal the next pieces of plaintext: the chunks that they complete, perhaps none. They are not kept.

        Raises ValueError where that is more than the blob was said to have.
        """
        data = _joined(self._pending, pieces)
        self._taken += len(data) - len(self._pending)
        if self._taken > self._total:
            raise ValueError("more bytes than the blob was said to have")
        ended = self._taken == self._total
        ready = len(data) if ended else len(data) // CHUNK_BYTES * CHUNK_BYTES
        sealed = bytearray(stored_length(ready))
        source, target = memoryview(data), memoryview(sealed)
        position = 0
        for start in range(0, ready, CHUNK_BYTES):
            end = min(start + CHUNK_BYTES, ready)
            room = target[position : position + end - start + TAG_BYTES]
            position += self._cipher.encrypt_into(_nonce(self._next, self._last), source[start:end], self._about, room)
            self._next += 1
        self._pending = bytes(source[ready:])
        return sealed


class Opener(_Chunks):
    """Opens the chunks of a `Covering`, in order. Its methods block for about 0.6 ms a mebibyte."""

    __slots__ = ("_left", "_next", "_pending", "_skip", "_waiting")

    def __init__(self, key: DataKey, total: int, what: Covering, length: int) -> None:
        """`total` is the plaintext of the whole blob, `length` that of the range, in bytes."""
        super().__init__(key, total)
        self._next = what.chunk
        self._skip = what.skip
        self._left = length
        self._waiting = what.length
        self._pending = b""

    def open(self, pieces: Sequence[Bytes]) -> memoryview:
        """Open the next pieces of what is stored: the plaintext of the range in the chunks that they complete.

        Raises BlobDamaged where a chunk is not what was sealed at its place, ValueError for more than the covering has.
        """
        data = _joined(self._pending, pieces)
        self._waiting -= len(data) - len(self._pending)
        if self._waiting < 0:
            raise ValueError("more bytes than were asked for")
        ready = len(data) if self._waiting == 0 else len(data) // SEALED_CHUNK_BYTES * SEALED_CHUNK_BYTES
        count = -(-ready // SEALED_CHUNK_BYTES)
        plain = bytearray(ready - count * TAG_BYTES)
        source, target = memoryview(data), memoryview(plain)
        position = 0
        for start in range(0, ready, SEALED_CHUNK_BYTES):
            sealed = source[start : min(start + SEALED_CHUNK_BYTES, ready)]
            room = target[position : position + len(sealed) - TAG_BYTES]
            try:
                position += self._cipher.decrypt_into(_nonce(self._next, self._last), sealed, self._about, room)
            except InvalidTag:
                raise BlobDamaged(f"Chunk {self._next} of a stored blob is not what was written there.") from None
            self._next += 1
        self._pending = bytes(source[ready:])
        found = target[self._skip : self._skip + self._left]
        self._skip -= min(self._skip, position)
        self._left -= len(found)
        return found
