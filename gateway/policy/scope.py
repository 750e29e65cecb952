"""What an access key is narrowed to: less than its account may do, never more."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from gateway.model.accounts import KeyScope

LIST_ALL_MY_BUCKETS = "s3:ListAllMyBuckets"
SEE_BUCKET = "s3:GetBucketLocation"
"""The least that a bucket can be asked for: whether it is there."""

_ABOUT_BUCKETS = frozenset(
    {SEE_BUCKET, "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS"}
)
"""What tells nothing of any key, so that a key which is for some prefixes of a bucket may ask it."""
_READS = ("s3:Get", "s3:List", "s3:Head")


def covers(scope: KeyScope, permission: str, bucket: str | None, key: bytes | None) -> bool:
    """Whether the scope has room for `permission` (as in IAM) on a key of a bucket.

    `key` is the prefix where keys are listed, and None for the bucket as a whole, which is more than any prefix of it.
    Without a `bucket` it is about all of the account's: then only what lists them, and the caller leaves out those that
    `names` does not have.
    """
    if scope.read_only and not permission.startswith(_READS):
        return False
    if scope.buckets is None:
        return True
    if bucket is None:
        return permission == LIST_ALL_MY_BUCKETS
    prefixes = scope.buckets.get(bucket)
    if prefixes is None:
        return False
    if not prefixes or permission in _ABOUT_BUCKETS:
        return True
    return key is not None and key.startswith(prefixes)


def names(scope: KeyScope | None, bucket: str) -> bool:
    """Whether the key is for something in that bucket."""
    return scope is None or scope.buckets is None or bucket in scope.buckets


def reaches(scope: KeyScope | None, address: str | None) -> bool:
    """Whether the key may be used from that address; an unknown one is in no network."""
    if scope is None or not scope.networks:
        return True
    return address is not None and _inside(scope.networks, address)


@lru_cache(maxsize=4096)
def _inside(networks: tuple[str, ...], address: str) -> bool:
    try:
        client = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return any(client in ipaddress.ip_network(network) for network in networks)
