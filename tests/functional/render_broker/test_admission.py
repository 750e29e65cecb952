"""What is admitted, what waits, and what is dropped when who asked has left."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from gateway.render.errors import BrokerUnavailable, RenderBusy
from tests.functional.render_broker.node import SLOW, Node, busy, request, still, until, warmed


async def test_a_full_queue_says_so_at_once(node: Node, slow_source: Path, photo_file: Path) -> None:
    node.start(decoders=1, queue_jobs=2)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        running = [asyncio.create_task(client.render(request(slow_source, f"{SLOW},q:{q}"))) for q in (1, 2, 3)]
        different = [
            asyncio.create_task(client.render(request(slow_source, f"{SLOW},rotate:{angle}")))
            for angle in (90, 180, 270)
        ]

        async def full() -> bool:
            return bool((await client.stats())["queue"]["jobs"] >= 2)

        await until(full)
        # At once: none of those before it ends as long as the decoder stands still.
        with pytest.raises(RenderBusy) as caught:
            await client.render(request(photo_file))
        assert caught.value.retry_after >= 1
        assert (await client.stats())["busy"] >= 1
        for task in (*running, *different):
            task.cancel()


async def test_work_is_admitted_by_its_cost(node: Node, slow_source: Path, photo_file: Path) -> None:
    node.start(decoders=1, queue_ms=1500)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        tasks = [asyncio.create_task(client.render(request(slow_source, f"{SLOW},rotate:{a}"))) for a in (0, 90)]

        async def queued() -> bool:
            return bool((await client.stats())["queue"]["jobs"] == 1)

        await until(queued)
        with pytest.raises(RenderBusy):
            await client.render(request(slow_source, f"{SLOW},rotate:180"))
        for task in tasks:
            task.cancel()


async def test_leaving_does_not_end_the_render_for_others(node: Node, slow_source: Path) -> None:
    node.start(decoders=1)
    leaving, staying = node.client(), node.client()
    (pid,) = await warmed(staying, 1)

    async def joined() -> bool:
        return bool((await staying.stats())["joined"] == 1)

    with still(pid):
        first = asyncio.create_task(leaving.render(request(slow_source, SLOW)))
        await busy(staying)
        second = asyncio.create_task(staying.render(request(slow_source, SLOW)))
        await until(joined)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        await leaving.close()
    assert (await second).width == 1400
    assert (await staying.stats())["renders"] == 1


async def test_queued_work_of_a_worker_that_left_is_dropped(node: Node, slow_source: Path, photo_file: Path) -> None:
    node.start(decoders=1)
    leaving, staying = node.client(), node.client()
    (pid,) = await warmed(staying, 1)

    async def waits() -> bool:
        return bool((await staying.stats())["queue"]["jobs"] == 1)

    async def gone() -> bool:
        return bool((await staying.stats())["queue"]["jobs"] == 0)

    with still(pid):
        running = asyncio.create_task(staying.render(request(slow_source, SLOW)))
        await busy(staying)
        queued = asyncio.create_task(leaving.render(request(photo_file)))
        await until(waits)
        await leaving.close()
        with pytest.raises(BrokerUnavailable):
            await queued
        # While the job before it stands still: nobody took it.
        await until(gone)
    await running
    assert (await staying.stats())["renders"] == 1
