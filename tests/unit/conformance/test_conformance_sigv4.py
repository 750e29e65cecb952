"""The second implementation of SigV4 against botocore's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conformance.sigv4 import EMPTY_SHA256, Signer, encode, signed_chunks, unsigned_chunks

_WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def _signer() -> Signer:
    return Signer(_KEYS.access_key, _KEYS.secret_key, "eu-west-3", when=_WHEN)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: _WHEN.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/bucket/key", []),
        ("/bucket/a%20b%2Bc/%E5%86%99", [("prefix", "a b+c"), ("delimiter", "/"), ("empty", "")]),
        ("/bucket", [("a-b", "1"), ("a", "2"), ("A", "3")]),
    ],
)
def test_header_signature_is_botocores(path: str, query: list[tuple[str, str]]) -> None:
    url = f"https://s3.example{path}"
    request = AWSRequest("GET", url, headers={"x-amz-meta-m": " a   b "}, params=query)
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(_KEYS, "s3", "eu-west-3").add_auth(request)
    headers = [
        ("Host", "s3.example"),
        ("x-amz-meta-m", " a   b "),
        ("x-amz-date", "20260304T050607Z"),
        ("x-amz-content-sha256", EMPTY_SHA256),
    ]
    ours = _signer().authorization("GET", path, query, headers, EMPTY_SHA256)
    assert ours.rpartition("Signature=")[2] == request.headers["Authorization"].rpartition("Signature=")[2]


def test_presigned_signature_is_botocores() -> None:
    request = AWSRequest("PUT", "https://s3.example/bucket/a%20b", params={"versionId": "null"})
    S3SigV4QueryAuth(_KEYS, "s3", "eu-west-3", expires=77).add_auth(request)
    ours = _signer().presigned_query("PUT", "/bucket/a%20b", [("versionId", "null")], [("Host", "s3.example")], 77)
    assert f"X-Amz-Signature={ours[-1][1]}" in request.url


def test_parts_of_the_scope_can_be_wrong() -> None:
    signer = Signer("a", "b", "r", service="ec2", when=_WHEN, scope_date="20200101")
    assert signer.scope == "20200101/r/ec2/aws4_request"
    assert signer.amz_date == "20260304T050607Z"


def test_encoding_keeps_only_the_unreserved() -> None:
    assert encode("aZ0-_.~") == "aZ0-_.~"
    assert encode(" +/*é\x00") == "%20%2B%2F%2A%C3%A9%00"
    assert encode(b"\xff/", safe="/") == "%FF/"


def test_chunks_are_framed_with_a_chain_of_signatures() -> None:
    frames = list(signed_chunks(_signer(), "0" * 64, [b"a" * 10, b"b"]))
    assert [frame.split(b";")[0] for frame, _ in frames] == [b"a", b"1", b"0"]
    assert len({signature for _, signature in frames}) == 3
    assert frames[0][0].endswith(b"\r\n" + b"a" * 10 + b"\r\n")
    assert frames[-1][0].endswith(frames[-1][1].encode() + b"\r\n")
    assert unsigned_chunks([b"abc"]) == b"3\r\nabc\r\n0\r\n"
