"""Views over S3: `photos--card` is the bucket `photos` as its preset `card` shows it, and can only be read.

A bucket that has the name wins. Who may read the bucket may read its views.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.model.buckets import Bucket, Versioning
from gateway.s3.errors import S3Error
from gateway.s3.operation import Handler, Operation
from gateway.s3.ops import bucket_location, bucket_versioning, buckets, list_objects, view_objects
from gateway.services.renditions import View

NO_BUCKET = 0
"""No bucket has this id: whatever is asked of a view's bucket by mistake finds nothing."""

HANDLERS: Mapping[str, Handler] = {
    "HeadBucket": buckets.head_bucket,
    "GetBucketLocation": bucket_location.get_bucket_location,
    "GetBucketVersioning": bucket_versioning.get_bucket_versioning,
    "ListObjects": list_objects.list_objects,
    "ListObjectsV2": list_objects.list_objects_v2,
    "GetObject": view_objects.get_view_object,
    "HeadObject": view_objects.get_view_object,
}
"""What a view answers to."""


def shown_bucket(view: View) -> Bucket:
    """The bucket that a view looks like: the name is its own, the owner the bucket's."""
    return replace(
        view.bucket, id=NO_BUCKET, name=view.name, versioning=Versioning.UNVERSIONED, encryption=None, store=None
    )


def view_handler(operation: Operation, view: View) -> Handler | None:
    """What answers; None for what would only read, and is not built. Raises S3Error MethodNotAllowed for writes."""
    handler = HANDLERS.get(operation.name)
    if handler is None and operation.method not in ("GET", "HEAD"):
        raise S3Error(
            "MethodNotAllowed",
            f"{view.name} shows the bucket {view.bucket.name} by its preset {view.preset}, and can only be read.",
            fields=(("Method", operation.method), ("ResourceType", operation.level.name)),
        )
    return handler
