from __future__ import annotations

from typing import Any, cast

import pytest
from aiohttp.http_writer import HttpVersion10, HttpVersion11

from gateway.http.reply import ConnectionEnded, Reply, cut, write


class Transport:
    def __init__(self) -> None:
        self.out = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.out += data

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Thing:
    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


def request(method: str = "GET", *, version: Any = HttpVersion11, should_close: bool = False) -> Any:
    transport = Transport()
    return Thing(
        _method=method,
        _message=Thing(should_close=should_close, version=version),
        _protocol=Thing(transport=transport, _paused=False, _force_close=False),
        _payload_writer=Thing(output_size=0),
        transport=transport,
    )


def head(reply: Reply, to: Any) -> tuple[str, dict[str, str]]:
    lines = reply.head(to).decode().removesuffix("\r\n\r\n").split("\r\n")
    return lines[0], dict(line.split(": ", 1) for line in lines[1:])


async def test_head_and_body_leave_together() -> None:
    to = request()
    reply = Reply(200, [("ETag", '"x"')], b"body")
    assert await reply.send(to) == 4
    text = to.transport.out.decode()
    assert text.startswith('HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 4\r\nDate: ')
    assert text.endswith(" GMT\r\n\r\nbody")
    assert reply.prepared
    assert reply.sent == 4
    assert reply.keep_alive
    assert to._payload_writer.output_size == len(text)


async def test_aiohttp_finds_it_sent() -> None:
    to = request()
    reply = Reply(200)
    await reply.prepare(to)
    once = to.transport.out
    await reply.prepare(to)
    await reply.write_eof()
    assert to.transport.out == once


async def test_nothing_is_added_that_was_not_asked_for() -> None:
    _, names = head(Reply(200), request())
    assert set(names) == {"Content-Length", "Date"}


async def test_head_has_the_length_and_no_body() -> None:
    to = request("HEAD")
    await Reply(200, body=b"body").send(to)
    assert b"Content-Length: 4" in to.transport.out
    assert to.transport.out.endswith(b"\r\n\r\n")
    assert head(Reply(200, length=7), request("HEAD"))[1]["Content-Length"] == "7"


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body(status: int) -> None:
    to = request()
    await Reply(status, body=b"body").send(to)
    assert b"Content-Length" not in to.transport.out
    assert b"body" not in to.transport.out


@pytest.mark.parametrize(
    ("to", "close", "expected"),
    [
        (request(), False, None),
        (request(), True, "close"),
        (request(should_close=True), False, "close"),
        (request(version=HttpVersion10, should_close=True), False, "close"),
        (request(version=HttpVersion10), False, "keep-alive"),
    ],
)
async def test_the_connection(to: Any, close: bool, expected: str | None) -> None:
    reply = Reply(200, close=close)
    assert head(reply, to)[1].get("Connection") == expected
    assert reply.keep_alive is (expected != "close")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b"])
async def test_a_value_that_would_break_out_is_not_sent(value: str) -> None:
    to = request()
    with pytest.raises(ValueError, match="line break"):
        await Reply(200, [("X", value)]).send(to)
    assert to.transport.out == b""


async def test_bytes_come_back_as_they_came() -> None:
    assert b"X: \xe9\xc3\xa9\r\n" in Reply(200, [("X", "\udce9é")]).head(request())


async def test_an_unknown_status_has_a_reason() -> None:
    assert head(Reply(299), request())[0] == "HTTP/1.1 299 Unknown"


async def test_a_client_that_left() -> None:
    to = request()
    to._protocol.transport = None
    with pytest.raises(ConnectionEnded):
        await Reply(200).send(to)
    with pytest.raises(ConnectionEnded):
        write(to, b"x")


async def test_a_cut_line() -> None:
    to = request()
    assert isinstance(cut(to), ConnectionError)
    assert to.transport.aborted
    to._protocol.transport = None
    assert isinstance(cut(cast(Any, to)), ConnectionEnded)
