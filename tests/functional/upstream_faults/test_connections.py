"""Connections to a service: few, shared, given back, and opened anew where it closed them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.blobs.upstream import client as client_module
from gateway.blobs.upstream.breaker import FAILURES
from gateway.blobs.upstream.errors import Busy
from gateway.blobs.upstream.store import UpstreamStore
from gateway.model.contents import Segment
from tests.functional.upstream_faults.service import BODY, MEBIBYTE, Exchange, Service, hang, opened, read, until, well


async def test_reads_and_writes_share_one_connection(store: UpstreamStore, service: Service) -> None:
    service.behave = well
    for _ in range(5):
        assert await read(store) == BODY
        assert await read(store, 17, 40) == BODY[17:57]
        await store.append(b"x")
    assert service.connections == 1


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
