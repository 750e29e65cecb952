"""An Authorization header or the parameters of a presigned URL, taken apart but not verified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from signing.errors import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidArgument,
    InvalidRequest,
    NotImplementedSigning,
)
from signing.sigv4.dates import parse_amz_date
from signing.sigv4.keys import ALGORITHM, TERMINAL, Scope

ECDSA_ALGORITHM = "AWS4-ECDSA-P256-SHA256"
MAX_EXPIRES = 604_800
"""Seconds that a presigned URL may live: a week."""
_PRESIGNED_NAMES = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """An Authorization header, well-formed but not verified."""

    access_key: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class PresignedAuthorization:
    """The parameters of a presigned URL, well-formed but not verified. `date` as sent, `expires` in seconds."""

    access_key: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    timestamp: int
    expires: int
    content_sha256: str | None


def parse_authorization(header: str) -> Authorization:
    """Take an Authorization header apart.

    Raises AuthorizationHeaderMalformed; InvalidRequest for Signature Version 2; NotImplementedSigning for SigV4A;
    InvalidArgument for any other scheme.
    """
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != ALGORITHM:
        if algorithm == ECDSA_ALGORITHM:
            raise NotImplementedSigning(algorithm)
        if algorithm == "AWS":
            raise InvalidRequest(
                f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
            )
        raise InvalidArgument("Unsupported Authorization Type", name="Authorization", value=algorithm[:64])
    parts: dict[str, str] = {}
    for component in rest.split(","):
        name, separator, value = component.strip().partition("=")
        if not separator or name not in ("Credential", "SignedHeaders", "Signature") or name in parts:
            raise AuthorizationHeaderMalformed(
                "the authorization header requires three components: Credential, SignedHeaders, and Signature."
            )
        parts[name] = value
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise AuthorizationHeaderMalformed(f"missing {name}.")
    access_key, scope = _parse_credential(parts["Credential"], AuthorizationHeaderMalformed)
    signed = _parse_signed_headers(parts["SignedHeaders"])
    if signed is None:
        raise AuthorizationHeaderMalformed("the SignedHeaders are mal-formed.")
    if not _is_signature(parts["Signature"]):
        raise AuthorizationHeaderMalformed("the Signature is mal-formed.")
    return Authorization(access_key, scope, signed, parts["Signature"])


def is_presigned(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether a query asks to be authenticated by its parameters. Takes `Query.pairs`."""
    return any(name in ("X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential") for name, _ in pairs)


def parse_presigned(pairs: Sequence[tuple[str, str]]) -> PresignedAuthorization:
    """Take the parameters of a presigned URL apart. Takes `Query.pairs`.

    Raises AuthorizationQueryParametersError, and NotImplementedSigning for SigV4A.
    """
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        for name in _PRESIGNED_NAMES:
            if names.count(name) > 1:
                raise AuthorizationQueryParametersError(f"{name} must not be given more than once")
    try:
        algorithm, credential, signature, date, signed_list, expires_text = [values[name] for name in _PRESIGNED_NAMES]
    except KeyError:
        raise AuthorizationQueryParametersError(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        ) from None
    if algorithm != ALGORITHM:
        if algorithm == ECDSA_ALGORITHM:
            raise NotImplementedSigning(algorithm)
        raise AuthorizationQueryParametersError(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    access_key, scope = _parse_credential(credential, _credential_parameter_error)
    try:
        timestamp = parse_amz_date(date)
    except ValueError:
        raise AuthorizationQueryParametersError(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        ) from None
    if date[:8] != scope.date:
        raise AuthorizationQueryParametersError(
            f'Invalid credential date "{scope.date}". This date is not the same as X-Amz-Date: "{date[:8]}".'
        )
    expires = _parse_expires(expires_text)
    signed = _parse_signed_headers(signed_list)
    if signed is None:
        raise AuthorizationQueryParametersError("X-Amz-SignedHeaders is mal-formed")
    if not _is_signature(signature):
        raise AuthorizationQueryParametersError("X-Amz-Signature is mal-formed")
    # Some clients (the SDKs for Go and JavaScript) move this header into the query when they presign.
    content_sha256 = values.get("X-Amz-Content-Sha256", values.get("x-amz-content-sha256"))
    return PresignedAuthorization(access_key, scope, signed, signature, date, timestamp, expires, content_sha256)


@lru_cache(maxsize=1024)
def _parse_credential(credential: str, error: type[AuthorizationHeaderMalformed] | _ErrorFactory) -> tuple[str, Scope]:
    # From the right: an access key may hold a slash, a scope may not.
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not all(parts):
        raise error('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    access_key, date, region, service, terminal = parts
    if terminal != TERMINAL:
        raise error(f'incorrect terminal "{terminal}". This endpoint uses "{TERMINAL}".')
    if len(date) != 8 or not (date.isascii() and date.isdigit()):
        raise error(f'incorrect date format "{date}". This date in the credential must be in the format "yyyyMMdd".')
    return access_key, Scope(date, region, service)


class _ErrorFactory:
    def __call__(self, detail: str) -> AuthorizationQueryParametersError:
        return AuthorizationQueryParametersError(f"Error parsing the X-Amz-Credential parameter; {detail}")


_credential_parameter_error = _ErrorFactory()


def _parse_expires(text: str) -> int:
    if text.startswith("-") and text[1:].isdigit():
        raise AuthorizationQueryParametersError("X-Amz-Expires must be non-negative")
    if not (text.isascii() and text.isdigit()):
        raise AuthorizationQueryParametersError("X-Amz-Expires should be a number")
    if len(text) > 12 or int(text) > MAX_EXPIRES:
        raise AuthorizationQueryParametersError(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{MAX_EXPIRES} seconds"
        )
    if int(text) == 0:
        raise AuthorizationQueryParametersError("X-Amz-Expires must be at least one second")
    return int(text)


@lru_cache(maxsize=1024)
def _parse_signed_headers(text: str) -> tuple[str, ...] | None:
    names = tuple(text.split(";"))
    if len(text) > 8192 or len(set(names)) != len(names):
        return None
    for name in names:
        if not name or not name.isascii() or not name.isprintable() or name != name.lower() or " " in name:
            return None
    return names


def _is_signature(text: str) -> bool:
    return len(text) == 64 and text.isascii() and not text.encode("ascii").translate(None, b"0123456789abcdef")
