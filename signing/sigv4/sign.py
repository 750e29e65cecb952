"""Sign as a client does: in a header, or a presigned URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from signing.canonical import (
    Headers,
    canonical_headers,
    canonical_query,
    canonical_request,
    canonical_uri,
    encode,
    header_map,
)
from signing.sigv4.dates import amz_date
from signing.sigv4.keys import ALGORITHM, Scope, SigningContext, SigningKeyCache, derive_key, string_to_sign
from signing.sigv4.payload import UNSIGNED_PAYLOAD


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
        keys.get(credentials.secret, scope)
        if keys
        else derive_key(credentials.secret, scope.date, region, scope.service)
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
        keys.get(credentials.secret, scope)
        if keys
        else derive_key(credentials.secret, scope.date, region, scope.service)
    )
    signature = key.sign(string_to_sign(date, str(scope), request))
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}&X-Amz-Signature={signature}"
