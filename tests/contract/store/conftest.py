"""Stores of every kind (`gateway.blobs.port.Store`): the folder, MinIO, and a service of fewer abilities."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.blobs.filesystem import FilesystemStore
from gateway.blobs.port import Store
from gateway.blobs.upstream.store import UpstreamStore
from gateway.settings.stores import S3Store, parse_store
from tests.contract.store.place import DEPLOYMENT, PREFIX, Maker, Place


@pytest.fixture(params=["folder", "minio", "rclone"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(tmp_path)
    server = request.getfixturevalue("minio" if request.param == "minio" else "rclone_s3")
    return Place(tmp_path, server, server.new_bucket())


@pytest.fixture
async def maker(place: Place) -> AsyncIterator[Maker]:
    """Makes stores of one deployment or another, all in the same place."""
    made: list[Store] = []
    executor = ThreadPoolExecutor(4)

    def make(deployment: str) -> Store:
        if place.server is not None:
            settings = parse_store(f"{place.server.store_url(place.bucket)}&prefix={PREFIX}", "s")
            assert isinstance(settings, S3Store)
            store: Store = UpstreamStore(settings, deployment)
        else:
            store = FilesystemStore(place.folder, deployment, executor, name="s")
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()
    executor.shutdown()


@pytest.fixture
async def store(maker: Maker) -> Store:
    store = maker(DEPLOYMENT)
    await store.claim(used=False)
    await store.begin_lease(7)
    return store
