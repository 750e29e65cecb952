"""Authenticate a request: by AWS Signature Version 4, in the header or in the query, or by a bearer token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.auth.bearer import Who, bearer_token
from gateway.auth.errors import InvalidAccessKeyId, InvalidToken, SeveralMechanisms
from gateway.model.accounts import AccessKey, KeyKind
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.services.sessions import SignedIn
from signing.canonical import HeaderItems, Query
from signing.errors import InvalidRequest
from signing.sigv4.authorization import parse_authorization, parse_presigned
from signing.sigv4.keys import SigningKeyCache
from signing.sigv4.verify import Verified, verify_header, verify_presigned

_PRESIGNED = frozenset({"X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"})
_VERSION_2 = frozenset({"AWSAccessKeyId", "Signature"})


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who asks, and what was verified of the request.

    `verified` is None where nothing is signed: for nobody, and for who has a token, whose facts are in `signed_in`.
    """

    principal: Principal
    verified: Verified | None = None
    signed_in: SignedIn | None = None

    @property
    def presigned(self) -> bool:
        return self.verified is not None and self.verified.presigned


NOBODY = Authentication(ANONYMOUS)


class Authenticator:
    """Authenticates requests to one region.

    `find` gives the access key of a name or None, `who` tells whose a bearer token is. `hosts` are what the Host header may have been before a proxy changed
    it. Derived keys are cached in here.
    """

    def __init__(
        self,
        find: Callable[[str], Awaitable[AccessKey | None]],
        *,
        region: str,
        hosts: Sequence[str] = (),
        who: Who | None = None,
    ) -> None:
        self._find = find
        self._who = who
        self._region = region
        self._hosts = tuple(hosts)
        self._keys = SigningKeyCache()

    async def authenticate(
        self,
        *,
        method: str,
        raw_path: bytes,
        query: Query,
        parameters: Mapping[str, str],
        authorization: str | None,
        headers: HeaderItems | Mapping[str, str],
        now: float,
    ) -> Authentication:
        """Who sent this request.

        `raw_path` is as sent, `parameters` are the pairs of `query` by name, `authorization` is the header or None,
        `now` in Unix seconds. Raises AuthenticationError, signing.errors.SigningError, and what `who` raises.
        """
        if authorization is None:
            if not parameters or _PRESIGNED.isdisjoint(parameters):
                if not _VERSION_2.isdisjoint(parameters):
                    raise InvalidRequest(
                        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
                    )
                return NOBODY
            presigned = parse_presigned(query.pairs)
            if "X-Amz-Security-Token" in parameters:
                raise InvalidToken
            key = await self._usable(presigned.access_key, now)
            verified = verify_presigned(
                presigned,
                secret=key.secret,
                method=method,
                raw_path=raw_path,
                query=query,
                headers=headers,
                now=now,
                region=self._region,
                keys=self._keys,
                hosts=self._hosts,
            )
            return Authentication(Principal(key), verified)

        if parameters and not (_PRESIGNED.isdisjoint(parameters) and _VERSION_2.isdisjoint(parameters)):
            raise SeveralMechanisms
        if self._who is not None and (token := bearer_token(authorization)) is not None:
            signed_in = await self._who(token, now)
            return Authentication(Principal(user=signed_in.user), signed_in=signed_in)
        parsed = parse_authorization(authorization)
        if _has(headers, "x-amz-security-token"):
            raise InvalidToken
        key = await self._usable(parsed.access_key, now)
        verified = verify_header(
            parsed,
            secret=key.secret,
            method=method,
            raw_path=raw_path,
            query=query,
            headers=headers,
            now=now,
            region=self._region,
            keys=self._keys,
            hosts=self._hosts,
        )
        return Authentication(Principal(key), verified)

    async def _usable(self, access_key: str, now: float) -> AccessKey:
        key = await self._find(access_key)
        if key is None or key.kind is not KeyKind.S3 or not key.usable(int(now * 1000)):
            raise InvalidAccessKeyId(access_key)
        return key


def _has(headers: HeaderItems | Mapping[str, str], name: str) -> bool:
    if isinstance(headers, Mapping):
        return name in headers
    return any(given.lower() == name for given, _ in headers.items())
