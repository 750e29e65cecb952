"""The tier in a store: its budget, which go first, and what a full or broken folder means."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.folder import FolderObjects
from gateway.cache.port import CacheFull, CacheUnavailable
from gateway.cache.sealed import Sealer
from gateway.cache.store import LOW, StoreTier
from gateway.render.rendition import Rendition

SEALER = Sealer(b"s" * 32)


def picture(size: int) -> Rendition:
    return Rendition(os.urandom(size), "image/png", "png", 30, 20, None, 1.0)


def lay(root: Path, name: str, size: int, age: float) -> Path:
    """A file as if it had been written `age` seconds ago."""
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


@settings(max_examples=25)
@given(files=st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 600)), max_size=30))
def test_the_oldest_go_first_and_no_more_than_must(
    files: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("renditions")
    limit = 20_000
    laid = [
        (age * 60, size, lay(root, f"{number % 256:02x}/{number}", size, age * 60))
        for number, (size, age) in enumerate(files)
    ]
    total = sum(size for _, size, _ in laid)

    async def trim() -> int:
        tier = StoreTier(FolderObjects(root), SEALER, limit=limit)
        try:
            return await tier.trim()
        finally:
            await tier.close()

    removed = asyncio.run(trim())
    kept = [(age, size) for age, size, path in laid if path.exists()]
    gone = [(age, size) for age, size, path in laid if not path.exists()]
    assert removed == sum(size for _, size in gone)
    if total <= limit:
        assert not gone
        return
    assert total - removed <= limit * LOW
    assert total - removed > limit * LOW - 4000
    # In whole minutes, none that went is younger than one that stayed.
    assert not kept or min(age for age, _ in gone) >= max(age for age, _ in kept) - 60


async def test_unfinished_files_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    dead = lay(tmp_path, "aa/.new-1", 100, 7200)
    alive = lay(tmp_path, "aa/.new-2", 100, 10)
    whole = lay(tmp_path, "aa/whole", 100, 10)
    objects = FolderObjects(tmp_path)
    listed = [entry.name async for page in objects.entries() for entry in page]
    assert listed == ["aa/whole"]
    assert not dead.exists()
    assert alive.exists()
    assert whole.exists()
    await objects.close()


async def test_little_free_space_keeps_nothing_and_reads_on(tmp_path: Path) -> None:
    roomy = StoreTier(FolderObjects(tmp_path), SEALER, limit=1 << 30)
    await roomy.put(b"k" * 32, picture(100))
    full = StoreTier(FolderObjects(tmp_path, min_free=1 << 62), SEALER, limit=1 << 30)
    with pytest.raises(CacheFull, match="less free space"):
        await full.put(b"l" * 32, picture(100))
    assert full.health()["status"] == "degraded"
    assert await full.get(b"k" * 32) is not None
    assert [path.name for path in tmp_path.glob("6b/*")] == [(b"k" * 31).hex()]
    assert not list(tmp_path.glob("6c/*"))
    await roomy.close()
    await full.close()


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    tier = StoreTier(FolderObjects(tmp_path / "file"), SEALER, limit=1 << 30)
    with pytest.raises(CacheFull):
        await tier.put(b"k" * 32, picture(100))
    assert tier.health()["status"] == "degraded"
    with pytest.raises(CacheUnavailable):
        await tier.get(b"k" * 32)
    await tier.close()
