"""What a case is given: clients for the target, buckets that are cleaned up, and requests signed rightly or wrongly."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from botocore.exceptions import ClientError

from conformance.sigv4 import EMPTY_SHA256, Pairs, Signer, encode, query_string
from conformance.target import Keys, Target
from conformance.verdict import Mismatch, Skipped, check, equal
from conformance.wire import Answer, Connection

Headers = dict[str, str]


@dataclass(slots=True)
class Refusal:
    """Filled when the block of `Probe.refused` ends: the error as boto3 raised it."""

    response: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        """The response headers, names in lower case."""
        return dict(self.response["ResponseMetadata"]["HTTPHeaders"])


class Probe:
    """Talks to one target. `s3` is a boto3 client; `send` writes a request of its own making."""

    def __init__(self, target: Target) -> None:
        """Nothing is sent before the first use."""
        self.target = target
        self._buckets: list[str] = []

    @cached_property
    def s3(self) -> Any:
        """A boto3 client at its default settings, without retries; one for all cases of a target."""
        return _client(self.target, self.target.keys)

    @cached_property
    def other(self) -> Any:
        """A boto3 client of a second account; the case is skipped where the target has none."""
        if self.target.other is None:
            raise Skipped("needs keys of a second account")
        return _client(self.target, self.target.other)

    # Buckets

    def name(self) -> str:
        """A bucket name nobody has; whatever is made under it is removed after the case."""
        return self.claim(f"conformance-{secrets.token_hex(8)}")

    def claim(self, name: str) -> str:
        """Have a bucket of this name, should it come to be, removed after the case."""
        self._buckets.append(name)
        return name

    def bucket(self, *, versioning: str | None = None) -> str:
        """A new empty bucket, versioning `Enabled` or `Suspended` where asked."""
        name = self.name()
        if self.target.region == "us-east-1":
            self.s3.create_bucket(Bucket=name)
        else:
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.target.region})
        if versioning:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
        return name

    def put(self, bucket: str, key: str, body: bytes = b"", **parameters: Any) -> dict[str, Any]:
        """PutObject, the response as boto3 gives it."""
        response: dict[str, Any] = self.s3.put_object(Bucket=bucket, Key=key, Body=body, **parameters)
        return response

    def body(self, bucket: str, key: str, **parameters: Any) -> bytes:
        """The bytes of an object."""
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key, **parameters)["Body"].read()
        return content

    def keys(self, bucket: str) -> list[str]:
        """All keys of a bucket in listing order."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def absent(self, bucket: str, key: str) -> None:
        """Check that the key does not exist."""
        with self.refused("404", 404):
            self.s3.head_object(Bucket=bucket, Key=key)

    def multipart(self, bucket: str, key: str, parts: Iterable[bytes], **parameters: Any) -> dict[str, Any]:
        """Upload parts 1, 2, ... and complete; the response of CompleteMultipartUpload."""
        upload = self.s3.create_multipart_upload(Bucket=bucket, Key=key, **parameters)["UploadId"]
        same = {"ChecksumAlgorithm": parameters["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in parameters else {}
        done = [self.part(bucket, key, upload, number, part, **same) for number, part in enumerate(parts, 1)]
        response: dict[str, Any] = self.s3.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
        )
        return response

    def part(self, bucket: str, key: str, upload: str, number: int, body: bytes, **parameters: Any) -> dict[str, Any]:
        """UploadPart, the entry for the list of parts that completes."""
        response = self.s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body, **parameters
        )
        checksums = {name: value for name, value in response.items() if name.startswith("Checksum")}
        checksums.pop("ChecksumType", None)
        return {"PartNumber": number, "ETag": response["ETag"], **checksums}

    @contextmanager
    def refused(self, code: str | tuple[str, ...], status: int) -> Iterator[Refusal]:
        """The block must end in an error with this code (one of these) and status. A HEAD has its status as code."""
        refusal = Refusal()
        codes = (code,) if isinstance(code, str) else code
        try:
            yield refusal
        except ClientError as error:
            refusal.response = dict(error.response)
            seen = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
            check(seen[0] == status and seen[1] in codes, f"expected {status} {' or '.join(codes)}, got {seen}")
        else:
            raise Mismatch(f"expected {status} {' or '.join(codes)}, but the request succeeded")

    # Requests of our own making

    def signer(self, keys: Keys | None = None, **wrong: Any) -> Signer:
        """A signer for the target's (or other) keys; `wrong` replaces region, service, when or scope_date."""
        keys = keys or self.target.keys
        return Signer(keys.access_key, keys.secret_key, **({"region": self.target.region} | wrong))

    @staticmethod
    def path(bucket: str = "", key: str | bytes = "") -> str:
        """The percent-encoded path of a bucket or an object; bytes are taken as they are."""
        if not bucket:
            return "/"
        return f"/{bucket}/{encode(key, safe='/')}" if key else f"/{bucket}"

    def open(self, *, timeout: float = 60) -> Connection:
        """A bare connection; `timeout` is in seconds."""
        return Connection(self.target, timeout=timeout)

    def signed_headers(
        self,
        method: str,
        raw_path: str,
        query: Pairs = (),
        headers: Headers | None = None,
        *,
        payload: str = EMPTY_SHA256,
        signer: Signer | None = None,
        unsigned: Iterable[str] = (),
        drop: Iterable[str] = (),
        host: str | None = None,
    ) -> list[tuple[str, str]]:
        """Headers with Authorization: `unsigned` ones are sent but not signed, those in `drop` signed but not sent."""
        signer = signer or self.signer()
        given = {name.lower() for name in headers or {}}
        full = [("Host", host or self.target.authority)]
        if "x-amz-date" not in given:
            full.append(("x-amz-date", signer.amz_date))
        if "x-amz-content-sha256" not in given:
            full.append(("x-amz-content-sha256", payload))
        full += (headers or {}).items()
        authorization = signer.authorization(method, raw_path, query, full, payload, unsigned)
        dropped = {name.lower() for name in drop}
        return [
            *((name, value) for name, value in full if name.lower() not in dropped),
            ("Authorization", authorization),
        ]

    def send(
        self,
        method: str,
        bucket: str = "",
        key: str | bytes = "",
        query: Pairs = (),
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        length: int | None = None,
        payload: str | None = None,
        signer: Signer | None = None,
        unsigned: Iterable[str] = (),
        drop: Iterable[str] = (),
        host: str | None = None,
        raw_path: str | None = None,
        edit: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] | None = None,
    ) -> Answer:
        """Send a signed request. `length` declares another Content-Length than the body has; where that is longer,
        writing ends after the body. `edit` changes the headers after signing."""
        raw_path = raw_path if raw_path is not None else self.path(bucket, key)
        payload = payload if payload is not None else hashlib.sha256(body).hexdigest()
        signed = self.signed_headers(
            method,
            raw_path,
            query,
            headers,
            payload=payload,
            signer=signer,
            unsigned=unsigned,
            drop=drop,
            host=host,
        )
        if body or length is not None or method in ("PUT", "POST"):
            signed.append(("Content-Length", str(len(body) if length is None else length)))
        if edit:
            signed = edit(signed)
        return self.exchange(method, raw_path, query, signed, body, cut=length is not None and length > len(body))

    def exchange(
        self,
        method: str,
        raw_path: str,
        query: Pairs,
        headers: Pairs,
        body: bytes = b"",
        *,
        cut: bool = False,
    ) -> Answer:
        """Send exactly this, unsigned; `cut` shuts the write side after the body. The connection is closed."""
        request_target = f"{raw_path}?{query_string(query)}" if query else raw_path
        with self.open() as connection:
            connection.head(method, request_target, [*headers, ("Connection", "close")])
            connection.body(body)
            if cut:
                connection.end_writing()
            return connection.answer()

    def presigned(
        self,
        method: str,
        bucket: str,
        key: str = "",
        query: Pairs = (),
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        expires: int | str = 300,
        extra: Headers | None = None,
        signer: Signer | None = None,
        edit: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] | None = None,
        sign_as: str | None = None,
    ) -> Answer:
        """Send a presigned request: `headers` are signed, `extra` are sent unsigned, `edit` changes the query after
        signing, `sign_as` signs for another method than is sent."""
        signer = signer or self.signer()
        raw_path = self.path(bucket, key)
        signed = [("Host", self.target.authority), *(headers or {}).items()]
        full = signer.presigned_query(sign_as or method, raw_path, query, signed, expires)
        if edit:
            full = edit(full)
        sent = [*signed, *(extra or {}).items()]
        if body or method in ("PUT", "POST"):
            sent.append(("Content-Length", str(len(body))))
        return self.exchange(method, raw_path, full, sent, body)

    # Leaving

    def clean(self) -> None:
        """Remove every bucket of this probe with all it holds; what is gone or not ours already is no error."""
        for bucket in self._buckets:
            try:
                self._empty(bucket)
                self.s3.delete_bucket(Bucket=bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("NoSuchBucket", "AccessDenied"):
                    raise
        self._buckets.clear()

    def _empty(self, bucket: str) -> None:
        for page in self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for upload in page.get("Uploads", []):
                self.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            doomed = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
            for beyond_xml in [entry for entry in doomed if min(entry["Key"]) < " "]:
                self.s3.delete_object(Bucket=bucket, **beyond_xml)
                doomed.remove(beyond_xml)
            if doomed:
                answer = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
                equal(answer.get("Errors", []), [], f"cleaning {bucket}")


@cache
def _client(target: Target, keys: Keys) -> Any:
    return target.client(keys)


def content_md5(body: bytes) -> str:
    """The value of a Content-MD5 header."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def etag(body: bytes) -> str:
    """The quoted ETag that AWS gives to bytes uploaded in one piece."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def etag_of_parts(parts: Iterable[bytes]) -> str:
    """The quoted ETag that AWS gives to an upload in parts: the MD5 of the parts' MD5s, and their number."""
    digests = [hashlib.md5(part, usedforsecurity=False).digest() for part in parts]
    return f'"{hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"'
