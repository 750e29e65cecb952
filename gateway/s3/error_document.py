"""An error as S3 writes it."""

from __future__ import annotations

from gateway.s3.errors import S3Error
from gateway.s3.xml import Writer


def error_document(error: S3Error, *, bucket: str | None, resource: str, request_id: str, host_id: str) -> bytes:
    """The XML of an error. `resource` is the path that was asked for, decoded."""
    writer = Writer("Error", namespace=False)
    writer.add("Code", error.code)
    writer.add("Message", str(error))
    names = {name for name, _ in error.fields}
    for name, value in error.fields:
        writer.add(name, value)
    if bucket is not None and error.code in _WITH_BUCKET and "BucketName" not in names:
        writer.add("BucketName", bucket)
    writer.add("Resource", resource)
    writer.add("RequestId", request_id)
    writer.add("HostId", host_id)
    return writer.finish()


_WITH_BUCKET = frozenset(
    {"NoSuchBucket", "BucketNotEmpty", "BucketAlreadyExists", "BucketAlreadyOwnedByYou", "InvalidBucketName"}
)
