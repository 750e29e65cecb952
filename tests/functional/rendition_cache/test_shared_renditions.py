"""Renditions that nodes share: made once, filled upwards, found where they fit."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from gateway.cache import database_locks
from gateway.cache import redis as redis_adapter
from gateway.render.client import RenderClient
from gateway.render.errors import RenderBusy
from gateway.render.launch import start_broker
from gateway.render.settings import BrokerSettings
from tests.functional.rendition_cache.node import PHOTO, Cluster, Node, settled
from tests.servers.redis import Redis
from transforms.epoch import derivative_key
from transforms.errors import DecodeFailed
from transforms.options import parse_compact


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
    three = nodes(3, redis=request.getfixturevalue("redis_url") if shared == "redis" else None, store=shared == "store")
    cache = three[0].caches[0]
    assert cache is not None

    def lasting(seconds: float) -> None:
        for module, locks in (
            (redis_adapter, redis_adapter.RedisLocks),
            (database_locks, database_locks.DatabaseLocks),
        ):
            monkeypatch.setattr(module, "LOCK_SECONDS", seconds)
            monkeypatch.setattr(locks, "seconds", seconds)

    lasting(2.0)
    started = time.monotonic()
    outcome, _, _ = await cache.take(derivative_key(PHOTO, parse_compact("w:201").canonical(), ""))
    assert not isinstance(outcome, str)
    # Whoever takes it over keeps it, however busy the machine is.
    lasting(60.0)
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
    # Who waits for a lock that is not given back does so for a minute.
    assert time.monotonic() - started < 50


async def test_a_long_render_keeps_its_lock(patient: None, nodes: Cluster, redis_url: str) -> None:
    two = nodes(2, redis=redis_url)
    for number, node in enumerate(two):
        await node.get(f"w:{30 + number}")
    decoders = [child for node in two for child in psutil.Process(node.broker.pid).children(recursive=True)]
    for decoder in decoders:
        decoder.suspend()
    waiting = asyncio.gather(*(node.get("w:110") for node in two))
    await asyncio.sleep(redis_adapter.LOCK_SECONDS + 1.5)
    for decoder in decoders:
        decoder.resume()
    found = await waiting
    assert found[0].data == found[1].data
    assert sum([await node.renders() for node in two]) == 2 + 1


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
        assert time.monotonic() - started < 50
    finally:
        await full.clients[0].close()
        broker.terminate()
        broker.wait(30)
