"""Variants and cached renditions after the default store was changed: read, removed and checked where they were put."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.app import metrics, rendering_services
from gateway.cache.folder import FolderObjects
from gateway.cache.objects import CacheObjects
from gateway.cache.store import StoreTier
from gateway.cache.upstream import UpstreamObjects
from gateway.config import load
from gateway.data_folder import open_services
from gateway.metadata import pins
from gateway.metadata.pins import Pin
from gateway.render.client import RenderClient
from gateway.render.rendition import Rendition
from gateway.services import Services
from gateway.services.variants import Variants
from gateway.settings.settings import Settings
from gateway.settings.stores import S3Store
from tests.data_folder import new_data_folder, put
from tests.servers.minio import Minio
from tests.services import pixgate, stand_on

CACHE = {"image_store_cache_bytes": "1000000"}


@dataclass
class Deployment:
    """One database over the stores `one` and `two`, opened with either as the default."""

    data: Path
    urls: dict[str, str]
    id: str = ""

    def settings(self, default: str, **more: str) -> Settings:
        tables = "".join(f'[[stores]]\nname = "{name}"\nurl = "{url}"\n' for name, url in self.urls.items())
        file = self.data / "pixgate.toml"
        file.write_text(f'default_store = "{default}"\n{tables}')
        environment = {"PIXGATE_DATA": str(self.data), **{f"PIXGATE_{key.upper()}": more[key] for key in more}}
        return load(environ=environment, config_file=file, env_file=Path(os.devnull))

    @asynccontextmanager
    async def opened(self, default: str, **more: str) -> AsyncIterator[tuple[Services, Variants]]:
        """Services and variants as a process has them whose settings say this."""
        settings = self.settings(default, **more)
        services = await open_services(settings, worker=True)
        self.id = services.deployment
        try:
            render = RenderClient(settings.render_socket, hot_bytes=0)
            _, variants = rendering_services(settings, services, render, metrics(1))
            try:
                yield services, variants
            finally:
                await variants.close()
                await render.close()
        finally:
            await services.close()

    async def names(self, what: str) -> dict[str, set[str]]:
        """What lies in `variants` or in `cache`, by store."""
        found = {}
        for store in self.settings("two").all_stores:
            objects: CacheObjects
            if isinstance(store, S3Store):
                objects = UpstreamObjects(store, self.id, what)
            else:
                objects = FolderObjects(store.path / {"cache": "renditions"}.get(what, what) / self.id)
            found[store.name] = {entry.name async for page in objects.entries() for entry in page}
            await objects.close()
        return found


@pytest.fixture(params=["folder", "minio"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    data = new_data_folder(tmp_path / "data")
    if request.param == "minio":
        minio: Minio = request.getfixturevalue("minio")
        return Deployment(data, {name: minio.store_url(minio.new_bucket()) for name in ("one", "two")})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return Deployment(data, {name: f"file://{tmp_path / name}" for name in ("one", "two")})


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine delays is not what these tests are about."""
    for name in ("BUDGET", "WRITE_BUDGET", "SWEEP_BUDGET"):
        monkeypatch.setattr(f"gateway.cache.pinned.{name}", 60)
    for name in ("BUDGET", "WRITE_BUDGET"):
        monkeypatch.setattr(f"gateway.cache.store.{name}", 60)
    monkeypatch.setattr("gateway.services.variants.REMOVE_BUDGET", 60)


def picture() -> Rendition:
    return Rendition(secrets.token_bytes(3000), "image/webp", "webp", 60, 40, None, 1.0)


class Counts:
    def render_cache_error(self, tier: str) -> None:
        raise AssertionError(f"trouble in {tier}")


async def found(services: Services, key: bytes) -> bytes | None:
    """What a request for a variant finds, that no memory of the node has."""
    assert services.pinned is not None
    rendition = await services.pinned.flight(key, None, Counts()).look()
    return None if rendition is None else rendition.data


async def keep(services: Services, name: bytes, *, note: bool = True) -> tuple[int, Pin, Rendition]:
    """An object with one variant; the id of its content, the variant's row and its bytes."""
    bucket = await services.directory.bucket("photos")
    if bucket is None:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        await services.directory.refresh()
    await put(services, bucket, name, b"an image")
    content = (await services.objects.get(bucket, name)).content
    assert content is not None
    made = picture()
    pin = Pin(secrets.token_bytes(32), content.id, "medium", "image/webp", 60, 40, len(made.data), 1000)
    assert services.pinned is not None
    await services.pinned.put(pin.key, made)
    if note:
        assert await services.database.write(lambda tx: pins.note(tx, (pin,)))
    return content.id, pin, made


async def delete(services: Services, name: bytes) -> None:
    bucket = await services.directory.bucket("photos")
    assert bucket is not None
    await services.objects.delete(bucket, name)


def place(pin: Pin) -> str:
    return f"{pin.key.hex()[:2]}/{pin.key.hex()[2:]}"


async def test_variants_are_read_and_removed_where_they_were_put(deployment: Deployment) -> None:
    async with deployment.opened("one") as (services, _):
        first, before, made = await keep(services, b"before")
        _, stays, _ = await keep(services, b"stays")
    async with deployment.opened("two") as (services, variants):
        second, after, made_after = await keep(services, b"after")
        assert await found(services, before.key) == made.data
        assert await found(services, after.key) == made_after.data
        assert await found(services, secrets.token_bytes(32)) is None
        for content, name in ((first, b"before"), (second, b"after")):
            await delete(services, name)
            await variants.removed(content)
        assert await found(services, before.key) is None
    assert await deployment.names("variants") == {"one": {place(stays)}, "two": set()}
    async with deployment.opened("two") as (services, _):
        assert await pins.unnoted(services.database, [before.key, after.key]) == {before.key, after.key}


