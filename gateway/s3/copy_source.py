"""The source of a copy: named in a header, authorised like a read, held against its own conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from gateway.errors import IsDeleteMarker
from gateway.http.conditions import Verdict, evaluate, parse_conditions
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.policy.decide import decide
from gateway.s3.address import check_key_length
from gateway.s3.call import Call
from gateway.s3.encryption_headers import source_key
from gateway.s3.errors import S3Error, invalid_argument
from gateway.s3.ops.objects import readable_content

if TYPE_CHECKING:
    from gateway.services.renditions import View

_PREFIX = "x-amz-copy-source-"
_CONDITIONS = {
    Verdict.IF_MATCH_FAILED: "x-amz-copy-source-If-Match",
    Verdict.IF_UNMODIFIED_SINCE_FAILED: "x-amz-copy-source-If-Unmodified-Since",
    Verdict.NOT_MODIFIED: "x-amz-copy-source-If-None-Match",
}
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CopySource:
    """What the header names: `/bucket/key?versionId=...`, percent-encoded."""

    bucket: str
    key: bytes
    version_id: str | None


def parse_copy_source(text: str) -> CopySource:
    """Raises S3Error InvalidArgument, KeyTooLongError."""
    name = "x-amz-copy-source"
    path, separator, version_id = text.strip().partition("?versionId=")
    if path.startswith("arn:") or (separator and not version_id):
        raise invalid_argument("Invalid copy source object key", name, text)
    raw = unquote_to_bytes(path.encode("utf-8", "surrogateescape"))
    raw_bucket, slash, key = raw.removeprefix(b"/").partition(b"/")
    try:
        bucket = raw_bucket.decode("utf-8")
        key.decode("utf-8")
    except UnicodeDecodeError:
        raise invalid_argument("Invalid copy source encoding.", name, "") from None
    if not bucket or not slash or not key:
        raise invalid_argument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey", name, text)
    return CopySource(bucket, check_key_length(key), version_id if separator else None)


@dataclass(frozen=True, slots=True)
class FoundSource:
    """What the caller may copy: `bucket` holds it, `view` is how it is shown where a view was named."""

    named: CopySource
    bucket: Bucket
    view: View | None = None


async def find_source(call: Call) -> FoundSource:
    """Where to copy from, which the caller may read. Raises S3Error AccessDenied, NoSuchBucket."""
    source = parse_copy_source(call.headers["x-amz-copy-source"])
    bucket = await call.services.directory.bucket(source.bucket)
    view: View | None = None
    if bucket is None:
        view = None if call.renditions is None else await call.renditions.view(source.bucket)
        if view is None:
            raise S3Error("NoSuchBucket", fields=(("BucketName", source.bucket),))
        bucket = view.bucket
    permission = "s3:GetObject" if source.version_id is None else "s3:GetObjectVersion"
    if not decide(call.authentication.principal, permission, bucket, source.key):
        raise S3Error("AccessDenied")
    expected = call.headers.get("x-amz-source-expected-bucket-owner")
    if expected is not None and expected not in (bucket.owner.canonical_id, bucket.owner.name):
        raise S3Error("AccessDenied")
    return FoundSource(source, bucket, view)


async def open_source(call: Call, found: FoundSource) -> tuple[ObjectVersion, bytes | None]:
    """The version to copy from, whose conditions hold, and the customer's key to it.

    Raises S3Error PreconditionFailed and what reading raises.
    """
    source, bucket = found.named, found.bucket
    try:
        version = await call.services.objects.get(bucket, source.key, source.version_id)
        version = await call.services.adopted.checked(bucket, version, source.version_id)
    except IsDeleteMarker:
        raise S3Error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ) from None
    key = source_key(call, readable_content(version))
    check_conditions(call, readable_content(version).etag, version.modified_ms)
    return version, None if key is None else key.secret


def check_conditions(call: Call, etag: str, modified_ms: int) -> None:
    """Raises S3Error PreconditionFailed where a copy is not wanted of what has this ETag and time."""
    conditions = parse_conditions(call.headers, _PREFIX)
    verdict = evaluate(conditions, etag=etag, modified=modified_ms // 1000, now=int(call.now))
    if verdict is not Verdict.PROCEED:
        raise S3Error("PreconditionFailed", fields=(("Condition", _CONDITIONS[verdict]),))


def parse_copy_range(text: str | None, size: int) -> tuple[int, int]:
    """(start, length) of `x-amz-copy-source-range` in a source of `size` bytes. Raises S3Error InvalidArgument."""
    if text is None:
        return 0, size
    name = "x-amz-copy-source-range"
    match = _RANGE.fullmatch(text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            name,
            text,
        )
    first, last = int(match[1]), int(match[2])
    if last >= size:
        raise invalid_argument(f"Range specified is not valid for source object of size: {size}", name, text)
    return first, last - first + 1
