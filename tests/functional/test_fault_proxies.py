"""The proxies that fail on command do that, and nothing else."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import asyncpg
import pytest
import redis

from tests.servers.fault_proxy import (
    Corrupt,
    CutAnswer,
    CutUpload,
    Delay,
    FaultProxy,
    Hang,
    HangInAnswer,
    LoseAnswer,
    Refusal,
    WrongLength,
)
from tests.servers.line_proxy import POSTGRESQL_COMMITTED, LineProxy
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis import Redis

BODY = bytes(range(256)) * 400


class Store:
    """A bare server: GET answers BODY, PUT keeps what came and answers its length; heads and bodies as they came."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            try:
                while line := reader.readline():
                    head = line
                    while (line := reader.readline()) not in {b"\r\n", b""}:
                        head += line
                    self.heads.append(head)
                    length = re.search(rb"(?i)content-length: (\d+)", head)
                    chunked = b"chunked" in head
                    if b"100-continue" in head:
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    body = reader.read(int(length[1])) if length else b""
                    while chunked:
                        size = int(reader.readline(), 16)
                        body += reader.read(size)
                        reader.readline()
                        chunked = size > 0
                    self.bodies.append(body)
                    answer = BODY if head.startswith(b"GET") else b"%d" % len(body)
                    if b"/pieces" in head:
                        framed = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (answer[:9], answer[9:], b""))
                        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed)
                    else:
                        sent = b"" if head.startswith(b"HEAD") else answer
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), sent))
            except OSError:
                pass
        self.ended.set()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store()) as store:
        yield store


@pytest.fixture
def proxy(store: Store) -> Iterator[FaultProxy]:
    with FaultProxy(store.port) as proxy:
        yield proxy


@contextmanager
def _client(proxy: FaultProxy, timeout: float = 30) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)) as client:
        client.connect()
        yield client


def _get(client: http.client.HTTPConnection, target: str = "/key") -> tuple[int, bytes]:
    client.request("GET", target)
    response = client.getresponse()
    return response.status, response.read()


def _put(client: http.client.HTTPConnection, body: bytes = BODY, target: str = "/key") -> tuple[int, bytes]:
    client.request("PUT", target, body)
    response = client.getresponse()
    return response.status, response.read()


def _said(proxy: FaultProxy, request: bytes, length: int) -> bytes:
    """The first bytes of what comes for these."""
    said = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as line:
        line.sendall(request)
        while len(said) < length and (data := line.recv(65536)):
            said += data
    return said


def test_what_no_rule_names_passes_unchanged(proxy: FaultProxy, store: Store) -> None:
    proxy.on(Hang(), "GET", "/other")
    head = b"GET /a%2Fb?x=1&y HTTP/1.1\r\nhOst: some.where:1\r\nX-Odd:  two  spaces \r\n\r\n"
    expected = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    assert _said(proxy, head, len(expected)) == expected
    assert store.heads == [head[:-2]]
    assert proxy.seen[0].target == "/a%2Fb?x=1&y"
    assert proxy.seen[0].headers["host"] == "some.where:1"
    with _client(proxy) as client:
        for _ in range(3):
            assert _put(client) == (200, b"%d" % len(BODY))
            assert _get(client, "/pieces") == (200, BODY)
            client.request(
                "PUT", "/key", iter((b"one", b"two")), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
            )
            assert client.getresponse().read() == b"6"
            client.request("HEAD", "/key")
            client.getresponse().read()
    assert store.bodies.count(BODY) == 3


def test_interim_answers_pass(proxy: FaultProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as line:
        line.sendall(b"PUT /key HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"abc")
        assert line.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_refusal_is_the_proxys_own(proxy: FaultProxy, store: Store) -> None:
    rule = proxy.on(Refusal(retry_after=7), "PUT", "^/key$", skip=1, count=2)
    with _client(proxy) as client:
        assert _put(client)[0] == 200
        for _ in range(2):
            client.request("PUT", "/key", BODY)
            response = client.getresponse()
            assert (response.status, response.getheader("Retry-After")) == (503, "7")
            assert b"<Code>SlowDown</Code>" in response.read()
        assert _get(client) == (200, BODY)
        assert _put(client)[0] == 200
    rule.wait(hits=2)
    assert len(store.heads) == 3


def test_hanging_and_hanging_in_an_answer(proxy: FaultProxy, store: Store) -> None:
    hang = proxy.on(Hang())
    with _client(proxy) as client:
        client.request("GET", "/key")
        hang.wait()
        client.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.getresponse()
    assert store.heads == []
    proxy.on(HangInAnswer(after=1000))
    with _client(proxy) as client:
        client.request("GET", "/key")
        response = client.getresponse()
        assert response.read(1000) == BODY[:1000]
        client.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            response.read(1)


@pytest.mark.parametrize("after", [0, 1, 70_000])
def test_an_answer_cut_short(proxy: FaultProxy, after: int) -> None:
    proxy.on(CutAnswer(after=after))
    with _client(proxy) as client:
        with pytest.raises(http.client.IncompleteRead) as cut:
            _get(client)
        assert cut.value.partial == BODY[:after]
    proxy.on(CutAnswer(after=after, reset=True))
    with _client(proxy) as client, pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        _get(client)


def test_a_lost_answer_is_to_a_request_that_was_carried_out(proxy: FaultProxy, store: Store) -> None:
    proxy.on(LoseAnswer(), "PUT")
    with _client(proxy) as client, pytest.raises(http.client.RemoteDisconnected):
        _put(client)
    assert store.bodies == [BODY]


@pytest.mark.parametrize("after", [0, 5000, len(BODY)])
def test_an_upload_cut_short(proxy: FaultProxy, store: Store, after: int) -> None:
    proxy.on(CutUpload(after=after))
    with _client(proxy) as client, pytest.raises(ConnectionError):
        _put(client)
    assert store.ended.wait(30)
    assert [len(body) for body in store.bodies] in ([after], [])


def test_lies_about_the_length(proxy: FaultProxy) -> None:
    proxy.on(WrongLength(by=10))
    with _client(proxy) as client:
        with pytest.raises(http.client.IncompleteRead) as short:
            _get(client)
        assert short.value.partial == BODY
    proxy.on(WrongLength(by=-10))
    expected = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY) - 10, BODY)
    assert _said(proxy, b"GET /key HTTP/1.1\r\n\r\n", len(expected)) == expected


