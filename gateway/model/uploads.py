"""Uploads in parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.model.contents import Encryption
from gateway.model.objects import Headers, Tags

MIN_PART_BYTES = 5 * 1024**2
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Promise:
    """The image that an upload is to become, of `size` bytes, and who began it. `user` is None for an access key."""

    image_id: str
    filename: str
    size: int
    account: int
    user: int | None


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """An upload in progress. `checksum_algorithm` is that of every part (CRC64NVME where none was asked).

    `promised` is the image that an app began it for.
    """

    id: int
    upload_id: str
    bucket_id: int
    key: bytes
    headers: Headers
    tags: Tags
    checksum_algorithm: ChecksumAlgorithm
    checksum_type: ChecksumType
    checksum_asked: bool
    initiator: str
    created_ms: int
    encryption: Encryption | None = None
    customer_key: bytes | None = field(default=None, repr=False)
    promised: Promise | None = None


@dataclass(frozen=True, slots=True)
class UploadPage:
    uploads: tuple[MultipartUpload, ...]
    common_prefixes: tuple[bytes, ...]
    truncated: bool
    next_key: bytes | None
    next_upload_id: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload, or of a finished object (then `modified_ms` is the object's)."""

    number: int
    size: int
    etag: str
    checksum: Checksum | None
    modified_ms: int


@dataclass(frozen=True, slots=True)
class PartPage:
    parts: tuple[Part, ...]
    truncated: bool
    next_number: int | None


@dataclass(frozen=True, slots=True)
class CompletedPart:
    """A part as CompleteMultipartUpload names it. ETag without quotes; checksums as base64 where given."""

    number: int
    etag: str
    checksums: tuple[tuple[ChecksumAlgorithm, str], ...] = ()
