"""MinIO, paused and killed."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import StoreUnavailable
from gateway.model.contents import Segment
from gateway.settings.stores import S3Store, parse_store
from tests.functional.upstream_faults.service import BODY, MEBIBYTE, SOON, put
from tests.servers.minio import Minio


async def test_a_real_service_that_stands_still_dies_and_comes_back(own_minio: Minio) -> None:
    settings = parse_store(own_minio.store_url(own_minio.new_bucket()))
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    await store.claim(used=False)
    await store.begin_lease(1)
    kept = await store.append(BODY[:4096])

    async def get() -> bytes:
        reader = await store.open(Segment("main", kept.name, 0, 0, 4096))
        try:
            found = bytearray()
            while piece := await reader.read():
                found += piece
            return bytes(found)
        finally:
            reader.close()

    async def back() -> None:
        for _ in range(600):
            with contextlib.suppress(StoreUnavailable):
                assert await get() == BODY[:4096]
                return
            await asyncio.sleep(0.1)
        raise AssertionError("it is not used again")

    own_minio.pause()
    began = time.monotonic()
    outcomes = await asyncio.gather(get(), store.append(b"x"), put(store, 500_000), return_exceptions=True)
    assert time.monotonic() - began < SOON
    assert all(isinstance(one, StoreUnavailable) for one in outcomes), outcomes
    own_minio.resume()
    await back()

    upload = asyncio.ensure_future(put(store, 400 * MEBIBYTE))
    await asyncio.sleep(0.1)
    # It is not done before it is killed, however fast the machine is.
    await asyncio.to_thread(own_minio.pause)
    await asyncio.to_thread(own_minio.kill)
    with pytest.raises(StoreUnavailable):
        await upload
    with pytest.raises(StoreUnavailable):
        await get()
    own_minio.start()
    await back()
    placed = await store.append(b"again")
    assert await store.size(placed.name) == 5
    await store.close()
