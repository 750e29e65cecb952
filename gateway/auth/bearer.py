"""Bearer tokens in the Authorization header (RFC 6750, section 2.1). Nowhere else: no query, no form, no cookie."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.errors import TokenRefused
from gateway.services.sessions import SignedIn

Who = Callable[[str, float], Awaitable[SignedIn]]
"""Whose a token is at a moment (Unix seconds). Raises TokenRefused, IssuerUnavailable, DatabaseUnavailable."""

_SCHEME = "bearer "


def bearer_token(authorization: str) -> str | None:
    """The token of an Authorization header; None where it is of another scheme. Raises TokenRefused for an empty one."""
    if authorization[:1] not in "Bb" or authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    token = authorization[len(_SCHEME) :].strip()
    if not token:
        raise TokenRefused("The token is not valid.")
    return token
