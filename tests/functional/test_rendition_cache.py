"""Renditions beyond a node, with real brokers and a real Redis: shared, made once, and trouble that costs nobody a picture."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import psutil
import pytest

from gateway.cache import database_locks
from gateway.cache import redis as redis_adapter
from gateway.cache.assemble import open_cache
from gateway.cache.folder import FolderObjects
from gateway.cache.port import CacheUnavailable, Tier
from gateway.cache.tiered import RenditionCache
from gateway.metadata.port import Database
from gateway.render.client import RenderClient
from gateway.render.errors import RenderBusy
from gateway.render.launch import start_broker
from gateway.render.rendition import Rendition
from gateway.render.request import RenderRequest
from gateway.render.settings import BrokerSettings
from gateway.render.source import Opened, memory_segment
from tests import images
from tests.data_folder import open_services
from tests.servers.redis import Redis
from transforms.epoch import derivative_key
from transforms.errors import DecodeFailed
from transforms.options import parse_compact

SECRET = b"s" * 32
PHOTO = images.jpeg((640, 480))


class Counts:
    """Errors by tier."""

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}

    def render_cache_error(self, tier: str) -> None:
        self.errors[tier] = self.errors.get(tier, 0) + 1


class Node:
    """A broker, two workers' clients, and what both know beyond the node."""

    def __init__(self, folder: Path, caches: list[RenditionCache | None]) -> None:
        self.broker: subprocess.Popen[bytes] = start_broker(BrokerSettings(str(folder / "render.sock"), decoders=1))
        self.clients = [RenderClient(folder / "render.sock", connect_seconds=20) for _ in caches]
        self.caches = caches

    async def get(self, options: str, *, source: bytes = PHOTO, worker: int = 0) -> Rendition:
        """A rendition, as one worker gets it."""
        canonical = parse_compact(options).canonical()
        key = derivative_key(source, canonical, "")
        cache = self.caches[worker]

        async def opened() -> Opened:
            return Opened([memory_segment([source])])

        beyond = None if cache is None else cache.flight(key)
        return await self.clients[worker].render(RenderRequest(key, canonical, "", opened, beyond=beyond))

    async def renders(self) -> int:
        """How often this node rendered anything."""
        return int((await self.clients[0].stats())["renders"])

    def forget(self) -> None:
        """Empty the workers' memories, not the broker's."""
        for client in self.clients:
            client.forget()

    async def close(self) -> None:
        for client in self.clients:
            await client.close()
        for cache in self.caches:
            if cache is not None:
                await cache.close()
        self.broker.terminate()
        self.broker.wait(30)


Cluster = Callable[..., list[Node]]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_services(tmp_path / "data") as services:
        yield services.database


