"""Other signers that clients use: minio-py's, and the C library behind aws-cli v2 and the newer SDKs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpHeaders, HttpRequest
from minio.credentials import Credentials as MinioCredentials
from minio.signer import presign_v4, sign_v4_s3

from signing.canonical import Query
from signing.sigv4.authorization import parse_authorization, parse_presigned
from signing.sigv4.dates import amz_date
from signing.sigv4.keys import SigningKeyCache
from signing.sigv4.payload import UNSIGNED_PAYLOAD, PayloadMode
from signing.sigv4.verify import Verified, verify_header, verify_presigned

SECRET = "sk12345678"
TARGET = "/b/a%20b%2B%C3%BC//x?prefix=a%20b%2Bc&acl=&list-type=2"
URL = urlsplit(f"http://127.0.0.1:9000{TARGET}")
KEYS = SigningKeyCache()


def _verify_header(method: str, target: str, headers: list[tuple[str, str]]) -> Verified:
    path, _, query = target.partition("?")
    authorization = next(value for name, value in headers if name.lower() == "authorization")
    return verify_header(
        parse_authorization(authorization),
        secret=SECRET,
        method=method,
        raw_path=path.encode(),
        query=Query(query.encode()),
        headers=headers,
        now=time.time(),
        region="us-east-1",
        keys=KEYS,
    )


def _verify_presigned(target: str, host: str) -> Verified:
    path, _, raw_query = target.partition("?")
    query = Query(raw_query.encode())
    return verify_presigned(
        parse_presigned(query.pairs),
        secret=SECRET,
        method="GET",
        raw_path=path.encode(),
        query=query,
        headers=[("Host", host)],
        now=time.time(),
        region="us-east-1",
        keys=KEYS,
    )


def test_minio_header() -> None:
    now = datetime.now(UTC)
    headers = {
        "Host": URL.netloc,
        "Content-Type": "image/png",
        "User-Agent": "MinIO",
        "x-amz-content-sha256": UNSIGNED_PAYLOAD,
        "x-amz-date": amz_date(now.timestamp()),
        "x-amz-meta-name": "two  words",
    }
    signed = sign_v4_s3(
        method="PUT",
        url=URL,
        region="us-east-1",
        headers=headers,
        credentials=MinioCredentials("ak", SECRET),
        content_sha256=UNSIGNED_PAYLOAD,
        date=now,
    )
    assert _verify_header("PUT", TARGET, [*signed.items()]).access_key == "ak"


def test_minio_presigned() -> None:
    url = presign_v4(
        method="GET",
        url=URL,
        region="us-east-1",
        credentials=MinioCredentials("ak", SECRET),
        date=datetime.now(UTC),
        expires=600,
    )
    assert _verify_presigned(f"{url.path}?{url.query}", url.netloc).access_key == "ak"


def _crt(kind: AwsSignatureType, headers: list[tuple[str, str]], body: str) -> tuple[str, list[tuple[str, str]]]:
    request = HttpRequest("GET", TARGET, HttpHeaders([("host", URL.netloc), *headers]))
    presigned = kind is AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS
    header = AwsSignedBodyHeaderType.NONE if presigned else AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=kind,
        credentials_provider=AwsCredentialsProvider.new_static("ak", SECRET),
        region="us-east-1",
        service="s3",
        date=datetime.now(UTC),
        use_double_uri_encode=False,
        should_normalize_uri_path=False,
        signed_body_value=body,
        signed_body_header_type=header,
        expiration_in_seconds=600 if presigned else None,
    )
    aws_sign_request(request, config).result(timeout=60)
    return request.path, list(request.headers)


def test_crt_header() -> None:
    for mode in (PayloadMode.STREAMING_UNSIGNED_TRAILER, PayloadMode.UNSIGNED):
        headers = [("content-length", "3"), ("x-amz-meta-a", "a   b"), ("x-amz-decoded-content-length", "1")]
        target, signed = _crt(AwsSignatureType.HTTP_REQUEST_HEADERS, headers, mode.value)
        assert _verify_header("GET", target, signed).payload.mode is mode


def test_crt_presigned() -> None:
    target, _ = _crt(AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS, [], UNSIGNED_PAYLOAD)
    assert _verify_presigned(target, URL.netloc).presigned
