"""AWS Signature Version 4 for S3: parse and verify what a client sent, and sign as a client.

A door does it in three steps: `parse_authorization` or `parse_presigned`, look the access key up, then `verify_header`
or `verify_presigned` with its secret. What comes out names the payload form and holds what a chunked body is verified
with.

Times are Unix seconds in UTC. Paths are bytes as sent; a query string is parsed once into a `Query`.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html and, for presigned URLs,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import enum
import hmac
import time
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_tz
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from signing.canonical import (
    Headers,
    Query,
    canonical_headers,
    canonical_query,
    canonical_request,
    canonical_uri,
    encode,
    header_map,
)
from signing.errors import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    HeadersNotSigned,
    InvalidArgument,
    InvalidRequest,
    MissingContentSha256,
    MissingDate,
    NotImplementedSigning,
    RequestExpired,
    RequestNotYetValid,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)

__all__ = [
    "ALGORITHM",
    "EMPTY_SHA256",
    "MAX_EXPIRES",
    "MAX_SKEW",
    "UNSIGNED_PAYLOAD",
    "Authorization",
    "Credentials",
    "Payload",
    "PayloadMode",
    "PresignedAuthorization",
    "Query",
    "Scope",
    "SignedHeaders",
    "SigningContext",
    "SigningKey",
    "SigningKeyCache",
    "Verified",
    "amz_date",
    "canonical_headers",
    "canonical_query",
    "canonical_request",
    "canonical_uri",
    "is_presigned",
    "parse_amz_date",
    "parse_authorization",
    "parse_payload",
    "parse_presigned",
    "presign",
    "sign_header",
    "signing_key",
    "string_to_sign",
    "verify_header",
    "verify_presigned",
]

ALGORITHM = "AWS4-HMAC-SHA256"
ECDSA_ALGORITHM = "AWS4-ECDSA-P256-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()
MAX_SKEW = 900
"""Seconds that a request's time may differ from ours."""
MAX_EXPIRES = 604_800
"""Seconds that a presigned URL may live: a week."""

_TERMINAL = "aws4_request"
# RFC 2104 section 2: the key, padded to a block, is combined with these before it is hashed.
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_HEX = frozenset("0123456789abcdefABCDEF")
# CloudFront adds this one on its way to the origin, after the client has signed.
_MAY_BE_UNSIGNED = frozenset({"x-amz-cf-id"})
_PRESIGNED_NAMES = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


class PayloadMode(enum.Enum):
    """What `x-amz-content-sha256` says of the body. Values are as sent, but for HASHED."""

    HASHED = "<sha256>"
    UNSIGNED = UNSIGNED_PAYLOAD
    STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    @property
    def chunked(self) -> bool:
        """Whether the body is in aws-chunked framing."""
        return self in _CHUNKED


_CHUNKED = frozenset(
    {PayloadMode.STREAMING_SIGNED, PayloadMode.STREAMING_SIGNED_TRAILER, PayloadMode.STREAMING_UNSIGNED_TRAILER}
)


@dataclass(frozen=True, slots=True)
class Payload:
    """The form of a body, and for HASHED the SHA-256 (lower-case hexadecimal) that it must turn out to have."""

    mode: PayloadMode
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a derived key is good for. `date` is YYYYMMDD."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{_TERMINAL}"


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


@dataclass(frozen=True, slots=True)
class Verified:
    """A request whose signature is good. `timestamp` is when it was signed, in Unix seconds."""

    access_key: str
    payload: Payload
    context: SigningContext
    timestamp: int
    presigned: bool


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client's key pair."""

    access_key: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """Headers to add to a request, and what its chunks are to be signed with."""

    headers: dict[str, str]
    context: SigningContext


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key derived from a secret for one day, region and service: 32 bytes."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode(), "sha256")
    for part in (region, service, _TERMINAL):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class SigningKeyCache:
    """The derived keys used last, for any thread. The secret is part of the look-up: a changed one finds nothing."""

    def __init__(self, size: int = 4096) -> None:
        self._derive = lru_cache(maxsize=size)(_derive)

    def get(self, secret: str, scope: Scope) -> SigningKey:
        return self._derive(secret, scope.date, scope.region, scope.service)

    def clear(self) -> None:
        self._derive.cache_clear()


