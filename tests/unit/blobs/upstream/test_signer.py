"""What the upstream is sent verifies by the rules that we hold our own clients to."""

from __future__ import annotations

import time

import pytest

from gateway.blobs.upstream.signer import KeyPair, Signer, canonical_pairs
from signing.canonical import Query
from signing.errors import SignatureDoesNotMatch
from signing.sigv4.authorization import parse_authorization
from signing.sigv4.keys import SigningKeyCache
from signing.sigv4.verify import verify_header


def parse(raw: bytes) -> tuple[str, bytes, bytes, list[tuple[str, str]]]:
    line, *lines = raw.decode().split("\r\n")
    method, target, version = line.split(" ")
    assert version == "HTTP/1.1"
    assert lines[-2:] == ["", ""]
    path, _, query = target.partition("?")
    headers = [(name, value) for name, _, value in (field.partition(": ") for field in lines[:-2])]
    return method, path.encode(), query.encode(), headers


def verify(raw: bytes, secret: str) -> None:
    method, path, query, headers = parse(raw)
    authorization = parse_authorization(dict(headers)["authorization"])
    verify_header(
        authorization,
        secret=secret,
        method=method,
        raw_path=path,
        query=Query(query),
        headers=headers,
        now=time.time(),
        region="eu-west-1",
        keys=SigningKeyCache(),
    )


def test_a_request_is_signed_with_all_that_matters() -> None:
    query = canonical_pairs((("partNumber", "2"), ("uploadId", "a+b/c=="), ("prefix", b"\xff &")))
    raw = Signer("eu-west-1").request(
        KeyPair("key", "secret", "token"),
        "PUT",
        "host:9000",
        "/bucket/a%20b/%C3%A4",
        query,
        (("range", "bytes=0-1"), ("x-amz-meta-a", "b  c")),
        length=5,
    )
    verify(raw, "secret")
    headers = dict(parse(raw)[3])
    assert headers["content-length"] == "5"
    assert headers["x-amz-security-token"] == "token"
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "range", "x-amz-content-sha256", "x-amz-date", "x-amz-meta-a", "x-amz-security-token"} == set(
        signed
    )
    with pytest.raises(SignatureDoesNotMatch):
        verify(raw, "another")
    with pytest.raises(SignatureDoesNotMatch):
        verify(raw.replace(b"bytes=0-1", b"bytes=0-2"), "secret")


def test_the_day_and_second_are_those_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer("eu-west-1")
    dates = []
    for moment in (1_700_000_000.9, 1_700_000_001.1, 1_700_090_000.0):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        raw = signer.request(KeyPair("key", "secret"), "GET", "host", "/b/k", "", ())
        verify(raw, "secret")
        dates.append(dict(parse(raw)[3])["x-amz-date"])
    assert dates == ["20231114T221320Z", "20231114T221321Z", "20231115T231320Z"]


def test_keys_are_not_in_what_is_printed() -> None:
    assert "hidden" not in repr(KeyPair("key", "hidden", "hidden too"))
