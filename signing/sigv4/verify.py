"""Verify what a client signed, in its header or in a presigned URL."""

from __future__ import annotations

import hmac
import time
from calendar import timegm
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_tz

from signing.canonical import Headers, Query, canonical_headers, canonical_request, canonical_uri, header_map
from signing.errors import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    HeadersNotSigned,
    MissingContentSha256,
    MissingDate,
    RequestExpired,
    RequestNotYetValid,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from signing.sigv4.authorization import Authorization, PresignedAuthorization
from signing.sigv4.dates import amz_date, parse_amz_date
from signing.sigv4.keys import SigningContext, SigningKeyCache, string_to_sign
from signing.sigv4.payload import UNSIGNED_PAYLOAD, Payload, parse_payload

MAX_SKEW = 900
"""Seconds that a request's time may differ from ours."""
# CloudFront adds this one on its way to the origin, after the client has signed.
_MAY_BE_UNSIGNED = frozenset({"x-amz-cf-id"})


@dataclass(frozen=True, slots=True)
class Verified:
    """A request whose signature is good. `timestamp` is when it was signed, in Unix seconds."""

    access_key: str
    payload: Payload
    context: SigningContext
    timestamp: int
    presigned: bool


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


def _iso(timestamp: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(timestamp))
