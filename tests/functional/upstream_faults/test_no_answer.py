"""A service that is away, says nothing or is busy: told soon, asked again, or no more."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from gateway.blobs.upstream import client as client_module
from gateway.blobs.upstream.breaker import FAILURES, FIRST_PAUSE, Breaker
from gateway.blobs.upstream.errors import BreakerOpen
from gateway.blobs.upstream.pool import TICK_SECONDS
from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import DiskFull, StoreUnavailable
from tests.functional.upstream_faults.service import BODY, SOON, Exchange, Service, hang, put, read, until, well


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


async def test_the_breaker_opens_refuses_at_once_and_closes(store: UpstreamStore, service: Service) -> None:
    seconds = 0.0
    store.client.breaker = Breaker(lambda: seconds)

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
    seconds = FIRST_PAUSE
    for _ in range(2):
        assert await read(store) == BODY


@pytest.mark.parametrize(
    "ask", [lambda store: put(store, 100_000), lambda store: store.append(b"x"), read], ids=["put", "append", "read"]
)
async def test_a_refusal_closes_the_breaker(
    store: UpstreamStore, service: Service, ask: Callable[[UpstreamStore], Awaitable[object]]
) -> None:
    seconds = 0.0
    store.client.breaker = Breaker(lambda: seconds)

    async def broken(exchange: Exchange) -> None:
        exchange.error(500, "InternalError")

    async def refuse(exchange: Exchange) -> None:
        # In place of "continue": the body is not asked for.
        exchange.error(403, "AccessDenied")
        await exchange.writer.drain()
        raise ConnectionError

    service.behave = broken
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailable):
            await read(store)
    assert store.client.breaker.open
    service.behave = refuse
    seconds = FIRST_PAUSE
    with pytest.raises(StoreUnavailable):
        await ask(store)
    assert not store.client.breaker.open


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
