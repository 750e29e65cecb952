"""Bodies: framing off, limits on, and nothing believed that was not verified."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.authenticate import NOBODY, Authentication
from gateway.errors import BodyMismatch, ChecksumMismatch, LengthMismatch, Md5Mismatch, Sha256Mismatch
from gateway.http.incoming import BodyEnded
from gateway.model.checksums import ChecksumAlgorithm
from gateway.policy.principal import ANONYMOUS
from gateway.s3.body import THREAD_BYTES, open_body, read_whole, read_xml, require_digest
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.services import checksums
from gateway.telemetry.request import RequestRecord
from signing.chunked import encode_chunked
from signing.errors import IncompleteBody, InvalidChunkSizeError, SignatureDoesNotMatch
from signing.sigv4.keys import SigningContext, SigningKey
from signing.sigv4.payload import Payload, PayloadMode
from signing.sigv4.verify import Verified

CONTEXT = SigningContext(SigningKey(b"k" * 32), "20240101T000000Z", "20240101/us-east-1/s3/aws4_request", "0" * 64)


class Wire:
    """A body as it arrives, in these pieces; cut off where `cut`."""

    def __init__(self, pieces: list[bytes], *, length: int | None, cut: bool = False) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.length = length
        self._cut = cut

    @property
    def complete(self) -> bool:
        return not self._pieces

    async def read(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._cut:
            raise BodyEnded
        return b""


class Message:
    method = "PUT"


class Request:
    _message = Message()


def call_with(
    pieces: list[bytes],
    headers: dict[str, str] | None = None,
    *,
    mode: PayloadMode = PayloadMode.UNSIGNED,
    sha256: str | None = None,
    length: int | None = -1,
    cut: bool = False,
) -> Call:
    size = sum(map(len, pieces)) if length == -1 else length
    verified = Verified("AK", Payload(mode, sha256), CONTEXT, 0, presigned=False)
    nothing = cast(Any, None)
    return Call(
        request=cast(Any, Request()),
        record=RequestRecord(),
        services=nothing,
        settings=nothing,
        operation=nothing,
        bucket_name="b",
        raw_key=b"k",
        parameters={},
        headers=headers or {},
        authentication=Authentication(ANONYMOUS, verified),
        resolved_bucket=None,
        now=0,
        incoming=cast(Any, Wire(pieces, length=size, cut=cut)),
        resource="/b/k",
        host_id="",
    )


async def drink(call: Call) -> bytes:
    _, body = open_body(call)
    taken = []
    while piece := await body.read():
        taken.append(bytes(piece))
    return b"".join(taken)


async def test_a_plain_body() -> None:
    call = call_with([b"ab", b"c"])
    expect, body = open_body(call)
    assert expect.length == 3
    assert [await body.read(), await body.read(), await body.read()] == [b"ab", b"c", b""]
    assert body.trailer("x-amz-checksum-crc32") is None


@pytest.mark.parametrize("cut", [True, False])
async def test_a_body_that_ends_early(cut: bool) -> None:
    with pytest.raises(IncompleteBody):
        await drink(call_with([b"ab"], length=3, cut=cut))


def chunked(payload: bytes, mode: PayloadMode, trailers: dict[str, str], chunk: int = 8192) -> bytes:
    pieces = [payload[start : start + chunk] for start in range(0, len(payload), chunk)]
    return b"".join(encode_chunked(mode, pieces, trailers=trailers, context=CONTEXT))


def chunked_headers(payload: bytes, trailers: dict[str, str]) -> dict[str, str]:
    headers = {"x-amz-decoded-content-length": str(len(payload))}
    if trailers:
        headers["x-amz-trailer"] = ",".join(trailers)
    return headers


def crc32(payload: bytes) -> str:
    hasher = checksums.new_hasher(ChecksumAlgorithm.CRC32)
    hasher.update(payload)
    return checksums.encode(hasher.digest())


@pytest.mark.parametrize(
    ("mode", "with_trailer"),
    [
        (PayloadMode.STREAMING_SIGNED, False),
        (PayloadMode.STREAMING_SIGNED_TRAILER, True),
        (PayloadMode.STREAMING_UNSIGNED_TRAILER, True),
        (PayloadMode.STREAMING_UNSIGNED_TRAILER, False),
    ],
)
@given(data=st.data())
async def test_a_chunked_body_cut_anywhere(mode: PayloadMode, with_trailer: bool, data: st.DataObject) -> None:
    payload = data.draw(st.binary(max_size=20_000))
    trailers = {"x-amz-checksum-crc32": crc32(payload)} if with_trailer else {}
    wire = chunked(payload, mode, trailers)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    pieces = [wire[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    call = call_with(pieces, chunked_headers(payload, trailers), mode=mode)
    expect, body = open_body(call)
    taken = b""
    while piece := await body.read():
        taken += bytes(piece)
    assert taken == payload
    assert expect.length == len(payload)
    assert expect.checksum_in_trailer is with_trailer
    assert body.trailer("x-amz-checksum-crc32") == trailers.get("x-amz-checksum-crc32")


async def test_a_large_signed_piece_is_decoded_whole() -> None:
    payload = bytes(THREAD_BYTES * 2)
    wire = chunked(payload, PayloadMode.STREAMING_SIGNED, {}, chunk=65536)
    call = call_with([wire], chunked_headers(payload, {}), mode=PayloadMode.STREAMING_SIGNED)
    assert await drink(call) == payload


async def test_an_altered_byte_is_found() -> None:
    payload = b"x" * 9000
    wire = bytearray(chunked(payload, PayloadMode.STREAMING_SIGNED, {}))
    wire[200] ^= 1
    call = call_with([bytes(wire)], chunked_headers(payload, {}), mode=PayloadMode.STREAMING_SIGNED)
    with pytest.raises(SignatureDoesNotMatch):
        await drink(call)


async def test_a_truncated_chunk_is_found() -> None:
    payload = b"x" * 9000
    wire = chunked(payload, PayloadMode.STREAMING_SIGNED, {})[:-5]
    for cut in (True, False):
        call = call_with([wire], chunked_headers(payload, {}), mode=PayloadMode.STREAMING_SIGNED, cut=cut)
        with pytest.raises(IncompleteBody):
            await drink(call)


async def test_small_chunks_are_refused() -> None:
    payload = b"x" * 300
    wire = chunked(payload, PayloadMode.STREAMING_SIGNED, {}, chunk=100)
    call = call_with([wire], chunked_headers(payload, {}), mode=PayloadMode.STREAMING_SIGNED)
    with pytest.raises(InvalidChunkSizeError):
        await drink(call)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (call_with([b"x"], mode=PayloadMode.STREAMING_SIGNED), "MissingContentLength"),
        (
            call_with([b"x"], {"x-amz-decoded-content-length": "x"}, mode=PayloadMode.STREAMING_SIGNED),
            "InvalidArgument",
        ),
        (
            call_with([b"x"], {"x-amz-decoded-content-length": "-1"}, mode=PayloadMode.STREAMING_SIGNED),
            "InvalidArgument",
        ),
        (
            call_with(
                [b"x"], {"x-amz-decoded-content-length": str(5 * 1024**3 + 1)}, mode=PayloadMode.STREAMING_SIGNED
            ),
            "EntityTooLarge",
        ),
        (call_with([], length=5 * 1024**3 + 1), "EntityTooLarge"),
        (call_with([b"x"], length=None), "MissingContentLength"),
    ],
)
def test_what_is_not_opened(call: Call, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        open_body(call)
    assert caught.value.code == code


def test_five_gibibytes_are_opened() -> None:
    expect, _ = open_body(call_with([], length=5 * 1024**3))
    assert expect.length == 5 * 1024**3


MD5 = base64.b64encode(hashlib.md5(b"data").digest()).decode()
SHA256 = hashlib.sha256(b"data").hexdigest()


async def test_a_small_body_is_verified() -> None:
    headers = {"content-md5": MD5, "x-amz-checksum-crc32": crc32(b"data")}
    call = call_with([b"da", b"ta"], headers, mode=PayloadMode.HASHED, sha256=SHA256)
    assert await read_whole(call, 100) == b"data"


@pytest.mark.parametrize(
    ("headers", "sha256", "fact"),
    [
        ({"content-md5": base64.b64encode(b"0" * 16).decode()}, SHA256, Md5Mismatch),
        ({}, "0" * 64, Sha256Mismatch),
        ({"x-amz-checksum-crc32": crc32(b"date")}, SHA256, ChecksumMismatch),
    ],
)
async def test_a_small_body_that_differs(headers: dict[str, str], sha256: str, fact: type[BodyMismatch]) -> None:
    with pytest.raises(fact):
        await read_whole(call_with([b"data"], headers, mode=PayloadMode.HASHED, sha256=sha256), 100)


async def test_a_small_body_whose_trailer_differs() -> None:
    trailers = {"x-amz-checksum-crc32": crc32(b"date")}
    mode = PayloadMode.STREAMING_UNSIGNED_TRAILER
    call = call_with([chunked(b"data", mode, trailers)], chunked_headers(b"data", trailers), mode=mode)
    with pytest.raises(ChecksumMismatch):
        await read_whole(call, 100)


async def test_a_small_body_beyond_its_limit() -> None:
    with pytest.raises(S3Error) as caught:
        await read_whole(call_with([b"x" * 101]), 100)
    assert caught.value.code == "MaxMessageLengthExceeded"


async def test_no_body_at_all() -> None:
    assert await read_whole(call_with([], length=None), 100) == b""
    with pytest.raises(S3Error) as caught:
        await read_xml(call_with([]), "A")
    assert caught.value.code == "MissingRequestBodyError"


async def test_xml_small_and_large() -> None:
    assert (await read_xml(call_with([b"<A><B>1</B></A>"]), "A")).require("B") == "1"
    large = b"<A><B>" + b"x" * 100_000 + b"</B></A>"
    assert len((await read_xml(call_with([large]), "A")).require("B")) == 100_000


async def test_a_body_longer_than_its_decoded_length() -> None:
    mode = PayloadMode.STREAMING_UNSIGNED_TRAILER
    call = call_with([chunked(b"data", mode, {})], {"x-amz-decoded-content-length": "3"}, mode=mode)
    with pytest.raises((IncompleteBody, LengthMismatch)):
        await read_whole(call, 100)


@pytest.mark.parametrize(
    "headers", [{"content-md5": MD5}, {"x-amz-checksum-sha1": "x"}, {"x-amz-trailer": "x-amz-checksum-crc32"}]
)
def test_any_digest_will_do(headers: dict[str, str]) -> None:
    require_digest(call_with([], headers), "DeleteObjects")


@pytest.mark.parametrize("headers", [{}, {"x-amz-checksum-mode": "ENABLED"}])
def test_a_digest_is_required(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error, match="Content-MD5"):
        require_digest(call_with([], headers), "DeleteObjects")


async def test_nobody_s_body_is_plain() -> None:
    call = call_with([b"x"])
    call.authentication = NOBODY
    assert await drink(call) == b"x"
