"""The ways to have a Redis: behind sentinels, as a cluster, over TLS, by its socket, with a user of its own."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cache.port import CacheUnavailable
from gateway.cache.redis import RedisLocks, RedisServer, RedisTier
from gateway.cache.sealed import Sealer
from gateway.redis_address import parse_redis_url
from gateway.render.rendition import Rendition
from tests.servers.ports import free_pair, free_port
from tests.servers.process import Command, Process
from tests.servers.programs import find
from tests.servers.redis import Redis
from tests.services import Certificates

PICTURE = Rendition(b"picture" * 100, "image/jpeg", "jpeg", 30, 20, None, 1.5)
PASSWORD = "a-password-for-tests"


class Servers:
    """Redis processes of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.running: list[Process] = []

    def start(self, *, sentinel: bool = False, **settings: object) -> tuple[int, Process]:
        """A Redis on a port of its own; underscores in names of settings are hyphens."""
        # The port of a cluster's own bus is 10,000 higher unless it is set, which old servers cannot.
        port = free_pair(10_000) if "cluster_enabled" in settings else free_port()
        folder = self._folder / str(port)
        folder.mkdir()
        lines = {"port": port, "bind": "127.0.0.1", "dir": folder, **settings}
        if not sentinel:
            lines = {"save": '""', "appendonly": "no", **lines}
        conf = folder / "redis.conf"
        text = "".join(f"{name.replace('_', '-')} {value}\n" for name, value in lines.items() if name != "extra")
        conf.write_text(text + str(settings.get("extra", "")))
        arguments = (str(find("redis-server")), str(conf), *(("--sentinel",) if sentinel else ()))
        process = Process(Command(arguments, {"PATH": os.defpath, "LC_ALL": "C"}), folder, folder / "log")
        self.running.append(process)
        until(lambda: run(port, "PING", password=settings.get("requirepass")) is not None)
        return port, process

    def close(self) -> None:
        for process in self.running:
            process.kill()


def run(port: int, *command: object, password: object = None) -> Any:
    """The answer of the Redis on a port, None where there is none."""
    import redis

    try:
        with redis.Redis(port=port, password=password, socket_timeout=60, decode_responses=True) as client:  # type: ignore[arg-type]
            return client.execute_command(*command)
    except redis.ConnectionError:
        return None


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[str], RedisServer]]:
    made: list[RedisServer] = []

    def connected(url: str) -> RedisServer:
        made.append(RedisServer(parse_redis_url(url), "one", budget=30))
        return made[-1]

    yield connected
    for server in made:
        await server.close()


async def works(server: RedisServer) -> None:
    """Renditions and locks, for many keys."""
    tier = RedisTier(server, Sealer(b"s" * 32), item_bytes=1 << 20, max_age=60)
    locks = RedisLocks(server)
    for _ in range(20):
        key = os.urandom(32)
        lock = await locks.take(key)
        assert not isinstance(lock, str)
        assert await tier.put(key, PICTURE)
        await lock.renew()
        await lock.give(shared=True)
        found = await tier.get(key)
        assert found is not None
        assert found.data == PICTURE.data


