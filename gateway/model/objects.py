"""Versions of objects: what is asked of them, what is put, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.checksums import Checksum, ChecksumAlgorithm
from gateway.model.contents import Content, Encryption

MAX_KEY_BYTES = 1024
MAX_PUT_BYTES = 5 * 1024**3
MAX_OBJECT_BYTES = 50 * 1024**4
MAX_TAGS = 10
NULL_VERSION = "null"
Headers = tuple[tuple[str, str], ...]
"""Stored response headers, lower-case names: content-type, cache-control, ..., x-amz-meta-*."""
Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of a key. `content` is None exactly where it is a delete marker."""

    bucket_id: int
    key: bytes
    seq: int
    version_id: str
    is_latest: bool
    delete_marker: bool
    modified_ms: int
    headers: Headers
    tag_count: int
    image_id: str | None
    content: Content | None


@dataclass(frozen=True, slots=True)
class ReadConditions:
    """The four conditional headers of GET and HEAD. ETags without quotes, `*` as such; times in whole seconds."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None


@dataclass(frozen=True, slots=True)
class WriteConditions:
    """`If-None-Match: *` and `If-Match: <etag>` on a write; exactly one of several writers wins."""

    if_none_match: bool = False
    if_match: str | None = None


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the client said of the body; a body that differs leaves nothing behind.

    `length` is the decoded length in bytes. `checksum_value` is the raw digest; None with an algorithm means that the
    value comes as a trailer, or (no trailer announced) that the server computes and stores it.
    """

    length: int
    md5: bytes | None = None
    sha256: bytes | None = None
    checksum_algorithm: ChecksumAlgorithm | None = None
    checksum_value: bytes | None = None
    checksum_in_trailer: bool = False


@dataclass(frozen=True, slots=True)
class PutResult:
    etag: str
    version_id: str | None
    checksum: Checksum | None
    size: int
    image_id: str | None
    encryption: Encryption | None = None


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """`version_id` is the deleted version, or the new marker's; None in a bucket without versioning."""

    delete_marker: bool
    version_id: str | None
