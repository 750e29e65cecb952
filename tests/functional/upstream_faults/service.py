"""An S3 service that does as a test says, and a store that stands on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import md5

from gateway.blobs.upstream.store import UpstreamStore
from gateway.model.contents import Segment
from gateway.settings.stores import S3Store, parse_store

MEBIBYTE = 1024 * 1024
SOON = 12.0
"""Seconds: five, and more for a machine that does much else; nothing else than our patience ends before thirty."""


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


class Exchange:
    """One request as the service sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number
        line, *fields = head.decode().split("\r\n")
        self.method, self.target, _ = line.split(" ")
        self.headers = dict(field.split(": ", 1) for field in fields if field)

    async def body(self) -> bytes:
        if self.headers.get("expect") == "100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self.reader.readexactly(int(self.headers.get("content-length", "0")))

    def answer(self, status: int, body: bytes = b"", **headers: object) -> None:
        fields = {"Content-Length": len(body)} | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.writer.write(f"HTTP/1.1 {status} x\r\n{lines}\r\n".encode() + body)

    def range(self, body: bytes) -> None:
        start, last = self.headers["range"].removeprefix("bytes=").split("-")
        part = body[int(start) : int(last) + 1]
        self.answer(206, part, Content_Range=f"bytes {start}-{int(start) + len(part) - 1}/{len(body)}")

    def error(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())


Behaviour = Callable[[Exchange], Awaitable[None]]


class Service:
    """Speaks HTTP as `behave` says; closes a connection where it raises."""

    def __init__(self) -> None:
        self.behave: Behaviour | None = None
        self.requests: list[Exchange] = []
        self.connections = 0
        self.open = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                exchange = Exchange(reader, writer, head[:-4], len(self.requests))
                self.requests.append(exchange)
                assert self.behave is not None
                await self.behave(exchange)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort()


@contextlib.asynccontextmanager
async def opened(service: Service, more: str = "") -> AsyncIterator[UpstreamStore]:
    settings = parse_store(f"s3://key:secret@127.0.0.1:{service.port}/bucket?tls=off{more}")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    await store.begin_lease(1)
    yield store
    await store.close()


BODY = os.urandom(100_000)


async def hang(exchange: Exchange) -> None:
    """Until the other end goes."""
    await exchange.reader.read()
    raise ConnectionError


async def put(store: UpstreamStore, size: int, announced: int | None = None) -> None:
    writer = await store.create(announced or size)
    try:
        for start in range(0, size, MEBIBYTE):
            await writer.write([bytes(min(MEBIBYTE, size - start))])
        await writer.finish()
    finally:
        writer.abandon()


async def read(store: UpstreamStore, offset: int = 0, length: int = len(BODY)) -> bytes:
    reader = await store.open(Segment("main", "1/1", offset, 0, length))
    try:
        pieces = []
        while piece := await reader.read():
            pieces.append(bytes(piece))
        return b"".join(pieces)
    finally:
        reader.close()


async def well(exchange: Exchange) -> None:
    body = await exchange.body()
    if exchange.method == "GET":
        exchange.range(BODY)
    else:
        exchange.answer(200, ETag=f'"{md5(body).hexdigest()}"')
