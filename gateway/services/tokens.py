"""JSON Web Tokens: those that are made here, and what is believed of anybody's.

Of a token's header only `alg` and `kid` are looked at, and `alg` only to refuse what is not configured: the key never
comes from a token, and what it is good for never depends on it (RFC 8725, sections 3.1 and 3.10).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256, sha512
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeGuard

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import get_default_algorithms

from gateway.errors import InvalidValue, TokenRefused
from gateway.settings.auth import OWN_ISSUER, SHARED, AuthSettings

MAX_TOKEN = 8 * 1024
"""Characters of a token."""
MAX_SUBJECT = 255
SKEW_SECONDS = 60
"""How far another's clock may be ahead of ours."""
MIN_RSA_BITS = 2048
_PURPOSE = b"tokens of users"

Key = Any
"""Whatever the algorithm signs or checks with."""


@dataclass(frozen=True, slots=True)
class Header:
    """`kid` names the key among the issuer's. `iss` is what the token claims, of which nothing is known yet."""

    algorithm: str
    kid: str | None
    iss: str | None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that holds says. `session` is only in those that are made here; times in Unix seconds."""

    subject: str
    issuer: str | None
    session: str | None
    expires: float | None
    issued: float | None
    email: str | None = None
    name: str | None = None


def peek(token: str) -> Header:
    """A token's header, and whose it says it is. Raises TokenRefused for what is none."""
    if len(token) > MAX_TOKEN or not token.isascii():
        raise _refused()
    pieces = token.split(".")
    if len(pieces) != 3:
        raise _refused()
    header, claims = _object(pieces[0]), _object(pieces[1])
    algorithm, kid, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    # An extension that must be understood is one that is not (RFC 7515, section 4.1.11; b64: RFC 7797).
    if not isinstance(algorithm, str) or "crit" in header or "b64" in header:
        raise _refused()
    if not (kid is None or (isinstance(kid, str) and len(kid) <= MAX_SUBJECT)):
        raise _refused()
    if not (issuer is None or issuer == "" or _is_name(issuer)):
        raise _refused()
    return Header(algorithm, kid, issuer or None)


def verified(
    token: str,
    key: Key,
    algorithms: Sequence[str],
    now: float,
    *,
    audience: str | None,
    require_exp: bool = True,
    subject: str = "sub",
    email: str = "email",
) -> Claims:
    """What a token says that `key` signed with one of `algorithms`. Raises TokenRefused.

    `subject` and `email` are the claims that say who it is.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(algorithms),
            audience=audience,
            # Times are compared below with the moment that the request has.
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_sub": False},
        )
    except (jwt.InvalidTokenError, jwt.InvalidKeyError, ValueError, TypeError):
        raise _refused() from None
    expires, begins, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is None and require_exp:
        raise TokenRefused("The token does not say when it expires.")
    if expires is not None and expires <= now:
        raise TokenRefused("The token has expired.")
    if (begins is not None and begins > now + SKEW_SECONDS) or (issued is not None and issued > now + SKEW_SECONDS):
        raise TokenRefused("The token is not valid yet.")
    who = claims.get(subject)
    if isinstance(who, int) and not isinstance(who, bool):
        who = str(who)
    if not _is_name(who):
        raise TokenRefused("The token does not say whose it is.")
    session, issuer = claims.get("sid"), claims.get("iss")
    return Claims(
        subject=who,
        issuer=issuer if isinstance(issuer, str) and issuer else None,
        session=session if isinstance(session, str) else None,
        expires=expires,
        issued=issued,
        email=_optional(claims.get(email)),
        name=_optional(claims.get("name")),
    )


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()


def claims_digest(token: str) -> bytes:
    """What is kept of a signed token: of what is signed. The signature can be written in several ways that all hold."""
    return digest(token.rpartition(".")[0])


class Signer:
    """Makes the tokens of this deployment and checks those that the same key signed: its own, and those of apps."""

    def __init__(self, settings: AuthSettings, derived: bytes) -> None:
        """`derived` is the secret where none is set. Raises InvalidValue where the private key is not one."""
        self.algorithm = settings.jwt_algorithm
        self._minutes = settings.jwt_minutes
        self._audience = settings.jwt_audience
        self._require_exp = settings.jwt_require_exp
        if self.algorithm in SHARED:
            secret = settings.jwt_secret.encode() if settings.jwt_secret is not None else derived
            self._private: Key = secret
            self._public: Key = secret
        else:
            self._private = _private_key(settings.jwt_private_key, self.algorithm)
            self._public = self._private.public_key()

    @property
    def seconds(self) -> int:
        """How long a token is valid."""
        return self._minutes * 60

    def make(self, subject: str, session: str, now: float) -> str:
        """A token of somebody's session."""
        issued = int(now)
        claims = {
            "iss": OWN_ISSUER,
            "sub": subject,
            "sid": session,
            "jti": token_hex(8),
            "iat": issued,
            "exp": issued + self.seconds,
        }
        return jwt.encode(claims, self._private, self.algorithm)

    def read(self, token: str, header: Header, now: float) -> Claims:
        """What a token says that was made here, or by an app that has the same key. Raises TokenRefused."""
        own = header.iss == OWN_ISSUER
        claims = verified(
            token,
            self._public,
            (self.algorithm,),
            now,
            audience=None if own else self._audience,
            require_exp=own or self._require_exp,
        )
        if own and claims.session is None:
            raise _refused()
        return claims


def derived_secret(derive: Callable[[bytes], bytes]) -> bytes:
    """The secret of a deployment that has none in its settings, of its master key's `derive`."""
    return sha512(derive(_PURPOSE)).digest()


def _private_key(path: Path | None, algorithm: str) -> Key:
    if path is None:
        raise InvalidValue(f"{algorithm} needs a private key: jwt_private_key")
    try:
        key = load_pem_private_key(path.read_bytes(), None)
        fitting = get_default_algorithms()[algorithm].prepare_key(key)
    except (OSError, ValueError, TypeError, jwt.InvalidKeyError) as error:
        raise InvalidValue(f"{path} holds no private key for {algorithm} without a passphrase") from error
    if isinstance(fitting, rsa.RSAPrivateKey) and fitting.key_size < MIN_RSA_BITS:
        raise InvalidValue(f"{path}: an RSA key needs {MIN_RSA_BITS} bits at least")
    return fitting


def _refused() -> TokenRefused:
    return TokenRefused("The token is not valid.")


def _object(piece: str) -> Mapping[str, Any]:
    try:
        found = json.loads(urlsafe_b64decode(piece + "=" * (-len(piece) % 4)))
    except (ValueError, RecursionError):
        raise _refused() from None
    if not isinstance(found, dict):
        raise _refused()
    return found


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e11:
        raise _refused()
    return float(value)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT and value.isprintable()


def _optional(value: object) -> str | None:
    return value if _is_name(value) else None
