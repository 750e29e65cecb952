"""The keys that are derived from a secret, what they are good for, and what they sign."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINAL = "aws4_request"
# RFC 2104 section 2: the key, padded to a block, is combined with these before it is hashed.
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


@dataclass(frozen=True, slots=True)
class Scope:
    """What a derived key is good for. `date` is YYYYMMDD."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{TERMINAL}"


class SigningKey:
    """A derived key, ready to sign: the halves of its HMAC are hashed once, which halves the price of a signature."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, raw: bytes) -> None:
        block = raw.ljust(64, b"\0")
        self._inner = sha256(block.translate(_INNER_PAD))
        self._outer = sha256(block.translate(_OUTER_PAD))

    def sign(self, text: str) -> str:
        """HMAC-SHA256 of the text in lower-case hexadecimal."""
        inner = self._inner.copy()
        inner.update(text.encode("utf-8", "surrogateescape"))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


@dataclass(frozen=True, slots=True)
class SigningContext:
    """What the chunks of a body are chained to: the derived key, the request's time and scope, and its signature."""

    key: SigningKey = field(repr=False)
    date: str
    scope: str
    seed_signature: str


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key derived from a secret for one day, region and service: 32 bytes."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode(), "sha256")
    for part in (region, service, TERMINAL):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class SigningKeyCache:
    """The derived keys used last, for any thread. The secret is part of the look-up: a changed one finds nothing."""

    def __init__(self, size: int = 4096) -> None:
        self._derive = lru_cache(maxsize=size)(derive_key)

    def get(self, secret: str, scope: Scope) -> SigningKey:
        return self._derive(secret, scope.date, scope.region, scope.service)

    def clear(self) -> None:
        self._derive.cache_clear()


def string_to_sign(date: str, scope: str, request: str) -> str:
    """`date` as YYYYMMDDTHHMMSSZ, `request` the canonical request."""
    digest = sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{date}\n{scope}\n{digest}"


def derive_key(secret: str, date: str, region: str, service: str) -> SigningKey:
    return SigningKey(signing_key(secret, date, region, service))
