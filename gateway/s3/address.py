"""Where a request points: bucket and key, from the Host header and the raw path.

The path is taken apart before it is decoded: `%2F` is part of a key, `//` and `..` stay, `+` is a plus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gateway.model.objects import MAX_KEY_BYTES
from gateway.s3.errors import S3Error

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Address:
    """A request's target. `bucket` None: the service itself. `key` None: the bucket itself."""

    bucket: str | None
    key: bytes | None


SERVICE = Address(None, None)


def split_target(target: str) -> tuple[str, str]:
    """(raw path, raw query) of a request target in origin form. Raises S3Error InvalidURI for `*` and the like."""
    if not target.startswith("/"):
        raise S3Error("InvalidURI", fields=(("URI", target[:1024]),))
    path, _, query = target.partition("?")
    return path, query


def parse_address(raw_path: str, host: str, domains: tuple[str, ...]) -> Address:
    """The address of `raw_path` (as sent, surrogates for bytes that are not UTF-8).

    `domains` in lower case: under `bucket.<domain>` every path is a key. Raises S3Error InvalidURI, KeyTooLongError.
    """
    bucket = bucket_of_host(host, domains) if domains else None
    if bucket is not None:
        return Address(bucket, decode_key(raw_path[1:]) if len(raw_path) > 1 else None)
    if raw_path == "/":
        return SERVICE
    name, _, rest = raw_path[1:].partition("/")
    if not name:
        raise S3Error("InvalidURI", fields=(("URI", raw_path[:1024]),))
    if "%" in name:
        name = unquote_to_bytes(name).decode("utf-8", "replace")
    return Address(name, decode_key(rest) if rest else None)


def bucket_of_host(host: str, domains: tuple[str, ...]) -> str | None:
    """The bucket that a Host header names, or None where it is no `bucket.<domain>`."""
    name = host.lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name if ":" in name else name
    name = name.rstrip(".")
    for domain in domains:
        if name.endswith("." + domain) and name != domain:
            return name[: -len(domain) - 1]
    return None


def decode_key(raw: str) -> bytes:
    """The key of a raw path. Raises S3Error InvalidURI (bad escape, not UTF-8) or KeyTooLongError."""
    if "%" in raw:
        if _BAD_ESCAPE.search(raw):
            raise S3Error("InvalidURI", fields=(("URI", raw[:1024]),))
        key = unquote_to_bytes(raw.encode("utf-8", "surrogateescape"))
    else:
        key = raw.encode("utf-8", "surrogateescape")
    if not key.isascii():
        try:
            key.decode("utf-8")
        except UnicodeDecodeError:
            raise S3Error("InvalidURI", "The key is not valid UTF-8.") from None
    return check_key_length(key)


def check_key_length(key: bytes) -> bytes:
    """The key itself. Raises S3Error KeyTooLongError beyond 1,024 bytes."""
    if len(key) > MAX_KEY_BYTES:
        raise S3Error("KeyTooLongError", fields=(("Size", str(len(key))), ("MaxSizeAllowed", str(MAX_KEY_BYTES))))
    return key
