"""What a place for renditions is tried with is never left there, nor taken for a rendition."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from gateway.cache.folder import FolderObjects
from gateway.cache.objects import CacheObjects
from gateway.cache.upstream import UpstreamObjects
from gateway.settings.stores import S3Store, parse_store
from tests.servers.s3 import S3Server

LEFT = "probe-0123456789abcdef"
RENDITION = "00/" + "ab" * 31
HOURS = 3 * 3600


class Place(Protocol):
    """What lies there, past the adapter: `lay` puts a probe and ages it by seconds."""

    probe: str

    def objects(self) -> CacheObjects: ...

    def names(self) -> set[str]: ...

    def lay(self, age: float) -> None: ...


class Folder:
    probe = f"00/{LEFT}"

    def __init__(self, root: Path) -> None:
        self._root = root

    def objects(self) -> CacheObjects:
        return FolderObjects(self._root)

    def names(self) -> set[str]:
        return {str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file()}

    def lay(self, age: float) -> None:
        path = self._root / self.probe
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
        os.utime(path, (time.time() - age,) * 2)


class Bucket:
    probe = LEFT

    def __init__(self, server: S3Server, age: Callable[[float], None]) -> None:
        self._bucket = server.new_bucket()
        settings = parse_store(server.store_url(self._bucket))
        assert isinstance(settings, S3Store)
        self._settings = settings
        self._client = server.client()
        self._age = age

    def objects(self) -> CacheObjects:
        return UpstreamObjects(self._settings, "one", "variants")

    def names(self) -> set[str]:
        found = self._client.list_objects_v2(Bucket=self._bucket).get("Contents", [])
        return {one["Key"].removeprefix("variants/one/") for one in found}

    def lay(self, age: float) -> None:
        self._client.put_object(Bucket=self._bucket, Key=f"variants/one/{self.probe}", Body=b"pixgate")
        self._age(age)


@pytest.fixture(params=["folder", "minio"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "folder":
        return Folder(tmp_path)

    def age(seconds: float) -> None:
        # An object's time cannot be set: how long it may stay is.
        monkeypatch.setattr("gateway.cache.upstream.PROBES_KEPT_MS", (3600 - seconds) * 1000)

    return Bucket(request.getfixturevalue("minio"), age)


async def test_a_probe_that_was_given_up_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # All that were begun at once may take a busy machine longer than a process that ends waits for them.
    monkeypatch.setattr("gateway.cache.upstream.CLOSE_SECONDS", 60)
    objects = place.objects()
    await objects.probe()
    began = time.perf_counter()
    await objects.probe()
    whole = time.perf_counter() - began
    for step in range(20):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(objects.probe(), whole * step / 20)
    await objects.close()
    # A thread that was begun goes on.
    deadline = time.monotonic() + 60
    while place.names() and isinstance(place, Folder) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert place.names() == set()


async def test_what_a_killed_process_left_goes_by_its_age(place: Place) -> None:
    objects = place.objects()
    await objects.put(RENDITION, b"made")
    for age, stays in ((0, True), (HOURS, False)):
        place.lay(age)
        found = [entry.name async for page in objects.entries() for entry in page]
        assert found == [RENDITION]
        assert (place.probe in place.names()) == stays
    assert place.names() == {RENDITION}
    await objects.close()
