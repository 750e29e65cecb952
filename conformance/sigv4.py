"""Signature Version 4, written a second time on purpose.

The checks must not share an implementation with the server under test: an error made on both sides would cancel out.
And they must be able to sign wrongly (another time, region, scope, set of headers), which no SDK offers.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html and the pages below it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

Pairs = Sequence[tuple[str, str]]


def encode(value: str | bytes, safe: str = "") -> str:
    """Percent-encode as SigV4 asks: everything but unreserved characters, upper-case hex."""
    return quote(value, safe=safe + "-_.~")


def query_string(query: Pairs) -> str:
    """Encode the pairs in the order given; a pair with an empty value is written as `name=`."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in query)


def utcnow() -> datetime:
    """The time of day in UTC, seconds, as requests carry it."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one access key; every part of the scope can be set to something wrong."""

    access_key: str
    secret_key: str
    region: str
    service: str = "s3"
    when: datetime = field(default_factory=utcnow)
    scope_date: str = ""

    @property
    def amz_date(self) -> str:
        """The request's time as `YYYYMMDDTHHMMSSZ`."""
        return self.when.strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self) -> str:
        """`date/region/service/aws4_request`."""
        return f"{self.scope_date or self.when.strftime('%Y%m%d')}/{self.region}/{self.service}/aws4_request"

    def key(self) -> bytes:
        """The signing key derived from the secret for this scope."""
        key = ("AWS4" + self.secret_key).encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key

    def sign(self, text: str) -> str:
        """The hex signature of a string to sign."""
        return hmac.new(self.key(), text.encode(), "sha256").hexdigest()

    def request_signature(
        self, method: str, raw_path: str, query: Pairs, headers: Pairs, signed: Sequence[str], payload: str
    ) -> str:
        """The signature of a canonical request; `raw_path` is percent-encoded already."""
        merged: dict[str, list[str]] = {}
        for name, value in headers:
            merged.setdefault(name.lower(), []).append(" ".join(value.split()))
        encoded = sorted((encode(name), encode(value)) for name, value in query)
        canonical_query = "&".join(f"{name}={value}" for name, value in encoded)
        lines = [method, raw_path, canonical_query]
        lines += [f"{name}:{','.join(merged.get(name, ['']))}" for name in sorted(signed)]
        lines += ["", ";".join(sorted(signed)), payload]
        digest = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        return self.sign(f"AWS4-HMAC-SHA256\n{self.amz_date}\n{self.scope}\n{digest}")

    def authorization(
        self, method: str, raw_path: str, query: Pairs, headers: Pairs, payload: str, unsigned: Iterable[str] = ()
    ) -> str:
        """The Authorization header over all headers given except the `unsigned` ones."""
        left_out = {name.lower() for name in unsigned}
        signed = sorted({name.lower() for name, _ in headers} - left_out)
        signature = self.request_signature(method, raw_path, query, headers, signed, payload)
        return (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope},"
            f"SignedHeaders={';'.join(signed)},Signature={signature}"
        )

    def presigned_query(
        self,
        method: str,
        raw_path: str,
        query: Pairs,
        headers: Pairs,
        expires: int | str,
        payload: str = UNSIGNED,
    ) -> list[tuple[str, str]]:
        """The query of a presigned URL: what was given and the six `X-Amz-*` parameters. `expires` is in seconds."""
        signed = sorted({name.lower() for name, _ in headers})
        full = [
            *query,
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", f"{self.access_key}/{self.scope}"),
            ("X-Amz-Date", self.amz_date),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", ";".join(signed)),
        ]
        signature = self.request_signature(method, raw_path, full, headers, signed, payload)
        return [*full, ("X-Amz-Signature", signature)]


def signed_chunks(signer: Signer, seed: str, chunks: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """Frame chunks of an aws-chunked body, the closing empty one too: (frame with its line ends, its signature).

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
    """
    previous = seed
    for chunk in (*chunks, b""):
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                signer.amz_date,
                signer.scope,
                previous,
                EMPTY_SHA256,
                hashlib.sha256(chunk).hexdigest(),
            )
        )
        previous = signer.sign(text)
        end = b"\r\n" if chunk else b""
        yield b"%x;chunk-signature=%s\r\n" % (len(chunk), previous.encode()) + chunk + end, previous


def trailer_signature(signer: Signer, previous: str, trailers: Pairs) -> str:
    """The signature of the trailing headers, chained to the last chunk's.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
    """
    canonical = "".join(f"{name}:{value}\n" for name, value in trailers)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return signer.sign(f"AWS4-HMAC-SHA256-TRAILER\n{signer.amz_date}\n{signer.scope}\n{previous}\n{digest}")


def unsigned_chunks(chunks: Iterable[bytes]) -> bytes:
    """Frame chunks without signatures, the closing `0` line included, the trailers not."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return framed + b"0\r\n"
