"""A Redis that stands still, dies, is full, flushed, slow or closed costs nobody a picture."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from gateway.cache.port import CacheUnavailable, Tier
from gateway.errors import RateLimited
from gateway.metadata.rate_windows import RateWindowFile
from gateway.render.rendition import Rendition
from gateway.services.limits import open_limits
from gateway.settings.limits import LimitSettings
from tests.functional.rendition_cache.node import Cluster, health, passed_on, settled, until
from tests.servers.redis import Redis


async def test_redis_stands_still(nodes: Cluster, own_redis: Redis) -> None:
    one, other = nodes(2, redis=own_redis.url)
    await asyncio.gather(one.get("w:20"), other.get("w:20"))
    await until(lambda: health(one) == health(other) == "healthy")
    own_redis.pause()
    try:
        slowest = 0.0
        for number in range(8):
            started = time.monotonic()
            found = await one.get(f"w:{30 + number}")
            assert found.tier is None
            # Decoders stand back behind all that a machine does.
            slowest = max(slowest, time.monotonic() - started - found.render_ms / 1000)
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
    assert slowest < 45
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


async def test_a_slow_redis_costs_little_and_mixes_nothing_up(
    nodes: Cluster, own_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
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
        caplog.clear()
        waited = 0.0
        for width in range(100, 110):
            started = time.monotonic()
            rendered = await one.get(f"w:{width}")
            assert rendered.width == width
            waited += time.monotonic() - started - rendered.render_ms / 1000
        assert waited < 15
        # A probe may wait longer than a request, and ends that again and again.
        alone = any("is left alone" in record.getMessage() for record in caplog.records)
        assert alone or health(one) == "degraded"
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


async def test_what_a_slow_redis_counts_is_not_counted_anew_by_the_node(tmp_path: Path, own_redis: Redis) -> None:
    file = tmp_path / "limits"
    async with Delaying(own_redis.port) as proxy:
        url = own_redis.url.replace(str(own_redis.port), str(proxy.port))
        settings = LimitSettings(rate_limit_uploads_minute=2)
        limits = open_limits(settings, RateWindowFile(file), url, "one")
        await limits.uploads_minute("192.0.2.1")
        # Longer than a rendition would be waited for.
        proxy.delay = lambda: 0.2
        await limits.uploads_minute("192.0.2.1")
        with pytest.raises(RateLimited):
            await limits.uploads_minute("192.0.2.1")
        await limits.close()
    assert not file.exists()
