"""Variants in the render broker with real processes: all in one round trip, and behind what somebody waits for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.render.client import RenderClient
from gateway.render.errors import BrokerUnavailable, RenderBusy, RenderCrashed
from gateway.render.request import RenderRequest
from gateway.render.source import memory_segment
from gateway.render.task import VARIANTS
from tests import images
from tests.functional.render_broker.node import SLOW, Node, busy, request, still, until, warmed
from transforms.epoch import derivative_key
from transforms.errors import DecodeFailed, TooLarge
from transforms.limits import Limits
from transforms.variants import MADE_AT_ONCE

PHOTO = images.jpeg((1700, 1200))


def key(source: bytes, name: str) -> bytes:
    return derivative_key(source, f"variant:{name}", "")


def all_of(source: bytes = PHOTO, *, later: bool = True, limits: Limits | None = None) -> RenderRequest:
    return RenderRequest(
        derivative_key(source, VARIANTS, ""),
        "",
        "",
        [memory_segment([source])],
        limits or Limits(),
        kind=VARIANTS,
        content="it",
        hot=False,
        later=later,
        parts={name: key(source, name) for name in MADE_AT_ONCE},
    )


def one_of(name: str, source: bytes = PHOTO) -> RenderRequest:
    return RenderRequest(key(source, name), f"variant:{name}", "", [memory_segment([source])])


async def queued(client: RenderClient, *, jobs: int = 0, later: int = 0) -> None:
    async def so() -> bool:
        queue = (await client.stats())["queue"]
        return (queue["jobs"], queue["later"]) == (jobs, later)

    await until(so)


async def test_all_come_together_and_are_what_each_is_alone(node: Node) -> None:
    node.start(decoders=1)
    client, other = node.client(), node.client()
    made = await client.render(all_of())
    assert list(made.parts) == list(MADE_AT_ONCE)
    facts = json.loads(made.data)
    assert (made.format, facts["width"], facts["height"]) == ("json", 1700, 1200)
    stats = await client.stats()
    assert (stats["variant_sets"], stats["renders"], stats["cache"]["entries"]) == (1, 0, 0)
    for name in MADE_AT_ONCE:
        alone = await other.render(one_of(name))
        assert alone.first
        assert replace(alone, render_ms=0) == replace(made.parts[name], render_ms=0)
    assert (await client.stats())["renders"] == len(MADE_AT_ONCE)


async def test_many_that_ask_for_all_are_one_render(node: Node) -> None:
    node.start(decoders=1)
    clients = [node.client(), node.client()]
    (pid,) = await warmed(clients[0], 1)
    with still(pid):
        tasks = [asyncio.create_task(client.render(all_of())) for client in clients for _ in range(3)]

        async def joined() -> bool:
            return bool((await clients[0].stats())["joined"] == 1)

        await until(joined)
    made = await asyncio.gather(*tasks)
    assert all(one.parts == made[0].parts for one in made)
    assert (await clients[0].stats())["variant_sets"] == 1


async def test_who_asks_for_one_that_is_being_made_gets_it_from_there(node: Node) -> None:
    node.start(decoders=1)
    client, other = node.client(), node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        together = asyncio.create_task(client.render(all_of()))
        await busy(client)
        waiting = [asyncio.create_task(other.render(one_of(name))) for name in ("medium", "thumbnail-300")]
        leaving = node.client()
        left = asyncio.create_task(leaving.render(one_of("large")))

        async def joined() -> bool:
            return bool((await client.stats())["joined"] == 3)

        await until(joined)
        await leaving.close()
        with pytest.raises(BrokerUnavailable):
            await left
    medium, small = await asyncio.gather(*waiting)
    made = await together
    assert (medium.data, small.data) == (made.parts["medium"].data, made.parts["thumbnail-300"].data)
    assert not medium.first
    stats = await client.stats()
    assert (stats["renders"], stats["variant_sets"]) == (0, 1)
    # What was asked for is remembered, what was not is not.
    assert (await node.client().render(one_of("medium"))).tier == "broker"
    assert (await node.client().render(one_of("large"))).tier is None


async def test_who_waits_for_one_learns_that_it_failed(node: Node) -> None:
    node.start(decoders=1)
    client, other = node.client(), node.client()
    (pid,) = await warmed(client, 1)
    broken = PHOTO[: len(PHOTO) // 3]
    with still(pid):
        together = asyncio.create_task(client.render(all_of(broken)))
        await busy(client)
        alone = asyncio.create_task(other.render(one_of("medium", broken)))

        async def joined() -> bool:
            return bool((await client.stats())["joined"] == 1)

        await until(joined)
    for task in (together, alone):
        with pytest.raises(DecodeFailed):
            await task


async def test_what_somebody_waits_for_comes_first(node: Node, slow_source: Path) -> None:
    node.start(decoders=1)
    client = node.client()
    (pid,) = await warmed(client, 1)
    order: list[str] = []

    async def ask(name: str, wanted: RenderRequest) -> None:
        await client.render(wanted)
        order.append(name)

    with still(pid):
        tasks = [asyncio.create_task(ask("running", request(slow_source, f"{SLOW},q:1")))]
        await busy(client)
        for number in range(3):
            tasks.append(asyncio.create_task(ask("later", all_of(images.jpeg((300, 200), number)))))
            await queued(client, later=number + 1)
        tasks.append(asyncio.create_task(ask("now", request(PHOTO, "w:50"))))
        await queued(client, jobs=1, later=3)
    await asyncio.gather(*tasks)
    assert order == ["running", "now", "later", "later", "later"]


async def test_who_waits_for_what_was_for_later_hurries_it(node: Node, slow_source: Path) -> None:
    node.start(decoders=1)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        running = asyncio.create_task(client.render(request(slow_source, f"{SLOW},q:2")))
        await busy(client)
        later = asyncio.create_task(client.render(all_of()))
        await queued(client, later=1)
        now = asyncio.create_task(client.render(all_of(later=False)))
        await queued(client, jobs=1)
    assert (await now).parts == (await later).parts
    await running
    assert (await client.stats())["variant_sets"] == 1


async def test_each_rank_is_admitted_by_itself(node: Node, slow_source: Path) -> None:
    node.start(decoders=1, queue_jobs=2)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        tasks = [asyncio.create_task(client.render(request(slow_source, f"{SLOW},q:3")))]
        await busy(client)
        for number in range(2):
            tasks.append(asyncio.create_task(client.render(all_of(images.jpeg((300, 200), number)))))
            await queued(client, later=number + 1)
        with pytest.raises(RenderBusy):
            await client.render(all_of(images.jpeg((300, 200), 7)))
        # Those who wait are let in.
        tasks.append(asyncio.create_task(client.render(request(PHOTO, "w:51"))))
        await queued(client, jobs=1, later=2)
    assert len(await asyncio.gather(*tasks)) == 4


async def test_one_decoder_is_left_to_those_who_ask(node: Node) -> None:
    node.start(decoders=2, quiet_seconds=300)
    client = node.client()
    pids = await warmed(client, 2)
    await client.render(request(PHOTO, "w:52"))
    with still(pids[0]), still(pids[1]):
        later = [asyncio.create_task(client.render(all_of(images.jpeg((300, 200), n)))) for n in range(2)]
        await queued(client, later=1)
        assert (await client.stats())["decoders"]["busy"] == 1
        now = asyncio.create_task(client.render(request(PHOTO, "w:53")))
        await busy(client, 2)
        await queued(client, later=1)
    await asyncio.gather(now, *later)


async def test_all_decoders_do_what_is_for_later_where_nobody_asks(node: Node) -> None:
    node.start(decoders=2, quiet_seconds=300)
    client = node.client()
    pids = await warmed(client, 2)
    with still(pids[0]), still(pids[1]):
        later = [asyncio.create_task(client.render(all_of(images.jpeg((310, 200), n)))) for n in range(2)]
        await busy(client, 2)
    await asyncio.gather(*later)


async def test_what_waits_for_a_quiet_moment_begins_by_itself(node: Node) -> None:
    node.start(decoders=2, quiet_seconds=1)
    client = node.client()
    pids = await warmed(client, 2)
    await client.render(request(PHOTO, "w:54"))
    with still(pids[0]), still(pids[1]):
        later = [asyncio.create_task(client.render(all_of(images.jpeg((320, 200), n)))) for n in range(2)]
        await busy(client, 2)
    await asyncio.gather(*later)


async def test_a_crash_costs_the_set_alone(node: Node) -> None:
    node.start(decoders=1)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        together = asyncio.create_task(client.render(all_of()))
        await busy(client)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(RenderCrashed):
            await together
    assert (await client.render(request(PHOTO, "w:55"))).width == 55


async def test_bounds_hold_for_all_together(node: Node) -> None:
    node.start(decoders=1)
    client = node.client()
    with pytest.raises(TooLarge):
        await client.render(all_of(limits=Limits(source_pixels=1000)))
    with pytest.raises(TooLarge):
        await client.render(all_of(images.CLAIMING["png"]((60_000, 50_000))))
    assert (await client.stats())["decoders"]["busy"] == 0


async def test_nobody_waits_any_more(node: Node, slow_source: Path) -> None:
    node.start(decoders=1)
    staying, leaving = node.client(), node.client()
    (pid,) = await warmed(staying, 1)
    with still(pid):
        running = asyncio.create_task(staying.render(request(slow_source, f"{SLOW},q:4")))
        await busy(staying)
        gone = asyncio.create_task(leaving.render(all_of()))
        await queued(staying, later=1)
        await leaving.close()
        with contextlib.suppress(BrokerUnavailable):
            await gone
        await queued(staying)
    await running
    assert (await staying.render(all_of())).parts
