"""What apps know of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
