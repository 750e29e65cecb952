"""Bodies that are cut, other than asked for, or stand still."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.blobs.upstream import client as client_module
from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import StoreUnavailable
from gateway.model.contents import Segment
from tests.functional.upstream_faults.service import BODY, MEBIBYTE, Exchange, Service, read, until


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
