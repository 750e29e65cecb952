"""Foreign issuers: their public keys, fetched when a token needs them, kept for a minute, behind a circuit breaker.

What an issuer decides is which keys are its own. That holds for a minute, whether it can be reached or not: after that
nobody comes in with its tokens until it answers again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.blobs.upstream.breaker import Breaker
from gateway.blobs.upstream.errors import BreakerOpen
from gateway.errors import IssuerUnavailable, TokenRefused
from gateway.services.tokens import MIN_RSA_BITS, Claims, Header, Key, verified
from gateway.settings.auth import Issuer

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("pixgate.auth")

KEPT_SECONDS = 60.0
AGAIN_SECONDS = 5.0
"""Between two fetches because of keys that nobody knows: whoever invents names of keys causes no more."""
TOTAL_SECONDS = 5.0
CONNECT_SECONDS = 3.0
MAX_BYTES = 256 * 1024
MAX_KEYS = 100

Fetch = Callable[[str], Awaitable[bytes]]


class FetchFailed(Exception):
    """The keys could not be had; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One of an issuer's keys, and the one algorithm that it is for, where that is said."""

    kid: str | None
    kind: str
    algorithm: str | None
    document: Mapping[str, Any]

    def fits(self, algorithm: str) -> bool:
        return (
            self.kind == _KINDS[algorithm[:2]] and self.algorithm in (None, algorithm) and self._curve_fits(algorithm)
        )

    def _curve_fits(self, algorithm: str) -> bool:
        return algorithm not in _CURVES or self.document.get("crv") in _CURVES[algorithm]


_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = {"ES256": ("P-256",), "ES384": ("P-384",), "ES512": ("P-521",), "EdDSA": ("Ed25519", "Ed448")}
"""RFC 7518, section 3.4, and RFC 8037, section 3.1."""


def parse_keys(data: bytes) -> tuple[PublicKey, ...]:
    """The keys for signatures in a JWK set (RFC 7517, section 5); secrets are none. Raises FetchFailed."""
    try:
        listed = json.loads(data)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FetchFailed("the answer is no JWK set") from None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise FetchFailed("the answer is no JWK set")
    found = []
    for one in listed:
        if not isinstance(one, dict) or one.get("kty") not in _KINDS.values() or one.get("use") not in (None, "sig"):
            continue
        kid, algorithm = one.get("kid"), one.get("alg")
        found.append(
            PublicKey(
                kid if isinstance(kid, str) else None,
                one["kty"],
                algorithm if isinstance(algorithm, str) else None,
                {name: value for name, value in one.items() if name != "d"},
            )
        )
    return tuple(found)


class IssuerKeys:
    """The keys of one issuer. `now` gives monotonic seconds."""

    def __init__(self, issuer: Issuer, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._now = now
        self._breaker = Breaker(now)
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched: float | None = None
        self._fetching: asyncio.Task[bool] | None = None

    async def claims(self, token: str, header: Header, now: float) -> Claims:
        """What a token of this issuer says. Raises TokenRefused, IssuerUnavailable."""
        issuer = self.issuer
        if header.algorithm not in issuer.algorithms:
            raise TokenRefused("The token is not valid.")
        claims = verified(
            token,
            await self._key(header),
            (header.algorithm,),
            now,
            audience=issuer.audience,
            subject=issuer.subject,
            email=issuer.email,
        )
        if claims.issuer != issuer.iss:
            raise TokenRefused("The token is not valid.")
        return claims

    async def _key(self, header: Header) -> Key:
        if self._age() >= KEPT_SECONDS:
            await self._refresh()
        key = self._find(header)
        if key is None and self._age() >= AGAIN_SECONDS:
            await self._refresh()
            key = self._find(header)
        if key is None:
            raise TokenRefused("The token is not valid.")
        return _usable(key, header.algorithm)

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._now() - self._fetched

    def _find(self, header: Header) -> PublicKey | None:
        fitting = [key for key in self._keys if key.fits(header.algorithm)]
        if header.kid is not None:
            fitting = [key for key in fitting if key.kid == header.kid]
        # A token that names no key is checked with the only one that it can mean.
        return fitting[0] if len(fitting) == 1 else None

    async def _refresh(self) -> None:
        """Fetch, once for all who wait. Raises IssuerUnavailable."""
        if self._fetching is None or self._fetching.done():
            try:
                self._breaker.check()
            except BreakerOpen:
                raise IssuerUnavailable from None
            self._fetching = asyncio.get_running_loop().create_task(self._ask())
        if not await asyncio.shield(self._fetching):
            raise IssuerUnavailable

    async def _ask(self) -> bool:
        """Whether the keys were had."""
        try:
            keys = parse_keys(await self._fetch(self.issuer.jwks_url))
        except FetchFailed as error:
            self._breaker.failure()
            log.warning("the keys of %s cannot be had: %s", self.issuer.iss, error)
            return False
        self._breaker.success()
        self._keys, self._fetched = keys, self._now()
        return True

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)


def _usable(key: PublicKey, algorithm: str) -> Key:
    try:
        found = jwt.PyJWK(dict(key.document), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise TokenRefused("The token is not valid.") from None
    if isinstance(found, rsa.RSAPublicKey) and found.key_size < MIN_RSA_BITS:
        raise TokenRefused("The token is not valid.")
    return found


class Issuers:
    """All foreign issuers of the settings. Made on the running event loop."""

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._known = {issuer.iss: IssuerKeys(issuer, self._fetch) for issuer in issuers}

    def of(self, iss: str | None) -> IssuerKeys | None:
        """The issuer whose token that claims to be."""
        return None if iss is None else self._known.get(iss)

    async def _fetch(self, url: str) -> bytes:
        """A document of at most MAX_BYTES. Raises FetchFailed. Nobody is sent elsewhere, no proxy is asked."""
        # Loaded long since in a server; commands that list users have no use for it.
        import aiohttp

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar())
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise FetchFailed(f"answered {answer.status}")
                data = bytearray()
                async for piece in answer.content.iter_chunked(64 * 1024):
                    data += piece
                    if len(data) > MAX_BYTES:
                        raise FetchFailed(f"the answer is longer than {MAX_BYTES} bytes")
                return bytes(data)
        except TimeoutError:
            raise FetchFailed("no answer in time") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchFailed(type(error).__name__) from error

    async def close(self) -> None:
        for issuer in self._known.values():
            await issuer.close()
        if self._session is not None:
            await self._session.close()
