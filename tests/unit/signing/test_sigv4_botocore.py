"""botocore signs, we verify: an oracle that knows nothing of our code."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from signing.canonical import Query
from signing.errors import SignatureDoesNotMatch
from signing.sigv4.authorization import MAX_EXPIRES, parse_authorization, parse_presigned
from signing.sigv4.keys import SigningKeyCache
from signing.sigv4.sign import Credentials, presign
from signing.sigv4.verify import verify_header, verify_presigned

HOST = "bucket.example.com:9000"
KEYS = SigningKeyCache()

keys = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=24)
queries = st.dictionaries(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8).filter(lambda name: name[:2] != "X-"),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    max_size=4,
)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.strip)
metadata = st.dictionaries(st.from_regex(r"x-amz-meta-[a-z0-9-]{1,10}", fullmatch=True), values, max_size=4)
secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=40)


def _request(method: str, key: str, query: dict[str, str], headers: dict[str, str]) -> AWSRequest:
    url = f"http://{HOST}/{quote(key, safe='/~')}"
    if query:
        url += "?" + "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items()
        )
    return AWSRequest(method=method, url=url, headers=headers, data=b"")


def _split(url: str) -> tuple[bytes, Query]:
    path, _, query = url.removeprefix(f"http://{HOST}").partition("?")
    return path.encode(), Query(query.encode())


@given(keys, queries, metadata, secrets)
@example("a//b/../c d+e%2F~ü", {"prefix": "a+b c/ä=&", "acl": ""}, {"x-amz-meta-a": "two   words"}, "secret/+=")
def test_header_signature_of_botocore(key: str, query: dict[str, str], headers: dict[str, str], secret: str) -> None:
    request = _request("PUT", key, query, headers)
    S3SigV4Auth(BotocoreCredentials("AKID", secret), "s3", "eu-central-1").add_auth(request)
    path, parsed = _split(request.url)
    arguments = {
        "method": "PUT",
        "raw_path": path,
        "query": parsed,
        "headers": [("Host", HOST), *((name, str(value)) for name, value in request.headers.items())],
        "now": time.time(),
        "region": "eu-central-1",
        "keys": KEYS,
    }
    authorization = parse_authorization(request.headers["Authorization"])
    assert verify_header(authorization, secret=secret, **arguments).access_key == "AKID"
    with pytest.raises(SignatureDoesNotMatch):
        verify_header(authorization, secret=f"{secret}x", **arguments)


@given(keys, queries, metadata, secrets, st.integers(60, MAX_EXPIRES))
@example("ключ/ /+", {"response-content-type": 'a/b; c="d"'}, {}, "s3cr3t++", 3600)
def test_presigned_url_of_botocore(
    key: str, query: dict[str, str], headers: dict[str, str], secret: str, expires: int
) -> None:
    request = _request("GET", key, query, headers)
    S3SigV4QueryAuth(BotocoreCredentials("AKID", secret), "s3", "us-east-1", expires=expires).add_auth(request)
    path, parsed = _split(request.url)
    authorization = parse_presigned(parsed.pairs)
    arguments = {
        "method": "GET",
        "raw_path": path,
        "query": parsed,
        "headers": [("Host", HOST), *headers.items()],
        "now": time.time(),
        "region": "us-east-1",
        "keys": KEYS,
    }
    assert verify_presigned(authorization, secret=secret, **arguments).presigned
    with pytest.raises(SignatureDoesNotMatch):
        verify_presigned(authorization, secret=f"{secret}x", **arguments)
    if not headers:
        ours = presign(
            Credentials("AKID", secret),
            method="GET",
            url=request.url.partition("X-Amz-Algorithm")[0].rstrip("?&"),
            now=authorization.timestamp,
            region="us-east-1",
            expires=expires,
        )
        assert ours.rpartition("=")[2] == authorization.signature
