"""Nodes that share a Redis, a folder, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cache import database_locks
from gateway.cache import redis as redis_adapter
from gateway.cache.assemble import open_cache
from gateway.cache.folder import FolderObjects
from gateway.cache.tiered import RenditionCache
from gateway.metadata.port import Database
from tests.data_folder import open_services
from tests.functional.rendition_cache.node import SECRET, Cluster, Counts, Node


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_services(tmp_path / "data") as services:
        yield services.database


@pytest.fixture
async def nodes(tmp_path: Path, database: Database) -> AsyncIterator[Cluster]:
    """Makes nodes of two workers each that share a Redis, a folder, or nothing."""
    made: list[Node] = []

    def make(count: int, *, redis: str | None = None, store: bool = False) -> list[Node]:
        for _ in range(count):
            caches = []
            for _ in range(2):
                cache = open_cache(
                    Counts(),
                    secret=SECRET,
                    deployment="one",
                    database=database,
                    redis_url=redis,
                    objects=FolderObjects(tmp_path / "renditions") if store else None,
                    store_bytes=64 << 20 if store else 0,
                )
                if store and cache is not None and redis is None:
                    # As with PostgreSQL: a database that nodes share has their locks.
                    cache._locks = (database_locks.DatabaseLocks(database),)
                caches.append(cache)
            folder = tmp_path / f"node{len(made)}"
            folder.mkdir()
            made.append(Node(folder, caches))
        return made[-count:]

    yield make
    await asyncio.gather(*(node.close() for node in made))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis may take its time, and whoever renders for others: what a busy machine delays is not what these tests are
    about."""
    monkeypatch.setitem(redis_adapter.RedisServer.__init__.__kwdefaults__, "budget", 2.0)
    monkeypatch.setattr("gateway.cache.store.BUDGET", 10)
    monkeypatch.setitem(RenditionCache.__init__.__kwdefaults__, "patience", 120.0)
