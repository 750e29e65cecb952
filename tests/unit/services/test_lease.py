"""A process lets go of its lease when much was abandoned under it, and never while a write needs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.errors import Md5Mismatch, PreconditionFailed
from gateway.metadata import leases
from gateway.model.buckets import Bucket
from gateway.model.objects import Expectations, WriteConditions
from gateway.services import Services
from gateway.services import lease as lease_module
from tests.data_folder import Pieces, names, open_services, put, read

LARGE = bytes(200_000)


async def refused(services: Services, bucket: Bucket) -> None:
    with pytest.raises(Md5Mismatch):
        await services.objects.put(
            bucket,
            b"refused",
            headers=(),
            tags=(),
            expect=Expectations(len(LARGE), md5=bytes(16)),
            conditions=WriteConditions(),
            body=Pieces([LARGE]),
        )


@pytest.mark.embedded
async def test_what_was_refused_is_swept_while_the_process_lives(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "ABANDONED_BYTES", len(LARGE))
    await put(services, bucket, b"kept", LARGE)
    await refused(services, bucket)
    old = services.lease.id
    assert len(await names(services)) == 2
    await services.lease.turn()
    assert services.lease.id != old
    await services.sweep.run_once()
    assert len(await names(services)) == 1
    assert await read(services, bucket, b"kept") == LARGE
    await put(services, bucket, b"after", LARGE)
    assert await read(services, bucket, b"after") == LARGE


async def test_little_is_left_until_it_is_old(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await refused(services, bucket)
    old = services.lease.id
    await services.lease.turn()
    assert services.lease.id == old
    monkeypatch.setattr(lease_module, "ABANDONED_MS", 0)
    await services.lease.turn()
    assert services.lease.id != old


class Slow(Pieces):
    """A body whose end waits for `go_on`; `waits` is set by then."""

    def __init__(self, go_on: asyncio.Event) -> None:
        super().__init__([LARGE])
        self._go_on = go_on
        self.waits = asyncio.Event()

    async def read(self) -> bytes:
        piece = await super().read()
        if not piece:
            self.waits.set()
            await self._go_on.wait()
        return piece


async def test_a_write_in_flight_keeps_its_lease(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "ABANDONED_BYTES", 1)
    go_on = asyncio.Event()
    body = Slow(go_on)
    task = asyncio.create_task(
        services.objects.put(
            bucket,
            b"slow",
            headers=(),
            tags=(),
            expect=Expectations(len(LARGE)),
            conditions=WriteConditions(),
            body=body,
        )
    )
    await body.waits.wait()
    await refused(services, bucket)
    old = services.lease.id
    await services.lease.turn()
    await services.lease.turn()
    await services.sweep.run_once()
    assert old in await leases.live(services.database)
    go_on.set()
    await task
    assert await read(services, bucket, b"slow") == LARGE
    await services.lease.turn()
    assert old not in await leases.live(services.database)
    await services.sweep.run_once()
    assert await read(services, bucket, b"slow") == LARGE
    assert len(await names(services)) == 1


async def test_a_condition_that_fails_costs_no_body(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"there", b"x")
    body = Pieces([LARGE])
    with pytest.raises(PreconditionFailed):
        await services.objects.put(
            bucket,
            b"there",
            headers=(),
            tags=(),
            expect=Expectations(len(LARGE)),
            conditions=WriteConditions(if_none_match=True),
            body=body,
        )
    assert await body.read() == LARGE, "it was not read"


async def test_it_is_given_back_when_nothing_is_on_its_way_to_the_stores_any_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    async with open_services(folder) as services:
        store, lease = services.stores.default, services.lease.id
        close = store.close

        async def look_and_close() -> None:
            seen.append(lease in await leases.live(services.database))
            await close()

        monkeypatch.setattr(store, "close", look_and_close)
    assert seen == [True]
