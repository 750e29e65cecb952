"""Tries of a store leave nothing in it, whoever gave them up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.blobs.port import Store
from tests.contract.store.blobs import names
from tests.contract.store.place import DEPLOYMENT, Maker, Place


async def test_a_probe_leaves_nothing(store: Store) -> None:
    await store.probe()
    assert await store.leases() in ([], [7])
    assert await names(store, 7) == {}
    store.check_room()


async def test_a_probe_that_was_given_up_leaves_nothing_either(
    maker: Maker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All that were begun at once may take a busy machine longer than a process that ends waits for them.
    monkeypatch.setattr("gateway.blobs.upstream.store.CLOSE_SECONDS", 60)
    store = maker(DEPLOYMENT)
    await store.claim(used=False)
    whole = await _seconds(store.probe())
    for step in range(20):
        await _give_up(store.probe(), whole * step / 20)
    whole = await _seconds(store.claim(used=True))
    for step in range(20):
        await _give_up(store.claim(used=True), whole * step / 20)
    await store.close()
    assert await place.probes() == []


async def _seconds(work: Coroutine[Any, Any, None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _give_up(work: Coroutine[Any, Any, None], after: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(work, after)


async def test_what_a_killed_process_left_of_a_probe_goes_by_its_age(store: Store, place: Place) -> None:
    left = "probe-0123456789abcdef" if place.server is not None else ".probe-17-123456789"
    others = [f"{left}.txt", "probe-", f"d2/{left}"]
    for name in (left, *others):
        await place.put(name, b"pixgate")
    hour = 3_600_000
    assert await store.remove_old_probes(round(time.time() * 1000) - hour) == 0
    assert await place.has(left)
    assert await store.remove_old_probes(round(time.time() * 1000) + hour) == 1
    assert not await place.has(left)
    assert [name for name in others if not await place.has(name)] == []
