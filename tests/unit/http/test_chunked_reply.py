from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.http_writer import HttpVersion10

from gateway.http.chunked_reply import ChunkedReply
from gateway.http.reply import ConnectionEnded
from tests.unit.http.test_reply import request


async def pieces(*some: bytes, fails: bool = False) -> AsyncIterator[bytes]:
    for piece in some:
        yield piece
    if fails:
        raise ZeroDivisionError


async def test_pieces_are_chunks_and_the_last_one_ends_it() -> None:
    to = request()
    reply = ChunkedReply(200, [("Content-Type", "text/csv")], pieces(b"a" * 17, b"", b"bc"))
    assert await reply.send(to) == reply.sent == 19
    head, _, body = to.transport.out.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body == b"11\r\n" + b"a" * 17 + b"\r\n2\r\nbc\r\n0\r\n\r\n"
    assert not to.transport.aborted


async def test_what_breaks_off_is_never_taken_for_whole() -> None:
    to = request()
    with pytest.raises(ConnectionEnded) as error:
        await ChunkedReply(200, [], pieces(b"a", fails=True)).send(to)
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    assert to.transport.aborted
    assert not to.transport.out.endswith(b"0\r\n\r\n")


async def test_older_clients_read_to_the_end_of_the_line() -> None:
    to = request(version=HttpVersion10)
    await ChunkedReply(200, [], pieces(b"abc")).send(to)
    head, _, body = to.transport.out.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert b"chunked" not in head
    assert body == b"abc"


async def test_head_asks_for_nothing() -> None:
    to = request("HEAD")
    assert await ChunkedReply(200, [], pieces(b"abc", fails=True)).send(to) == 0
    assert to.transport.out.endswith(b"\r\n\r\n")
