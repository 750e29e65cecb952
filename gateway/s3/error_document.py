"""An error as S3 writes it."""

from __future__ import annotations

import re

from gateway.s3.errors import S3Error
from gateway.s3.xml import Writer


def error_document(error: S3Error, *, bucket: str | None, resource: str, request_id: str, host_id: str) -> bytes:
    """The XML of an error. `resource` is the path that was asked for, decoded."""
    writer = Writer("Error", namespace=False)
    writer.add("Code", error.code)
    writer.add("Message", readable(str(error)))
    names = {name for name, _ in error.fields}
    for name, value in error.fields:
        writer.add(name, readable(value))
    if bucket is not None and error.code in _WITH_BUCKET and "BucketName" not in names:
        writer.add("BucketName", readable(bucket))
    writer.add("Resource", readable(resource))
    writer.add("RequestId", request_id)
    writer.add("HostId", host_id)
    return writer.finish()


_WITH_BUCKET = frozenset(
    {"NoSuchBucket", "BucketNotEmpty", "BucketAlreadyExists", "BucketAlreadyOwnedByYou", "InvalidBucketName"}
)


_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def readable(text: str) -> str:
    """Text that every XML parser takes: what XML 1.0 has no way to write becomes U+FFFD. Errors must always be readable."""
    return _UNREADABLE.sub("\ufffd", text)