def test_a_delay_and_a_changed_bit(proxy: FaultProxy) -> None:
    proxy.on(Delay(300), count=None)
    with _client(proxy) as client:
        for _ in range(2):
            began = time.monotonic()
            assert _get(client) == (200, BODY)
            assert time.monotonic() - began >= 0.3
        proxy.clear()
        proxy.on(Corrupt(at=70_001))
        _, body = _get(client)
        assert [at for at in range(len(BODY)) if body[at] != BODY[at]] == [70_001]
        assert _get(client) == (200, BODY)


def test_refused_and_cut_connections(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        _get(client)
        proxy.refuse()
        assert _get(client)[0] == 200, "a connection that is there stays"
        with pytest.raises(ConnectionRefusedError), _client(proxy):
            pass
        assert proxy.cut() == 1
        with pytest.raises(ConnectionError):
            _get(client)
    proxy.accept()
    with _client(proxy) as client:
        assert _get(client)[0] == 200


def test_a_store_that_closes_an_idle_connection_is_seen_to(proxy: FaultProxy, minio: Minio) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.aim(listener.getsockname()[1])
        with _client(proxy) as client:
            listener.accept()[0].close()
            assert client.sock.recv(1) == b""


def test_signed_requests_pass_to_a_real_store(minio: Minio) -> None:
    bucket = minio.new_bucket()
    with FaultProxy(minio.port) as proxy, closing(minio.client(proxy.endpoint)) as client:
        client.put_object(Bucket=bucket, Key="a key/with+signs", Body=BODY)
        assert client.get_object(Bucket=bucket, Key="a key/with+signs")["Body"].read() == BODY
        proxy.on(Refusal(), "GET")
        with pytest.raises(client.exceptions.ClientError, match="SlowDown"):
            client.get_object(Bucket=bucket, Key="a key/with+signs")
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


async def test_a_line_cut_between_a_commit_and_its_answer(postgresql: PostgreSQL, postgresql_url: str) -> None:
    with LineProxy(postgresql.port) as proxy:
        through = postgresql_url.replace(f":{postgresql.port}/", f":{proxy.port}/")
        connection = await asyncpg.connect(through)
        await connection.execute("CREATE TABLE kept (number INT)")
        cut = proxy.when(POSTGRESQL_COMMITTED, skip=1)
        for number in (1, 2):
            try:
                async with connection.transaction():
                    await connection.execute("INSERT INTO kept VALUES ($1)", number)
            except (asyncpg.PostgresConnectionError, ConnectionError, asyncpg.InterfaceError):
                assert number == 2
            else:
                assert number == 1
        cut.wait()
        connection.terminate()
    direct = await asyncpg.connect(postgresql_url)
    assert await direct.fetch("SELECT number FROM kept ORDER BY 1") == [(1,), (2,)]
    await direct.close()


def test_a_line_that_hangs_is_slow_or_is_cut(redis_server: Redis) -> None:
    with LineProxy(redis_server.port) as proxy:
        url = redis_server.url.replace(f":{redis_server.port}/", f":{proxy.port}/")
        with (
            redis.Redis.from_url(url, socket_timeout=60, retry=None) as client,
            redis.Redis.from_url(url, socket_timeout=2, retry=None) as hasty,
        ):
            client.ping()
            proxy.delay(100)
            began = time.monotonic()
            client.ping()
            assert time.monotonic() - began >= 0.2
            proxy.clear()
            proxy.hang()
            with pytest.raises(redis.TimeoutError):
                hasty.ping()
            proxy.flow()
            client.ping()
            word = proxy.when(b"ECHO", by="client", then="hang")
            while not word.hits.hits:
                # Where the machine stands still it gives up before it came to say that.
                with pytest.raises(redis.TimeoutError):
                    hasty.echo("x")
            assert client.echo("x") == b"x"
            proxy.when(b"secret-word")
            with pytest.raises(redis.ConnectionError):
                client.echo("the secret-word")
            assert client.echo("the secret-word") == b"the secret-word"


async def test_a_word_that_comes_in_pieces() -> None:
    said: asyncio.Queue[bytes] = asyncio.Queue()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await said.get():
            writer.write(piece)
        writer.close()

    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with LineProxy(port) as proxy:
        proxy.when(b"word", skip=1)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for piece in (b"first wo", b"rd, second wor"):
            said.put_nowait(piece)
            assert await reader.readexactly(len(piece)) == piece
        said.put_nowait(b"d, end")
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        said.put_nowait(b"")
        writer.close()
    listening.close()
