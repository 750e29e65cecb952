"""XML, framing and part sizes: what is sent and read besides heads."""

from __future__ import annotations

import base64
import io

import pytest
from awscrt.checksums import crc32c
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.upstream import checksum
from gateway.blobs.upstream.check import clock_difference
from gateway.blobs.upstream.errors import BadResponse, Refused, ServerError, from_answer
from gateway.blobs.upstream.listing import parse_time
from gateway.blobs.upstream.multipart import PART_BYTES, PARTS, part_bytes
from gateway.blobs.upstream.xml import error_code, escape, parse
from gateway.errors import DiskFull


def unframe(wire: bytes) -> tuple[bytes, str]:
    """What a service makes of aws-chunked."""
    source = io.BytesIO(wire)
    body = b""
    while size := int(source.readline(), 16):
        body += source.read(size)
        assert source.read(2) == b"\r\n"
    name, _, value = source.readline().decode().strip().partition(":")
    assert name == "x-amz-checksum-crc32c"
    assert source.read() == b"\r\n"
    return body, value


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 20))
def test_framing_is_as_long_as_announced_and_carries_its_checksum(pieces: list[bytes], chunk: int) -> None:
    before, checksum.CHUNK_BYTES = checksum.CHUNK_BYTES, chunk
    try:
        data = b"".join(pieces)
        framing = checksum.TrailerFraming(len(data))
        out = b"".join(bytes(part) for piece in pieces for part in framing.add([piece]))
        wire = out + framing.end()
        assert len(wire) == checksum.trailer_length(len(data))
    finally:
        checksum.CHUNK_BYTES = before
    body, value = unframe(wire)
    assert body == data
    assert base64.b64decode(value) == crc32c(data).to_bytes(4)


def test_documents_are_read_without_their_namespaces() -> None:
    root = parse(b'<?xml version="1.0"?>\n<a:R xmlns:a="urn:x"><K>1 &amp; 2</K><S><K>3</K></S><K/></a:R>')
    assert (root.name, root.get("K"), root.get("S", "K"), root.get("S", "X", "Y")) == ("R", "1 & 2", "3", "")
    assert [one.text for one in root.all("K")] == ["1 & 2", ""]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        b"hello",
        b"<a></b>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 50 + b"</a>" * 50,
        b"<a>\xff</a>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_other_documents_are_refused(data: bytes) -> None:
    with pytest.raises(BadResponse):
        parse(data)
    assert error_code(data) == ("", "")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40))
def test_escaped_text_comes_back(text: str) -> None:
    try:
        assert parse(f"<a>{escape(text)}</a>".encode()).text == text
    except BadResponse:
        # XML has no way to write most control characters.
        assert any(ord(one) < 32 or ord(one) in (0xFFFE, 0xFFFF) for one in text)


def test_answers_become_facts() -> None:
    assert error_code(b"<Error><Code>SlowDown</Code><Message>m</Message></Error>") == ("SlowDown", "m")
    assert isinstance(from_answer("GetObject", 503, "SlowDown", ""), ServerError)
    assert isinstance(from_answer("GetObject", 403, "AccessDenied", ""), Refused)
    assert isinstance(from_answer("PutObject", 507, "", ""), DiskFull)
    assert isinstance(from_answer("PutObject", 500, "XMinioStorageFull", ""), DiskFull)
    assert "AccessDenied" not in str(from_answer("GetObject", 403, "AccessDenied", ""))


@pytest.mark.parametrize("length", [1, PART_BYTES * PARTS, PART_BYTES * PARTS + 1, 5 * 1024**4])
def test_there_are_never_too_many_parts(length: int) -> None:
    size = part_bytes(length)
    assert size >= PART_BYTES
    assert -(-length // size) <= PARTS


def test_times() -> None:
    assert parse_time("2026-11-21T06:48:35.123Z") == 1_795_243_715_123
    assert parse_time("2026-11-21T06:48:35") == 1_795_243_715_000
    with pytest.raises(BadResponse):
        parse_time("yesterday")
    assert clock_difference("Sat, 21 Nov 2026 06:48:35 GMT", 1_795_243_700.0) == 15.0
    assert clock_difference("soon", 0) is None
    assert clock_difference(None, 0) is None