def string_to_sign(date: str, scope: str, request: str) -> str:
    """`date` as YYYYMMDDTHHMMSSZ, `request` the canonical request."""
    digest = sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{date}\n{scope}\n{digest}"


def amz_date(timestamp: float) -> str:
    """Unix seconds as YYYYMMDDTHHMMSSZ."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(timestamp))


@lru_cache(maxsize=1024)
def parse_amz_date(text: str) -> int:
    """Unix seconds of YYYYMMDDTHHMMSSZ. Raises ValueError."""
    if len(text) != 16 or text[8] != "T" or text[15] != "Z":
        raise ValueError("not YYYYMMDDTHHMMSSZ")
    digits = text[:8] + text[9:15]
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("not YYYYMMDDTHHMMSSZ")
    return timegm(
        datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[9:11]),
            int(text[11:13]),
            int(text[13:15]),
            tzinfo=UTC,
        ).timetuple()
    )


def parse_payload(value: str) -> Payload:
    """What `x-amz-content-sha256` asks for. Raises InvalidArgument, and NotImplementedSigning for the ECDSA forms."""
    mode = _PAYLOAD_MODES.get(value)
    if mode is not None:
        return mode
    if len(value) == 64 and _HEX.issuperset(value):
        return Payload(PayloadMode.HASHED, value.lower())
    if value.startswith("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"):
        raise NotImplementedSigning(value)
    raise InvalidArgument(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER "
        "or a valid sha256 value.",
        name="x-amz-content-sha256",
        value=value[:128],
    )


_PAYLOAD_MODES = {mode.value: Payload(mode) for mode in PayloadMode if mode is not PayloadMode.HASHED}


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


def verify_header(
    authorization: Authorization,
    *,
    secret: str,
    method: str,
    raw_path: bytes,
    query: Query,
    headers: Headers,
    now: float,
    region: str,
    keys: SigningKeyCache,
    hosts: Sequence[str] = (),
) -> Verified:
    """Verify a request signed in its Authorization header.

    `hosts` are aliases to try where the Host received does not fit, because a proxy changed it. Raises
    AuthorizationHeaderMalformed (wrong scope), MissingDate, RequestTimeTooSkewed, HeadersNotSigned,
    MissingContentSha256, InvalidArgument (payload form) or SignatureDoesNotMatch.
    """
    scope = authorization.scope
    if scope.service != "s3":
        raise AuthorizationHeaderMalformed(f'incorrect service "{scope.service}". This endpoint belongs to "s3".')
    if scope.region != region:
        raise AuthorizationHeaderMalformed(f'the region "{scope.region}" is wrong; expecting "{region}"', region=region)
    values = header_map(headers)
    timestamp, date = _request_time(values)
    if abs(now - timestamp) > MAX_SKEW:
        raise RequestTimeTooSkewed(request_time=date, server_time=_iso(now), max_skew=MAX_SKEW)
    if date[:8] != scope.date:
        raise AuthorizationHeaderMalformed("Invalid credential date. Date is not the same as X-Amz-Date.")
    content_sha256 = values.get("x-amz-content-sha256")
    if content_sha256 is None:
        raise MissingContentSha256
    payload = parse_payload(content_sha256)
    _require_signed(values, authorization.signed_headers)
    context = _verify(
        authorization,
        secret=secret,
        method=method,
        uri=canonical_uri(raw_path),
        query=query.canonical(),
        values=values,
        date=date,
        payload_hash=content_sha256,
        keys=keys,
        hosts=hosts,
    )
    return Verified(authorization.access_key, payload, context, timestamp, presigned=False)


def verify_presigned(
    authorization: PresignedAuthorization,
    *,
    secret: str,
    method: str,
    raw_path: bytes,
    query: Query,
    headers: Headers,
    now: float,
    region: str,
    keys: SigningKeyCache,
    hosts: Sequence[str] = (),
) -> Verified:
    """Verify a presigned URL, good from its X-Amz-Date (with 15 minutes of grace) until X-Amz-Expires seconds later.

    The payload is unsigned, unless `x-amz-content-sha256` is a signed header or a parameter. Raises
    AuthorizationQueryParametersError (wrong scope), RequestNotYetValid, RequestExpired, HeadersNotSigned,
    InvalidArgument (payload form) or SignatureDoesNotMatch.
    """
    scope = authorization.scope
    if scope.service != "s3":
        raise AuthorizationQueryParametersError(
            f'Error parsing the X-Amz-Credential parameter; incorrect service "{scope.service}". '
            'This endpoint belongs to "s3".'
        )
    if scope.region != region:
        raise AuthorizationQueryParametersError(
            f'Error parsing the X-Amz-Credential parameter; the region "{scope.region}" is wrong; expecting "{region}"',
            region=region,
        )
    timestamp = authorization.timestamp
    if timestamp - now > MAX_SKEW:
        raise RequestNotYetValid(valid_from=_iso(timestamp), server_time=_iso(now))
    if now > timestamp + authorization.expires:
        raise RequestExpired(
            expires_in=authorization.expires,
            expired_at=_iso(timestamp + authorization.expires),
            server_time=_iso(now),
        )
    values = header_map(headers)
    _require_signed(values, authorization.signed_headers)
    content_sha256 = values.get("x-amz-content-sha256") or authorization.content_sha256 or UNSIGNED_PAYLOAD
    payload = parse_payload(content_sha256)
    context = _verify(
        authorization,
        secret=secret,
        method=method,
        uri=canonical_uri(raw_path),
        query=query.canonical(exclude="X-Amz-Signature"),
        values=values,
        date=authorization.date,
        payload_hash=content_sha256,
        keys=keys,
        hosts=hosts,
    )
    return Verified(authorization.access_key, payload, context, timestamp, presigned=True)


def sign_header(
    credentials: Credentials,
    *,
    method: str,
    host: str,
    raw_path: bytes,
    now: float,
    region: str,
    raw_query: bytes = b"",
    headers: Headers = (),
    payload_hash: str = UNSIGNED_PAYLOAD,
    keys: SigningKeyCache | None = None,
) -> SignedHeaders:
    """Sign a request as a client does. All `headers` are signed; what comes back is to be added to them.

    `host` is the Host header that will be sent, `payload_hash` a SHA-256 in hexadecimal, UNSIGNED-PAYLOAD or a
    STREAMING form.
    """
    date = amz_date(now)
    scope = Scope(date[:8], region, "s3")
    added = {"x-amz-date": date, "x-amz-content-sha256": payload_hash}
    values = header_map(headers) | {"host": host} | added
    signed = sorted(values)
    signed_list = ";".join(signed)
    request = canonical_request(
        method,
        canonical_uri(raw_path),
        canonical_query(raw_query),
        canonical_headers(values, signed),
        signed_list,
        payload_hash,
    )
    key = (
        keys.get(credentials.secret, scope) if keys else _derive(credentials.secret, scope.date, region, scope.service)
    )
    signature = key.sign(string_to_sign(date, str(scope), request))
    added["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope},SignedHeaders={signed_list},Signature={signature}"
    )
    return SignedHeaders(added, SigningContext(key, date, str(scope), signature))


def presign(
    credentials: Credentials,
    *,
    method: str,
    url: str,
    now: float,
    region: str,
    expires: int,
    headers: Headers = (),
    keys: SigningKeyCache | None = None,
) -> str:
    """A presigned URL for `url` (absolute, percent-encoded), good for `expires` seconds from `now`.

    `headers` are those that must be sent with it, unchanged; Host is always signed, and the payload never.
    """
    parts = urlsplit(url)
    date = amz_date(now)
    scope = Scope(date[:8], region, "s3")
    values = header_map(headers) | {"host": parts.netloc.rpartition("@")[2]}
    signed = sorted(values)
    signed_list = ";".join(signed)
    parameters = (
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", f"{credentials.access_key}/{scope}"),
        ("X-Amz-Date", date),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", signed_list),
    )
    added = "&".join([f"{name}={encode(value)}" for name, value in parameters])
    query = f"{parts.query}&{added}" if parts.query else added
    request = canonical_request(
        method,
        canonical_uri(parts.path.encode()),
        canonical_query(query.encode()),
        canonical_headers(values, signed),
        signed_list,
        values.get("x-amz-content-sha256", UNSIGNED_PAYLOAD),
    )
    key = (
        keys.get(credentials.secret, scope) if keys else _derive(credentials.secret, scope.date, region, scope.service)
    )
    signature = key.sign(string_to_sign(date, str(scope), request))
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}&X-Amz-Signature={signature}"


def _verify(
    authorization: Authorization | PresignedAuthorization,
    *,
    secret: str,
    method: str,
    uri: str,
    query: str,
    values: dict[str, str],
    date: str,
    payload_hash: str,
    keys: SigningKeyCache,
    hosts: Sequence[str],
) -> SigningContext:
    signed = authorization.signed_headers
    signed_list = ";".join(signed)
    scope = str(authorization.scope)
    key = keys.get(secret, authorization.scope)
    # A signed header that did not arrive reads as empty, so that the answer shows what was missing; it never matches.
    absent = [name for name in signed if name not in values]
    for name in absent:
        values[name] = ""
    request = canonical_request(method, uri, query, canonical_headers(values, signed), signed_list, payload_hash)
    first = text = string_to_sign(date, scope, request)
    if not absent:
        if hmac.compare_digest(key.sign(text), authorization.signature):
            return SigningContext(key, date, scope, authorization.signature)
        received = values["host"]
        for host in hosts:
            if host == received:
                continue
            values["host"] = host
            text = string_to_sign(
                date,
                scope,
                canonical_request(method, uri, query, canonical_headers(values, signed), signed_list, payload_hash),
            )
            if hmac.compare_digest(key.sign(text), authorization.signature):
                return SigningContext(key, date, scope, authorization.signature)
    raise SignatureDoesNotMatch(
        access_key=authorization.access_key,
        string_to_sign=first,
        canonical_request=request,
        signature=authorization.signature,
    )


def _require_signed(values: Mapping[str, str], signed: tuple[str, ...]) -> None:
    missing = [
        name for name in values if name.startswith("x-amz-") and name not in signed and name not in _MAY_BE_UNSIGNED
    ]
    if "host" not in signed:
        missing.append("host")
    if missing:
        raise HeadersNotSigned(tuple(sorted(missing)))


def _request_time(values: Mapping[str, str]) -> tuple[int, str]:
    text = values.get("x-amz-date")
    if text is not None:
        try:
            return parse_amz_date(text), text
        except ValueError:
            raise MissingDate from None
    parsed = parsedate_tz(values.get("date", ""))
    if parsed is None:
        raise MissingDate
    try:
        timestamp = timegm((*parsed[:6], 0, 0, 0)) - (parsed[9] or 0)
        return timestamp, amz_date(timestamp)
    except (ValueError, OverflowError, OSError):
        raise MissingDate from None


@lru_cache(maxsize=1024)
def _parse_credential(credential: str, error: type[AuthorizationHeaderMalformed] | _ErrorFactory) -> tuple[str, Scope]:
    # From the right: an access key may hold a slash, a scope may not.
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not all(parts):
        raise error('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    access_key, date, region, service, terminal = parts
    if terminal != _TERMINAL:
        raise error(f'incorrect terminal "{terminal}". This endpoint uses "{_TERMINAL}".')
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


def _derive(secret: str, date: str, region: str, service: str) -> SigningKey:
    return SigningKey(signing_key(secret, date, region, service))


def _iso(timestamp: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(timestamp))