@pytest.fixture
async def nodes(tmp_path: Path, database: Database) -> AsyncIterator[Cluster]:
    """Makes nodes of two workers each that share a Redis, a folder, or nothing."""
    made: list[Node] = []

    def make(count: int, *, redis: str | None = None, store: bool = False) -> list[Node]:
        for _ in range(count):
            caches = []
            for _ in range(2):
                cache = open_cache(
                    Counts(),
                    secret=SECRET,
                    deployment="one",
                    database=database,
                    redis_url=redis,
                    objects=FolderObjects(tmp_path / "renditions") if store else None,
                    store_bytes=64 << 20 if store else 0,
                )
                if store and cache is not None and redis is None:
                    # As with PostgreSQL: a database that nodes share has their locks.
                    cache._locks = (database_locks.DatabaseLocks(database),)
                caches.append(cache)
            folder = tmp_path / f"node{len(made)}"
            folder.mkdir()
            made.append(Node(folder, caches))
        return made[-count:]

    yield make
    await asyncio.gather(*(node.close() for node in made))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis may take its time: what a busy machine delays by a tenth of a second is not what these tests are about."""
    monkeypatch.setitem(redis_adapter.RedisServer.__init__.__kwdefaults__, "budget", 2.0)
    monkeypatch.setattr("gateway.cache.store.BUDGET", 10)


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def health(node: Node, name: str = "redis") -> str:
    cache = node.caches[0]
    assert cache is not None
    return str(cache.health()[name]["status"])


async def settled(node: Node) -> None:
    """Wait until what is done behind the answers is done."""
    for cache in node.caches:
        if cache is not None:
            await until(lambda cache=cache: not (cache._sharing._running or cache._filling._running))  # type: ignore[misc]


async def passed_on(one: Node, other: Node) -> None:
    """Renditions of one are in Redis for the other: the first, or on a busy machine one of the next."""
    for width in range(400, 420):
        await one.get(f"w:{width}")
        await settled(one)
        if (await other.get(f"w:{width}")).tier == "redis":
            return
    raise AssertionError("nothing of one came to the other by Redis")


# Single flight


@pytest.mark.parametrize("shared", ["redis", "store"])
async def test_two_hundred_at_once_on_three_nodes_are_one_render(
    patient: None, nodes: Cluster, request: pytest.FixtureRequest, shared: str
) -> None:
    three = nodes(3, redis=request.getfixturevalue("redis_url") if shared == "redis" else None, store=shared == "store")
    for round_ in range(3):
        wanted = [three[n % 3].get(f"w:{200 + round_},f:webp", worker=n // 3 % 2) for n in range(200)]
        found = await asyncio.gather(*wanted)
        assert len({one.data for one in found}) == 1
        assert sum([await node.renders() for node in three]) == round_ + 1
        # Who comes late finds it nearer.
        assert {None} <= {one.tier for one in found} <= {None, shared, "broker", "worker"}


async def test_with_nothing_in_common_it_is_one_render_a_node(nodes: Cluster) -> None:
    three = nodes(3)
    found = await asyncio.gather(*(three[n % 3].get("w:200", worker=n // 3 % 2) for n in range(60)))
    assert len({one.data for one in found}) == 1
    assert [await node.renders() for node in three] == [1, 1, 1]


@pytest.mark.parametrize("shared", ["redis", "store"])
async def test_a_node_that_died_while_it_rendered_is_taken_over_by_one(
    patient: None, nodes: Cluster, request: pytest.FixtureRequest, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, locks in ((redis_adapter, redis_adapter.RedisLocks), (database_locks, database_locks.DatabaseLocks)):
        monkeypatch.setattr(module, "LOCK_SECONDS", 2.0)
        monkeypatch.setattr(locks, "seconds", 2.0)
    three = nodes(3, redis=request.getfixturevalue("redis_url") if shared == "redis" else None, store=shared == "store")
    cache = three[0].caches[0]
    assert cache is not None
    outcome, _, _ = await cache.take(derivative_key(PHOTO, parse_compact("w:201").canonical(), ""))
    assert not isinstance(outcome, str)
    started = time.monotonic()
    found = await asyncio.gather(*(three[n % 3].get("w:201", worker=n // 3 % 2) for n in range(30)))
    assert len({one.data for one in found}) == 1
    assert sum([await node.renders() for node in three]) == 1
    assert time.monotonic() - started > 1


async def test_a_broken_image_makes_no_node_wait_for_the_others(
    patient: None, nodes: Cluster, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_adapter, "LOCK_SECONDS", 60.0)
    monkeypatch.setattr(redis_adapter.RedisLocks, "seconds", 60.0)
    three = nodes(3, redis=redis_url)
    await asyncio.gather(*(node.get("w:9") for node in three))
    started = time.monotonic()
    outcomes = await asyncio.gather(
        *(node.get("w:10", source=PHOTO[:9000]) for node in three for _ in range(5)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {DecodeFailed}
    # Who waits for a lock that is not given back does so for twenty seconds.
    assert time.monotonic() - started < 15


async def test_a_long_render_keeps_its_lock(
    patient: None, nodes: Cluster, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_adapter, "LOCK_SECONDS", 2.0)
    monkeypatch.setattr(redis_adapter.RedisLocks, "seconds", 2.0)
    two = nodes(2, redis=redis_url)
    for number, node in enumerate(two):
        await node.get(f"w:{30 + number}")
    decoders = [child for node in two for child in psutil.Process(node.broker.pid).children(recursive=True)]
    for decoder in decoders:
        decoder.suspend()
    waiting = asyncio.gather(*(node.get("w:110") for node in two))
    await asyncio.sleep(4.5)
    for decoder in decoders:
        decoder.resume()
    found = await waiting
    assert found[0].data == found[1].data
    assert sum([await node.renders() for node in two]) == 2 + 1


# Tiers


async def test_filled_upwards(patient: None, nodes: Cluster, own_redis: Redis) -> None:
    one, other = nodes(2, redis=own_redis.url, store=True)
    rendered = await one.get("w:77")
    assert rendered.tier is None
    await settled(one)
    assert (await one.get("w:77", worker=0)).tier == "worker"
    assert (await one.get("w:77", worker=1)).tier == "broker"
    assert (await other.get("w:77")).tier == "redis"
    own_redis.flush()
    third, fourth = nodes(2, redis=own_redis.url, store=True)
    found = await third.get("w:77")
    assert (found.tier, found.data) == ("store", rendered.data)
    await settled(third)
    assert (await fourth.get("w:77")).tier == "redis"
    assert [await node.renders() for node in (one, other, third, fourth)] == [1, 0, 0, 0]


async def test_what_is_too_large_for_redis_goes_to_the_store(patient: None, nodes: Cluster, redis_url: str) -> None:
    one, other = nodes(2, redis=redis_url, store=True)
    for node in (one, other):
        for cache in node.caches:
            assert cache is not None
            cache._tiers[0]._item_bytes = 1000  # type: ignore[attr-defined]
    large = await one.get("w:400,q:95")
    assert len(large.data) > 1000
    await settled(one)
    found = await other.get("w:400,q:95")
    assert (found.tier, found.data) == ("store", large.data)


async def test_large_renditions_travel_from_redis_to_all_workers(patient: None, nodes: Cluster, redis_url: str) -> None:
    one, other = nodes(2, redis=redis_url)
    made = await one.get("f:png")
    assert len(made.data) > 100_000
    await settled(one)
    found = await asyncio.gather(*(other.get("f:png", worker=n % 2) for n in range(20)))
    assert {answer.data for answer in found} == {made.data}
    assert {"redis"} <= {answer.tier for answer in found} <= {"redis", "broker", "worker"}
    other.forget()
    assert (await other.get("f:png")).tier == "broker"


async def test_a_full_queue_refuses_nobody_whose_picture_is_there(
    patient: None, nodes: Cluster, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_adapter, "LOCK_SECONDS", 60.0)
    monkeypatch.setattr(redis_adapter.RedisLocks, "seconds", 60.0)
    (one,) = nodes(1, redis=redis_url)
    made = await one.get("w:120")
    await settled(one)
    folder = tmp_path / "full"
    folder.mkdir()
    caches = nodes(1, redis=redis_url)[0].caches
    broker = start_broker(BrokerSettings(str(folder / "render.sock"), decoders=1, queue_jobs=0))
    full = Node.__new__(Node)
    full.broker, full.caches = broker, caches
    full.clients = [RenderClient(folder / "render.sock", connect_seconds=20)]
    try:
        assert (await full.get("w:120")).data == made.data
        with pytest.raises(RenderBusy):
            await full.get("w:121")
        # Who was refused did not keep the lock: others render it at once.
        started = time.monotonic()
        assert (await one.get("w:121")).tier is None
        assert time.monotonic() - started < 15
    finally:
        await full.clients[0].close()
        broker.terminate()
        broker.wait(30)


# Redis in trouble


async def test_redis_stands_still(nodes: Cluster, own_redis: Redis) -> None:
    one, other = nodes(2, redis=own_redis.url)
    await asyncio.gather(one.get("w:20"), other.get("w:20"))
    await until(lambda: health(one) == health(other) == "healthy")
    own_redis.pause()
    try:
        slowest = 0.0
        for number in range(8):
            started = time.monotonic()
            assert (await one.get(f"w:{30 + number}")).tier is None
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 5
        assert health(one) == "degraded"
        # Known to be dead, it costs nothing.
        cache = one.caches[0]
        assert cache is not None
        started = time.monotonic()
        for _ in range(1000):
            assert await cache.find(os.urandom(32)) is None
        assert time.monotonic() - started < 5, "a tenth of a second each would be a hundred"
    finally:
        own_redis.resume()
    await until(lambda: health(one) == health(other) == "healthy")
    await passed_on(one, other)


async def test_redis_dies_and_comes_back(nodes: Cluster, own_redis: Redis) -> None:
    one, other = nodes(2, redis=own_redis.url)
    await one.get("w:20")
    await until(lambda: health(one) == "healthy")
    own_redis.kill()
    for number in range(8):
        assert (await one.get(f"w:{30 + number}")).tier is None
    assert health(one) == "degraded"
    own_redis.start()
    await until(lambda: health(one) == health(other) == "healthy")
    await passed_on(one, other)


async def test_a_restart_between_two_requests_is_not_even_noticed(
    patient: None, nodes: Cluster, own_redis: Redis
) -> None:
    one, other = nodes(2, redis=own_redis.url)
    await one.get("w:20")
    await settled(one)
    own_redis.restart()
    await one.get("w:61")
    await settled(one)
    assert (await other.get("w:61")).tier == "redis"
    assert health(one) == health(other) == "healthy"


async def test_redis_is_full(patient: None, nodes: Cluster, own_redis: Redis) -> None:
    one, other = nodes(2, redis=own_redis.url)
    await one.get("w:20")
    await settled(one)
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    own_redis.command("CONFIG", "SET", "maxmemory", "1mb")
    for number in range(8):
        assert (await one.get(f"w:{30 + number}")).tier is None
    await settled(one)
    await until(lambda: health(one) == "degraded")
    # What is in it is read all the same.
    assert (await other.get("w:20")).tier == "redis"
    own_redis.command("CONFIG", "SET", "maxmemory", "64mb")
    await until(lambda: health(one) == health(other) == "healthy")
    await passed_on(one, other)


async def test_redis_is_flushed_in_the_middle_of_renders(patient: None, nodes: Cluster, own_redis: Redis) -> None:
    three = nodes(3, redis=own_redis.url)
    over = False

    async def flush() -> None:
        while not over:
            await asyncio.to_thread(own_redis.flush)
            await asyncio.sleep(0.005)

    flushing = asyncio.create_task(flush())
    try:
        for width in range(40, 52):
            found = await asyncio.gather(*(three[n % 3].get(f"w:{width}", worker=n // 3 % 2) for n in range(12)))
            assert len({one.data for one in found}) == 1
            assert {one.width for one in found} == {width}
    finally:
        over = True
        await flushing
    assert [health(node) for node in three] == ["healthy"] * 3


async def test_redis_under_load_is_stopped_killed_and_started(nodes: Cluster, own_redis: Redis) -> None:
    two = nodes(2, redis=own_redis.url)
    await asyncio.gather(*(node.get("w:20") for node in two))
    over, done, slowest = False, 0, 0.0

    async def client(number: int) -> None:
        nonlocal done, slowest
        turn = number
        while not over:
            turn += 4
            started = time.monotonic()
            width = 30 + turn % 300
            assert (await two[number % 2].get(f"w:{width}", worker=number // 2)).width == width
            slowest = max(slowest, time.monotonic() - started)
            done += 1
            # What is in memory by now is answered without a pause, and nobody else would have a turn.
            await asyncio.sleep(0)

    clients = [asyncio.create_task(client(number)) for number in range(4)]
    for order in (own_redis.pause, own_redis.resume, own_redis.kill, own_redis.start, own_redis.restart):
        await asyncio.to_thread(order)
        before = done
        await asyncio.sleep(0.7)
        await until(lambda before=before: done > before)  # type: ignore[misc]
    over = True
    await asyncio.gather(*clients)
    assert slowest < 15
    await until(lambda: health(two[0]) == health(two[1]) == "healthy")


class Delaying:
    """A way to Redis that holds each piece of an answer back for a while."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.delay: Callable[[], float] = lambda: 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Delaying:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink, held in ((reader, ahead, False), (behind, writer, True)):
            task = asyncio.get_running_loop().create_task(self._pass(source, sink, held))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, held: bool) -> None:
        try:
            while data := await source.read(65536):
                if held:
                    await asyncio.sleep(self.delay())
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