async def test_the_sweep_and_fsck_look_at_every_store(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    async with deployment.opened("one") as (services, _):
        _, kept, _ = await keep(services, b"kept")
        _, swept, _ = await keep(services, b"swept")
        _, unknown, _ = await keep(services, b"unknown", note=False)
    stand_on(deployment.data, {"PIXGATE_CONFIG": str(deployment.data / "pixgate.toml")})
    deployment.settings("two")
    leftover = f"one: variants/{place(unknown)}"
    report = json.loads(pixgate("fsck", "--delete-unknown", "--json", data=deployment.data).stdout)
    assert report["clean"]
    assert [text.rpartition(" (")[0] for text in report["leftovers"]] == [leftover]
    assert (await deployment.names("variants"))["one"] == {place(pin) for pin in (kept, swept, unknown)}, (
        "not a day old"
    )
    deployment.settings("two")
    arguments = ("fsck", "--delete-unknown", "--older-than", "0s", "--json")
    report = json.loads(pixgate(*arguments, data=deployment.data).stdout)
    assert report["repaired"] == [f"removed variants/{place(unknown)} from one, which no row names"]
    assert (await deployment.names("variants"))["one"] == {place(kept), place(swept)}
    async with deployment.opened("one") as (services, _):
        _, unknown, _ = await keep(services, b"unknown too", note=False)
    async with deployment.opened("two") as (services, variants):
        await delete(services, b"swept")
        while await services.database.one("SELECT 1 FROM pins WHERE gone = 1") is None:
            await services.sweep.run_once(0)
        assert await variants.sweep() == 1
        await variants.sweep_unnoted()
        monkeypatch.setattr("gateway.services.variants.UNNOTED_MS", -60_000)
        assert await variants.sweep_unnoted() == 1
    assert (await deployment.names("variants"))["one"] == {place(kept)}


def store_tier(services: Services) -> StoreTier:
    assert services.cache is not None
    tier = services.cache._tiers[-1]
    assert isinstance(tier, StoreTier)
    return tier


async def test_the_cache_of_a_former_default_is_emptied(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with deployment.opened("one", **CACHE) as (services, _):
        _, pin, _ = await keep(services, b"kept")
        await store_tier(services).put(secrets.token_bytes(32), picture())
    async with deployment.opened("two", **CACHE) as (services, _):
        await store_tier(services).put(secrets.token_bytes(32), picture())
        assert await store_tier(services).trim() == 0, "nodes with the settings before may still use it"
        assert [len(names) for names in (await deployment.names("cache")).values()] == [1, 1]
        monkeypatch.setattr("gateway.cache.store.FORMER_MS", -60_000)
        assert await store_tier(services).trim() > 3000
        assert await store_tier(services).trim() == 0
    assert [len(names) for names in (await deployment.names("cache")).values()] == [0, 1]
    assert (await deployment.names("variants"))["one"] == {place(pin)}


async def test_fsck_tells_of_a_cache_that_nothing_reads(deployment: Deployment) -> None:
    async with deployment.opened("one", **CACHE) as (services, _):
        await store_tier(services).put(secrets.token_bytes(32), picture())
    stand_on(
        deployment.data,
        {"PIXGATE_CONFIG": str(deployment.data / "pixgate.toml"), "PIXGATE_IMAGE_STORE_CACHE_BYTES": "1000000"},
    )
    deployment.settings("one")
    assert json.loads(pixgate("fsck", "--json", data=deployment.data).stdout)["leftovers"] == []
    deployment.settings("two")
    arguments = ("fsck", "--delete-unknown", "--older-than", "0s", "--json")
    report = json.loads(pixgate(*arguments, data=deployment.data).stdout)
    assert len(report["leftovers"]) == 1
    assert report["leftovers"][0].startswith("one: cache/, 1 rendition")
    assert await deployment.names("cache") == {"one": set(), "two": set()}


async def test_a_store_that_is_away_keeps_no_deletion_from_ending(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    urls = {name: f"file://{tmp_path / name}" for name in ("one", "two")}
    deployment = Deployment(new_data_folder(tmp_path / "data"), urls)
    async with deployment.opened("one") as (services, _):
        content, pin, _ = await keep(services, b"before")
    async with deployment.opened("two") as (services, variants):
        assert services.pinned is not None
        await services.pinned.put(pin.key, picture())
        # What is read as a folder is none for a while.
        variants_of_one = tmp_path / "one" / "variants"
        shutil.move(variants_of_one, tmp_path / "aside")
        variants_of_one.write_bytes(b"")
        await delete(services, b"before")
        await variants.removed(content)
        assert list((tmp_path / "two" / "variants").rglob(place(pin))) == []
        variants_of_one.unlink()
        shutil.move(tmp_path / "aside", variants_of_one)
        assert await variants.sweep() == 1
    assert await deployment.names("variants") == {"one": set(), "two": set()}


async def test_the_data_folder_may_have_been_the_default(tmp_path: Path) -> None:
    data = new_data_folder(tmp_path / "data")
    (tmp_path / "one").mkdir()
    deployment = Deployment(data, {"one": f"file://{tmp_path / 'one'}"})
    async with deployment.opened("local") as (services, _):
        content, pin, made = await keep(services, b"before")
    kept: Callable[[], list[Path]] = lambda: [file for file in (data / "variants").rglob("*") if file.is_file()]  # noqa: E731
    assert len(kept()) == 1
    async with deployment.opened("one") as (services, variants):
        assert await found(services, pin.key) == made.data
        await delete(services, b"before")
        await variants.removed(content)
    assert await asyncio.to_thread(kept) == []
