"""The examples of the AWS documentation, to the last digit.

Sources: sig-v4-header-based-auth.html, sigv4-query-string-auth.html, sigv4-streaming.html and
sigv4-streaming-trailers.html in https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from __future__ import annotations

import hashlib

import pytest

from signing.canonical import Query
from signing.chunked import ChunkedDecoder, encode_chunked, encoded_length
from signing.sigv4.authorization import parse_authorization, parse_presigned
from signing.sigv4.dates import amz_date, parse_amz_date
from signing.sigv4.keys import SigningContext, SigningKeyCache, signing_key
from signing.sigv4.payload import EMPTY_SHA256, PayloadMode
from signing.sigv4.sign import Credentials, presign, sign_header
from signing.sigv4.verify import verify_header, verify_presigned

CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = parse_amz_date("20130524T000000Z")
HOST = "examplebucket.s3.amazonaws.com"
REGION = "us-east-1"
PUT_SHA256 = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()

HEADER_EXAMPLES = [
    pytest.param(
        "GET", b"/test.txt", b"", [("Range", "bytes=0-9")], EMPTY_SHA256,
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        id="GET object with Range",
    ),
    pytest.param(
        "PUT", b"/test%24file.text", b"",
        [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")], PUT_SHA256,
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        id="PUT object with date and storage class",
    ),
    pytest.param(
        "GET", b"/", b"lifecycle", [], EMPTY_SHA256,
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        id="GET bucket lifecycle",
    ),
    pytest.param(
        "GET", b"/", b"max-keys=2&prefix=J", [], EMPTY_SHA256,
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        id="GET bucket list",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query", "headers", "payload", "signed", "signature"), HEADER_EXAMPLES)
def test_header_example_is_signed_and_verified(
    method: str,
    path: bytes,
    query: bytes,
    headers: list[tuple[str, str]],
    payload: str,
    signed: str,
    signature: str,
) -> None:
    ours = sign_header(
        CREDENTIALS,
        method=method,
        host=HOST,
        raw_path=path,
        raw_query=query,
        headers=headers,
        payload_hash=payload,
        now=NOW,
        region=REGION,
    )
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={signed},Signature={signature}"
    )
    assert ours.headers["authorization"] == authorization
    verified = verify_header(
        parse_authorization(authorization),
        secret=CREDENTIALS.secret,
        method=method,
        raw_path=path,
        query=Query(query),
        headers=[("Host", HOST), *headers, ("x-amz-content-sha256", payload), ("x-amz-date", "20130524T000000Z")],
        now=NOW,
        region=REGION,
        keys=SigningKeyCache(),
    )
    assert verified.access_key == CREDENTIALS.access_key
    assert verified.payload.sha256 == payload
    assert verified.context.seed_signature == signature
    assert not verified.presigned


def test_presigned_example() -> None:
    signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    url = presign(CREDENTIALS, method="GET", url=f"https://{HOST}/test.txt", now=NOW, region=REGION, expires=86400)
    assert url == (
        f"https://{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    )
    query = Query(url.partition("?")[2].encode())
    verified = verify_presigned(
        parse_presigned(query.pairs),
        secret=CREDENTIALS.secret,
        method="GET",
        raw_path=b"/test.txt",
        query=query,
        headers=[("Host", HOST)],
        now=NOW + 86400,
        region=REGION,
        keys=SigningKeyCache(),
    )
    assert verified.payload.mode is PayloadMode.UNSIGNED
    assert verified.presigned


CHUNKS = [b"a" * 65536, b"a" * 1024]
CHUNKED_HEADERS = [
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ("content-encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "66560"),
]


def _chunked_context(mode: PayloadMode, *extra: tuple[str, str]) -> SigningContext:
    return sign_header(
        CREDENTIALS,
        method="PUT",
        host="s3.amazonaws.com",
        raw_path=b"/examplebucket/chunkObject.txt",
        headers=[*CHUNKED_HEADERS, *extra],
        payload_hash=mode.value,
        now=NOW,
        region=REGION,
    ).context


def test_chunked_upload_example() -> None:
    mode = PayloadMode.STREAMING_SIGNED
    context = _chunked_context(mode, ("content-length", "66824"))
    assert context.seed_signature == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    body = b"".join(encode_chunked(mode, CHUNKS, context=context))
    first = b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    second = b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    last = b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n"
    assert body == first + CHUNKS[0] + b"\r\n" + second + CHUNKS[1] + b"\r\n" + last + b"\r\n"
    assert len(body) == 66824 == encoded_length(mode, [len(chunk) for chunk in CHUNKS])
    decoder = ChunkedDecoder(mode, decoded_length=66560, context=context)
    assert b"".join(decoder.feed(body)) == b"a" * 66560
    decoder.finish()


def test_chunked_upload_with_trailer_example() -> None:
    mode = PayloadMode.STREAMING_SIGNED_TRAILER
    context = _chunked_context(mode, ("x-amz-trailer", "x-amz-checksum-crc32c"))
    assert context.seed_signature == "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    trailers = {"x-amz-checksum-crc32c": "sOO8/Q=="}
    body = b"".join(encode_chunked(mode, CHUNKS, trailers=trailers, context=context))
    assert body == (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
        + CHUNKS[0]
        + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + CHUNKS[1]
        + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    assert len(body) == encoded_length(mode, [65536, 1024], trailers=trailers)
    decoder = ChunkedDecoder(mode, decoded_length=66560, trailers=["x-amz-checksum-crc32c"], context=context)
    assert b"".join(decoder.feed(body)) == b"a" * 66560
    decoder.finish()
    assert decoder.trailers == trailers


def test_derived_key_example() -> None:
    """The derived key that all examples above share: one day, one region."""
    key = signing_key(CREDENTIALS.secret, "20130524", REGION, "s3")
    assert key.hex() == "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378"


def test_dates() -> None:
    assert NOW == 1369353600
    assert amz_date(NOW + 0.9) == "20130524T000000Z"
    for text in ("20130524T000000", "20130524 000000Z", "20131324T000000Z", "2013052٤T000000Z", "", "+0130524T000000Z"):
        with pytest.raises(ValueError, match=r"YYYYMMDD|month|range"):
            parse_amz_date(text)