async def kept(tier: Tier, key: bytes, rendition: Rendition) -> None:
    """Put it there, in the first try or a later one: a busy machine may take a command's tenth of a second."""
    for _ in range(600):
        with contextlib.suppress(CacheUnavailable):
            assert await tier.put(key, rendition)
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing can be written")


async def test_a_slow_redis_costs_little_and_mixes_nothing_up(nodes: Cluster, own_redis: Redis) -> None:
    random = Random(4)
    async with Delaying(own_redis.port) as proxy:
        (one,) = nodes(1, redis=own_redis.url.replace(str(own_redis.port), str(proxy.port)))
        cache = one.caches[0]
        assert cache is not None
        tier = cache._tiers[0]
        made = {os.urandom(32): await one.get(f"w:{width}") for width in range(20, 30)}
        for key, rendition in made.items():
            await kept(tier, key, rendition)
        # Now and then an answer comes after its question was given up: never as the answer to the next one.
        proxy.delay = lambda: random.choice([0.0, 0.0, 0.0, 0.0, 0.15])
        found = 0

        async def ask(key: bytes, rendition: Rendition) -> None:
            nonlocal found
            answer = await cache.find(key)
            if answer is not None:
                assert answer.data == rendition.data
                found += 1

        for _ in range(20):
            await asyncio.gather(*(ask(key, rendition) for key, rendition in made.items()))
        assert found > 0
        # 300 ms for each answer: a request waits for a few of them at 100 ms each, then for none.
        proxy.delay = lambda: 0.3
        started = time.monotonic()
        for width in range(100, 110):
            assert (await one.get(f"w:{width}")).width == width
        assert time.monotonic() - started < 15
        assert health(one) == "degraded"
        proxy.delay = lambda: 0.0
        await until(lambda: health(one) == "healthy")
        key, rendition = next(iter(made.items()))
        for _ in range(600):
            if again := await cache.find(key):
                break
            await asyncio.sleep(0.05)
        assert again is not None
        assert again.data == rendition.data


async def test_a_lock_that_cannot_be_asked_for_stops_nothing(patient: None, nodes: Cluster, own_redis: Redis) -> None:
    """A user of Redis that may read and write but run no scripts."""
    own_redis.command("ACL", "SETUSER", "plain", "on", ">secret", "~pixgate:*", "+@all", "-@scripting")
    url = f"redis://plain:secret@127.0.0.1:{own_redis.port}/0"
    one, other = nodes(2, redis=url)
    assert (await one.get("w:33")).tier is None
    await settled(one)
    assert (await other.get("w:33")).tier == "redis"
    assert health(one) == "healthy"


async def test_a_wrong_password_degrades(patient: None, nodes: Cluster, own_redis: Redis) -> None:
    (one,) = nodes(1, redis=f"redis://:not-the-password@127.0.0.1:{own_redis.port}/0")
    for width in range(20, 25):
        assert (await one.get(f"w:{width}")).tier is None
    assert one.caches[0] is not None
    entry = one.caches[0].health()["redis"]
    assert entry["status"] == "degraded"
    assert "WRONGPASS" in entry["detail"] or "invalid" in entry["detail"]
    assert "not-the-password" not in str(entry)
