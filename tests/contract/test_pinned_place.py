"""Where variants are kept, as a folder and in a bucket: what lies there is whole, and goes by name alone."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from gateway.blobs.port import Entry
from gateway.cache.folder import FolderObjects
from gateway.cache.objects import CacheObjects
from gateway.cache.pinned import ITEM_BYTES, PinnedRenditions
from gateway.cache.port import CacheUnavailable
from gateway.cache.sealed import Sealer
from gateway.cache.store import StoreTier
from gateway.cache.upstream import UpstreamObjects
from gateway.render.rendition import Rendition
from gateway.settings.stores import S3Store, parse_store
from tests.servers.s3 import S3Server

SECRET = b"s" * 32
Places = Callable[..., CacheObjects]


def picture(size: int = 5000) -> Rendition:
    return Rendition(secrets.token_bytes(size), "image/webp", "webp", 300, 200, None, 31.5)


def key() -> bytes:
    return secrets.token_bytes(32)


class Counts:
    def __init__(self) -> None:
        self.errors = 0

    def render_cache_error(self, tier: str) -> None:
        assert tier == "variants"
        self.errors += 1


class Beyond:
    """What is looked at after it."""

    def __init__(self, found: Rendition | None = None) -> None:
        self.found = found
        self.told: list[Rendition | None] = []

    async def look(self) -> Rendition | None:
        return self.found

    def settled(self, rendition: Rendition | None) -> None:
        self.told.append(rendition)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine delays is not what these tests are about."""
    for name in ("BUDGET", "WRITE_BUDGET", "SWEEP_BUDGET"):
        monkeypatch.setattr(f"gateway.cache.pinned.{name}", 60)


