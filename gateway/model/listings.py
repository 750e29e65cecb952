"""Pages of listings."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.checksums import ChecksumAlgorithm, ChecksumType


@dataclass(frozen=True, slots=True)
class ListedObject:
    key: bytes
    size: int
    etag: str
    modified_ms: int
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """One page of a listing, keys in byte order; `next_key` resumes after it (None: nothing more)."""

    objects: tuple[ListedObject, ...]
    common_prefixes: tuple[bytes, ...]
    truncated: bool
    next_key: bytes | None
    """Last key or common prefix of a truncated page: V1's NextMarker."""


@dataclass(frozen=True, slots=True)
class ListedVersion:
    key: bytes
    version_id: str
    is_latest: bool
    delete_marker: bool
    modified_ms: int
    size: int
    etag: str
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None


@dataclass(frozen=True, slots=True)
class VersionPage:
    versions: tuple[ListedVersion, ...]
    common_prefixes: tuple[bytes, ...]
    truncated: bool
    next_key: bytes | None
    next_version_id: str | None
