"""The decision, until policies exist: a bucket's owner may do everything in it, root everything everywhere.

An access key may be narrowed to less than its account may do.
"""

from __future__ import annotations

from gateway.model.buckets import Bucket
from gateway.policy.principal import Principal
from gateway.policy.scope import LIST_ALL_MY_BUCKETS, covers

CREATE_BUCKET = "s3:CreateBucket"

_WITHOUT_BUCKET = frozenset({LIST_ALL_MY_BUCKETS, CREATE_BUCKET})


def decide(principal: Principal, permission: str, bucket: Bucket | None, key: bytes | None = None) -> bool:
    """Whether `principal` may do what `permission` (spelled as in IAM, `s3:GetObject`) names.

    `key` is that of the object, or the prefix that is listed; None for the bucket as a whole.
    `bucket` is None for what concerns no bucket that exists: then only listing one's own buckets and making one are
    allowed. An administrator's key opens administration and no other account's objects.
    """
    account = principal.account
    if account is None or not account.enabled:
        return False
    if principal.user is not None and principal.user.confined:
        # Their own images are theirs by other facts than buckets.
        return False
    scope = None if principal.access_key is None else principal.access_key.scope
    if scope is not None and not covers(scope, permission, None if bucket is None else bucket.name, key):
        return False
    if bucket is None:
        return permission in _WITHOUT_BUCKET
    return account.is_root or bucket.owner.id == account.id
