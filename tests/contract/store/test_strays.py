"""What lies among the blobs of a store and is none."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.blobs.port import Store
from gateway.blobs.upstream.store import UpstreamStore
from gateway.settings.stores import S3Store, parse_store
from tests.contract.store.blobs import read, segment, write
from tests.contract.store.place import DEPLOYMENT, Place
from tests.servers.minio import Minio


async def test_strays_are_what_lies_among_the_blobs_and_is_none(place: Place, store: Store) -> None:
    blob = await write(store, b"blob")
    packed = await store.append(b"packed")
    strays = {"junk/blob": 4, "99/junk": 1, "note.txt": 7, "7/sub/1": 2, "007/1": 3, "7/ä b+%41\x7f.txt": 5}
    for name, size in strays.items():
        await place.put(f"{DEPLOYMENT}/{name}", bytes(size))
    beyond = ["note.txt", f"cache/{DEPLOYMENT}/aa/bb", f"{DEPLOYMENT}x/junk", "d2/7/junk"]
    for name in beyond:
        await place.put(name, b"not ours")
    before = int(time.time() * 1000)
    found = {entry.name: entry async for page in store.strays() for entry in page}
    assert {name: entry.size for name, entry in found.items()} == strays
    assert all(abs(entry.modified_ms - before) < 60_000 for entry in found.values())

    some = sorted(strays)[1:]
    assert sorted(await store.remove_strays(some)) == some
    assert [entry.name async for page in store.strays() for entry in page] == sorted(strays)[:1]
    await store.remove_strays([*strays])
    assert [page async for page in store.strays()] == []
    for name in (*beyond, "deployment"):
        assert await place.has(name), name
    assert await read(store, segment(blob)) == b"blob"
    assert await read(store, segment(packed)) == b"packed"
    for name in (blob.name, packed.name, ""):
        with pytest.raises(ValueError, match="not a stray's name"):
            await store.remove_strays([name])
    assert await read(store, segment(blob)) == b"blob"


async def test_more_strays_than_a_page(minio: Minio) -> None:
    settings = parse_store(minio.store_url(minio.new_bucket()), "s")
    assert isinstance(settings, S3Store)
    client = minio.client()
    with ThreadPoolExecutor(16) as threads:
        keys = [f"{DEPLOYMENT}/7/old-{number}" for number in range(1005)]
        list(threads.map(lambda key: client.put_object(Bucket=settings.bucket, Key=key, Body=b""), keys))
    store = UpstreamStore(settings, DEPLOYMENT)
    async for page in store.strays():
        await store.remove_strays([entry.name for entry in page])
    assert [page async for page in store.strays()] == []
    assert await store.leases() == []
    await store.close()
