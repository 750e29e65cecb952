"""Heads of responses: strict, and never a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.upstream.errors import BadResponse
from gateway.blobs.upstream.head import parse_head


def test_a_plain_head() -> None:
    head = parse_head(b'HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nETag:  "a b" \r\nX-A: 1\r\nx-a: 2', "GET")
    assert (head.status, head.length, head.keep_alive) == (206, 12, True)
    assert head.headers == {"content-length": "12", "etag": '"a b"', "x-a": "1, 2"}
    assert (head.first(b"etag"), head.first(b"length"), head.first(b"content-length")) == ('"a b"', None, "12")
    with pytest.raises(BadResponse):
        head.first(b"x-a")


def test_a_status_line_without_a_reason() -> None:
    assert parse_head(b"HTTP/1.1 204", "DELETE").status == 204


@pytest.mark.parametrize(
    ("raw", "method", "length"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", "GET", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5", "HEAD", 0),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", "HEAD", 0),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5", "GET", 0),
        (b"HTTP/1.1 204 No Content", "DELETE", 0),
        (b"HTTP/1.1 100 Continue", "PUT", 0),
        (b"HTTP/1.1 500 No\r\ncontent-length: 0007", "GET", 7),
    ],
)
def test_how_long_the_body_is(raw: bytes, method: str, length: int | None) -> None:
    assert parse_head(raw, method).length == length


@pytest.mark.parametrize(
    ("raw", "keep"),
    [
        (b"HTTP/1.1 204 x\r\nConnection: close", False),
        (b"HTTP/1.1 204 x\r\nConnection: Keep-Alive", True),
        (b"HTTP/1.1 204 x\r\nConnection: x\r\nConnection: Close", False),
        (b"HTTP/1.0 204 x", False),
        (b"HTTP/1.0 204 x\r\nconnection: keep-alive", True),
    ],
)
def test_whether_the_connection_stays(raw: bytes, keep: bool) -> None:
    assert parse_head(raw, "GET").keep_alive is keep


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/2 200 OK\r\ncontent-length: 0",
        b"HTTP/1.1 20 OK\r\ncontent-length: 0",
        b"HTTP/1.1 2000 OK\r\ncontent-length: 0",
        b"HTTP/1.1  200 OK\r\ncontent-length: 0",
        b"SSH-2.0-OpenSSH_9.2",
        b"HTTP/1.1 200 OK\ncontent-length: 0",
        b"HTTP/1.1 200 OK\r\ncontent-length : 0",
        b"HTTP/1.1 200 OK\r\n content-length: 0",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n folded",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: a\x00b",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: a\rb",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n: a",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1",
        b"HTTP/1.1 200 OK\r\ncontent-length: +1",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1e3",
        b"HTTP/1.1 200 OK\r\ncontent-length: ",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity",
        b"HTTP/1.1 200 OK\r\netag: x",
        b"HTTP/1.1 200 OK\r\ncontent-length: \xd9\xa3",
    ],
)
def test_what_could_be_understood_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(BadResponse):
        parse_head(raw, "GET")


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
def test_garbage_is_a_head_or_a_bad_response(raw: bytes) -> None:
    try:
        head = parse_head(raw, "GET")
    except BadResponse:
        return
    assert 100 <= head.status <= 999
    assert head.length is None or head.length >= 0
    assert not any("\r" in value or "\n" in value for value in head.headers.values())
