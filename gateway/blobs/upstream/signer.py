"""Requests as bytes, signed with Signature Version 4 in the Authorization header.

What is constant for a second (date, scope, derived key) is made once: reading 4 KiB costs the service less than signing
naively costs us.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from signing.canonical import canonical_request, encode, fold
from signing.sigv4.dates import amz_date
from signing.sigv4.keys import ALGORITHM, Scope, SigningKey, SigningKeyCache, string_to_sign
from signing.sigv4.payload import UNSIGNED_PAYLOAD

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """What to sign with. `token` comes with keys that expire."""

    access_key: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Signer:
    """For one region."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._keys = SigningKeyCache(16)
        self._second = -1
        self._date = ""
        self._scope = Scope("", region, "s3")

    def request(
        self,
        pair: KeyPair,
        method: str,
        host: str,
        path: str,
        query: str,
        headers: Headers,
        *,
        payload: str = UNSIGNED_PAYLOAD,
        length: int | None = None,
    ) -> bytes:
        """The head of a signed request, with the empty line that ends it.

        `path` is encoded, `query` canonical (see `canonical_pairs`), header names in lower case, `length` the body's.
        """
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = amz_date(now)
            self._scope = Scope(self._date[:8], self._region, "s3")
        date = self._date
        values = [("host", host), ("x-amz-content-sha256", payload), ("x-amz-date", date), *headers]
        if pair.token is not None:
            values.append(("x-amz-security-token", pair.token))
        values.sort()
        signed = ";".join([name for name, _ in values])
        canonical = "".join([f"{name}:{fold(value)}\n" for name, value in values])
        scope = str(self._scope)
        key: SigningKey = self._keys.get(pair.secret, self._scope)
        signature = key.sign(
            string_to_sign(date, scope, canonical_request(method, path, query, canonical, signed, payload))
        )
        target = f"{path}?{query}" if query else path
        lines = "".join([f"{name}: {value}\r\n" for name, value in values])
        size = "" if length is None else f"content-length: {length}\r\n"
        return (
            f"{method} {target} HTTP/1.1\r\n{lines}{size}authorization: {ALGORITHM} "
            f"Credential={pair.access_key}/{scope},SignedHeaders={signed},Signature={signature}\r\n\r\n"
        ).encode("utf-8", "surrogateescape")


def canonical_pairs(pairs: Iterable[tuple[str, str | bytes]]) -> str:
    """A query string in its canonical form, which is also how it is sent."""
    return "&".join([f"{name}={value}" for name, value in sorted((encode(n), encode(v)) for n, v in pairs)])
