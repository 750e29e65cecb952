"""The requests that the benchmarks send, as bytes, presigned as an SDK does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from bench.server import REGION, Endpoint
from signing.sigv4.keys import SigningKeyCache
from signing.sigv4.sign import Credentials, presign

_KEYS = SigningKeyCache()


def presigned(
    endpoint: Endpoint,
    method: str,
    bucket: str,
    key: str = "",
    *,
    query: str = "",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    length: int = 0,
) -> bytes:
    """A whole HTTP/1.1 request for `bucket`/`key`, with `body` behind it. `query` is percent-encoded.

    `length` announces a body that is sent apart.
    """
    path = "/" + quote(bucket) + ("/" + quote(key) if key else "")
    url = presign(
        Credentials(endpoint.access_key, endpoint.secret_key),
        method=method,
        url=f"{endpoint.url}{path}" + (f"?{query}" if query else ""),
        now=time.time(),
        region=REGION,
        expires=86_400,
        headers=tuple((headers or {}).items()),
        keys=_KEYS,
    )
    return plain(endpoint, method, _target(url), body=body, headers=headers, length=length)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def plain(
    endpoint: Endpoint,
    method: str,
    target: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    length: int = 0,
) -> bytes:
    """A request without a signature, for a target that may carry one."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {endpoint.netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method in ("PUT", "POST"):
        lines.append(f"Content-Length: {len(body) or length}")
    return "\r\n".join((*lines, "", "")).encode() + body


def completion(endpoint: Endpoint, bucket: str, key: str, upload_id: str, etags: list[str]) -> bytes:
    """The request that completes an upload of parts 1, 2, ... with these ETags (in quotes)."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return presigned(endpoint, "POST", bucket, key, query=f"uploadId={upload_id}", body=body)