async def works_soon(server: RedisServer, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await works(server)
        except CacheUnavailable:
            assert time.monotonic() < deadline, "it did not come back"
            await asyncio.sleep(0.1)


Connect = Callable[[str], RedisServer]


async def test_by_its_socket(servers: Servers, connect: Connect, tmp_path: Path) -> None:
    servers.start(unixsocket=tmp_path / "r.sock", requirepass=PASSWORD)
    await works(connect(f"unix://:{PASSWORD}@{tmp_path}/r.sock?db=3"))


async def test_a_user_and_a_database(servers: Servers, connect: Connect) -> None:
    # What the operator's guide says that is needed.
    rights = "~pixgate:* +get +set +del +pttl +pexpire +eval +select"
    port, _ = servers.start(extra=f"user pix on >secret {rights}\n")
    await works(connect(f"redis://pix:secret@127.0.0.1:{port}/7"))
    assert set(run(port, "INFO", "keyspace")) == {"db7"}


async def test_a_cluster(servers: Servers, connect: Connect) -> None:
    ports = []
    for _ in range(2):
        rights = "~pixgate:* +get +set +del +pttl +pexpire +eval +select +cluster +command"
        port, _process = servers.start(
            cluster_enabled="yes",
            cluster_config_file="nodes.conf",
            requirepass=PASSWORD,
            extra=f"user pix on >{PASSWORD} {rights}\n",
        )
        ports.append(port)
    half = 8192
    for number, port in enumerate(ports):
        run(port, "CLUSTER", "ADDSLOTS", *range(number * half, (number + 1) * half), password=PASSWORD)
    run(ports[0], "CLUSTER", "MEET", "127.0.0.1", ports[1], password=PASSWORD)
    until(lambda: all(_cluster_is_well(port) for port in ports))
    server = connect(f"redis+cluster://pix:{PASSWORD}@127.0.0.1:{ports[0]}")
    await works(server)
    assert all(int(run(port, "DBSIZE", password=PASSWORD)) > 0 for port in ports)
    # The other node alone is enough to find the rest.
    await works(connect(f"redis+cluster://:{PASSWORD}@127.0.0.1:{free_port()},127.0.0.1:{ports[1]}"))
    for process in servers.running:
        process.kill()
    with pytest.raises(CacheUnavailable):
        await works(server)


def _cluster_is_well(port: int) -> bool:
    info = str(run(port, "CLUSTER", "INFO", password=PASSWORD))
    return "cluster_state:ok" in info and "cluster_known_nodes:2" in info


async def test_behind_sentinels(servers: Servers, connect: Connect) -> None:
    master, process = servers.start(requirepass=PASSWORD, masterauth=PASSWORD)
    replica, _ = servers.start(requirepass=PASSWORD, masterauth=PASSWORD, replicaof=f"127.0.0.1 {master}")
    watch = (
        f"sentinel monitor main 127.0.0.1 {master} 1\nsentinel auth-pass main {PASSWORD}\n"
        "sentinel down-after-milliseconds main 120000\nsentinel failover-timeout main 3000\n"
    )
    sentinel, _ = servers.start(sentinel=True, extra=watch)
    until(lambda: "slave" in str(run(replica, "ROLE", password=PASSWORD)))
    until(lambda: int((run(sentinel, "SENTINEL", "MASTER", "main") or {}).get("num-slaves", 0)) == 1)
    server = connect(f"redis+sentinel://:{PASSWORD}@127.0.0.1:{free_port()},127.0.0.1:{sentinel}/main/2")
    await works(server)
    assert "db2" in run(master, "INFO", "keyspace", password=PASSWORD)
    # Not sooner: a machine that stands still would have another master chosen.
    run(sentinel, "SENTINEL", "SET", "main", "down-after-milliseconds", 1000)
    process.kill()
    with pytest.raises(CacheUnavailable):
        await works(server)
    await works_soon(server)
    assert str(run(replica, "ROLE", password=PASSWORD)[0]) == "master"


class TlsFront:
    """TLS in front of a Redis that has none, as stunnel does it."""

    def __init__(self, port: int, certificates: Certificates) -> None:
        self._port = port
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificates.certificate, certificates.key)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> int:
        self._servers = [await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)]
        port = int(self._servers[0].sockets[0].getsockname()[1])
        self._servers.append(await asyncio.start_server(self._serve, "127.0.0.2", port, ssl=self._context))
        return port

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink in ((reader, ahead), (behind, writer)):
            task = asyncio.get_running_loop().create_task(_pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        sink.close()


async def test_over_tls(redis_server: Redis, redis_url: str, certificates: Certificates, connect: Connect) -> None:
    async with TlsFront(redis_server.port, certificates) as port:
        url = redis_url.replace("redis://", "rediss://").replace(f":{redis_server.port}", f":{port}")
        await works(connect(f"{url}?ca={certificates.ca}"))
        await works(connect(f"{url}?verify=off"))
        with pytest.raises(CacheUnavailable, match=r"(?i)certificate"):
            await works(connect(url))
        # The certificate names 127.0.0.1 and localhost.
        with pytest.raises(CacheUnavailable, match=r"(?i)certificate|resolve|mismatch"):
            await works(connect(f"{url.replace('127.0.0.1', '127.0.0.2')}?ca={certificates.ca}"))
