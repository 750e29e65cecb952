"""The protocol between transport and exchange, without a socket: whatever arrives, in whatever pieces."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.upstream.connection import PIECE_BYTES, READ_AHEAD, WAKE_BYTES, Buffers, Connection
from gateway.blobs.upstream.errors import BadResponse, Broken, Failed, TimedOut

SOON = 5.0


class Wire(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.sent = bytearray()
        self.reading = True
        self.aborted = False
        connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def writelines(self, list_of_data: object) -> None:
        for piece in list_of_data:  # type: ignore[attr-defined]
            self.write(piece)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True

    def arrive(self, data: bytes) -> None:
        """As a socket would give it: into the buffers that the protocol offers."""
        position = 0
        while position < len(data) and not self.aborted:
            buffer = self.connection.get_buffer(-1)
            assert len(buffer) > 0
            count = min(len(buffer), len(data) - position)
            buffer[:count] = data[position : position + count]
            position += count
            self.connection.buffer_updated(count)


def begun(method: str = "GET") -> tuple[Connection, Wire]:
    connection = Connection(asyncio.get_running_loop())
    wire = Wire(connection)
    connection.begin(method, b"request", whole=True)
    assert wire.sent == b"request"
    return connection, wire


async def body_of(connection: Connection) -> bytes:
    pieces = []
    while piece := await connection.read(SOON):
        pieces.append(bytes(piece))
    return b"".join(pieces)


def head(length: int, extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n" % (length, extra)


@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_an_answer_in_pieces_and_another_on_the_same_connection(step: int) -> None:
    connection, wire = begun()
    for _ in range(2):
        data = head(11) + b"hello world"
        for start in range(0, len(data), step):
            wire.arrive(data[start : start + step])
        assert (await connection.wait_head(SOON)).status == 200
        assert await body_of(connection) == b"hello world"
        assert connection.end()
        assert connection.usable
        connection.begin("GET", b"again", whole=True)
    assert connection.exchanges == 3


async def test_a_large_answer_is_held_back_until_it_is_asked_for() -> None:
    connection, wire = begun()
    size, step = 4 * READ_AHEAD + 123, 50_000
    wire.arrive(head(size))
    given = taken = 0
    while taken < size:
        while wire.reading and given < size:
            amount = min(step, size - given)
            wire.arrive(b"x" * amount)
            given += amount
            assert given - taken < READ_AHEAD + step
        piece = await connection.read(SOON)
        assert 0 < len(piece) <= PIECE_BYTES
        taken += len(piece)
    assert await connection.read(SOON) == b""
    assert connection.end()
    assert wire.reading


async def test_the_reader_of_a_long_body_is_woken_for_much_or_after_a_moment() -> None:
    connection, wire = begun()
    wire.arrive(head(4 * WAKE_BYTES) + b"first")
    assert await connection.read(SOON) == b"first"
    reading = asyncio.ensure_future(connection.read(SOON))
    await asyncio.sleep(0)
    wire.arrive(b"x" * 1000)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not reading.done()
    connection.check_deadline(asyncio.get_running_loop().time() + 1e9)
    assert await reading == b"x" * 1000
    assert not wire.aborted, "what came in time was in time"
    reading = asyncio.ensure_future(connection.read(SOON))
    await asyncio.sleep(0)
    for _ in range(WAKE_BYTES // 1024):
        await asyncio.sleep(0)
        assert not reading.done()
        wire.arrive(b"y" * 1024)
    assert len(await reading) + len(await connection.read(SOON)) == WAKE_BYTES


def test_a_buffer_is_given_out_again_when_no_part_of_it_is_seen() -> None:
    buffers = Buffers()
    first = buffers.take(PIECE_BYTES)
    first[:5] = b"first"
    part = first[1:3]
    del first
    second = buffers.take(10)
    second[:] = b"0123456789"
    assert bytes(part) == b"ir"
    seen = id(part.obj)
    del part
    third = buffers.take(100)
    assert (len(third), id(third.obj)) == (100, seen)
    assert bytes(second) == b"0123456789"


async def test_interim_answers_are_passed_over() -> None:
    connection, wire = begun("PUT")
    assert not connection.continued
    wire.arrive(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + head(2) + b"ok")
    assert connection.continued
    assert (await connection.wait_head(SOON)).status == 200
    assert await body_of(connection) == b"ok"


async def test_interim_answers_for_ever_are_refused() -> None:
    connection, wire = begun("PUT")
    wire.arrive(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
    with pytest.raises(BadResponse):
        await connection.wait_head(SOON)


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        head(2) + b"ok!",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_answer_ends_the_connection(data: bytes) -> None:
    connection, wire = begun()
    wire.arrive(data)

    async def take() -> None:
        await connection.wait_head(SOON)
        await body_of(connection)
        raise AssertionError("it was taken for an answer")

    with pytest.raises(Failed):
        await take()
    assert wire.aborted
    assert not connection.usable
    assert not connection.end()


async def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    connection, wire = begun()
    wire.arrive(head(0))
    assert connection.end()
    wire.arrive(b"HTTP/1.1 408 Too slow\r\n\r\n")
    assert wire.aborted
    assert not connection.usable


async def test_a_cut_body_is_an_error_behind_what_came() -> None:
    connection, wire = begun()
    wire.arrive(head(100) + b"x" * 40)
    connection.connection_lost(None)
    assert len(await connection.read(SOON)) == 40
    with pytest.raises(Broken):
        await connection.read(SOON)
    assert not connection.end()


async def test_an_end_before_the_answer_on_a_used_connection_is_told_apart() -> None:
    connection, wire = begun()
    wire.arrive(head(0))
    assert connection.end()
    connection.begin("GET", b"again", whole=True)
    waiting = asyncio.ensure_future(connection.wait_head(SOON))
    await asyncio.sleep(0)
    connection.connection_lost(None)
    with pytest.raises(Broken) as caught:
        await waiting
    assert caught.value.reused
    fresh, _ = begun()
    fresh.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(Broken) as caught:
        await fresh.wait_head(SOON)
    assert not caught.value.reused


async def test_whoever_waits_too_long_gets_an_error_and_the_connection_ends() -> None:
    connection, wire = begun()
    connection.check_deadline(asyncio.get_running_loop().time() + 1e9)
    assert not wire.aborted, "nobody waits yet"
    waiting = asyncio.ensure_future(connection.wait_head(2.0))
    await asyncio.sleep(0)
    connection.check_deadline(asyncio.get_running_loop().time() + 1.0)
    assert not waiting.done()
    connection.check_deadline(asyncio.get_running_loop().time() + 2.1)
    with pytest.raises(TimedOut):
        await waiting
    assert wire.aborted


async def test_a_writer_waits_for_room_and_stops_when_it_is_answered() -> None:
    connection = Connection(asyncio.get_running_loop())
    wire = Wire(connection)
    connection.begin("PUT", b"head", whole=False)
    connection.pause_writing()
    writing = asyncio.ensure_future(connection.write([b"ab", memoryview(b"cd")], SOON, last=False))
    await asyncio.sleep(0)
    assert not writing.done()
    connection.resume_writing()
    await writing
    connection.pause_writing()
    writing = asyncio.ensure_future(connection.write([b"ef"], SOON, last=False))
    await asyncio.sleep(0)
    wire.arrive(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")
    await writing
    await connection.write([b"gh"], SOON, last=True)
    assert wire.sent == b"headabcdef"
    # The service did not take the whole body: the rest would be read as the next request.
    assert not connection.end()


async def test_an_answer_that_closes_is_read_and_the_connection_is_not_used_again() -> None:
    connection, wire = begun()
    wire.arrive(head(2, b"Connection: close\r\n") + b"ok")
    connection.connection_lost(None)
    assert (await connection.wait_head(SOON)).status == 200
    assert await body_of(connection) == b"ok"
    assert not connection.end()


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), st.sampled_from(["", "head", "chunked", "long"]))
def test_whatever_arrives_is_an_answer_or_a_fact(pieces: list[bytes], before: str) -> None:
    starts = {
        "": b"",
        "head": b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n",
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "long": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
    }

    async def exchange() -> None:
        connection, wire = begun()
        for piece in (starts[before], *pieces):
            if piece:
                wire.arrive(piece)
        if not wire.aborted:
            connection.connection_lost(None)
        with contextlib.suppress(Failed):
            await connection.wait_head(SOON)
            size = len(await body_of(connection))
            assert size <= sum(map(len, pieces))
            assert connection.head is not None
            assert connection.head.length in (None, size, 0)

    asyncio.run(exchange())
