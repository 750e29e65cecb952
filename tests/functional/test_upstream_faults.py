"""The upstream store against services that fail, lie, stall and vanish."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import pytest
import trustme

from gateway.blobs.upstream import breaker as breaker_module
from gateway.blobs.upstream import client as client_module
from gateway.blobs.upstream.breaker import FAILURES
from gateway.blobs.upstream.errors import BreakerOpen, Busy, UpstreamError
from gateway.blobs.upstream.pool import TICK_SECONDS
from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import DiskFull, StoreUnavailable
from gateway.model import Segment
from gateway.settings.stores import S3Store, parse_store
from tests.servers.minio import Minio

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


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    await service.stop()


@contextlib.asynccontextmanager
async def opened(service: Service, more: str = "") -> AsyncIterator[UpstreamStore]:
    settings = parse_store(f"s3://key:secret@127.0.0.1:{service.port}/bucket?tls=off{more}")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    await store.begin_lease(1)
    yield store
    await store.close()


@pytest.fixture
async def store(service: Service) -> AsyncIterator[UpstreamStore]:
    async with opened(service) as store:
        yield store


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


async def test_reads_and_writes_share_one_connection(store: UpstreamStore, service: Service) -> None:
    service.behave = well
    for _ in range(5):
        assert await read(store) == BODY
        assert await read(store, 17, 40) == BODY[17:57]
        await store.append(b"x")
    assert service.connections == 1


async def test_a_service_that_is_not_there_is_told_soon(store: UpstreamStore, service: Service) -> None:
    await service.stop()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await read(store)
    with pytest.raises(StoreUnavailable):
        await store.append(b"x")
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("action", ["read", "append", "create", "leases"])
async def test_a_service_that_says_nothing_is_given_up_within_five_seconds(
    store: UpstreamStore, service: Service, action: str
) -> None:
    assert client_module.PATIENCE + 2 * TICK_SECONDS < 5
    service.behave = hang
    began = time.monotonic()
    if action == "create":
        # The body is sent after a second without an answer; what follows is a stall of the body, a longer one.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(client_module, "STALL_SECONDS", 0.5)
            with pytest.raises(StoreUnavailable):
                await put(store, 500_000)
    else:
        with pytest.raises(StoreUnavailable):
            await {"read": lambda: read(store), "append": lambda: store.append(b"x"), "leases": store.leases}[action]()
    assert time.monotonic() - began < SOON
    # The connection that hung is not kept.
    await until(lambda: service.open == 0)


async def test_a_service_that_always_asked_for_bodies_and_does_not_now_hangs(
    store: UpstreamStore, service: Service
) -> None:
    service.behave = well
    await put(store, 500_000)
    service.behave = hang
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await put(store, 500_000)
    assert 2 < time.monotonic() - began < SOON


async def test_a_busy_service_is_asked_again(store: UpstreamStore, service: Service) -> None:
    async def twice_busy(exchange: Exchange) -> None:
        if len(service.requests) <= 2:
            await exchange.body()
            exchange.error(503, "SlowDown")
        else:
            await well(exchange)

    service.behave = twice_busy
    assert await read(store) == BODY
    assert len(service.requests) == 3
    service.requests.clear()
    await store.append(b"x")
    assert len(service.requests) == 3
    service.requests.clear()

    async def asked(exchange: Exchange) -> None:
        if len(service.requests) <= 2:
            exchange.answer(503, Connection="close")
            raise ConnectionError
        await well(exchange)

    service.behave = asked
    await put(store, len(BODY))
    assert len(service.requests) == 3


async def test_what_is_refused_is_not_asked_again(store: UpstreamStore, service: Service) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.body()
        exchange.error(403, "AccessDenied")

    service.behave = refuse
    with pytest.raises(StoreUnavailable) as caught:
        await read(store)
    assert len(service.requests) == 1
    assert "127.0.0.1" not in str(caught.value)
    for _ in range(2 * FAILURES):
        with pytest.raises(StoreUnavailable):
            await store.append(b"x")
    assert not store.client.breaker.open


async def test_an_idle_connection_that_the_service_closed_costs_nothing(store: UpstreamStore, service: Service) -> None:
    async def one_each(exchange: Exchange) -> None:
        await well(exchange)
        await exchange.writer.drain()
        # Closed without a word, a moment after its answer said that it stays.
        raise ConnectionError

    service.behave = one_each
    for _ in range(10):
        assert await read(store) == BODY
        await store.append(b"x")
    assert not store.client.breaker.open


@pytest.mark.parametrize("cut", [0, 1, 50_000])
async def test_a_body_that_is_cut_is_an_error_and_never_an_end(
    store: UpstreamStore, service: Service, cut: int
) -> None:
    async def cutting(exchange: Exchange) -> None:
        exchange.answer(206, b"", Content_Range=f"bytes 0-{len(BODY) - 1}/{len(BODY)}", Content_Length=len(BODY))
        exchange.writer.write(BODY[:cut])
        await exchange.writer.drain()
        await asyncio.sleep(0.05)
        raise ConnectionError

    service.behave = cutting
    with pytest.raises(StoreUnavailable):
        await read(store)
    assert len(service.requests) == 1, "what was handed on in part was asked for again"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Range": "bytes 0-99998/100000"},
        {"Content_Range": "bytes 1-100000/100001"},
        {"Content_Range": "lines 0-99999/100000"},
        {"Content_Range": "bytes 0-99999/100000", "Content_Length": 99_999},
        {"Content_Range": "bytes 0-99999/100000", "Content_Length": 100_001},
    ],
)
async def test_other_bytes_than_were_asked_for_are_not_taken(
    store: UpstreamStore, service: Service, headers: dict[str, object]
) -> None:
    async def lying(exchange: Exchange) -> None:
        exchange.answer(206, BODY, **headers)

    service.behave = lying
    with pytest.raises(StoreUnavailable):
        await read(store)


async def test_a_whole_object_for_a_part_of_it_is_not_taken(store: UpstreamStore, service: Service) -> None:
    async def whole(exchange: Exchange) -> None:
        exchange.answer(200, BODY)

    service.behave = whole
    assert await read(store) == BODY
    with pytest.raises(StoreUnavailable):
        await read(store, 0, 100)
    with pytest.raises(StoreUnavailable):
        await read(store, 100, len(BODY) - 100)


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 200_000])
async def test_garbage_is_unavailable(store: UpstreamStore, service: Service, garbage: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.writer.write(garbage)
        await exchange.writer.drain()
        raise ConnectionError

    service.behave = answer
    with pytest.raises(StoreUnavailable):
        await read(store)


async def test_a_body_that_stands_still_is_given_up(
    store: UpstreamStore, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stall(exchange: Exchange) -> None:
        exchange.answer(206, b"", Content_Range=f"bytes 0-{len(BODY) - 1}/{len(BODY)}", Content_Length=len(BODY))
        exchange.writer.write(BODY[:1000])
        await exchange.writer.drain()
        await asyncio.sleep(60)

    service.behave = stall
    monkeypatch.setattr(client_module, "STALL_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await read(store)
    assert 0.25 < time.monotonic() - began < 20


async def test_a_reader_that_takes_its_time_holds_the_service_back(store: UpstreamStore, service: Service) -> None:
    size, sent = 256 * MEBIBYTE, 0

    async def pour(exchange: Exchange) -> None:
        nonlocal sent
        exchange.writer.transport.set_write_buffer_limits(high=0)
        exchange.answer(206, b"", Content_Range=f"bytes 0-{size - 1}/{size}", Content_Length=size)
        while sent < size:
            exchange.writer.write(bytes(64 * 1024))
            await exchange.writer.drain()
            sent += 64 * 1024

    service.behave = pour
    reader = await store.open(Segment("main", "1/1", 0, 0, size))
    assert await reader.read()
    await asyncio.sleep(0.5)
    assert sent < 24 * MEBIBYTE, "more than the socket's buffers and ours was taken"
    before = sent
    for _ in range(200):
        await reader.read()
    await until(lambda: sent > before)
    reader.close()
    # A connection with an unread body is not kept.
    await until(lambda: service.open == 0)


async def test_the_breaker_opens_refuses_at_once_and_closes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker_module, "FIRST_PAUSE", 2.0)
    async with opened(service) as store:
        await _opens_and_closes(store, service)


async def _opens_and_closes(store: UpstreamStore, service: Service) -> None:
    async def broken(exchange: Exchange) -> None:
        exchange.error(500, "InternalError")

    service.behave = broken
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailable):
            await read(store)
    asked = len(service.requests)
    for _ in range(100):
        with pytest.raises(BreakerOpen):
            await read(store)
    assert len(service.requests) == asked
    service.behave = well
    for _ in range(600):
        await asyncio.sleep(0.05)
        with contextlib.suppress(StoreUnavailable):
            assert await read(store) == BODY
            break
    else:
        raise AssertionError("it never closed")
    assert await read(store) == BODY


async def test_a_full_service_is_told_from_one_that_is_away(store: UpstreamStore, service: Service) -> None:
    async def full(exchange: Exchange) -> None:
        if exchange.headers.get("expect"):
            exchange.error(507, "XMinioStorageFull")
            await exchange.writer.drain()
            raise ConnectionError
        await exchange.body()
        exchange.error(507, "XMinioStorageFull")

    service.behave = full
    with pytest.raises(DiskFull):
        await store.append(b"x")
    with pytest.raises(DiskFull):
        await put(store, 100_000)


async def test_a_service_that_gives_up_in_the_middle_of_a_body(store: UpstreamStore, service: Service) -> None:
    async def tire(exchange: Exchange) -> None:
        exchange.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await exchange.reader.readexactly(1000)
        exchange.error(500, "InternalError")
        await exchange.writer.drain()
        await asyncio.sleep(1)
        raise ConnectionError

    service.behave = tire
    with pytest.raises(UpstreamError):
        await put(store, 64 * MEBIBYTE)


async def test_a_service_that_stored_other_bytes_is_found_out(store: UpstreamStore, service: Service) -> None:
    async def forgetful(exchange: Exchange) -> None:
        await exchange.body()
        exchange.answer(200, ETag=f'"{md5(b"other").hexdigest()}"')

    service.behave = forgetful
    store.features = replace(store.features, md5_etags=True)
    with pytest.raises(StoreUnavailable):
        await put(store, 100_000)
    with pytest.raises(StoreUnavailable):
        await store.append(b"x")


async def test_a_body_is_as_long_as_it_was_announced(store: UpstreamStore, service: Service) -> None:
    service.behave = well
    for size in (9, 11):
        with pytest.raises(StoreUnavailable):
            await put(store, size, 10)
    assert await read(store) == BODY


async def test_a_part_that_fails_fails_the_blob_and_the_upload_is_aborted(
    store: UpstreamStore, service: Service
) -> None:
    parts = 0

    async def third_fails(exchange: Exchange) -> None:
        nonlocal parts
        await exchange.body()
        if "uploads=" in exchange.target:
            exchange.answer(
                200, b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
            )
        elif exchange.method == "DELETE":
            exchange.answer(204)
        else:
            parts += 1
            if parts == 3:
                exchange.error(500, "InternalError")
            else:
                exchange.answer(200, ETag='"e"')

    service.behave = third_fails
    with pytest.raises(StoreUnavailable):
        await put(store, 100 * MEBIBYTE)
    await until(lambda: service.requests[-1].method == "DELETE")
    assert service.requests[-1].target.endswith("uploadId=u1")


async def test_connections_are_bounded_and_waiting_for_one_ends(service: Service) -> None:
    gate = asyncio.Event()

    async def gated(exchange: Exchange) -> None:
        await gate.wait()
        await well(exchange)

    service.behave = gated
    async with opened(service, "&connections=4") as store:
        waiting = [asyncio.ensure_future(read(store)) for _ in range(12)]
        await until(lambda: service.connections == 4)
        await asyncio.sleep(0.1)
        assert service.connections == 4
        for one in waiting[4:8]:
            one.cancel()
        gate.set()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert [one for one in done if one == BODY] == [BODY] * 8
        assert service.connections == 4


async def test_connections_that_are_all_in_use_are_no_fault_of_the_service(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 64 * MEBIBYTE
    sending = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        if sending.is_set():
            await well(exchange)
            return
        exchange.answer(206, b"", Content_Range=f"bytes 0-{size - 1}/{size}", Content_Length=size)
        exchange.writer.write(bytes(1000))
        await hang(exchange)

    service.behave = slow
    async with opened(service, "&connections=4") as store:
        readers = [await store.open(Segment("main", "1/1", 0, 0, size)) for _ in range(4)]
        with monkeypatch.context() as impatient:
            impatient.setattr(client_module, "PATIENCE", 0.3)
            for _ in range(2 * FAILURES):
                with pytest.raises(Busy):
                    await read(store)
        assert not store.client.breaker.open
        sending.set()
        readers[0].close()
        assert await read(store) == BODY
        for reader in readers:
            reader.close()


async def test_a_reader_that_is_cancelled_gives_its_connection_up(store: UpstreamStore, service: Service) -> None:
    service.behave = hang
    task = asyncio.ensure_future(read(store))
    await until(lambda: len(service.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: service.open == 0)
    service.behave = well
    assert await read(store) == BODY


async def test_tls_trusts_the_authority_that_it_was_told(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    service = Service()
    service.behave = well
    await service.start(context)
    try:
        for more, good in ((f"&ca={tmp_path / 'ca.pem'}", True), ("", False)):
            settings = parse_store(f"s3://key:secret@localhost:{service.port}/bucket?style=path{more}")
            assert isinstance(settings, S3Store)
            store = UpstreamStore(settings, "d1")
            await store.begin_lease(1)
            if good:
                assert await read(store) == BODY
                await put(store, 3 * MEBIBYTE)
            else:
                with pytest.raises(StoreUnavailable):
                    await read(store)
            await store.close()
    finally:
        await service.stop()


async def test_keys_come_from_files_that_may_change_and_from_the_chain(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.blobs.upstream import credentials

    service.behave = well
    (tmp_path / "key").write_text("file-key\n")
    (tmp_path / "secret").write_text("hush\n")

    def used() -> str:
        return service.requests[-1].headers["authorization"].partition("Credential=")[2].partition("/")[0]

    url = f"s3://127.0.0.1:{service.port}/bucket?tls=off"
    settings = parse_store(f"{url}&access_key_file={tmp_path / 'key'}&secret_key_file={tmp_path / 'secret'}")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    assert await read(store) == BODY
    assert used() == "file-key"
    (tmp_path / "key").write_text("new-key\n")
    monkeypatch.setattr(credentials.time, "monotonic", lambda base=time.monotonic: base() + 60)
    assert await read(store) == BODY
    assert used() == "new-key"
    (tmp_path / "key").unlink()
    monkeypatch.setattr(credentials.time, "monotonic", lambda base=time.monotonic: base() + 60)
    assert await read(store) == BODY, "what was read before does while the file is away"
    monkeypatch.undo()
    await store.close()

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "chain-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    settings = parse_store(f"{url}&credentials=chain")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    assert await read(store) == BODY
    assert used() == "chain-key"
    assert service.requests[-1].headers["x-amz-security-token"] == "token"
    await store.close()


async def test_encryption_at_the_service_is_asked_for_with_every_write(service: Service) -> None:
    service.behave = well
    async with opened(service, "&sse=AES256") as store:
        await store.append(b"x")
        await put(store, 70_000)
        await read(store)
    wanted = [one.headers.get("x-amz-server-side-encryption") for one in service.requests]
    assert wanted == ["AES256", "AES256", None]


async def test_a_real_service_that_stands_still_dies_and_comes_back(own_minio: Minio) -> None:
    settings = parse_store(own_minio.store_url(own_minio.new_bucket()))
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    await store.claim(used=False)
    await store.begin_lease(1)
    kept = await store.append(BODY[:4096])

    async def get() -> bytes:
        reader = await store.open(Segment("main", kept.name, 0, 0, 4096))
        try:
            found = bytearray()
            while piece := await reader.read():
                found += piece
            return bytes(found)
        finally:
            reader.close()

    async def back() -> None:
        for _ in range(600):
            with contextlib.suppress(StoreUnavailable):
                assert await get() == BODY[:4096]
                return
            await asyncio.sleep(0.1)
        raise AssertionError("it is not used again")

    own_minio.pause()
    began = time.monotonic()
    outcomes = await asyncio.gather(get(), store.append(b"x"), put(store, 500_000), return_exceptions=True)
    assert time.monotonic() - began < SOON
    assert all(isinstance(one, StoreUnavailable) for one in outcomes), outcomes
    own_minio.resume()
    await back()

    upload = asyncio.ensure_future(put(store, 400 * MEBIBYTE))
    await asyncio.sleep(0.1)
    # It is not done before it is killed, however fast the machine is.
    await asyncio.to_thread(own_minio.pause)
    await asyncio.to_thread(own_minio.kill)
    with pytest.raises(StoreUnavailable):
        await upload
    with pytest.raises(StoreUnavailable):
        await get()
    own_minio.start()
    await back()
    placed = await store.append(b"again")
    assert await store.size(placed.name) == 5
    await store.close()
