"""The value types that doors, services and adapters share: frozen, parsed, never half valid.

Units: sizes and offsets in bytes, times in milliseconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_KEY_BYTES = 1024
MAX_PUT_BYTES = 5 * 1024**3
MAX_OBJECT_BYTES = 50 * 1024**4
MIN_PART_BYTES = 5 * 1024**2
MAX_PARTS = 10_000
MAX_SEGMENTS = 20_000
MAX_TAGS = 10
NULL_VERSION = "null"


class ChecksumAlgorithm(StrEnum):
    """The additional checksums of S3, spelled as in `x-amz-checksum-algorithm`."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    SHA1 = "SHA1"
    SHA256 = "SHA256"
    CRC64NVME = "CRC64NVME"

    @property
    def header(self) -> str:
        """The header and trailer that carries the value, such as `x-amz-checksum-crc32`."""
        return f"x-amz-checksum-{self.value.lower()}"


class ChecksumType(StrEnum):
    COMPOSITE = "COMPOSITE"
    FULL_OBJECT = "FULL_OBJECT"


@dataclass(frozen=True, slots=True)
class Checksum:
    """A stored checksum: `value` is base64 (with `-N` behind it where it is composite)."""

    algorithm: ChecksumAlgorithm
    type: ChecksumType
    value: str


class Versioning(StrEnum):
    UNVERSIONED = "Unversioned"
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


class Encryption(StrEnum):
    """What opens an encrypted content: the server's master key (SSE-S3), or a key that each request brings (SSE-C)."""

    SSE_S3 = "AES256"
    SSE_C = "SSE-C"


class KeyKind(StrEnum):
    """What a key opens: an S3 key every door its account may use, a link key only signed image links."""

    S3 = "s3"
    LINK = "link"


class Duplicates(StrEnum):
    """What an upload of bytes that the account has already is answered with: a new image, that one, a refusal."""

    KEEP = "keep"
    RETURN = "return"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns buckets. Quotas in bytes of all versions and in images; None is no limit."""

    id: int
    name: str
    canonical_id: str
    enabled: bool
    created_ms: int
    is_root: bool = False
    quota_bytes: int | None = None
    quota_images: int | None = None
    duplicates: Duplicates = Duplicates.KEEP
    home_bucket_id: int | None = None
    """The bucket of uploads that name none, where one was made."""

    @property
    def limited(self) -> bool:
        """Whether a write to its buckets has to look at what they hold."""
        return self.quota_bytes is not None or self.quota_images is not None


class Role(StrEnum):
    """What a user may do beyond the own account: nothing, look through images that were reported, everything."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in. `issuer` is empty for who registered here; `subject` is the `sub` of the tokens.

    `confined`: one of the many users of an app's account, who has the rights of that account on the own images only.
    """

    id: int
    account: Account
    issuer: str
    subject: str
    email: str | None
    name: str | None
    role: Role
    enabled: bool
    created_ms: int
    confined: bool = False


class Visibility(StrEnum):
    """Who may see an image without a login: everybody, who finds it listed; who has its address; nobody."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class JobStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow:
    """What apps know of an image. Sizes in bytes and pixels; None is for what is not known (yet).

    `user_id` is None for what an access key or nobody uploaded. `phash` is 8 bytes, `sha256` 32.
    """

    image_id: str
    seq: int
    bucket_id: int
    account_id: int
    user_id: int | None = None
    filename: str
    content_type: str
    size: int
    sha256: bytes | None = None
    width: int | None = None
    height: int | None = None
    visibility: Visibility
    moderation: str = "none"
    metadata: Mapping[str, object] | None = None
    tags: tuple[str, ...] = ()
    upload_ip: str | None = None
    delete_hash: bytes | None = field(default=None, repr=False)
    delete_expires_ms: int | None = None
    dominant_color: str | None = None
    blurhash: str | None = None
    phash: bytes | None = None
    status: JobStatus = JobStatus.PENDING
    job_id: str | None = None
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class KeyScope:
    """What a key is narrowed to. `buckets`: prefixes of keys by the bucket's name, without any all of it; None: all buckets.

    `networks` are those that it may be used from, as `10.0.0.0/8`; none: from everywhere.
    """

    buckets: Mapping[str, tuple[bytes, ...]] | None = None
    read_only: bool = False
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key with its unsealed secret (never in a repr, so never in a log)."""

    access_key: str
    secret: str = field(repr=False)
    account: Account
    kind: KeyKind
    admin: bool
    enabled: bool
    created_ms: int
    expires_ms: int | None = None
    bucket: str | None = None
    prefix: str | None = None
    description: str = ""
    scope: KeyScope | None = None
    """What an S3 key is narrowed to; None: it may do all that its account may."""

    def usable(self, now_ms: int) -> bool:
        """Whether key and account are switched on and the key has not expired."""
        return self.enabled and self.account.enabled and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True, slots=True)
class BucketImages:
    """How the transform door treats a bucket's images, beyond whether it is open and its ladder."""

    presets: Mapping[str, str] = field(default_factory=dict)
    """The bucket's own presets: compact options by name. They win over the server's."""
    only_presets: bool = False
    """Links, signed or not, may name a preset and nothing else about pixels."""
    max_width: int | None = None
    """The widest result, and the highest, without a signature; in pixels."""
    fallback: str | None = None
    """Key in the bucket of the image that is shown for one that is missing or broken, with the error's status."""
    renditions: tuple[str, ...] = ()
    """Compact options, or `p:<preset>`, of the renditions that are made when an image is uploaded."""
    exif: bool = False
    """Whether `info` tells the EXIF, places too, to whoever may see the image; its owner always may."""
    raw: bool = True
    """Whether a signed link may have the stored bytes (`raw=1`)."""
    cors: tuple[str, ...] = ("*",)
    """Origins that scripts may read renditions from; `*` is all, as pictures carry no cookie."""
    purge: bool = False
    """Whether the purge webhook is told of what is overwritten or deleted."""
    catalogue: bool = False
    """Whether what S3 clients write is made known to apps and processed, as what apps upload is."""


@dataclass(frozen=True, slots=True)
class Bucket:
    id: int
    name: str
    owner: Account
    region: str
    versioning: Versioning
    created_ms: int
    images_public: bool = False
    ladder: tuple[int, ...] = ()
    store: str | None = None
    """Where its new blobs go; None: where the node's settings say."""
    encryption: Encryption | None = None
    """`AES256`: what is put without asking for encryption is encrypted all the same."""
    images: BucketImages = field(default_factory=BucketImages)
    known_images: bool = False
    """Some of its images have, or had, a row of their own, whose visibility counts instead of the bucket's."""


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
