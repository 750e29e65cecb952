"""What a key may be narrowed to, checked when it is said, so that no request finds it broken."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from gateway.errors import InvalidValue
from gateway.model.accounts import KeyScope
from gateway.model.objects import MAX_KEY_BYTES
from gateway.services.buckets import check_bucket_name

MAX_BUCKETS = 100
MAX_PREFIXES = 100
MAX_NETWORKS = 100


def make_scope(
    buckets: Mapping[str, Iterable[str]] | None = None, *, read_only: bool = False, networks: Iterable[str] = ()
) -> KeyScope | None:
    """The scope of these buckets with their prefixes (none: all of the bucket) and networks; None for no narrowing.

    A single address is a network, too. Raises InvalidBucketName, InvalidValue.
    """
    found = None
    if buckets is not None:
        if len(buckets) > MAX_BUCKETS:
            raise InvalidValue(f"A key is narrowed to at most {MAX_BUCKETS} buckets.")
        found = {name: _prefixes(name, prefixes) for name, prefixes in buckets.items()}
    scope = KeyScope(found, read_only, _networks(networks))
    return None if scope == KeyScope() else scope


def _prefixes(bucket: str, given: Iterable[str]) -> tuple[bytes, ...]:
    check_bucket_name(bucket)
    try:
        prefixes = tuple(dict.fromkeys(prefix.encode() for prefix in given))
    except UnicodeEncodeError:
        raise InvalidValue("A prefix is not valid UTF-8.") from None
    if len(prefixes) > MAX_PREFIXES or any(len(prefix) > MAX_KEY_BYTES for prefix in prefixes):
        raise InvalidValue(f"A bucket has at most {MAX_PREFIXES} prefixes of at most {MAX_KEY_BYTES} bytes in a key.")
    # The empty prefix is all of the bucket.
    return () if b"" in prefixes else prefixes


def _networks(given: Iterable[str]) -> tuple[str, ...]:
    networks = tuple(dict.fromkeys(_network(text) for text in given))
    if len(networks) > MAX_NETWORKS:
        raise InvalidValue(f"A key is bound to at most {MAX_NETWORKS} networks.")
    return networks


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise InvalidValue(f"{text!r} is no network such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7.") from None
