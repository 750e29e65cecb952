from __future__ import annotations

import base64
import hashlib

import pytest

from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.s3.checksum_headers import (
    BODY_MODES,
    DIGEST_BYTES,
    checksum_headers,
    decode_digest,
    expectations,
    parse_algorithm,
    parse_type,
    trailer_names,
)
from gateway.s3.errors import S3Error
from gateway.services import checksums
from signing.sigv4.keys import Scope, SigningContext, SigningKey
from signing.sigv4.payload import Payload, PayloadMode
from signing.sigv4.verify import Verified

CRC = base64.b64encode(b"\0\1\2\3").decode()


def verified(mode: PayloadMode, sha256: str | None = None) -> Verified:
    context = SigningContext(SigningKey(b"k" * 32), "20240101T000000Z", str(Scope("20240101", "r", "s3")), "0" * 64)
    return Verified("AK", Payload(mode, sha256), context, 0, presigned=False)


def test_nothing_declared() -> None:
    expect = expectations({}, None, 5)
    assert expect.length == 5
    assert (expect.md5, expect.sha256, expect.checksum_algorithm, expect.checksum_in_trailer) == (
        None,
        None,
        None,
        False,
    )


def test_everything_in_headers() -> None:
    digest = hashlib.sha256(b"x").digest()
    md5 = hashlib.md5(b"x").digest()
    headers = {"content-md5": base64.b64encode(md5).decode(), "x-amz-checksum-crc32": CRC}
    expect = expectations(headers, verified(PayloadMode.HASHED, digest.hex()), 1)
    assert (expect.md5, expect.sha256, expect.checksum_value) == (md5, digest, b"\0\1\2\3")
    assert expect.checksum_algorithm is ChecksumAlgorithm.CRC32
    assert not expect.checksum_in_trailer


def test_a_checksum_in_the_trailer() -> None:
    headers = {"x-amz-trailer": "x-amz-checksum-CRC64NVME", "x-amz-sdk-checksum-algorithm": "CRC64NVME"}
    expect = expectations(headers, verified(PayloadMode.STREAMING_UNSIGNED_TRAILER), 1)
    assert (expect.checksum_algorithm, expect.checksum_value) == (ChecksumAlgorithm.CRC64NVME, None)
    assert expect.checksum_in_trailer


def test_a_trailer_is_announced_in_vain_where_there_is_none() -> None:
    expect = expectations({"x-amz-trailer": "x-amz-checksum-crc32"}, verified(PayloadMode.UNSIGNED), 1)
    assert expect.checksum_algorithm is None


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-md5": "no base64!"}, "InvalidDigest"),
        ({"content-md5": CRC}, "InvalidDigest"),
        ({"content-md5": ""}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "x"}, "InvalidRequest"),
        ({"x-amz-checksum-sha256": CRC}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": CRC, "x-amz-checksum-crc32c": CRC}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": CRC, "x-amz-trailer": "x-amz-checksum-crc32"}, "InvalidRequest"),
        ({"x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1"}, "InvalidRequest"),
        ({"x-amz-trailer": "x-amz-meta-a"}, "InvalidArgument"),
        ({"x-amz-trailer": "x-amz-checksum-sha512"}, "NotImplemented"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": CRC}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "XXHASH3"}, "NotImplemented"),
        ({"x-amz-sdk-checksum-algorithm": "CRC7"}, "InvalidRequest"),
    ],
)
def test_declarations_that_cannot_be(headers: dict[str, str], code: str) -> None:
    with pytest.raises(S3Error) as caught:
        expectations(headers, verified(PayloadMode.STREAMING_SIGNED_TRAILER), 1)
    assert caught.value.code == code


def test_an_old_sdk_that_names_md5_s_companion() -> None:
    md5 = base64.b64encode(b"m" * 16).decode()
    assert expectations({"content-md5": md5, "x-amz-sdk-checksum-algorithm": "CRC32"}, None, 1).md5 == b"m" * 16


def test_names() -> None:
    assert parse_algorithm("crc32c", "h") is ChecksumAlgorithm.CRC32C
    assert parse_type("full_object") is ChecksumType.FULL_OBJECT
    with pytest.raises(S3Error):
        parse_type("HALF")
    assert trailer_names({"x-amz-trailer": " A , b,"}) == ("a", "b")
    assert trailer_names({}) == ()


def test_digest_lengths_are_those_of_the_hashers() -> None:
    for algorithm in ChecksumAlgorithm:
        digest = checksums.new_hasher(algorithm).digest()
        assert len(digest) == DIGEST_BYTES[algorithm]
        assert decode_digest(algorithm, base64.b64encode(digest).decode()) == digest
        assert decode_digest(algorithm, base64.b64encode(digest + b"x").decode()) is None
        assert decode_digest(algorithm, "*") is None


def test_headers_of_an_answer() -> None:
    assert checksum_headers(None) == []
    found = checksum_headers(Checksum(ChecksumAlgorithm.SHA1, ChecksumType.COMPOSITE, "v-2"))
    assert found == [("x-amz-checksum-sha1", "v-2"), ("x-amz-checksum-type", "COMPOSITE")]


def test_every_form_of_a_body_is_counted() -> None:
    assert set(BODY_MODES) == set(PayloadMode)
    assert len(set(BODY_MODES.values())) == len(BODY_MODES)
