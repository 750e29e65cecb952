"""What of a request the scope of an access key is held against."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.policy.scope import SEE_BUCKET
from gateway.s3.operation import Operation

_LISTINGS = frozenset({"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"})
_BY_EACH_KEY = frozenset({"HeadBucket", "DeleteObjects"})
"""HeadBucket tells whether the bucket is there, no more; DeleteObjects is decided for each of its keys."""


def scope_of(operation: Operation, parameters: Mapping[str, str], key: bytes | None) -> tuple[str, bytes | None]:
    """The permission, and the key or the prefix of keys that it is asked for; None for the bucket as a whole."""
    if operation.name in _BY_EACH_KEY:
        return SEE_BUCKET, None
    permission = operation.permission_for(parameters)
    if key is None and permission in _LISTINGS:
        key = parameters.get("prefix", "").encode("utf-8", "surrogateescape")
    return permission, key