@pytest.fixture(params=["folder", "minio"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    if request.param == "folder":
        return lambda folder="variants", deployment="one": FolderObjects(tmp_path / folder / deployment)
    server: S3Server = request.getfixturevalue("minio")
    settings = parse_store(server.store_url(server.new_bucket()))
    assert isinstance(settings, S3Store)
    return lambda folder="variants", deployment="one": UpstreamObjects(settings, deployment, folder)


@pytest.fixture
async def place(objects: Places) -> AsyncIterator[PinnedRenditions]:
    place = PinnedRenditions(objects(), Sealer(SECRET))
    yield place
    await place.close()


async def listed(place: PinnedRenditions) -> dict[bytes, int]:
    return {key: modified_ms for one in place.places async for page in one.entries() for key, modified_ms in page}


async def test_what_was_put_is_found_by_others(place: PinnedRenditions, objects: Places) -> None:
    name, made = key(), picture()
    assert await place.get(name) is None
    assert await place.put(name, made)
    other = PinnedRenditions(objects(), Sealer(SECRET))
    found = await other.get(name)
    assert found is not None
    assert (found.data, found.media_type, found.width, found.height, found.tier) == (
        made.data,
        "image/webp",
        300,
        200,
        "variants",
    )
    assert await other.get(key()) is None
    await other.close()


async def test_it_goes_by_name(place: PinnedRenditions) -> None:
    names = [key() for _ in range(3)]
    for name in names:
        await place.put(name, picture())
    found = await listed(place)
    assert set(found) == set(names)
    assert all(abs(time.time() * 1000 - moment) < 300_000 for moment in found.values())
    await place.remove([*names[:2], key()])
    assert set(await listed(place)) == {names[2]}
    assert await place.get(names[0]) is None


async def test_a_cache_beside_it_trims_nothing_of_it(place: PinnedRenditions, objects: Places) -> None:
    name, made = key(), picture(100_000)
    await place.put(name, made)
    tier = StoreTier(objects("cache"), Sealer(SECRET), limit=10_000)
    try:
        assert await tier.get(name) is None
        await tier.put(key(), picture(2000))
        await tier.trim()
    finally:
        await tier.close()
    found = await place.get(name)
    assert found is not None
    assert found.data == made.data


async def test_deployments_and_keys_are_kept_apart(place: PinnedRenditions, objects: Places) -> None:
    name = key()
    await place.put(name, picture())
    for other in (
        PinnedRenditions(objects(deployment="two"), Sealer(SECRET)),
        PinnedRenditions(objects(), Sealer(b"x" * 32)),
    ):
        assert await other.get(name) is None
        await other.close()


async def test_what_is_damaged_is_not_there(place: PinnedRenditions, objects: Places) -> None:
    name = key()
    await place.put(name, picture())
    beside = objects()
    where = f"{name.hex()[:2]}/{name.hex()[2:]}"
    sealed = await beside.get(where)
    assert sealed is not None
    for broken in (b"", sealed[:-1], sealed[:100] + bytes([sealed[100] ^ 1]) + sealed[101:]):
        await beside.put(where, broken)
        assert await place.get(name) is None
    await beside.put(where, sealed)
    assert await place.get(name) is not None
    await beside.close()


async def test_what_is_too_large_is_not_kept(place: PinnedRenditions) -> None:
    name = key()
    assert not await place.put(name, picture(ITEM_BYTES + 1))
    assert await place.get(name) is None


async def test_what_it_has_needs_no_further_look(place: PinnedRenditions) -> None:
    name, made, counts = key(), picture(), Counts()
    await place.put(name, made)
    beyond = Beyond(picture())
    flight = place.flight(name, beyond, counts)
    found = await flight.look()
    assert found is not None
    assert found.data == made.data
    flight.settled(found)
    assert beyond.told == []
    other = place.flight(key(), beyond, counts)
    assert await other.look() is beyond.found
    other.settled(beyond.found)
    assert beyond.told == [beyond.found]
    assert await place.flight(key(), None, counts).look() is None
    assert counts.errors == 0


async def test_a_place_that_is_away_costs_a_look(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    place = PinnedRenditions(FolderObjects(tmp_path / "file"), Sealer(SECRET))
    counts, beyond = Counts(), Beyond(picture())
    assert await place.flight(key(), beyond, counts).look() is beyond.found
    assert counts.errors == 1
    with pytest.raises(CacheUnavailable):
        await place.put(key(), picture())
    await asyncio.sleep(0)
    await place.close()


async def test_folders_of_kept_variants_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        objects = FolderObjects(tmp_path / "variants" / "one")
        await objects.put("00/" + "a" * 64, b"picture")
        await objects.close()
    finally:
        os.umask(before)
    made = [tmp_path / "variants", *(tmp_path / "variants").rglob("*")]
    assert {path.name[:8]: path.stat().st_mode & 0o777 for path in made} == {
        "variants": 0o700,
        "one": 0o700,
        "00": 0o700,
        "aaaaaaaa": 0o600,
    }


class Asked(FolderObjects):
    """A folder that notes what it is asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.looks: list[str] = []

    async def get(self, name: str) -> bytes | None:
        self.looks.append("get")
        return await super().get(name)

    async def remove(self, names: Sequence[str]) -> None:
        self.looks.append("remove")
        await super().remove(names)

    async def entries(self) -> AsyncIterator[list[Entry]]:
        self.looks.append("list")
        async for page in super().entries():
            yield page


async def test_other_stores_are_asked_last_and_only_those_that_have_some(tmp_path: Path) -> None:
    before = PinnedRenditions(FolderObjects(tmp_path / "former"), Sealer(SECRET))
    old, lost, made, counts = key(), key(), picture(), Counts()
    await before.put(old, made)
    former, never = Asked(tmp_path / "former"), Asked(tmp_path / "never")
    place = PinnedRenditions(FolderObjects(tmp_path / "now"), Sealer(SECRET), {"never": never, "former": former})
    new, shared = key(), Beyond(picture())
    await place.put(new, picture())
    assert await place.flight(new, None, counts).look() is not None
    assert await place.flight(old, shared, counts).look() is shared.found
    assert former.looks == never.looks == [], "what is found before is not looked for there"
    nothing = Beyond()
    flight = place.flight(old, nothing, counts)
    found = await flight.look()
    assert found is not None
    assert (found.data, found.tier) == (made.data, "variants")
    flight.settled(found)
    assert nothing.told == [found], "whoever waits for a lock is told"
    assert await place.flight(lost, None, counts).look() is None
    await place.remove([new, old])
    assert never.looks == ["list"], "it is empty"
    assert former.looks == ["list", "get", "get", "remove"]
    assert await listed(place) == {}
    for one in (before, place):
        await one.close()


async def test_a_place_that_is_away_keeps_nothing_in_the_others(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    others = {"away": FolderObjects(tmp_path / "file"), "former": FolderObjects(tmp_path / "former")}
    before = PinnedRenditions(FolderObjects(tmp_path / "former"), Sealer(SECRET))
    place = PinnedRenditions(FolderObjects(tmp_path / "now"), Sealer(SECRET), others)
    name, made, counts = key(), picture(), Counts()
    await before.put(name, made)
    found = await place.flight(name, None, counts).look()
    assert found is not None
    assert found.data == made.data
    assert counts.errors == 0
    assert await place.flight(key(), None, counts).look() is None
    assert counts.errors == 1
    await place.put(name, made)
    with pytest.raises(CacheUnavailable):
        await place.remove([name])
    assert await place.get(name) is None
    assert await before.get(name) is None
    for one in (before, place):
        await one.close()


class Silent(FolderObjects):
    """A folder that never ends removing."""

    async def remove(self, names: Sequence[str]) -> None:
        await asyncio.Event().wait()


async def test_whoever_deletes_waits_no_longer_than_said(tmp_path: Path) -> None:
    before = PinnedRenditions(FolderObjects(tmp_path / "former"), Sealer(SECRET))
    place = PinnedRenditions(FolderObjects(tmp_path / "now"), Sealer(SECRET), {"former": Silent(tmp_path / "former")})
    name = key()
    await before.put(name, picture())
    with pytest.raises(CacheUnavailable, match="within 50 ms"):
        await place.remove([name], 0.05)
    for one in (before, place):
        await one.close()
