"""Contents: immutable lists of segments of blobs, and how they are encrypted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.checksums import Checksum

MAX_SEGMENTS = 20_000


class Encryption(StrEnum):
    """What opens an encrypted content: the server's master key (SSE-S3), or a key that each request brings (SSE-C)."""

    SSE_S3 = "AES256"
    SSE_C = "SSE-C"


@dataclass(frozen=True, slots=True)
class Sealing:
    """How new bytes are to be encrypted: with the customer's key of 32 bytes, or (None) the server's."""

    customer_key: bytes | None = field(default=None, repr=False)

    @property
    def encryption(self) -> Encryption:
        return Encryption.SSE_S3 if self.customer_key is None else Encryption.SSE_C


@dataclass(frozen=True, slots=True)
class Sealed:
    """The encrypted blob that a segment is a run of: its wrapped key, where it begins in its file, its plaintext bytes.

    `customer_key` opens what the customer's key wraps; it is in no row and comes with the request.
    """

    key: bytes
    base: int
    length: int
    customer_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a content's bytes: `length` bytes at `offset` of the file `name`, `start` bytes into the content.

    Of an encrypted blob (`sealed`) all of these count plaintext: the run begins `offset - sealed.base` bytes into it.
    """

    store: str
    name: str
    offset: int
    start: int
    length: int
    sealed: Sealed | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """An immutable list of segments. `first` is the only segment where `segment_count` is 1, None where it is 0.

    `uid` is random, 16 bytes, never used again: everything derived from the bytes is keyed by it. `etag` has no quotes.
    `part_count` is 0 for what was not a multipart upload. `customer_key` is a salt and an HMAC of the customer's key.
    """

    id: int
    uid: bytes
    size: int
    etag: str
    checksum: Checksum | None
    part_count: int
    segment_count: int
    first: Segment | None
    encryption: Encryption | None = None
    customer_key: bytes | None = field(default=None, repr=False)

    @property
    def adopted(self) -> bool:
        """Whether somebody else wrote these bytes, and may change them. They are one segment, even where they are none."""
        return self.first is not None and self.first.name.startswith("@")
